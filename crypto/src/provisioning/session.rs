//! The agreement: keys and digits from everything that was said.

use std::fmt;

use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::error::ProvisionError;
use super::invitation::{Invitation, PUBLIC_BYTES};
use super::message::{Kind, MAX_SEALED_BYTES, NONCE_BYTES, Part, read, write};
use crate::entropy::{Entropy, EntropyError};
use crate::label::Label;
use crate::primitive::{derive, hash, open_box, seal_box};

const KEY_BYTES: usize = 32;
pub(super) const COMMITMENT_BYTES: usize = 32;

/// One device's key pair and nonce for one conversation.
pub(super) struct Ephemeral {
    secret: StaticSecret,
    pub(super) part: Part,
}

impl Ephemeral {
    pub(super) fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut scalar = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *scalar)?;
        let secret = StaticSecret::from(*scalar);
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let public = PublicKey::from(&secret).to_bytes();
        Ok(Self {
            secret,
            part: Part { public, nonce },
        })
    }

    /// X25519 with a check that the other key contributed: a point of small
    /// order would make a secret that anybody knows.
    fn agree(
        &self,
        public: &[u8; PUBLIC_BYTES],
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, ProvisionError> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(*public));
        if !shared.was_contributory() {
            return Err(ProvisionError::UnsafeKey);
        }
        Ok(Zeroizing::new(shared.to_bytes()))
    }
}

pub(super) fn commitment(invitation: &Invitation, old: &Part) -> [u8; COMMITMENT_BYTES] {
    let context = [&front(invitation)[..], &old.encode()].concat();
    hash(&Label::ProvisionCommit.bind(&context))
}

/// Which room, met how.
fn front(invitation: &Invitation) -> Vec<u8> {
    let mut out = vec![invitation.kind() as u8];
    out.extend_from_slice(invitation.room.as_bytes());
    out
}

/// What both devices have agreed on. Wiped from memory when dropped.
pub(super) struct Session {
    from_old: Zeroizing<[u8; KEY_BYTES]>,
    from_new: Zeroizing<[u8; KEY_BYTES]>,
    digits: SafetyDigits,
}

impl Session {
    /// `own` is one of the two parts, `peer` the public key of the other.
    pub(super) fn agree(
        invitation: &Invitation,
        own: &Ephemeral,
        peer: &[u8; PUBLIC_BYTES],
        commitment: &[u8; COMMITMENT_BYTES],
        [new, old]: [&Part; 2],
    ) -> Result<Self, ProvisionError> {
        let shared = own.agree(peer)?;
        let mut secret = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES));
        secret.extend_from_slice(&*shared);
        if let Some(scanned) = &invitation.scanned {
            secret.extend_from_slice(&*scanned.secret);
        }
        let said = [&commitment[..], &new.encode(), &old.encode()].concat();
        let transcript = [front(invitation), said].concat();
        let transcript = hash(&Label::ProvisionTranscript.bind(&transcript));
        let keys = derive::<{ 2 * KEY_BYTES }>(&secret, &Label::ProvisionSession.bind(&transcript));
        let number = derive::<8>(&secret, &Label::ProvisionSas.bind(&transcript));
        let mut from_old = Zeroizing::new([0; KEY_BYTES]);
        let mut from_new = Zeroizing::new([0; KEY_BYTES]);
        from_old.copy_from_slice(&keys[..KEY_BYTES]);
        from_new.copy_from_slice(&keys[KEY_BYTES..]);
        Ok(Self {
            from_old,
            from_new,
            digits: SafetyDigits::from_number(u64::from_be_bytes(*number)),
        })
    }

    pub(super) fn digits(&self) -> &SafetyDigits {
        &self.digits
    }

    /// Seals the one message of this kind; each key seals one message in all.
    pub(super) fn seal(
        &self,
        kind: Kind,
        plaintext: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, ProvisionError> {
        if plaintext.len() > MAX_SEALED_BYTES {
            let given = plaintext.len();
            return Err(ProvisionError::TooLong { given });
        }
        let boxed = seal_box(self.key(kind), &associated(kind), plaintext, entropy)?;
        Ok(write(kind, &boxed))
    }

    pub(super) fn open(
        &self,
        kind: Kind,
        message: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProvisionError> {
        let boxed = read(kind, message)?;
        open_box(self.key(kind), &associated(kind), boxed).ok_or(ProvisionError::Refused)
    }

    fn key(&self, kind: Kind) -> &[u8; KEY_BYTES] {
        match kind {
            Kind::Hello | Kind::Share => &self.from_new,
            Kind::Payload | Kind::Commit | Kind::Reveal => &self.from_old,
        }
    }
}

fn associated(kind: Kind) -> Vec<u8> {
    Label::ProvisionMessage.bind(&[kind as u8])
}

/// The six digits that both devices must have in common. Wiped from memory when
/// dropped.
#[derive(Clone)]
pub struct SafetyDigits(Zeroizing<[u8; Self::COUNT]>);

impl SafetyDigits {
    /// Digits.
    pub const COUNT: usize = 6;

    /// The last digits of a number of 64 random bits, of which none is more
    /// than 2⁻⁴⁴ likelier than another.
    fn from_number(mut number: u64) -> Self {
        let mut digits = Zeroizing::new([0; Self::COUNT]);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self(digits)
    }

    /// To show, in two groups of three: `123 456`.
    pub fn reveal(&self) -> String {
        // Never grows: no copy stays behind.
        let mut text = String::with_capacity(Self::COUNT + 1);
        let (first, second) = self.0.split_at(Self::COUNT / 2);
        text.extend(first.iter().copied().map(char::from));
        text.push(' ');
        text.extend(second.iter().copied().map(char::from));
        text
    }

    /// Compares with what somebody typed; spaces and dashes do not count.
    pub(super) fn matches(&self, typed: &str) -> bool {
        let filler = |character: char| character.is_whitespace() || character == '-';
        let typed = Zeroizing::new(typed.replace(filler, "").into_bytes());
        self.0[..].ct_eq(&typed).into()
    }
}

impl fmt::Debug for SafetyDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyDigits(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> [u8; KEY_BYTES] {
        let digits = |place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16);
        std::array::from_fn(|place| digits(place).unwrap())
    }

    fn of(scalar: [u8; KEY_BYTES]) -> Ephemeral {
        let secret = StaticSecret::from(scalar);
        let public = PublicKey::from(&secret).to_bytes();
        let nonce = [0; NONCE_BYTES];
        Ephemeral {
            secret,
            part: Part { public, nonce },
        }
    }

    fn agreed(scalar: [u8; KEY_BYTES], point: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
        *of(scalar).agree(point).unwrap()
    }

    #[test]
    fn x25519_of_rfc_7748_section_5_2() {
        for (scalar, point, shared) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ] {
            assert_eq!(agreed(hex(scalar), &hex(point)), hex(shared));
        }
        let mut scalar = [0; KEY_BYTES];
        scalar[0] = 9;
        let mut point = scalar;
        for round in 1..=1_000 {
            (scalar, point) = (agreed(scalar, &point), scalar);
            let expected = match round {
                1 => "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
                1_000 => "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
                _ => continue,
            };
            assert_eq!(scalar, hex(expected), "{round}");
        }
    }

    #[test]
    fn both_parties_of_rfc_7748_section_6_1() {
        let alice = of(hex(
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        ));
        let bob = of(hex(
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        ));
        for (one, other, public) in [
            (
                &alice,
                &bob,
                "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            ),
            (
                &bob,
                &alice,
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            ),
        ] {
            assert_eq!(one.part.public, hex(public));
            let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
            assert_eq!(*one.agree(&other.part.public).unwrap(), hex(shared));
        }
    }

    #[test]
    fn digits_keep_their_leading_zeros_and_are_compared_as_typed() {
        let digits = SafetyDigits::from_number(9_000_000_007_042);
        assert_eq!(digits.reveal(), "007 042");
        assert!(digits.matches("007042") && digits.matches(" 007-042 "));
        for wrong in ["", "007", "7042", "0070420", "007043", "OO7042"] {
            assert!(!digits.matches(wrong), "{wrong}");
        }
    }
}
