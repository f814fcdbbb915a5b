//! Looking while the device is locked.

use crypto_session as core;

use crate::held::Held;
use crate::refusal::Refusal;

/// A key of its own for requests that a locked device still makes. It opens
/// nothing, and outlives the session's lock.
#[derive(Debug, uniffi::Object)]
pub struct LockedView(Held<core::LockedView>);

#[uniffi::export]
impl LockedView {
    /// A new key for a device, named by its id.
    ///
    /// # Errors
    /// `malformed`, `no-randomness`.
    #[uniffi::constructor]
    pub fn new(device: &str) -> Result<Self, Refusal> {
        let view = core::LockedView::create(core::device_named(device)?)?;
        let sentence = "this view was lost; unlock the device and make another";
        Ok(Self(Held::new(view, (core::Code::KeyNeeded, sentence))))
    }

    /// What the unlocked session tells the server.
    ///
    /// # Errors
    /// `key-needed` when an earlier call failed inside.
    pub fn public_key(&self) -> Result<Vec<u8>, Refusal> {
        self.0
            .with(|view| Ok::<_, Refusal>(view.public_key().to_vec()))
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// `malformed`, `no-randomness`.
    pub fn prove_request(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        self.0
            .with(|view| view.prove_request(method, path, body, token, now_ms))
    }
}
