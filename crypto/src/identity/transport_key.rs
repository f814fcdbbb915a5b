//! Keys for relay events: BIP-340 signatures on secp256k1, because relays speak
//! Nostr. Never used for login, for sealing or for anything that must last.

use std::fmt;

use k256::schnorr;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::primitive::SignatureRefused;

const KEY_BYTES: usize = 32;

/// Signs relay events. Wiped from memory when dropped.
#[derive(Clone)]
pub struct TransportSecretKey(schnorr::SigningKey);

impl TransportSecretKey {
    /// `None` for zero and for numbers that are not below the group order.
    pub(super) fn from_scalar(scalar: &[u8; KEY_BYTES]) -> Option<Self> {
        schnorr::SigningKey::from_slice(scalar).ok().map(Self)
    }

    /// The half that names the sender of an event.
    pub fn public_key(&self) -> TransportPublicKey {
        TransportPublicKey(self.0.verifying_key().to_bytes().into())
    }

    /// Signs a digest, such as a Nostr event's id.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails; BIP-340 mixes randomness in, so
    /// that a fault while signing does not give the key away.
    pub fn sign(
        &self,
        digest: &[u8; 32],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<TransportSignature, EntropyError> {
        let mut auxiliary = Zeroizing::new([0; 32]);
        entropy.fill(&mut *auxiliary)?;
        let signature = self
            .0
            .sign_raw(digest, &auxiliary)
            .expect("the nonce is a hash, and zero once in 2^256 times");
        Ok(TransportSignature(signature.to_bytes()))
    }
}

impl fmt::Debug for TransportSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportSecretKey(… of {})", self.public_key())
    }
}

/// The x-only public key of BIP-340, as it stands in relay events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportPublicKey([u8; KEY_BYTES]);

impl TransportPublicKey {
    /// Bytes of a key.
    pub const BYTES: usize = KEY_BYTES;

    /// Takes an x coordinate.
    ///
    /// # Errors
    /// [`SignatureRefused`] when no point has it.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<Self, SignatureRefused> {
        schnorr::VerifyingKey::from_slice(&bytes)
            .map(|_| Self(bytes))
            .map_err(|_| SignatureRefused)
    }

    /// The x coordinate.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Checks a signature over a digest.
    ///
    /// # Errors
    /// [`SignatureRefused`] when it does not fit.
    pub fn verify(
        &self,
        digest: &[u8; 32],
        signature: &TransportSignature,
    ) -> Result<(), SignatureRefused> {
        let key = schnorr::VerifyingKey::from_slice(&self.0).map_err(|_| SignatureRefused)?;
        let signature =
            schnorr::Signature::from_slice(&signature.0).map_err(|_| SignatureRefused)?;
        key.verify_raw(digest, &signature)
            .map_err(|_| SignatureRefused)
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for TransportPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransportPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportPublicKey({self})")
    }
}

/// A BIP-340 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TransportSignature([u8; Self::BYTES]);

impl TransportSignature {
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

impl fmt::Debug for TransportSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportSignature(…)")
    }
}
