//! Looking while the device is locked.

use std::fmt;

use crypto::identity::RequestFacts;
use crypto::{DeviceId, Entropy, OsEntropy, SigningKey, VerifyingKey};

use crate::SharedEntropy;
use crate::refusal::Refusal;

/// A key of its own for requests that a locked device still makes: it opens
/// nothing, and the server lets it look at what is not secret and log out.
///
/// It is made beside a [`crate::Session`], whose device makes its public half
/// known to the server while it is unlocked, and outlives the session's lock. It
/// lasts as long as the login.
pub struct LockedView {
    device: DeviceId,
    key: SigningKey,
    entropy: SharedEntropy,
}

impl LockedView {
    /// A new key for `device`.
    ///
    /// # Errors
    /// [`crate::Code::NoRandomness`].
    pub fn create(device: DeviceId) -> Result<Self, Refusal> {
        Self::create_with(device, Box::new(OsEntropy))
    }

    /// As [`LockedView::create`], with the randomness of the view.
    ///
    /// # Errors
    /// [`crate::Code::NoRandomness`].
    pub fn create_with(device: DeviceId, mut entropy: SharedEntropy) -> Result<Self, Refusal> {
        Ok(Self {
            device,
            key: SigningKey::generate_with(&mut *entropy)?,
            entropy,
        })
    }

    /// What the server is told.
    pub fn public_key(&self) -> [u8; VerifyingKey::BYTES] {
        *self.key.verifying_key().as_bytes()
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// [`crate::Code::Malformed`], [`crate::Code::NoRandomness`].
    pub fn prove_request(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let facts = RequestFacts::new(method, path, body, token)?;
        let entropy: &mut dyn Entropy = &mut *self.entropy;
        let proof = facts.sign_view(self.device, &self.key, now_ms, entropy)?;
        Ok(proof.encode())
    }
}

impl fmt::Debug for LockedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedView(… of {})", self.device)
    }
}
