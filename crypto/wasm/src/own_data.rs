//! A person's own records: erased, or taken away in one file.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::milliseconds;
use crate::refused::Thrown;
use crate::session::Session;

#[wasm_bindgen]
impl Session {
    /// Signs that `record`, with all revisions up to this one, is to be erased.
    ///
    /// # Errors
    /// `locked`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = signErasure)]
    pub fn sign_erasure(&self, record: &[u8], now: f64) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.sign_erasure(record, milliseconds(now))?)
    }

    /// Seals what this person takes away from a hotline into one file: for their
    /// devices, and with `key` (`hlpub1…`) also for the secret key file that they
    /// keep offline.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `mistyped`, `malformed`, `no-randomness`.
    #[wasm_bindgen(js_name = sealExport)]
    pub fn seal_export(
        &mut self,
        hub: &str,
        plaintext: &[u8],
        key: Option<String>,
        now: f64,
    ) -> Result<Vec<u8>, Thrown> {
        let hub = core::hub_named(hub)?;
        let now = milliseconds(now);
        Ok(self.0.seal_export(hub, plaintext, key.as_deref(), now)?)
    }

    /// Opens such a file, also after this person's key was rotated.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = openExport)]
    pub fn open_export(&self, file: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.open_export(file)?.to_vec())
    }
}
