//! A sealed record as it is stored and sent.

use std::fmt;

use super::body::{MAX_RECORD_BYTES, body_bytes};
use super::context::RecordContext;
use super::error::RecordError;
use super::header::RecordHeader;
use super::manifest::Manifest;
use super::verified::{Expected, Opened, VerifiedFront};
use super::wrap::OpeningKey;
use crate::encoding::Cursor;
use crate::id::UserId;
use crate::primitive::hash;

/// How far a record has come: the newest seen is to be remembered, and nothing
/// older believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Revision of the record, from 1.
    pub revision: u32,
    /// Manifest within the revision, from 1.
    pub manifest: u32,
}

impl Position {
    /// Of a record that was never seen before.
    pub const START: Self = Self {
        revision: 1,
        manifest: 1,
    };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {}, readers {}", self.revision, self.manifest)
    }
}

/// All of a record but its body: the signed header and the readers.
///
/// Nothing in it is true before [`RecordFront::verify`] has said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFront {
    pub(super) header: RecordHeader,
    pub(super) manifest: Manifest,
}

impl RecordFront {
    /// Reads a front that stands by itself, its body being stored elsewhere.
    ///
    /// # Errors
    /// [`RecordError`] saying which rule of the format the bytes break.
    pub fn decode(input: &[u8]) -> Result<Self, RecordError> {
        match Self::read(input)? {
            (front, []) => Ok(front),
            _ => Err(RecordError::Malformed("bytes after the end")),
        }
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.header.encode();
        self.manifest.push(&mut out);
        out
    }

    /// The facts that it claims.
    pub fn context(&self) -> &RecordContext {
        self.header.context()
    }

    /// The signed facts and hash of the body.
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The readers that it claims.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How far it claims to be.
    pub fn position(&self) -> Position {
        Position {
            revision: self.context().revision(),
            manifest: self.manifest.revision(),
        }
    }

    /// Compares it with what the reader expects.
    ///
    /// # Errors
    /// [`RecordError`] saying what is wrong: moved, rolled back, forged, or
    /// readable to somebody who may not read it.
    pub fn verify<'a>(
        &'a self,
        expected: &'a Expected<'a>,
    ) -> Result<VerifiedFront<'a>, RecordError> {
        VerifiedFront::new(self, expected)
    }

    /// Checks that this is `previous`, or comes right after it: the same
    /// revision with the next manifest, or the next revision. Who holds every
    /// state in turn notices a fork.
    ///
    /// # Errors
    /// [`RecordError::NotSuccessor`] when it is neither.
    pub fn check_follows(&self, previous: &Self) -> Result<(), RecordError> {
        let same_body = self.header == previous.header
            && (self.manifest == previous.manifest || self.manifest.follows(&previous.manifest));
        let context = self.context();
        let next_revision = context.place() == previous.context().place()
            && previous.context().revision().checked_add(1) == Some(context.revision())
            && *context.parent() == previous.header.hash();
        match same_body || next_revision {
            true => Ok(()),
            false => Err(RecordError::NotSuccessor),
        }
    }

    /// Checks that this list of readers, which `signer` has signed, leaves the others of
    /// `previous` what they open the record with: unchanged, or for a newer generation of their
    /// key. Nobody but its reader can tell whether a wrap opens, so another one for the same key
    /// may take the record away from them. Who is left out is not looked at.
    ///
    /// # Errors
    /// [`RecordError::WrapReplaced`] naming the first of whom it is not so.
    pub fn check_wraps_kept(&self, previous: &Self, signer: UserId) -> Result<(), RecordError> {
        for entry in self.manifest.entries() {
            let user = entry.user();
            let before = previous.manifest.entry(user);
            let kept = before
                .is_none_or(|before| entry == before || entry.generation() > before.generation());
            if user != signer && !kept {
                return Err(RecordError::WrapReplaced(user));
            }
        }
        Ok(())
    }

    pub(super) fn context_hash(&self) -> [u8; 32] {
        hash(&self.context().encode())
    }

    fn read(input: &[u8]) -> Result<(Self, &[u8]), RecordError> {
        let mut cursor = Cursor::new(input);
        let header = RecordHeader::read(&mut cursor)?;
        let context_hash = hash(&header.context().encode());
        let manifest = Manifest::read(&mut cursor, context_hash)?;
        let rest = input.get(cursor.position()..).unwrap_or_default();
        Ok((Self { header, manifest }, rest))
    }
}

/// A record that is short enough to be held in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    pub(super) front: RecordFront,
    pub(super) body: Vec<u8>,
}

impl SealedRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] saying which rule of the format the bytes break.
    pub fn decode(input: &[u8]) -> Result<Self, RecordError> {
        let (front, body) = RecordFront::read(input)?;
        Self::from_parts(front, body.to_vec())
    }

    /// Puts a front and the body that is stored elsewhere together.
    ///
    /// # Errors
    /// [`RecordError::BodyCutOff`] or [`RecordError::TooLong`] when the body
    /// cannot be that of a record of at most [`MAX_RECORD_BYTES`].
    pub fn from_parts(front: RecordFront, body: Vec<u8>) -> Result<Self, RecordError> {
        if (body.len() as u64) < body_bytes(0) {
            return Err(RecordError::BodyCutOff);
        }
        let limit = body_bytes(MAX_RECORD_BYTES as u64);
        let given = body.len() as u64;
        match given > limit {
            true => Err(RecordError::TooLong { given, limit }),
            false => Ok(Self { front, body }),
        }
    }

    /// Writes it: the front, then the body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.front.encode();
        out.extend_from_slice(&self.body);
        out
    }

    /// Everything but the body.
    pub fn front(&self) -> &RecordFront {
        &self.front
    }

    /// The sealed body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same body with the readers of another front.
    ///
    /// # Errors
    /// [`RecordError::NotSuccessor`] when the front is of another revision.
    pub fn with_front(self, front: RecordFront) -> Result<Self, RecordError> {
        match front.header == self.front.header {
            true => Ok(Self { front, ..self }),
            false => Err(RecordError::NotSuccessor),
        }
    }

    /// Compares everything with what is expected, then opens the text.
    ///
    /// # Errors
    /// [`RecordError`] saying what is wrong.
    pub fn open(
        &self,
        key: &OpeningKey<'_>,
        expected: &Expected<'_>,
    ) -> Result<Opened, RecordError> {
        self.front.verify(expected)?.open(&self.body, key)
    }
}
