//! Sealing.

use std::fmt;

use super::body::{BodySealer, MAX_RECORD_BYTES, commitment};
use super::context::{RecordContext, RecordKind, RecordPlace};
use super::error::RecordError;
use super::header::RecordHeader;
use super::manifest::{MAX_READERS, Manifest};
use super::sealed::{RecordFront, SealedRecord};
use super::wrap::{ManifestEntry, WrapContext};
use crate::cobblestone::{ContentKey, PREFIX_BYTES};
use crate::entropy::Entropy;
use crate::id::{DeviceId, UserId};
use crate::identity::{DeviceKeys, ItemsKey, Reader};
use crate::primitive::{SigningKey, hash};

/// Whoever seals: a person's device, or the server at ingest.
#[derive(Debug, Clone, Copy)]
pub struct RecordWriter<'a> {
    author: Option<UserId>,
    device: DeviceId,
    key: &'a SigningKey,
    items: Option<&'a ItemsKey>,
}

impl<'a> RecordWriter<'a> {
    /// A person on one of their devices.
    pub fn person(keys: &'a DeviceKeys) -> Self {
        Self {
            author: Some(keys.user()),
            device: keys.device(),
            key: keys.signing_key(),
            items: None,
        }
    }

    /// The server, for what comes in unsealed. What it seals says so, and never
    /// passes as a person's.
    pub fn ingest(server: DeviceId, key: &'a SigningKey) -> Self {
        Self {
            author: None,
            device: server,
            key,
            items: None,
        }
    }

    /// Wraps the author's own content keys under their items key, so that they
    /// need not be among the readers.
    #[must_use]
    pub fn with_items_key(self, items: &'a ItemsKey) -> Self {
        Self {
            items: Some(items),
            ..self
        }
    }

    /// Seals the first revision of a record for `readers`. A person given twice
    /// counts once, with the last key given; the author's items key goes before
    /// all.
    ///
    /// # Errors
    /// [`RecordError::NoReaders`], [`RecordError::TooManyReaders`],
    /// [`RecordError::TooLong`] beyond [`MAX_RECORD_BYTES`],
    /// [`RecordError::VoicemailIsIngest`], or [`RecordError::Entropy`].
    pub fn seal(
        &self,
        place: RecordPlace,
        plaintext: &[u8],
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<SealedRecord, RecordError> {
        self.seal_context(self.first_context(place), plaintext, readers, entropy)
    }

    /// Starts the first revision of a record that is sealed as a stream: a file
    /// of `length` bytes. The returned bytes begin the body.
    ///
    /// # Errors
    /// As of [`RecordWriter::seal`], with
    /// [`super::MAX_ATTACHMENT_BYTES`] as the limit.
    pub fn start(
        &self,
        place: RecordPlace,
        length: u64,
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(BodyWriter, [u8; PREFIX_BYTES]), RecordError> {
        self.start_context(self.first_context(place), length, readers, entropy)
    }

    pub(super) fn device(&self) -> DeviceId {
        self.device
    }

    pub(super) fn key(&self) -> &SigningKey {
        self.key
    }

    pub(super) fn first_context(&self, place: RecordPlace) -> RecordContext {
        RecordContext::first(place, self.author, self.device)
    }

    pub(super) fn seal_context(
        &self,
        context: RecordContext,
        plaintext: &[u8],
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<SealedRecord, RecordError> {
        let length = plaintext.len() as u64;
        if plaintext.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong {
                given: length,
                limit: MAX_RECORD_BYTES as u64,
            });
        }
        let (mut writer, prefix) = self.start_context(context, length, readers, entropy)?;
        let mut body = prefix.to_vec();
        body.extend(writer.push(plaintext)?);
        let (front, end) = writer.finish(self)?;
        body.extend(end);
        Ok(SealedRecord { front, body })
    }

    fn start_context(
        &self,
        context: RecordContext,
        length: u64,
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(BodyWriter, [u8; PREFIX_BYTES]), RecordError> {
        if context.place.kind == RecordKind::Voicemail {
            return Err(RecordError::VoicemailIsIngest);
        }
        // Wiped at the end of this function: from here on only readers have it.
        let content_key = ContentKey::generate(entropy)?;
        let (sealer, prefix) =
            BodySealer::new(&content_key, &context.body_context(), length, entropy)?;
        let wrap_context = WrapContext {
            record: context.place.record,
            revision: context.revision,
            context_hash: hash(&context.encode()),
            commitment: commitment(&prefix),
        };
        let entries = self.entries(readers, &wrap_context, &content_key, entropy)?;
        let manifest = Manifest::first(
            wrap_context.context_hash,
            wrap_context.commitment,
            entries,
            self.device,
            self.key,
        )?;
        let writer = BodyWriter {
            sealer,
            context,
            manifest,
        };
        Ok((writer, prefix))
    }

    fn entries(
        &self,
        readers: &[Reader],
        context: &WrapContext,
        content_key: &ContentKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<ManifestEntry>, RecordError> {
        let readers = distinct(readers)?;
        let mut entries = Vec::with_capacity(readers.len() + 1);
        if let Some(items) = self.items {
            let own = ManifestEntry::for_items_key(items, context, content_key, entropy)?;
            entries.push(own);
        }
        let own = self.items.map(ItemsKey::user);
        let others = readers
            .into_iter()
            .filter(|reader| Some(reader.user) != own);
        for reader in others {
            let entry = ManifestEntry::for_reader(reader, context, content_key, entropy)?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Seals a file from front to back. Does no input or output, and has none of
/// its author's keys.
pub struct BodyWriter {
    sealer: BodySealer,
    context: RecordContext,
    manifest: Manifest,
}

impl BodyWriter {
    /// Takes more of the file; returns sealed bytes to append to the body.
    ///
    /// # Errors
    /// [`RecordError::LengthChanged`] for more bytes than were announced.
    pub fn push(&mut self, plain: &[u8]) -> Result<Vec<u8>, RecordError> {
        self.sealer.push(plain)
    }

    /// Ends the file: the front, signed by the writer that started it, and the
    /// last bytes of the body.
    ///
    /// # Errors
    /// [`RecordError::OtherAuthor`] for another writer,
    /// [`RecordError::LengthChanged`] for fewer bytes than were announced.
    pub fn finish(self, author: &RecordWriter<'_>) -> Result<(RecordFront, Vec<u8>), RecordError> {
        if (author.author, author.device) != (self.context.author(), self.context.device()) {
            return Err(RecordError::OtherAuthor);
        }
        let (end, body_hash) = self.sealer.finish()?;
        let front = RecordFront {
            header: RecordHeader::sign(self.context, body_hash, author.key),
            manifest: self.manifest,
        };
        Ok((front, end))
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// One entry for each person: the last given.
pub(super) fn distinct(readers: &[Reader]) -> Result<Vec<&Reader>, RecordError> {
    let mut kept: Vec<&Reader> = Vec::with_capacity(readers.len().min(MAX_READERS));
    for reader in readers {
        kept.retain(|other| other.user != reader.user);
        kept.push(reader);
        if kept.len() > MAX_READERS {
            return Err(RecordError::TooManyReaders {
                given: readers.len(),
            });
        }
    }
    Ok(kept)
}
