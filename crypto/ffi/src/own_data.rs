//! A person's own records: erased, or taken away in one file.

use crypto_session as core;

use crate::refusal::Refusal;
use crate::session::Session;

#[uniffi::export]
impl Session {
    /// Signs that `record`, with all revisions up to this one, is to be erased.
    ///
    /// # Errors
    /// `locked`, `malformed`, `too-new`.
    pub fn sign_erasure(&self, record: &[u8], now_ms: u64) -> Result<Vec<u8>, Refusal> {
        self.held.with(|it| it.sign_erasure(record, now_ms))
    }

    /// Seals what this person takes away from a hotline into one file: for their
    /// devices, and with `key` (`hlpub1…`) also for the secret key file that they
    /// keep offline.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `mistyped`, `malformed`, `no-randomness`.
    pub fn seal_export(
        &self,
        hub: &str,
        plaintext: &[u8],
        key: Option<String>,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held
            .with(|it| it.seal_export(hub, plaintext, key.as_deref(), now_ms))
    }

    /// Opens such a file, also after this person's key was rotated.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`, `too-new`.
    pub fn open_export(&self, file: &[u8]) -> Result<Vec<u8>, Refusal> {
        let opened = self.held.with(|it| it.open_export(file))?;
        Ok(opened.to_vec())
    }
}
