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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;

    /// Gives the auxiliary randomness of a vector.
    struct Given([u8; 32]);

    impl Entropy for Given {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            out.copy_from_slice(&self.0);
            Ok(())
        }
    }

    fn bytes(text: &str) -> Vec<u8> {
        let digits = |place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
        (0..text.len() / 2).map(digits).collect()
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        bytes(text).try_into().unwrap()
    }

    /// All vectors of BIP-340. Of the last four the messages are longer or shorter
    /// than a digest, and only what is underneath can take them.
    #[test]
    fn the_vectors_of_bip_340() {
        let mut seen = 0;
        for line in include_str!("../../tests/data/bip-0340.csv")
            .lines()
            .skip(1)
        {
            let fields: Vec<&str> = line.split(',').collect();
            let [
                index,
                secret,
                public,
                auxiliary,
                message,
                signature,
                verdict,
            ] = fields[..]
            else {
                panic!("{line}");
            };
            let signature = TransportSignature(hex(signature));
            seen += 1;
            let Ok(message) = bytes(message).try_into() else {
                let key = TransportSecretKey::from_scalar(&hex(secret)).unwrap();
                let made = key.0.sign_raw(&bytes(message), &hex(auxiliary)).unwrap();
                assert!(made.to_bytes() == signature.0, "{index}");
                let public = schnorr::VerifyingKey::from_slice(&hex::<32>(public)).unwrap();
                assert!(public.verify_raw(&bytes(message), &made).is_ok(), "{index}");
                continue;
            };
            if !secret.is_empty() {
                let key = TransportSecretKey::from_scalar(&hex(secret)).unwrap();
                assert_eq!(key.public_key().as_bytes(), &hex(public), "{index}");
                let made = key.sign(&message, &mut Given(hex(auxiliary))).unwrap();
                assert!(made == signature, "{index}");
            }
            let verified = TransportPublicKey::from_bytes(hex(public))
                .and_then(|key| key.verify(&message, &signature));
            assert_eq!(verified.is_ok(), verdict == "TRUE", "{index}");
        }
        assert_eq!(seen, 19);
    }

    #[test]
    fn zero_and_the_group_order_are_no_keys() {
        let order = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141";
        assert!(TransportSecretKey::from_scalar(&hex(order)).is_none());
        assert!(TransportSecretKey::from_scalar(&[0; 32]).is_none());
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let key = TransportSecretKey::from_scalar(&[3; 32]).unwrap();
        let signature = key.sign(&[1; 32], &mut OsEntropy).unwrap();
        let shown = format!("{key:?} {signature:?}");
        let expected = format!(
            "TransportSecretKey(… of {}) TransportSignature(…)",
            key.public_key()
        );
        assert_eq!(shown, expected);
    }
}
