//! Challenges that a server knows again without having kept them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::LoginError;
use super::login::{LoginChallenge, NONCE_BYTES};
use crate::entropy::{Entropy, EntropyError};
use crate::id::DeviceId;
use crate::label::Label;

const RANDOM_BYTES: usize = 16;

/// Makes a server's challenges. Strangers ask for them, as many as they like, so none is kept:
/// the second half of a nonce is an HMAC-SHA256, under a key that ends with the process, over the
/// first half and everything else that the challenge says. What was answered once is the
/// caller's to remember, until the challenge expires.
pub struct ChallengeIssuer(Zeroizing<[u8; 32]>);

impl ChallengeIssuer {
    /// With a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key)?;
        Ok(Self(key))
    }

    /// Makes a challenge; as [`LoginChallenge::new`].
    ///
    /// # Errors
    /// As [`LoginChallenge::new`].
    pub fn issue(
        &self,
        origin: &str,
        device: DeviceId,
        expires_at_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<LoginChallenge, LoginError> {
        let mut challenge = LoginChallenge::new(origin, device, expires_at_ms, entropy)?;
        let mut nonce = *challenge.nonce();
        let tag = self.mac(&challenge).finalize().into_bytes();
        nonce[RANDOM_BYTES..].copy_from_slice(&tag[..NONCE_BYTES - RANDOM_BYTES]);
        challenge.set_nonce(nonce);
        Ok(challenge)
    }

    /// Whether this issuer made the challenge, for that device, with that end.
    pub fn has_issued(&self, challenge: &LoginChallenge) -> bool {
        let tag = &challenge.nonce()[RANDOM_BYTES..];
        self.mac(challenge).verify_truncated_left(tag).is_ok()
    }

    /// Over all but the tag's own place.
    fn mac(&self, challenge: &LoginChallenge) -> Hmac<Sha256> {
        let mut untagged = challenge.clone();
        let mut nonce = *challenge.nonce();
        nonce[RANDOM_BYTES..].fill(0);
        untagged.set_nonce(nonce);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(&Label::LoginNonce.bind(&untagged.encode()));
        mac
    }
}

impl fmt::Debug for ChallengeIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeIssuer(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::OsEntropy;

    const ORIGIN: &str = "https://hotline.example";
    const DEVICE: DeviceId = DeviceId::from_bytes([3; 16]);

    #[test]
    fn a_challenge_is_known_again_and_no_other_is() {
        let issuer = ChallengeIssuer::generate(&mut OsEntropy).unwrap();
        let issued = issuer
            .issue(ORIGIN, DEVICE, 60_000, &mut OsEntropy)
            .unwrap();
        assert!(issuer.has_issued(&issued));
        let other = ChallengeIssuer::generate(&mut OsEntropy).unwrap();
        assert!(!other.has_issued(&issued));
        let encoded = issued.encode();
        // Behind magic and version: origin, nonce, end, device.
        for at in 5..encoded.len() {
            let mut changed = encoded.clone();
            changed[at] ^= 1;
            if let Ok(changed) = LoginChallenge::decode(&changed) {
                assert!(!issuer.has_issued(&changed), "byte {at}");
            }
        }
    }

    #[test]
    fn two_challenges_are_never_alike() {
        let issuer = ChallengeIssuer::generate(&mut OsEntropy).unwrap();
        let issue = || {
            issuer
                .issue(ORIGIN, DEVICE, 60_000, &mut OsEntropy)
                .unwrap()
        };
        assert_ne!(issue().nonce(), issue().nonce());
    }
}
