//! Believing a record, and what can be done once it is believed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Seek};

use zeroize::Zeroizing;

use super::body::{BodyReader, open_whole_body};
use super::context::{RecordContext, RecordPlace};
use super::error::RecordError;
use super::header::{KnownDevice, RecordAuthor};
use super::manifest::Manifest;
use super::pieces::BodyOpener;
use super::sealed::{Position, RecordFront, SealedRecord};
use super::wrap::{ManifestEntry, OpeningKey, WrapContext};
use super::writer::RecordWriter;
use crate::cobblestone::ContentKey;
use crate::entropy::Entropy;
use crate::id::UserId;
use crate::identity::{ItemsKey, Reader};

/// What somebody who opens a record knows from elsewhere. A record that differs
/// is refused.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The record that was asked for.
    pub place: RecordPlace,
    /// The newest state seen so far; [`Position::START`] when there is none.
    pub at_least: Position,
    /// Whom it is shown as being by, with the key from their verified sigchain.
    pub author: RecordAuthor,
    /// Devices besides the author's that may sign the list of readers. Only
    /// those of allowed readers count.
    pub manifest_signers: &'a [KnownDevice],
    /// Who may read by the rule for the record's visibility, from the hub's
    /// verified roster.
    pub allowed_readers: &'a BTreeSet<UserId>,
    /// Who might read it once and stands on older lists: accepted there, and never
    /// entered anew. What such a person's devices signed then still counts.
    pub former_readers: &'a BTreeSet<UserId>,
}

impl Expected<'_> {
    fn accepts(&self, user: &UserId) -> bool {
        self.allowed_readers.contains(user) || self.former_readers.contains(user)
    }
}

/// For records that had no other readers than they have now.
pub static NOBODY: BTreeSet<UserId> = BTreeSet::new();

/// What was sealed.
pub struct Opened {
    /// The text. Wiped from memory when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The facts, verified.
    pub context: RecordContext,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// A front whose signatures, place, position and readers are as expected.
#[derive(Debug, Clone, Copy)]
pub struct VerifiedFront<'a> {
    front: &'a RecordFront,
    expected: &'a Expected<'a>,
}

impl<'a> VerifiedFront<'a> {
    pub(super) fn new(
        front: &'a RecordFront,
        expected: &'a Expected<'a>,
    ) -> Result<Self, RecordError> {
        if front.context().place() != expected.place {
            return Err(RecordError::Moved);
        }
        if front.position() < expected.at_least {
            return Err(RecordError::Rollback {
                seen: expected.at_least,
                given: front.position(),
            });
        }
        front.header.verify(&expected.author)?;
        let author = (expected.author.device(), expected.author.key());
        front.manifest.verify(author, &allowed_signers(expected))?;
        let mut readers = front.manifest.entries().iter().map(ManifestEntry::user);
        match readers.find(|user| !expected.accepts(user)) {
            Some(user) => Err(RecordError::ReaderNotAllowed(user)),
            None => Ok(Self { front, expected }),
        }
    }

    /// The facts, which are true.
    pub fn context(&self) -> &RecordContext {
        self.front.context()
    }

    /// How far the record is: to be remembered as seen.
    pub fn position(&self) -> Position {
        self.front.position()
    }

    /// Opens a short body.
    ///
    /// # Errors
    /// [`RecordError::NotAReader`], [`RecordError::OtherKeyNeeded`],
    /// [`RecordError::WrapRefused`], [`RecordError::BodyMismatch`],
    /// [`RecordError::BodyAltered`], [`RecordError::BodyCutOff`] or
    /// [`RecordError::Malformed`].
    pub fn open(&self, body: &[u8], key: &OpeningKey<'_>) -> Result<Opened, RecordError> {
        let content_key = self.content_key(key)?;
        let plaintext = open_whole_body(
            body,
            &content_key,
            &self.context().body_context(),
            &self.front.manifest.commitment,
            self.front.header.body_hash(),
        )?;
        Ok(Opened {
            plaintext,
            context: *self.context(),
        })
    }

    /// Opens a body of any length, to be read chunk by chunk.
    ///
    /// # Errors
    /// As of [`VerifiedFront::open`], or [`RecordError::Io`].
    pub fn open_stream<R: Read + Seek>(
        &self,
        body: R,
        key: &OpeningKey<'_>,
    ) -> Result<BodyReader<R>, RecordError> {
        BodyReader::open(
            body,
            &self.content_key(key)?,
            &self.context().body_context(),
            &self.front.manifest.commitment,
            self.front.header.body_hash(),
        )
    }

    /// Opens a body of any length from front to back, as it arrives.
    ///
    /// # Errors
    /// [`RecordError::NotAReader`], [`RecordError::OtherKeyNeeded`] or
    /// [`RecordError::WrapRefused`].
    pub fn open_pieces(&self, key: &OpeningKey<'_>) -> Result<BodyOpener, RecordError> {
        Ok(BodyOpener::new(
            self.content_key(key)?,
            &self.context().body_context(),
            &self.front.manifest.commitment,
            self.front.header.body_hash(),
        ))
    }

    /// Seals the next revision, with a key of its own.
    ///
    /// # Errors
    /// [`RecordError::ReaderNotAllowed`], [`RecordError::NoMoreRevisions`], or
    /// as of [`RecordWriter::seal`].
    pub fn new_revision(
        &self,
        writer: &RecordWriter<'_>,
        plaintext: &[u8],
        readers: &[Reader],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<SealedRecord, RecordError> {
        let mut users = readers.iter().map(|reader| reader.user);
        users.try_for_each(|user| self.check_allowed(user))?;
        let revision = self.context().revision().checked_add(1);
        let context = RecordContext {
            revision: revision.ok_or(RecordError::NoMoreRevisions)?,
            parent: self.front.header.hash(),
            ..writer.first_context(self.context().place())
        };
        writer.seal_context(context, plaintext, readers, entropy)
    }

    /// Lets one more person read, or gives a reader a wrap for a newer
    /// generation. The body stays as it is.
    ///
    /// # Errors
    /// [`RecordError::ReaderNotAllowed`], [`RecordError::TooManyReaders`], or
    /// as of [`VerifiedFront::open`] for the wrap.
    pub fn add_reader(
        &self,
        writer: &RecordWriter<'_>,
        key: &OpeningKey<'_>,
        reader: &Reader,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<RecordFront, RecordError> {
        self.check_allowed(reader.user)?;
        let content_key = self.content_key(key)?;
        let context = self.wrap_context();
        let entry = ManifestEntry::for_reader(reader, &context, &content_key, entropy)?;
        self.with_entry(writer, entry)
    }

    /// Puts the opening person's own wrap under their items key, which opens
    /// faster.
    ///
    /// # Errors
    /// [`RecordError::ReaderNotAllowed`], or as of [`VerifiedFront::open`] for
    /// the wrap.
    pub fn rewrap_for_items_key(
        &self,
        writer: &RecordWriter<'_>,
        key: &OpeningKey<'_>,
        items: &ItemsKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<RecordFront, RecordError> {
        self.check_allowed(items.user())?;
        let content_key = self.content_key(key)?;
        let context = self.wrap_context();
        let entry = ManifestEntry::for_items_key(items, &context, &content_key, entropy)?;
        self.with_entry(writer, entry)
    }

    /// Takes a reader off the list and marks the revision as stale: whoever was
    /// on it may have kept the key, so the next revision gets another.
    ///
    /// # Errors
    /// [`RecordError::NotAReader`] when they are not on the list,
    /// [`RecordError::NoReaders`] when they are the last.
    pub fn remove_reader(
        &self,
        writer: &RecordWriter<'_>,
        user: UserId,
    ) -> Result<RecordFront, RecordError> {
        let manifest = &self.front.manifest;
        manifest.entry(user).ok_or(RecordError::NotAReader)?;
        self.with_manifest(writer, manifest.entries_without(user), true)
    }

    fn content_key(&self, key: &OpeningKey<'_>) -> Result<ContentKey, RecordError> {
        let entry = self.front.manifest.entry(key.user());
        let entry = entry.ok_or(RecordError::NotAReader)?;
        entry.open(key, &self.wrap_context())
    }

    fn wrap_context(&self) -> WrapContext {
        WrapContext {
            record: self.context().place().record,
            revision: self.context().revision(),
            context_hash: self.front.context_hash(),
            commitment: self.front.manifest.commitment,
        }
    }

    fn check_allowed(&self, user: UserId) -> Result<(), RecordError> {
        match self.expected.allowed_readers.contains(&user) {
            true => Ok(()),
            false => Err(RecordError::ReaderNotAllowed(user)),
        }
    }

    fn with_entry(
        &self,
        writer: &RecordWriter<'_>,
        entry: ManifestEntry,
    ) -> Result<RecordFront, RecordError> {
        let manifest = &self.front.manifest;
        self.with_manifest(writer, manifest.entries_with(entry), manifest.is_stale())
    }

    fn with_manifest(
        &self,
        writer: &RecordWriter<'_>,
        entries: Vec<ManifestEntry>,
        stale: bool,
    ) -> Result<RecordFront, RecordError> {
        let current: &Manifest = &self.front.manifest;
        Ok(RecordFront {
            header: self.front.header.clone(),
            manifest: current.next(entries, stale, writer.device(), writer.key())?,
        })
    }
}

/// Of the devices that may sign the list, those whose person may read.
fn allowed_signers(expected: &Expected<'_>) -> Vec<KnownDevice> {
    let signers = expected.manifest_signers.iter();
    let allowed = signers.filter(|known| expected.accepts(&known.user));
    allowed.copied().collect()
}
