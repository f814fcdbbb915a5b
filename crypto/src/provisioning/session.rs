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
