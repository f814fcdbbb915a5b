//! What a person takes away: one file, sealed to their own key.

use std::fmt;

use zeroize::Zeroizing;

use super::body::{BodySealer, body_bytes, commitment, open_whole_body};
use super::context::{SUITE, VERSION, read_front};
use super::error::RecordError;
use super::manifest::{push_entries, read_entries};
use super::wrap::{ManifestEntry, OpeningKey, WrapContext, WrapKind};
use super::writer::distinct;
use crate::cobblestone::ContentKey;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::id::{HubId, RecordId, UserId};
use crate::identity::Reader;
use crate::label::Label;
use crate::primitive::hash;

const MAGIC: [u8; 4] = *b"HLEX";
/// The longest export that is opened in one piece, in bytes.
const MAX_EXPORT_BYTES: u64 = 1 << 28;

/// The facts of an export; they stand in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportFacts {
    /// The hotline that it is from.
    pub hub: HubId,
    /// The person whose data it is.
    pub user: UserId,
    /// Names the export.
    pub export: RecordId,
    /// When, in milliseconds since 1970-01-01 00:00 UTC.
    pub created_at_ms: u64,
}

/// A sealed export. It is not signed: it says what was in it when it was sealed
/// to its owner, and proves to nobody else who made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Export {
    facts: ExportFacts,
    entries: Vec<ManifestEntry>,
    body: Vec<u8>,
}

impl Export {
    /// Seals an export to its owner's per-user key, and to further keys of
    /// theirs (a key file kept offline has a user id of its own).
    ///
    /// # Errors
    /// [`RecordError::NoReaders`], [`RecordError::TooManyReaders`],
    /// [`RecordError::TooLong`] beyond 256 MiB, or [`RecordError::Entropy`].
    pub fn seal(
        facts: ExportFacts,
        plaintext: &[u8],
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, RecordError> {
        let readers = distinct(readers)?;
        if readers.is_empty() {
            return Err(RecordError::NoReaders);
        }
        let length = plaintext.len() as u64;
        if length > MAX_EXPORT_BYTES {
            return Err(RecordError::TooLong {
                given: length,
                limit: MAX_EXPORT_BYTES,
            });
        }
        let content_key = ContentKey::generate(entropy)?;
        let context = facts.body_context();
        let (mut sealer, prefix) = BodySealer::new(&content_key, &context, length, entropy)?;
        let wrap_context = facts.wrap_context(commitment(&prefix));
        let entries = readers
            .into_iter()
            .map(|reader| ManifestEntry::for_reader(reader, &wrap_context, &content_key, entropy));
        let mut entries: Vec<ManifestEntry> = entries.collect::<Result<_, _>>()?;
        entries.sort_by_key(ManifestEntry::user);
        let mut body = prefix.to_vec();
        body.extend(sealer.push(plaintext)?);
        body.extend(sealer.finish()?.0);
        Ok(Self {
            facts,
            entries,
            body,
        })
    }

    /// Reads an export.
    ///
    /// # Errors
    /// [`RecordError`] saying which rule of the format the bytes break.
    pub fn decode(input: &[u8]) -> Result<Self, RecordError> {
        let mut cursor = Cursor::new(input);
        read_front(&mut cursor, MAGIC, "sealed export")?;
        match cursor.u8()? {
            SUITE => {}
            other => return Err(RecordError::UnknownSuite(other)),
        }
        let facts = ExportFacts {
            hub: HubId::from_bytes(cursor.array()?),
            user: UserId::from_bytes(cursor.array()?),
            export: RecordId::from_bytes(cursor.array()?),
            created_at_ms: cursor.u64()?,
        };
        let entries = read_entries(&mut cursor)?;
        if entries
            .iter()
            .any(|entry| entry.kind() != WrapKind::PerUserKey)
        {
            return Err(RecordError::Malformed("an export has no items key"));
        }
        let body = input.get(cursor.position()..).unwrap_or_default();
        let given = body.len() as u64;
        if given < body_bytes(0) {
            return Err(RecordError::BodyCutOff);
        }
        let limit = body_bytes(MAX_EXPORT_BYTES);
        if given > limit {
            return Err(RecordError::TooLong { given, limit });
        }
        Ok(Self {
            facts,
            entries,
            body: body.to_vec(),
        })
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.facts.encode();
        push_entries(&mut out, &self.entries);
        out.extend_from_slice(&self.body);
        out
    }

    /// The facts, which are true once the export has opened.
    pub fn facts(&self) -> &ExportFacts {
        &self.facts
    }

    /// Which keys open it.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`RecordError::NotAReader`], [`RecordError::OtherKeyNeeded`],
    /// [`RecordError::WrapRefused`], [`RecordError::BodyMismatch`],
    /// [`RecordError::BodyAltered`], [`RecordError::BodyCutOff`] or
    /// [`RecordError::Malformed`].
    pub fn open(&self, key: &OpeningKey<'_>) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.user() == key.user());
        let entry = entry.ok_or(RecordError::NotAReader)?;
        let prefix = self.body.first_chunk().ok_or(RecordError::BodyCutOff)?;
        let named = commitment(prefix);
        let content_key = entry.open(key, &self.facts.wrap_context(named))?;
        let body_hash = hash(&self.body);
        let context = self.facts.body_context();
        open_whole_body(&self.body, &content_key, &context, &named, &body_hash)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Export({:?}, {} readers, …)",
            self.facts,
            self.entries.len()
        )
    }
}

impl ExportFacts {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, SUITE]);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(self.export.as_bytes());
        out.extend_from_slice(&self.created_at_ms.to_be_bytes());
        out
    }

    fn body_context(&self) -> Vec<u8> {
        Label::ExportBody.bind(&self.encode())
    }

    fn wrap_context(&self, commitment: [u8; 32]) -> WrapContext {
        WrapContext {
            record: self.export,
            revision: 1,
            context_hash: hash(&self.encode()),
            commitment,
        }
    }
}
