//! Who says so: the author's signature over the facts and the body.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::context::{RecordContext, RecordKind, RecordPlace};
use super::error::RecordError;
use crate::encoding::Cursor;
use crate::id::{DeviceId, HubId, RecordId, UserId};
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey, hash};

/// A person's device, as their verified sigchain names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownDevice {
    /// Whose device it is.
    pub user: UserId,
    /// Which device it is.
    pub device: DeviceId,
    /// Checks its signatures.
    pub key: VerifyingKey,
}

/// Whom a record must be by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordAuthor {
    /// A person wrote it on one of their devices.
    Person(KnownDevice),
    /// The server sealed it as it came in (a text message, a voicemail).
    Ingest {
        /// Names the server's key.
        server: DeviceId,
        /// Checks the server's signatures.
        key: VerifyingKey,
    },
}

impl RecordAuthor {
    pub(super) fn device(&self) -> DeviceId {
        match self {
            Self::Person(known) => known.device,
            Self::Ingest { server, .. } => *server,
        }
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        match self {
            Self::Person(known) => &known.key,
            Self::Ingest { key, .. } => key,
        }
    }

    fn user(&self) -> Option<UserId> {
        match self {
            Self::Person(known) => Some(known.user),
            Self::Ingest { .. } => None,
        }
    }
}

/// The facts of a revision, the hash of its body, and the author's signature.
///
/// With a record it is the first part of the [`super::RecordFront`]; a voicemail
/// has one beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    context: RecordContext,
    body_hash: [u8; 32],
    signature: Signature,
}

impl RecordHeader {
    pub(super) fn sign(context: RecordContext, body_hash: [u8; 32], key: &SigningKey) -> Self {
        let signature = key.sign(&signed(&context, &body_hash));
        Self {
            context,
            body_hash,
            signature,
        }
    }

    /// Signs a sealed voicemail (a whole file of `voicemail-v1.md`) as the
    /// server that recorded it. To be kept beside the file.
    ///
    /// # Errors
    /// [`RecordError::Io`] when the file cannot be read.
    pub fn of_voicemail(
        hub: HubId,
        record: RecordId,
        file: impl Read,
        server: DeviceId,
        key: &SigningKey,
    ) -> Result<Self, RecordError> {
        let mut grown = VoicemailHash::default();
        in_pieces(file, |piece| grown.grow(piece))?;
        Ok(grown.sign(hub, record, server, key))
    }

    /// Reads a header that stands by itself, beside a voicemail.
    ///
    /// # Errors
    /// [`RecordError`] saying which rule of the format the bytes break.
    pub fn decode(input: &[u8]) -> Result<Self, RecordError> {
        let mut cursor = Cursor::new(input);
        let header = Self::read(&mut cursor)?;
        if cursor.position() != input.len() {
            return Err(RecordError::Malformed("bytes after the end"));
        }
        Ok(header)
    }

    /// Writes it, to be kept beside a voicemail.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.context.encode();
        out.extend_from_slice(&self.body_hash);
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            context: RecordContext::read(cursor)?,
            body_hash: cursor.array()?,
            signature: Signature::from_bytes(cursor.array()?),
        })
    }

    /// The facts, which are true only once [`RecordHeader::verify`] says so.
    pub fn context(&self) -> &RecordContext {
        &self.context
    }

    /// SHA-256 of the sealed body.
    pub fn body_hash(&self) -> &[u8; 32] {
        &self.body_hash
    }

    /// Names this revision: the hash of exactly what its author signed.
    pub fn hash(&self) -> [u8; 32] {
        hash(&signed(&self.context, &self.body_hash))
    }

    /// Checks that this author signed these facts and this hash of a body.
    ///
    /// # Errors
    /// [`RecordError::OtherAuthor`] when it names somebody else,
    /// [`RecordError::HeaderForged`] when the signature does not hold.
    pub fn verify(&self, author: &RecordAuthor) -> Result<(), RecordError> {
        let named = (self.context.author(), self.context.device());
        if named != (author.user(), author.device()) {
            return Err(RecordError::OtherAuthor);
        }
        author
            .key()
            .verify(&signed(&self.context, &self.body_hash), &self.signature)
            .map_err(|_| RecordError::HeaderForged)
    }

    /// Checks that `body` is the body that was signed, all of it.
    ///
    /// # Errors
    /// [`RecordError::BodyAltered`] when it is not, [`RecordError::Io`] when it
    /// cannot be read.
    pub fn check_body(&self, body: impl Read) -> Result<(), RecordError> {
        match hash_of(body)? == self.body_hash {
            true => Ok(()),
            false => Err(RecordError::BodyAltered),
        }
    }
}

/// What the server will sign of a voicemail, while its file grows: the bytes of
/// the file, in order, and then [`VoicemailHash::sign`].
#[derive(Debug, Clone, Default)]
pub struct VoicemailHash(Sha256);

impl VoicemailHash {
    /// Takes what was appended to the file.
    pub fn grow(&mut self, appended: &[u8]) {
        self.0.update(appended);
    }

    /// Signs the whole file as the server that recorded it. To be kept beside the
    /// file.
    pub fn sign(
        self,
        hub: HubId,
        record: RecordId,
        server: DeviceId,
        key: &SigningKey,
    ) -> RecordHeader {
        let place = RecordPlace {
            kind: RecordKind::Voicemail,
            hub,
            record,
        };
        let context = RecordContext::first(place, None, server);
        RecordHeader::sign(context, self.0.finalize().into(), key)
    }
}

/// What is signed. The server's signature at ingest has a purpose of its own:
/// not even the same key could make it pass for a person's.
fn signed(context: &RecordContext, body_hash: &[u8; 32]) -> Vec<u8> {
    let message = [context.encode().as_slice(), body_hash].concat();
    match context.author() {
        Some(_) => Label::RecordHeader.bind(&message),
        None => Label::IngestHeader.bind(&message),
    }
}

fn hash_of(source: impl Read) -> Result<[u8; 32], RecordError> {
    let mut hasher = Sha256::new();
    in_pieces(source, |piece| hasher.update(piece))?;
    Ok(hasher.finalize().into())
}

fn in_pieces(mut source: impl Read, mut each: impl FnMut(&[u8])) -> Result<(), RecordError> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(()),
            count => each(&piece[..count]),
        }
    }
}
