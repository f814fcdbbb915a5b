//! An unlocked device.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::expectation::{Expectation, OpenedNote, People, Place, SealedNote};
use crate::milliseconds;
use crate::refused::Thrown;
use crate::vault::{NewVault, PasscodeChange};

/// One device of one person, from unlocking to locking. Its keys stay inside.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Session(pub(crate) core::Session);

#[wasm_bindgen]
impl Session {
    /// A new device with new keys: of a new person, or of `user`, whose other
    /// device must then add it.
    ///
    /// # Errors
    /// `no-randomness`, `malformed`.
    pub fn create(user: Option<String>) -> Result<Self, Thrown> {
        let user = user.as_deref().map(core::user_named).transpose()?;
        Ok(Self(core::Session::create(user)?))
    }

    /// A new person whose every secret a test can compute.
    ///
    /// # Errors
    /// None.
    #[cfg(feature = "fixed-entropy")]
    #[wasm_bindgen(js_name = createFixed)]
    pub fn create_fixed() -> Result<Self, Thrown> {
        Ok(Self(crate::testing::session()?))
    }

    /// Opens what a recovery key protects. The session is the paper's own; it
    /// lets the new device in with `adopt`.
    ///
    /// # Errors
    /// `mistyped`, `wrong-code`, `malformed`, `too-new`.
    pub fn recover(user: &str, escrow: &[u8], text: &str) -> Result<Self, Thrown> {
        let user = core::user_named(user)?;
        Ok(Self(core::Session::recover(user, escrow, text)?))
    }

    /// Whose device this is.
    #[wasm_bindgen(getter)]
    pub fn user(&self) -> String {
        self.0.user().to_string()
    }

    /// Which device this is.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.0.device().to_string()
    }

    /// What the device that has just let this one in knows the server by: the
    /// key of its log, and those of the witnesses, a line each.
    #[wasm_bindgen(getter)]
    pub fn pinned(&self) -> Option<String> {
        self.0.pinned().map(ToString::to_string)
    }

    /// Whether the keys are gone.
    #[wasm_bindgen(getter, js_name = isLocked)]
    pub fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    /// Wipes every key, and what earlier calls have left on the stack. To wipe
    /// what JavaScript keeps, end the worker as well.
    pub fn lock(&mut self) {
        self.0.lock();
        #[cfg(target_arch = "wasm32")]
        crate::wiping::wipe_stack();
    }

    /// Seals this device's keys under a code. At least one of `device` (32 bytes
    /// of the key store) and `server` is needed; `prf` is a passkey's.
    ///
    /// # Errors
    /// `weak-code`, `share`, `locked`, `out-of-memory`, `no-randomness`.
    #[wasm_bindgen(js_name = sealVault)]
    pub fn seal_vault(
        &mut self,
        code: &str,
        device: Option<Vec<u8>>,
        server: bool,
        prf: Option<Vec<u8>>,
    ) -> Result<NewVault, Thrown> {
        let shares = core::VaultShares {
            device: device.as_deref(),
            server,
            prf: prf.as_deref(),
        };
        Ok(NewVault(self.0.seal_vault(code, shares)?))
    }

    /// Changes the code, and the person's keys with it: the old code may have
    /// been seen. `device` is a new share of the key store.
    ///
    /// # Errors
    /// As of `sealVault` and `rotateKey`.
    #[wasm_bindgen(js_name = changePasscode)]
    pub fn change_passcode(
        &mut self,
        code: &str,
        device: Option<Vec<u8>>,
        server: bool,
        prf: Option<Vec<u8>>,
        now: f64,
    ) -> Result<PasscodeChange, Thrown> {
        let shares = core::VaultShares {
            device: device.as_deref(),
            server,
            prf: prf.as_deref(),
        };
        let changed = self.0.change_passcode(code, shares, milliseconds(now))?;
        Ok(changed.into())
    }

    /// Where to evaluate a passkey's PRF for this vault.
    ///
    /// # Errors
    /// `locked`.
    #[wasm_bindgen(js_name = prfInput)]
    pub fn prf_input(&self) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.prf_input()?.to_vec())
    }

    /// Begins the sigchain of a new person, with their first keys.
    ///
    /// # Errors
    /// `locked`, `out-of-turn`, `no-randomness`.
    #[wasm_bindgen(js_name = beginSigchain)]
    pub fn begin_sigchain(&mut self, now: f64) -> Result<(), Thrown> {
        Ok(self.0.begin_sigchain(milliseconds(now))?)
    }

    /// Verifies the person's own sigchain and opens their keys. `seen` is the
    /// head that was stored.
    ///
    /// # Errors
    /// `locked`, `moved`, `rollback`, `altered`, `not-for-you`, `malformed`.
    #[wasm_bindgen(js_name = followSigchain)]
    pub fn follow_sigchain(
        &mut self,
        sigchain: &[u8],
        seen: Option<Vec<u8>>,
    ) -> Result<(), Thrown> {
        Ok(self.0.follow_sigchain(sigchain, seen.as_deref())?)
    }

    /// The whole sigchain, to send to the server.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn sigchain(&self) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.sigchain()?)
    }

    /// How far the sigchain goes, to be stored.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn head(&self) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.head()?.to_vec())
    }

    /// The devices that can act for the person now; what is on paper is among
    /// them.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn devices(&self) -> Result<Vec<String>, Thrown> {
        let devices = self.0.devices()?;
        Ok(devices.iter().map(ToString::to_string).collect())
    }

    /// Revokes another device. `rotateKey` must follow.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `malformed`.
    #[wasm_bindgen(js_name = revokeDevice)]
    pub fn revoke_device(&mut self, device: &str, now: f64) -> Result<(), Thrown> {
        let device = core::device_named(device)?;
        Ok(self.0.revoke_device(device, milliseconds(now))?)
    }

    /// Makes the next generation of the person's keys.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `no-randomness`.
    #[wasm_bindgen(js_name = rotateKey)]
    pub fn rotate_key(&mut self, now: f64) -> Result<(), Thrown> {
        Ok(self.0.rotate_key(milliseconds(now))?)
    }

    /// The newest items key, sealed, for the server to keep.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `no-randomness`.
    #[wasm_bindgen(js_name = sealedItemsKey)]
    pub fn sealed_items_key(&mut self) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.sealed_items_key()?)
    }

    /// Opens an items key that the server keeps.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `malformed`.
    #[wasm_bindgen(js_name = openItemsKey)]
    pub fn open_items_key(&mut self, sealed: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.open_items_key(sealed)?)
    }

    /// Signs a server's login challenge. `origin` is `location.origin`.
    ///
    /// # Errors
    /// `locked`, `login`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = answerLogin)]
    pub fn answer_login(
        &self,
        challenge: &[u8],
        origin: &str,
        now: f64,
    ) -> Result<Vec<u8>, Thrown> {
        let now_ms = milliseconds(now);
        Ok(self.0.answer_login(challenge, origin, now_ms)?)
    }

    /// Signs that this device redeems an invite for its person's sigchain,
    /// which is sent along. `origin` is `location.origin`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = redeemInvite)]
    pub fn redeem_invite(&self, code: &str, origin: &str) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.redeem_invite(code, origin)?)
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// `locked`, `malformed`, `no-randomness`.
    #[wasm_bindgen(js_name = proveRequest)]
    pub fn prove_request(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &[u8],
        now: f64,
    ) -> Result<Vec<u8>, Thrown> {
        let now_ms = milliseconds(now);
        Ok(self.0.prove_request(method, path, body, token, now_ms)?)
    }

    /// Makes a recovery key and enters it in the sigchain, which then goes to
    /// the server with the escrow.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `no-randomness`.
    #[wasm_bindgen(js_name = makeRecoveryKey)]
    pub fn make_recovery_key(&mut self, now: f64) -> Result<RecoverySheet, Thrown> {
        let sheet = self.0.make_recovery_key(milliseconds(now))?;
        Ok(RecoverySheet(sheet))
    }

    /// Makes a set of backup codes and enters their device in the sigchain,
    /// which then goes to the server with the set. The device of an older set
    /// is then to be revoked.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `no-randomness`.
    #[wasm_bindgen(js_name = makeBackupCodes)]
    pub fn make_backup_codes(&mut self, now: f64) -> Result<BackupSheet, Thrown> {
        let sheet = self.0.make_backup_codes(milliseconds(now))?;
        Ok(BackupSheet(sheet))
    }

    /// What to show the server for the escrow of a backup code; to be sent and
    /// forgotten.
    ///
    /// # Errors
    /// `mistyped`, `malformed`.
    #[wasm_bindgen(js_name = backupProof)]
    pub fn backup_proof(user: &str, code: &str) -> Result<Vec<u8>, Thrown> {
        let user = core::user_named(user)?;
        Ok(core::Session::backup_proof(user, code)?.to_vec())
    }

    /// Opens the escrow of a backup code, as `recover` does that of a recovery
    /// key.
    ///
    /// # Errors
    /// `mistyped`, `wrong-code`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = recoverWithCode)]
    pub fn recover_with_code(user: &str, escrow: &[u8], code: &str) -> Result<Self, Thrown> {
        let user = core::user_named(user)?;
        let session = core::Session::recover_with_code(user, escrow, code)?;
        Ok(Self(session))
    }

    /// Adds the device of another session in this app to this person's list.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `limit`.
    pub fn adopt(&mut self, new: &mut Session, now: f64) -> Result<(), Thrown> {
        Ok(self.0.adopt(&mut new.0, milliseconds(now))?)
    }

    /// Seals the first revision of a record for this person and `readers`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `unknown-person`, `limit`, `malformed`.
    #[wasm_bindgen(js_name = sealNote)]
    pub fn seal_note(
        &mut self,
        place: &Place,
        plaintext: &[u8],
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealedNote, Thrown> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let sealed = wiped(|| self.0.seal_note(place.0, plaintext, &readers, &people.0))?;
        Ok(sealed.into())
    }

    /// Compares a record with what is expected and opens it.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `unknown-person`, `not-for-you`, `moved`,
    /// `rollback`, `altered`, `reader-not-allowed`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = openNote)]
    pub fn open_note(
        &self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpenedNote, Thrown> {
        let opened = wiped(|| self.0.open_note(record, &expectation.0, &people.0))?;
        Ok(opened.into())
    }

    /// Puts this person's own wrap of a record under their newest items key,
    /// when `openNote` said that it is due (`rewrap`). The front goes to the
    /// server; `undefined` when there is nothing to do.
    ///
    /// # Errors
    /// As of `openNote`.
    #[wasm_bindgen(js_name = rewrapNote)]
    pub fn rewrap_note(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Thrown> {
        let moved = self.0.rewrap_note(record, &expectation.0, &people.0)?;
        Ok(moved.map(SealedNote::from))
    }

    /// Lets one more person read.
    ///
    /// # Errors
    /// As of `openNote`.
    #[wasm_bindgen(js_name = addReader)]
    pub fn add_reader(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        reader: &str,
        people: &People,
    ) -> Result<SealedNote, Thrown> {
        let reader = core::user_named(reader)?;
        let expectation = &expectation.0;
        let sealed = self.0.add_reader(record, expectation, reader, &people.0)?;
        Ok(sealed.into())
    }

    /// Takes a reader off the list. They may have kept what they read.
    ///
    /// # Errors
    /// As of `openNote`.
    #[wasm_bindgen(js_name = removeReader)]
    pub fn remove_reader(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        reader: &str,
        people: &People,
    ) -> Result<SealedNote, Thrown> {
        let reader = core::user_named(reader)?;
        let expectation = &expectation.0;
        let sealed = self
            .0
            .remove_reader(record, expectation, reader, &people.0)?;
        Ok(sealed.into())
    }

    /// Seals the next revision, with a key of its own.
    ///
    /// # Errors
    /// As of `sealNote` and `openNote`.
    #[wasm_bindgen(js_name = reviseNote)]
    pub fn revise_note(
        &mut self,
        record: &[u8],
        expectation: &Expectation,
        plaintext: &[u8],
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealedNote, Thrown> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let expectation = &expectation.0;
        let session = &mut self.0;
        let sealed = session.revise_note(record, expectation, plaintext, &readers, &people.0)?;
        Ok(sealed.into())
    }
}

/// A recovery key that was just made.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RecoverySheet(core::RecoverySheet);

#[wasm_bindgen]
impl RecoverySheet {
    /// For the person's eyes, once: they write it down, the panel forgets it
    /// (`free`). Whoever has it and the escrow can do what this person can.
    pub fn reveal(&self) -> String {
        self.0.reveal().to_owned()
    }

    /// For the server to keep.
    #[wasm_bindgen(getter)]
    pub fn escrow(&self) -> Vec<u8> {
        self.0.escrow.clone()
    }

    /// The device on the list that the paper stands for.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.0.device.to_string()
    }
}

/// Backup codes that were just made.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BackupSheet(core::BackupSheet);

#[wasm_bindgen]
impl BackupSheet {
    /// For the person's eyes, once: they write them down, the panel forgets
    /// them (`free`).
    pub fn reveal(&self) -> Vec<String> {
        self.0.reveal().map(str::to_owned).collect()
    }

    /// For the server to keep, in place of an older set.
    #[wasm_bindgen(getter)]
    pub fn set(&self) -> Vec<u8> {
        self.0.set.clone()
    }

    /// The device on the list that the codes stand for.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.0.device.to_string()
    }
}

/// Does what a note's own key passes through in frames of its own, and wipes these.
fn wiped<T>(what: impl FnOnce() -> T) -> T {
    let done = framed(what);
    #[cfg(target_arch = "wasm32")]
    crate::wiping::wipe_stack();
    done
}

#[inline(never)]
fn framed<T>(what: impl FnOnce() -> T) -> T {
    what()
}
