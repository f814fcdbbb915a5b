//! An unlocked device.

use crypto::{DeviceId, UserId};
use crypto_session as core;

use crate::expectation::{Expectation, OpenedNote, People, Place, SealedNote};
use crate::held::Held;
use crate::refusal::Refusal;
use crate::vault::{NewVault, PasscodeChange};

/// One device of one person, from unlocking to locking. Its keys stay inside.
#[derive(Debug, uniffi::Object)]
pub struct Session {
    user: UserId,
    device: DeviceId,
    pub(crate) held: Held<core::Session>,
}

impl From<core::Session> for Session {
    fn from(session: core::Session) -> Self {
        let sentence = "this session has no keys any more; unlock the device again";
        Self {
            user: session.user(),
            device: session.device(),
            held: Held::new(session, (core::Code::Locked, sentence)),
        }
    }
}

#[uniffi::export]
impl Session {
    /// A new device with new keys: of a new person, or of `user`, whose other
    /// device must then add it.
    ///
    /// # Errors
    /// `no-randomness`, `malformed`.
    #[uniffi::constructor]
    pub fn create(user: Option<String>) -> Result<Self, Refusal> {
        let user = user.as_deref().map(core::user_named).transpose()?;
        Ok(core::Session::create(user)?.into())
    }

    /// Opens what a recovery key protects. The session is the paper's own; it
    /// lets the new device in with `adopt`.
    ///
    /// # Errors
    /// `mistyped`, `wrong-code`, `malformed`, `too-new`.
    #[uniffi::constructor]
    pub fn recover(user: &str, escrow: &[u8], text: &str) -> Result<Self, Refusal> {
        let user = core::user_named(user)?;
        Ok(core::Session::recover(user, escrow, text)?.into())
    }

    /// Opens the escrow of a backup code, as `recover` does that of a recovery
    /// key.
    ///
    /// # Errors
    /// `mistyped`, `wrong-code`, `malformed`, `too-new`.
    #[uniffi::constructor]
    pub fn recover_with_code(user: &str, escrow: &[u8], code: &str) -> Result<Self, Refusal> {
        let user = core::user_named(user)?;
        Ok(core::Session::recover_with_code(user, escrow, code)?.into())
    }

    /// Whose device this is.
    pub fn user(&self) -> String {
        self.user.to_string()
    }

    /// Which device this is.
    pub fn device(&self) -> String {
        self.device.to_string()
    }

    /// What the device that has just let this one in knows the server by: the
    /// key of its log, and those of the witnesses, a line each.
    pub fn pinned(&self) -> Option<String> {
        let pinned = self
            .held
            .with(|it| Ok::<_, Refusal>(it.pinned().map(ToString::to_string)));
        pinned.unwrap_or_default()
    }

    /// Whether the keys are gone.
    pub fn is_locked(&self) -> bool {
        let locked = self.held.with(|it| Ok::<_, Refusal>(it.is_locked()));
        locked.unwrap_or(true)
    }

    /// Wipes every key, once the call that is going on is over.
    pub fn lock(&self) {
        // It is refused only when the keys are gone already.
        let _ = self.held.with(|it| {
            it.lock();
            Ok::<_, Refusal>(())
        });
    }

    /// Seals this device's keys under a code; slow, so not for the thread that
    /// draws. At least one of `device` (32 bytes of the key store) and `server`
    /// is needed; `prf` is a passkey's.
    ///
    /// # Errors
    /// `weak-code`, `share`, `locked`, `out-of-memory`, `no-randomness`.
    pub fn seal_vault(
        &self,
        code: &str,
        device: Option<Vec<u8>>,
        server: bool,
        prf: Option<Vec<u8>>,
    ) -> Result<NewVault, Refusal> {
        let shares = core::VaultShares {
            device: device.as_deref(),
            server,
            prf: prf.as_deref(),
        };
        let sealed = self.held.with(|it| it.seal_vault(code, shares))?;
        Ok(NewVault(sealed))
    }

    /// Changes the code, and the person's keys with it: the old code may have been
    /// seen. `device` is a new share of the key store.
    ///
    /// # Errors
    /// As of `seal_vault` and `rotate_key`.
    pub fn change_passcode(
        &self,
        code: &str,
        device: Option<Vec<u8>>,
        server: bool,
        prf: Option<Vec<u8>>,
        now_ms: u64,
    ) -> Result<PasscodeChange, Refusal> {
        let shares = core::VaultShares {
            device: device.as_deref(),
            server,
            prf: prf.as_deref(),
        };
        let changed = self
            .held
            .with(|it| it.change_passcode(code, shares, now_ms))?;
        Ok(changed.into())
    }

    /// Where to evaluate a passkey's PRF for this vault.
    ///
    /// # Errors
    /// `locked`.
    pub fn prf_input(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.held.with(|it| it.prf_input())?.to_vec())
    }

    /// Begins the sigchain of a new person, with their first keys.
    ///
    /// # Errors
    /// `locked`, `out-of-turn`, `no-randomness`.
    pub fn begin_sigchain(&self, now_ms: u64) -> Result<(), Refusal> {
        self.held.with(|it| it.begin_sigchain(now_ms))
    }

    /// Verifies the person's own sigchain and opens their keys. `seen` is the
    /// head that was stored.
    ///
    /// # Errors
    /// `locked`, `moved`, `rollback`, `altered`, `not-for-you`, `malformed`.
    pub fn follow_sigchain(&self, sigchain: &[u8], seen: Option<Vec<u8>>) -> Result<(), Refusal> {
        self.held
            .with(|it| it.follow_sigchain(sigchain, seen.as_deref()))
    }

    /// The whole sigchain, to send to the server.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn sigchain(&self) -> Result<Vec<u8>, Refusal> {
        self.held.with(|it| it.sigchain())
    }

    /// How far the sigchain goes, to be stored.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn head(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.held.with(|it| it.head())?.to_vec())
    }

    /// The devices that can act for the person now; what is on paper is among
    /// them.
    ///
    /// # Errors
    /// `locked`, `key-needed`.
    pub fn devices(&self) -> Result<Vec<String>, Refusal> {
        let devices = self.held.with(|it| it.devices())?;
        Ok(devices.iter().map(ToString::to_string).collect())
    }

    /// Revokes another device. `rotate_key` must follow.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `malformed`.
    pub fn revoke_device(&self, device: &str, now_ms: u64) -> Result<(), Refusal> {
        let device = core::device_named(device)?;
        self.held.with(|it| it.revoke_device(device, now_ms))
    }

    /// Makes the next generation of the person's keys.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `no-randomness`.
    pub fn rotate_key(&self, now_ms: u64) -> Result<(), Refusal> {
        self.held.with(|it| it.rotate_key(now_ms))
    }

    /// The newest items key, sealed, for the server to keep.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `no-randomness`.
    pub fn sealed_items_key(&self) -> Result<Vec<u8>, Refusal> {
        self.held.with(|it| it.sealed_items_key())
    }

    /// Opens an items key that the server keeps.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `malformed`.
    pub fn open_items_key(&self, sealed: &[u8]) -> Result<(), Refusal> {
        self.held.with(|it| it.open_items_key(sealed))
    }

    /// Signs a server's login challenge. `origin` is the server that this
    /// device is connected to, by what TLS says.
    ///
    /// # Errors
    /// `locked`, `login`, `malformed`, `too-new`.
    pub fn answer_login(
        &self,
        challenge: &[u8],
        origin: &str,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        self.held
            .with(|it| it.answer_login(challenge, origin, now_ms))
    }

    /// Signs that this device redeems an invite for its person's sigchain,
    /// which is sent along. `origin` is as of `answer_login`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn redeem_invite(&self, code: &str, origin: &str) -> Result<Vec<u8>, Refusal> {
        self.held.with(|it| it.redeem_invite(code, origin))
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// `locked`, `malformed`, `no-randomness`.
    pub fn prove_request(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        self.held
            .with(|it| it.prove_request(method, path, body, token, now_ms))
    }

    /// Makes a recovery key and enters it in the sigchain, which then goes to
    /// the server with the escrow.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `no-randomness`.
    pub fn make_recovery_key(&self, now_ms: u64) -> Result<RecoverySheet, Refusal> {
        let sheet = self.held.with(|it| it.make_recovery_key(now_ms))?;
        Ok(RecoverySheet(sheet))
    }

    /// Makes a set of backup codes and enters their device in the sigchain,
    /// which then goes to the server with the set. The device of an older set
    /// is then to be revoked.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `no-randomness`.
    pub fn make_backup_codes(&self, now_ms: u64) -> Result<BackupSheet, Refusal> {
        let sheet = self.held.with(|it| it.make_backup_codes(now_ms))?;
        Ok(BackupSheet(sheet))
    }

    /// Adds the device of another session in this app to this person's list.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `limit`, `not-allowed`.
    pub fn adopt(&self, new: &Session, now_ms: u64) -> Result<(), Refusal> {
        self.held
            .with_other(&new.held, |it, new| it.adopt(new, now_ms))
    }

    /// Seals the first revision of a record for this person and `readers`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `unknown-person`, `limit`, `malformed`.
    pub fn seal_note(
        &self,
        place: &Place,
        plaintext: &[u8],
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let sealed = self.with_people(people, |it, people| {
            it.seal_note(place.0, plaintext, &readers, people)
        })?;
        Ok(sealed.into())
    }

    /// Compares a record with what is expected and opens it.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `unknown-person`, `not-for-you`, `moved`,
    /// `rollback`, `altered`, `reader-not-allowed`, `malformed`, `too-new`.
    pub fn open_note(
        &self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpenedNote, Refusal> {
        let expectation = expectation.now();
        let opened = self.with_people(people, |it, people| {
            it.open_note(record, &expectation, people)
        })?;
        Ok(opened.into())
    }

    /// Puts this person's own wrap of a record under their newest items key, when
    /// `open_note` said that it is due (`rewrap`). The front goes to the server;
    /// nothing when there is nothing to do.
    ///
    /// # Errors
    /// As of `open_note`.
    pub fn rewrap_note(
        &self,
        record: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Refusal> {
        let expectation = expectation.now();
        let moved = self.with_people(people, |it, people| {
            it.rewrap_note(record, &expectation, people)
        })?;
        Ok(moved.map(SealedNote::from))
    }

    /// Lets one more person read.
    ///
    /// # Errors
    /// As of `open_note`.
    pub fn add_reader(
        &self,
        record: &[u8],
        expectation: &Expectation,
        reader: &str,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let reader = core::user_named(reader)?;
        let expectation = expectation.now();
        let sealed = self.with_people(people, |it, people| {
            it.add_reader(record, &expectation, reader, people)
        })?;
        Ok(sealed.into())
    }

    /// Takes a reader off the list. They may have kept what they read.
    ///
    /// # Errors
    /// As of `open_note`.
    pub fn remove_reader(
        &self,
        record: &[u8],
        expectation: &Expectation,
        reader: &str,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let reader = core::user_named(reader)?;
        let expectation = expectation.now();
        let sealed = self.with_people(people, |it, people| {
            it.remove_reader(record, &expectation, reader, people)
        })?;
        Ok(sealed.into())
    }

    /// Seals the next revision, with a key of its own.
    ///
    /// # Errors
    /// As of `seal_note` and `open_note`.
    pub fn revise_note(
        &self,
        record: &[u8],
        expectation: &Expectation,
        plaintext: &[u8],
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealedNote, Refusal> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let expectation = expectation.now();
        let sealed = self.with_people(people, |it, people| {
            it.revise_note(record, &expectation, plaintext, &readers, people)
        })?;
        Ok(sealed.into())
    }
}

impl Session {
    pub(crate) fn with_people<R>(
        &self,
        people: &People,
        work: impl FnOnce(&mut core::Session, &core::People) -> Result<R, core::Refusal>,
    ) -> Result<R, Refusal> {
        self.held
            .with(|session| people.0.with(|people| work(session, people)))
    }
}

/// What to show the server for the escrow of a backup code; to be sent and
/// forgotten.
///
/// # Errors
/// `mistyped`, `malformed`.
#[uniffi::export]
pub fn backup_proof(user: &str, code: &str) -> Result<Vec<u8>, Refusal> {
    let user = core::user_named(user)?;
    Ok(core::Session::backup_proof(user, code)?.to_vec())
}

/// A recovery key that was just made.
#[derive(Debug, uniffi::Object)]
pub struct RecoverySheet(core::RecoverySheet);

#[uniffi::export]
impl RecoverySheet {
    /// For the person's eyes, once: they write it down, the app forgets it.
    /// Whoever has it and the escrow can do what this person can.
    pub fn reveal(&self) -> String {
        self.0.reveal().to_owned()
    }

    /// For the server to keep.
    pub fn escrow(&self) -> Vec<u8> {
        self.0.escrow.clone()
    }

    /// The device on the list that the paper stands for.
    pub fn device(&self) -> String {
        self.0.device.to_string()
    }
}

/// Backup codes that were just made.
#[derive(Debug, uniffi::Object)]
pub struct BackupSheet(core::BackupSheet);

#[uniffi::export]
impl BackupSheet {
    /// For the person's eyes, once: they write them down, the app forgets them.
    pub fn reveal(&self) -> Vec<String> {
        self.0.reveal().map(str::to_owned).collect()
    }

    /// For the server to keep, in place of an older set.
    pub fn set(&self) -> Vec<u8> {
        self.0.set.clone()
    }

    /// The device on the list that the codes stand for.
    pub fn device(&self) -> String {
        self.0.device.to_string()
    }
}
