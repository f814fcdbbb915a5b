//! The key under which a person keeps the keys of their own records.
//!
//! A symmetric box costs a fiftieth of an HPKE wrap, which is felt when ten
//! thousand notes are opened.

use std::fmt;

use zeroize::Zeroizing;

use super::error::PukError;
use super::puk::Puk;
use crate::cobblestone::ContentKey;
use crate::encoding::{Cursor, push_vector};
use crate::entropy::{Entropy, EntropyError};
use crate::id::{RecordId, UserId};
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, open_box, seal_box};

const MAGIC: [u8; 4] = *b"HLIK";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
/// The longest commitment that a wrap is bound to, in bytes.
pub const MAX_COMMITMENT_BYTES: usize = 64;
/// Bytes of a content key under an items key.
pub const CONTENT_KEY_WRAP_BYTES: usize = KEY_BYTES + BOX_OVERHEAD_BYTES;

/// Wraps the content keys of a person's own records; one per generation of the
/// per-user key.
///
/// Wiped from memory when dropped; `Debug` shows person and generation.
#[derive(Clone)]
pub struct ItemsKey {
    user: UserId,
    generation: u32,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl ItemsKey {
    /// Bytes of a sealed items key.
    pub const SEALED_BYTES: usize = 4 + 1 + UserId::BYTES + 4 + KEY_BYTES + BOX_OVERHEAD_BYTES;

    /// Makes the items key of one generation.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(
        puk: &Puk,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key)?;
        Ok(Self {
            user: puk.user(),
            generation: puk.generation(),
            key,
        })
    }

    /// Seals the items key to its generation, to be kept on the server.
    ///
    /// # Errors
    /// [`PukError::NoGeneration`] when `puk` is another generation or another
    /// person's, [`PukError::Entropy`] when the source fails.
    pub fn seal(
        &self,
        puk: &Puk,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, PukError> {
        if (puk.user(), puk.generation()) != (self.user, self.generation) {
            return Err(PukError::NoGeneration(self.generation));
        }
        let boxed = seal_box(
            &puk.symmetric_key(),
            &wrap_context(puk),
            &*self.key,
            entropy,
        )?;
        let mut out = Vec::with_capacity(Self::SEALED_BYTES);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&puk.context());
        out.extend_from_slice(&boxed);
        Ok(out)
    }

    /// Which generation of the per-user key opens a sealed items key.
    ///
    /// # Errors
    /// [`PukError::NotItemsKey`] when the bytes are no sealed items key.
    pub fn generation_of(sealed: &[u8]) -> Result<u32, PukError> {
        read(sealed).map(|(_, generation, _)| generation)
    }

    /// Opens what [`ItemsKey::seal`] made under the same generation.
    ///
    /// # Errors
    /// [`PukError::NotItemsKey`] when the bytes are no sealed items key,
    /// [`PukError::ItemsKeyRefused`] when it is another's or was altered.
    pub fn open(puk: &Puk, sealed: &[u8]) -> Result<Self, PukError> {
        let (user, generation, boxed) = read(sealed)?;
        if (user, generation) != (puk.user(), puk.generation()) {
            return Err(PukError::ItemsKeyRefused);
        }
        let key = open_box(&puk.symmetric_key(), &wrap_context(puk), boxed)
            .ok_or(PukError::ItemsKeyRefused)?;
        let key = key.as_slice().try_into();
        Ok(Self {
            user,
            generation,
            key: Zeroizing::new(key.map_err(|_| PukError::ItemsKeyRefused)?),
        })
    }

    /// Whose key it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The generation of the per-user key that it belongs to.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Wraps the content key of one revision of a record: 72 bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    ///
    /// # Panics
    /// When `commitment` is longer than [`MAX_COMMITMENT_BYTES`].
    pub fn wrap_content_key(
        &self,
        record: RecordId,
        revision: u32,
        commitment: &[u8],
        key: &ContentKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, EntropyError> {
        let context = self.content_context(record, revision, commitment);
        seal_box(&self.key, &context, key.expose(), entropy)
    }

    /// Opens what [`ItemsKey::wrap_content_key`] made for the same revision.
    ///
    /// # Errors
    /// [`PukError::ContentKeyRefused`] when it belongs to another record,
    /// revision, body or generation, or was altered.
    ///
    /// # Panics
    /// When `commitment` is longer than [`MAX_COMMITMENT_BYTES`].
    pub fn unwrap_content_key(
        &self,
        record: RecordId,
        revision: u32,
        commitment: &[u8],
        wrapped: &[u8],
    ) -> Result<ContentKey, PukError> {
        let context = self.content_context(record, revision, commitment);
        let key = open_box(&self.key, &context, wrapped).ok_or(PukError::ContentKeyRefused)?;
        ContentKey::from_slice(&key).map_err(|_| PukError::ContentKeyRefused)
    }

    fn content_context(&self, record: RecordId, revision: u32, commitment: &[u8]) -> Vec<u8> {
        assert!(
            commitment.len() <= MAX_COMMITMENT_BYTES,
            "a commitment has at most 64 bytes"
        );
        let mut context = Vec::with_capacity(64 + commitment.len());
        context.extend_from_slice(self.user.as_bytes());
        context.extend_from_slice(&self.generation.to_be_bytes());
        context.extend_from_slice(record.as_bytes());
        context.extend_from_slice(&revision.to_be_bytes());
        push_vector(&mut context, commitment);
        Label::ItemsCekWrap.bind(&context)
    }
}

impl fmt::Debug for ItemsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ItemsKey(… generation {} of {})",
            self.generation, self.user
        )
    }
}

fn wrap_context(puk: &Puk) -> Vec<u8> {
    Label::ItemsKeyWrap.bind(&puk.context())
}

fn read(sealed: &[u8]) -> Result<(UserId, u32, &[u8]), PukError> {
    let refused = |_| PukError::NotItemsKey;
    let mut cursor = Cursor::new(sealed);
    let front = cursor.bytes(MAGIC.len() + 1).map_err(refused)?;
    if sealed.len() != ItemsKey::SEALED_BYTES || front != [&MAGIC[..], &[VERSION]].concat() {
        return Err(PukError::NotItemsKey);
    }
    let user = UserId::from_bytes(cursor.array().map_err(refused)?);
    let generation = cursor.u32().map_err(refused)?;
    let boxed = cursor
        .bytes(KEY_BYTES + BOX_OVERHEAD_BYTES)
        .map_err(refused)?;
    Ok((user, generation, boxed))
}
