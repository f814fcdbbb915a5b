//! Who said it: Ed25519 (RFC 8032), verified strictly.

use std::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

const KEY_BYTES: usize = 32;

/// Signs. Wiped from memory when dropped; `Debug` shows only the public half.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate_with(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The half that others check signatures with.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// To store. Whoever has it signs.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    pub(crate) fn sign(&self, bound: &[u8]) -> Signature {
        Signature(self.0.sign(bound).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(… of {:?})", self.verifying_key())
    }
}

/// Checks signatures. Names a device; not secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Bytes of a public key.
    pub const BYTES: usize = KEY_BYTES;

    /// Takes an Ed25519 public key.
    ///
    /// # Errors
    /// [`SignatureRefused`] for bytes that are no point, or a point of small
    /// order, under which anybody can sign.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, SignatureRefused> {
        ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .ok()
            .filter(|key| !key.is_weak())
            .map(Self)
            .ok_or(SignatureRefused)
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        self.0.as_bytes()
    }

    pub(crate) fn verify(
        &self,
        bound: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureRefused> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(bound, &signature)
            .map_err(|_| SignatureRefused)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.as_bytes()[..8].iter();
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) [u8; Self::BYTES]);

impl Signature {
    /// Bytes of a signature.
    pub const BYTES: usize = 64;

    /// Takes what was sent.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// To send.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

/// A signature or a public key that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit what was signed, or its key is not usable")]
pub struct SignatureRefused;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0; KEY_BYTES];
        identity[0] = 1;
        let refused = VerifyingKey::from_bytes(&identity);
        assert_eq!(refused.unwrap_err(), SignatureRefused);
    }
}
