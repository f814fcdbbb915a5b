//! Vaults: what is kept of a locked session.

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
