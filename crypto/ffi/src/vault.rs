//! Vaults: what is kept of a locked session.

use std::sync::Arc;

use crypto_session as core;

use crate::held::Held;
use crate::refusal::Refusal;
use crate::session::Session;

/// A vault that was just sealed.
#[derive(Debug, uniffi::Object)]
pub struct NewVault(pub(crate) core::NewVault);

#[uniffi::export]
impl NewVault {
    /// To keep on the device, beside the ids of person and device.
    pub fn vault(&self) -> Vec<u8> {
        self.0.vault.clone()
    }

    /// The server's share, to be sent to it and forgotten. Not a key: it opens
    /// nothing without the code.
    pub fn server_share(&self) -> Option<Vec<u8>> {
        let server = self.0.server.as_ref();
        server.map(|server| server.share().to_vec())
    }

    /// What the server checks proofs of the code with; to be sent and forgotten.
    pub fn server_proof(&self) -> Option<Vec<u8>> {
        let server = self.0.server.as_ref();
        server.map(|server| server.proof().to_vec())
    }
}

/// A code that was changed, and the keys that were changed with it.
#[derive(Debug, uniffi::Object)]
pub struct PasscodeChange {
    vault: Arc<NewVault>,
    sigchain: Vec<u8>,
    items_key: Vec<u8>,
}

impl From<core::PasscodeChange> for PasscodeChange {
    fn from(changed: core::PasscodeChange) -> Self {
        Self {
            vault: Arc::new(NewVault(changed.vault)),
            sigchain: changed.sigchain,
            items_key: changed.items_key,
        }
    }
}

#[uniffi::export]
impl PasscodeChange {
    /// The vault under the new code.
    pub fn vault(&self) -> Arc<NewVault> {
        Arc::clone(&self.vault)
    }

    /// The sigchain with the new key. It goes to the server first, together
    /// with the items key.
    pub fn sigchain(&self) -> Vec<u8> {
        self.sigchain.clone()
    }

    /// The new items key, sealed to the person.
    pub fn items_key(&self) -> Vec<u8> {
        self.items_key.clone()
    }
}

/// What a vault says of itself while it is locked.
#[derive(Debug, uniffi::Object)]
pub struct VaultFacts(core::VaultFacts);

#[uniffi::export]
impl VaultFacts {
    /// Reads a vault that was stored.
    ///
    /// # Errors
    /// `malformed`, `too-new`.
    #[uniffi::constructor]
    pub fn new(vault: &[u8]) -> Result<Self, Refusal> {
        Ok(Self(core::VaultFacts::of(vault)?))
    }

    /// Names it at the server that keeps its share.
    pub fn id(&self) -> String {
        self.0.id.reveal()
    }

    /// Whether the share of the device's key store is needed.
    pub fn needs_device(&self) -> bool {
        self.0.device
    }

    /// Whether the server's share is needed.
    pub fn needs_server(&self) -> bool {
        self.0.server
    }

    /// Whether a passkey's PRF is needed, evaluated at `prf_input`.
    pub fn needs_prf(&self) -> bool {
        self.0.prf
    }

    /// Where to evaluate the passkey's PRF.
    pub fn prf_input(&self) -> Vec<u8> {
        self.0.prf_input().to_vec()
    }

    /// Whether its code is stretched in an old way: `Unlocking.reseal`.
    pub fn is_outdated(&self) -> bool {
        self.0.outdated
    }
}

/// A vault whose code was entered.
#[derive(Debug, uniffi::Object)]
pub struct Unlocking(Held<core::Unlocking>);

#[uniffi::export]
impl Unlocking {
    /// The slow half of unlocking: not for the thread that draws. `device` and
    /// `prf` are the shares of the device's key store and of a passkey, if the
    /// vault has them.
    ///
    /// # Errors
    /// `share`, `out-of-memory`, `malformed`, `too-new`.
    #[uniffi::constructor]
    pub fn new(
        vault: &[u8],
        code: &str,
        device: Option<Vec<u8>>,
        prf: Option<Vec<u8>>,
    ) -> Result<Self, Refusal> {
        let begun = core::Unlocking::begin(vault, code, device.as_deref(), prf.as_deref())?;
        let sentence = "this try is over; enter the code again";
        Ok(Self(Held::new(begun, (core::Code::OutOfTurn, sentence))))
    }

    /// What to show the server for its share; to be sent and forgotten.
    ///
    /// # Errors
    /// `out-of-turn` after `finish`.
    pub fn server_proof(&self) -> Result<Vec<u8>, Refusal> {
        let proof = |begun: &mut core::Unlocking| Ok::<_, Refusal>(begun.server_proof().to_vec());
        self.0.with(proof)
    }

    /// Whether the vault should be sealed anew with `reseal` before `finish`.
    ///
    /// # Errors
    /// `out-of-turn` after `finish`.
    pub fn is_outdated(&self) -> Result<bool, Refusal> {
        self.0.with(|begun| Ok::<_, Refusal>(begun.is_outdated()))
    }

    /// Seals an outdated vault anew, under the code that was just entered and
    /// the same shares, to be kept in place of the old one. What the server must
    /// have first is sent after the login.
    ///
    /// # Errors
    /// `wrong-code`, `share`, `out-of-memory`, `no-randomness`, `out-of-turn`.
    pub fn reseal(&self, server: Option<Vec<u8>>) -> Result<NewVault, Refusal> {
        let sealed = self.0.with(|begun| begun.reseal(server.as_deref()))?;
        Ok(NewVault(sealed))
    }

    /// The fast half; there is one. `user` and `device` were kept beside the
    /// vault.
    ///
    /// # Errors
    /// `wrong-code`, `share`, `malformed`, `out-of-turn`.
    pub fn finish(
        &self,
        server: Option<Vec<u8>>,
        user: &str,
        device: &str,
    ) -> Result<Session, Refusal> {
        let user = core::user_named(user)?;
        let device = core::device_named(device)?;
        let begun = self.0.take()?;
        let session = begun.finish(server.as_deref(), user, device)?;
        Ok(session.into())
    }
}
