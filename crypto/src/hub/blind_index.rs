//! Search without the server seeing what for: a record is stored with a keyed
//! token for each word that it can be found by.
//!
//! The server still sees which records share a token, and how often one is
//! asked for. That is why a field with few values is not a field here.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::HubError;
use super::hub_key::HubKey;
use crate::entropy::{Entropy, EntropyError};
use crate::id::HubId;
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, derive, open_box, seal_box};

const MAGIC: [u8; 4] = *b"HLSR";
const VERSION: u8 = 1;
const ROOT_BYTES: usize = 32;
/// The fewest characters that a term of a declared field has.
pub const MIN_TERM_CHARS: u8 = 4;
/// The longest normalised term, in bytes of UTF-8.
pub const MAX_TERM_BYTES: usize = 256;

/// A field whose terms are many and hard to guess.
///
/// States, categories, yes and no, years and the like are not: equal tokens
/// would show equal values, and counting would show which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexField {
    id: u16,
    min_chars: u8,
}

impl IndexField {
    /// One word of a person's name.
    pub const NAME_WORD: Self = Self::built_in(1, 2);
    /// A telephone number in E.164.
    pub const PHONE_NUMBER: Self = Self::built_in(2, 7);
    /// An e-mail address.
    pub const EMAIL: Self = Self::built_in(3, 6);
    /// A case's number.
    pub const CASE_NUMBER: Self = Self::built_in(4, 4);

    /// First id of the fields that a hub declares.
    const DECLARED: u16 = 256;

    /// A field that a hub has declared, by its number there. Terms shorter than
    /// `min_chars` are refused.
    ///
    /// # Errors
    /// [`HubError::FieldTooShort`] when `min_chars` is below [`MIN_TERM_CHARS`].
    pub fn declared(number: u8, min_chars: u8) -> Result<Self, HubError> {
        match min_chars >= MIN_TERM_CHARS {
            true => Ok(Self {
                id: Self::DECLARED + u16::from(number),
                min_chars,
            }),
            false => Err(HubError::FieldTooShort),
        }
    }

    const fn built_in(id: u16, min_chars: u8) -> Self {
        Self { id, min_chars }
    }
}

/// Makes the tokens of one hub. Held by its members, never by the server.
///
/// It is not the hub key: tokens must outlive its epochs. Whoever leaves the
/// hub has known it; what protects the index from them is that the server
/// answers members only.
///
/// Wiped from memory when dropped; `Debug` shows the hub.
#[derive(Clone)]
pub struct SearchRoot {
    hub: HubId,
    root: Zeroizing<[u8; ROOT_BYTES]>,
}

impl SearchRoot {
    /// Bytes of a sealed search root.
    pub const SEALED_BYTES: usize = 4 + 1 + ROOT_BYTES + BOX_OVERHEAD_BYTES;

    /// Makes the search root of a hub, once.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(
        hub: HubId,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let mut root = Zeroizing::new([0; ROOT_BYTES]);
        entropy.fill(&mut *root)?;
        Ok(Self { hub, root })
    }

    /// Seals the root to the members who have a hub key; again at each epoch.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn seal(
        &self,
        key: &HubKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, EntropyError> {
        let boxed = seal_box(key.expose(), &sealed_context(key), &*self.root, entropy)?;
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(&boxed);
        Ok(out)
    }

    /// Opens what [`SearchRoot::seal`] made under the same epoch's key.
    ///
    /// # Errors
    /// [`HubError::Malformed`] or [`HubError::UnknownVersion`] for other bytes,
    /// [`HubError::WrapRefused`] when it does not open.
    pub fn open(key: &HubKey, sealed: &[u8]) -> Result<Self, HubError> {
        let boxed = match sealed.split_first_chunk::<5>() {
            Some((front, boxed)) if front[..4] == MAGIC => match front[4] {
                VERSION => boxed,
                other => return Err(HubError::UnknownVersion(other)),
            },
            _ => return Err(HubError::Malformed),
        };
        let root =
            open_box(key.expose(), &sealed_context(key), boxed).ok_or(HubError::WrapRefused)?;
        let root = root.as_slice().try_into();
        Ok(Self {
            hub: key.hub(),
            root: Zeroizing::new(root.map_err(|_| HubError::WrapRefused)?),
        })
    }

    /// The token of a term, which is normalised first: lower case by Unicode's
    /// simple mapping of each character, white space at the ends removed and
    /// within collapsed to one space.
    ///
    /// # Errors
    /// [`HubError::TermLength`] when it is then too short for the field, or
    /// longer than [`MAX_TERM_BYTES`].
    pub fn token(&self, field: IndexField, term: &str) -> Result<IndexToken, HubError> {
        let term = normalise(term)?;
        if term.chars().count() < usize::from(field.min_chars) {
            return Err(HubError::TermLength);
        }
        let key = self.field_key(field);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*key).expect("HMAC takes a key of any length");
        mac.update(&Zeroizing::new(Label::BlindIndexTerm.bind(term.as_bytes())));
        let mut token = [0; IndexToken::BYTES];
        token.copy_from_slice(&mac.finalize().into_bytes()[..IndexToken::BYTES]);
        Ok(IndexToken(token))
    }

    fn field_key(&self, field: IndexField) -> Zeroizing<[u8; 32]> {
        let context = [self.hub.as_bytes().as_slice(), &field.id.to_be_bytes()].concat();
        derive(&*self.root, &Label::BlindIndexKey.bind(&context))
    }
}

impl fmt::Debug for SearchRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchRoot(… of {})", self.hub)
    }
}

/// A term under a hub's search root. Compared in constant time; `Debug` shows
/// nothing, because one token in a log links records.
#[derive(Clone, Copy)]
pub struct IndexToken([u8; Self::BYTES]);

impl IndexToken {
    /// Bytes of a token.
    pub const BYTES: usize = 16;

    /// Takes a token from storage.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The token, for storage.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl PartialEq for IndexToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for IndexToken {}

impl fmt::Debug for IndexToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexToken(…)")
    }
}

fn sealed_context(key: &HubKey) -> Vec<u8> {
    Label::HubSearchRoot.bind(&key.context())
}

/// Bounded before it is mapped: one character becomes at most three.
fn normalise(term: &str) -> Result<Zeroizing<String>, HubError> {
    if term.len() > 4 * MAX_TERM_BYTES {
        return Err(HubError::TermLength);
    }
    let mut out = Zeroizing::new(String::with_capacity(3 * term.len() + 1));
    for word in term.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    match out.len() <= MAX_TERM_BYTES {
        true => Ok(out),
        false => Err(HubError::TermLength),
    }
}
