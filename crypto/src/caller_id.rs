//! Caller numbers as keyed tags, so that bans and rate limits need no list of
//! numbers.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::key_text::{self, KEY_BYTES, KeyKind, KeyTextError};
use crate::label::Label;

/// Tags caller numbers with HMAC-SHA256. Held by the server.
///
/// There are so few phone numbers that whoever holds this key can try them all
/// and turn every tag back into its number. It protects a stolen database, not
/// a stolen server.
#[derive(Clone)]
pub struct CallerIdKey(Zeroizing<[u8; KEY_BYTES]>);

impl CallerIdKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when the operating system gives no random bytes.
    pub fn generate() -> Result<Self, EntropyError> {
        Self::generate_with(&mut crate::OsEntropy)
    }

    /// Makes a new key from the given randomness.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate_with(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key)?;
        Ok(Self(key))
    }

    /// Takes 32 uniformly random bytes.
    pub fn from_bytes(key: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// The text for the key file, `hlcid1…`.
    pub fn reveal(&self) -> Zeroizing<String> {
        key_text::encode(KeyKind::CallerId, &self.0)
    }

    /// The tag of a number: HMAC-SHA256 over `opaque label<V>; opaque number<V>`.
    ///
    /// The number must be in one agreed spelling (E.164 with `+`, no spaces):
    /// two spellings of one number get two tags. A caller who withholds the
    /// number has none and must not be tagged, or all such callers would share
    /// one fate.
    ///
    /// # Panics
    /// When `normalised` is longer than 16383 bytes.
    pub fn tag(&self, normalised: &str) -> CallerIdTag {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(&Zeroizing::new(
            Label::CallerIdHmac.bind(normalised.as_bytes()),
        ));
        CallerIdTag(mac.finalize().into_bytes().into())
    }
}

impl FromStr for CallerIdKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        key_text::decode(KeyKind::CallerId, text).map(Self)
    }
}

impl fmt::Debug for CallerIdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerIdKey(…)")
    }
}

/// A caller's number under one [`CallerIdKey`]. Compared in constant time;
/// `Debug` shows nothing, because one tag in a log links a person's calls.
#[derive(Clone, Copy)]
pub struct CallerIdTag([u8; Self::BYTES]);

impl CallerIdTag {
    /// Bytes of a tag.
    pub const BYTES: usize = 32;

    /// Takes a tag from storage.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The tag, for storage.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl PartialEq for CallerIdTag {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for CallerIdTag {}

impl fmt::Debug for CallerIdTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerIdTag(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_tag_under_one_key_and_loses_it_under_another() {
        let key = CallerIdKey::generate().unwrap();
        let again: CallerIdKey = key.reveal().parse().unwrap();
        let other = CallerIdKey::generate().unwrap();
        assert_eq!(key.tag("+4930123456"), again.tag("+4930123456"));
        assert_ne!(key.tag("+4930123456"), key.tag("+4930123457"));
        assert_ne!(key.tag("+4930123456"), other.tag("+4930123456"));
    }

    #[test]
    fn a_stored_tag_is_recognised() {
        let tag = CallerIdKey::from_bytes(&[3; KEY_BYTES]).tag("+4930123456");
        assert_eq!(CallerIdTag::from_bytes(*tag.as_bytes()), tag);
    }

    #[test]
    fn debug_shows_neither_key_nor_tag() {
        let key = CallerIdKey::from_bytes(&[3; KEY_BYTES]);
        let shown = format!("{key:?} {:?}", key.tag("+4930123456"));
        assert_eq!(shown, "CallerIdKey(…) CallerIdTag(…)");
    }

    #[test]
    fn a_reader_key_is_not_taken_for_a_caller_id_key() {
        let reader = crate::ReaderSecretKey::generate().unwrap();
        assert!(matches!(
            reader.reveal().parse::<CallerIdKey>(),
            Err(KeyTextError::WrongKind {
                found: KeyKind::ReaderSecret,
                ..
            })
        ));
    }
}
