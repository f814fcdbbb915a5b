//! The content key, once for each reader.

use std::fmt;

use super::error::RecordError;
use crate::cobblestone::ContentKey;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::id::{RecordId, UserId};
use crate::identity::{CONTENT_KEY_WRAP_BYTES, ItemsKey, Reader};
use crate::label::Label;
use crate::reader_key::{ReaderSecretKey, WRAP_BYTES};

const KIND_HPKE: u8 = 0;
const KIND_ITEMS_KEY: u8 = 1;

/// Which key of a reader opens a wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapKind {
    /// The per-user key: anybody can seal to it.
    PerUserKey,
    /// The items key: only its owner can seal under it, and opening is faster.
    ItemsKey,
}

impl fmt::Display for WrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerUserKey => "per-user key",
            Self::ItemsKey => "items key",
        })
    }
}

/// The key that a reader opens with.
#[derive(Debug, Clone, Copy)]
pub enum OpeningKey<'a> {
    /// One generation of the per-user key.
    PerUserKey {
        /// Whose key it is.
        user: UserId,
        /// Which generation it is.
        generation: u32,
        /// [`crate::identity::Puk::reader_key`] of it.
        secret: &'a ReaderSecretKey,
    },
    /// One generation of the items key.
    ItemsKey(&'a ItemsKey),
}

impl OpeningKey<'_> {
    /// Whose key it is.
    pub fn user(&self) -> UserId {
        match self {
            Self::PerUserKey { user, .. } => *user,
            Self::ItemsKey(key) => key.user(),
        }
    }

    fn generation(&self) -> u32 {
        match self {
            Self::PerUserKey { generation, .. } => *generation,
            Self::ItemsKey(key) => key.generation(),
        }
    }
}

/// What a wrap is bound to: it opens in no other revision, and for nobody else.
pub(super) struct WrapContext {
    pub(super) record: RecordId,
    pub(super) revision: u32,
    /// SHA-256 of the context.
    pub(super) context_hash: [u8; 32],
    /// Of the body.
    pub(super) commitment: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrap {
    Hpke([u8; WRAP_BYTES]),
    ItemsKey([u8; CONTENT_KEY_WRAP_BYTES]),
}

/// One reader of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    user: UserId,
    generation: u32,
    wrap: Wrap,
}

impl ManifestEntry {
    pub(super) fn for_reader(
        reader: &Reader,
        context: &WrapContext,
        key: &ContentKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, RecordError> {
        let info = wrap_info(
            &context.context_hash,
            &context.commitment,
            reader.user,
            reader.generation,
        );
        let wrap = reader
            .key
            .seal_key(&info, key, entropy)
            .map_err(|error| match error {
                Error::Entropy(error) => RecordError::Entropy(error),
                _ => RecordError::UnusableReader(reader.user),
            })?;
        Ok(Self {
            user: reader.user,
            generation: reader.generation,
            wrap: Wrap::Hpke(wrap),
        })
    }

    pub(super) fn for_items_key(
        items: &ItemsKey,
        context: &WrapContext,
        key: &ContentKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, RecordError> {
        let wrap = items.wrap_content_key(
            context.record,
            context.revision,
            &context.commitment,
            key,
            entropy,
        )?;
        Ok(Self {
            user: items.user(),
            generation: items.generation(),
            wrap: Wrap::ItemsKey(wrap.try_into().expect("a content key has one length")),
        })
    }

    /// Who can read the record.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// With which generation of their per-user key.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// With which key of that generation.
    pub fn kind(&self) -> WrapKind {
        match self.wrap {
            Wrap::Hpke(_) => WrapKind::PerUserKey,
            Wrap::ItemsKey(_) => WrapKind::ItemsKey,
        }
    }

    pub(super) fn open(
        &self,
        key: &OpeningKey<'_>,
        context: &WrapContext,
    ) -> Result<ContentKey, RecordError> {
        let other = RecordError::OtherKeyNeeded {
            generation: self.generation,
            kind: self.kind(),
        };
        if key.generation() != self.generation {
            return Err(other);
        }
        match (&self.wrap, key) {
            (Wrap::Hpke(wrap), OpeningKey::PerUserKey { secret, .. }) => {
                let info = wrap_info(
                    &context.context_hash,
                    &context.commitment,
                    self.user,
                    self.generation,
                );
                secret
                    .open_key(&info, wrap)
                    .map_err(|_| RecordError::WrapRefused)
            }
            (Wrap::ItemsKey(wrap), OpeningKey::ItemsKey(items)) => items
                .unwrap_content_key(context.record, context.revision, &context.commitment, wrap)
                .map_err(|_| RecordError::WrapRefused),
            _ => Err(other),
        }
    }

    pub(super) fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        match &self.wrap {
            Wrap::Hpke(wrap) => {
                out.push(KIND_HPKE);
                out.extend_from_slice(wrap);
            }
            Wrap::ItemsKey(wrap) => {
                out.push(KIND_ITEMS_KEY);
                out.extend_from_slice(wrap);
            }
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, RecordError> {
        let user = UserId::from_bytes(cursor.array()?);
        let generation = cursor.u32()?;
        let wrap = match cursor.u8()? {
            KIND_HPKE => Wrap::Hpke(cursor.array()?),
            KIND_ITEMS_KEY => Wrap::ItemsKey(cursor.array()?),
            _ => return Err(RecordError::Malformed("a reader's key is of unknown kind")),
        };
        Ok(Self {
            user,
            generation,
            wrap,
        })
    }
}

/// The HPKE `info` of a wrap.
fn wrap_info(
    front_hash: &[u8; 32],
    commitment: &[u8; 32],
    user: UserId,
    generation: u32,
) -> Vec<u8> {
    let context = [
        front_hash.as_slice(),
        commitment,
        user.as_bytes(),
        &generation.to_be_bytes(),
    ]
    .concat();
    Label::RecordKeyWrap.bind(&context)
}
