//! The recovery key: one per person, on paper.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::code_text;
use super::error::CodeTextError;
use super::escrow::{EscrowKey, Opens};
use crate::entropy::{Entropy, EntropyError};
use crate::label::Label;
use crate::primitive::derive;

const KEY_BYTES: usize = 16;
const KEY_BITS: usize = KEY_BYTES * 8;

/// 128 random bits that bring a person back in. Made once, shown once, kept on
/// paper; the server never sees it.
///
/// Its text is seven groups of four characters, of which the last two are a
/// check. Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RecoveryKey(Zeroizing<[u8; KEY_BYTES]>);

impl RecoveryKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key)?;
        Ok(Self(key))
    }

    /// The text to write down.
    pub fn reveal(&self) -> Zeroizing<String> {
        code_text::encode(&*self.0, KEY_BITS)
    }
}

impl EscrowKey for RecoveryKey {}

impl Opens for RecoveryKey {
    const KIND: u8 = 1;

    fn kek(&self, header: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(&*self.0, &Label::RecoveryKek.bind(header))
    }
}

/// Takes what somebody typed: case, spaces and dashes do not count, O is read
/// as 0, I and L as 1.
impl FromStr for RecoveryKey {
    type Err = CodeTextError;

    fn from_str(text: &str) -> Result<Self, CodeTextError> {
        code_text::decode(text, KEY_BITS).map(Self)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(…)")
    }
}
