//! The mark that stands where a record was.

use super::context::{RecordPlace, VERSION, read_front};
use super::error::RecordError;
use super::header::KnownDevice;
use super::sealed::RecordFront;
use crate::encoding::Cursor;
use crate::id::{DeviceId, HubId, RecordId, UserId};
use crate::identity::DeviceKeys;
use crate::label::Label;
use crate::primitive::Signature;

const MAGIC: [u8; 4] = *b"HLRE";

/// Who erased which record, and when, signed. With it go the wraps and bodies
/// of every revision up to the one that it names; the mark itself holds nothing
/// of what was erased but the hash of a sealed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    hub: HubId,
    record: RecordId,
    through: u32,
    last_header: [u8; 32],
    user: UserId,
    device: DeviceId,
    at_ms: u64,
    signature: Signature,
}

impl Erasure {
    /// Bytes of an encoded erasure.
    pub const BYTES: usize = 4 + 1 + 2 * 16 + 4 + 32 + 2 * 16 + 8 + Signature::BYTES;

    /// Signs that the record is erased up to and including the revision of
    /// `last`, at `at_ms` milliseconds since 1970-01-01 00:00 UTC.
    pub fn sign(last: &RecordFront, by: &DeviceKeys, at_ms: u64) -> Self {
        let RecordPlace { hub, record, .. } = last.context().place();
        let mut erasure = Self {
            hub,
            record,
            through: last.context().revision(),
            last_header: last.header().hash(),
            user: by.user(),
            device: by.device(),
            at_ms,
            signature: Signature::from_bytes([0; Signature::BYTES]),
        };
        erasure.signature = by.signing_key().sign(&erasure.signed());
        erasure
    }

    /// Reads an erasure.
    ///
    /// # Errors
    /// [`RecordError`] saying which rule of the format the bytes break.
    pub fn decode(input: &[u8]) -> Result<Self, RecordError> {
        let mut cursor = Cursor::new(input);
        read_front(&mut cursor, MAGIC, "erasure")?;
        let erasure = Self {
            hub: HubId::from_bytes(cursor.array()?),
            record: RecordId::from_bytes(cursor.array()?),
            through: cursor.u32()?,
            last_header: cursor.array()?,
            user: UserId::from_bytes(cursor.array()?),
            device: DeviceId::from_bytes(cursor.array()?),
            at_ms: cursor.u64()?,
            signature: Signature::from_bytes(cursor.array()?),
        };
        match cursor.position() == input.len() {
            true => Ok(erasure),
            false => Err(RecordError::Malformed("bytes after the end")),
        }
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.unsigned();
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    /// Checks who signed it. Whether that person may erase the record is for
    /// the hub's roster to say.
    ///
    /// # Errors
    /// [`RecordError::OtherAuthor`] when it names somebody else,
    /// [`RecordError::ErasureForged`] when the signature does not hold.
    pub fn verify(&self, by: &KnownDevice) -> Result<(), RecordError> {
        if (self.user, self.device) != (by.user, by.device) {
            return Err(RecordError::OtherAuthor);
        }
        by.key
            .verify(&self.signed(), &self.signature)
            .map_err(|_| RecordError::ErasureForged)
    }

    /// Whether a record is one that should be gone.
    pub fn covers(&self, front: &RecordFront) -> bool {
        let place = front.context().place();
        (place.hub, place.record) == (self.hub, self.record)
            && front.context().revision() <= self.through
    }

    /// The hotline that the record belonged to.
    pub fn hub(&self) -> HubId {
        self.hub
    }

    /// The record.
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// The last revision that is erased.
    pub fn through(&self) -> u32 {
        self.through
    }

    /// [`super::RecordHeader::hash`] of that revision: whoever kept a copy of
    /// the header can show which one it was.
    pub fn last_header(&self) -> &[u8; 32] {
        &self.last_header
    }

    /// Who erased it.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// On which device.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// When, in milliseconds since 1970-01-01 00:00 UTC, by the clock of the
    /// device.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    fn signed(&self) -> Vec<u8> {
        Label::RecordErasure.bind(&self.unsigned())
    }

    fn unsigned(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(self.record.as_bytes());
        out.extend_from_slice(&self.through.to_be_bytes());
        out.extend_from_slice(&self.last_header);
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(&self.at_ms.to_be_bytes());
        out
    }
}
