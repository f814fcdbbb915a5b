//! What the devices say to each other.

use super::error::ProvisionError;
use super::invitation::PUBLIC_BYTES;
use crate::encoding::Cursor;
use crate::primitive::BOX_OVERHEAD_BYTES;

/// The most that one device can send the other, in bytes.
pub const MAX_SEALED_BYTES: usize = 60 * 1024;
/// The longest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = FRONT_BYTES + MAX_SEALED_BYTES + BOX_OVERHEAD_BYTES;

pub(super) const NONCE_BYTES: usize = 32;
const MAGIC: &[u8; 4] = b"HLPM";
const VERSION: u8 = 1;
const FRONT_BYTES: usize = MAGIC.len() + 2;

/// The kind byte of a message; the number is also its place in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Commit = 1,
    Share = 2,
    Reveal = 3,
    Hello = 4,
    Payload = 5,
}

/// A device's part of the agreement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) public: [u8; PUBLIC_BYTES],
    pub(super) nonce: [u8; NONCE_BYTES],
}

impl Part {
    pub(super) fn encode(&self) -> [u8; PUBLIC_BYTES + NONCE_BYTES] {
        let mut out = [0; PUBLIC_BYTES + NONCE_BYTES];
        out[..PUBLIC_BYTES].copy_from_slice(&self.public);
        out[PUBLIC_BYTES..].copy_from_slice(&self.nonce);
        out
    }

    pub(super) fn decode(content: &[u8]) -> Result<Self, ProvisionError> {
        let unexpected = |_| ProvisionError::Unexpected;
        let mut cursor = Cursor::new(content);
        let public = cursor.array().map_err(unexpected)?;
        let nonce = cursor.array().map_err(unexpected)?;
        if cursor.position() != content.len() {
            return Err(ProvisionError::Unexpected);
        }
        Ok(Self { public, nonce })
    }
}

pub(super) fn write(kind: Kind, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRONT_BYTES + content.len());
    out.extend_from_slice(MAGIC);
    out.extend([VERSION, kind as u8]);
    out.extend_from_slice(content);
    out
}

/// The content of a message, which must be of the kind that is due.
pub(super) fn read(kind: Kind, message: &[u8]) -> Result<&[u8], ProvisionError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(ProvisionError::Unexpected);
    }
    let Some((front, content)) = message.split_first_chunk::<FRONT_BYTES>() else {
        return Err(ProvisionError::Unexpected);
    };
    let [magic @ .., version, found] = front;
    if magic != MAGIC {
        return Err(ProvisionError::Unexpected);
    }
    if *version != VERSION {
        return Err(ProvisionError::UnknownVersion(*version));
    }
    if *found != kind as u8 {
        return Err(ProvisionError::Unexpected);
    }
    Ok(content)
}
