//! Looking while the device is locked.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::milliseconds;
use crate::refused::Thrown;

/// A key of its own for requests that a locked device still makes. It opens
/// nothing, so it lives outside of the worker that a lock ends.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LockedView(core::LockedView);

#[wasm_bindgen]
impl LockedView {
    /// A new key for a device, named by its id.
    ///
    /// # Errors
    /// `malformed`, `no-randomness`.
    #[wasm_bindgen(constructor)]
    pub fn new(device: &str) -> Result<Self, Thrown> {
        let device = core::device_named(device)?;
        Ok(Self(core::LockedView::create(device)?))
    }

    /// What the unlocked session tells the server.
    #[wasm_bindgen(getter, js_name = publicKey)]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key().to_vec()
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// `malformed`, `no-randomness`.
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
}
