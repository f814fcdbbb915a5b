//! Who can read one revision, signed.

use super::error::RecordError;
use super::header::KnownDevice;
use super::wrap::ManifestEntry;
use crate::encoding::Cursor;
use crate::id::{DeviceId, UserId};
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey, hash};

/// The most readers of one record.
pub const MAX_READERS: usize = 64;

/// The readers of one revision. Each change makes a new one, which names the
/// hash of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub(super) commitment: [u8; 32],
    revision: u32,
    previous: [u8; 32],
    signer: DeviceId,
    stale: bool,
    /// In ascending order of the user.
    entries: Vec<ManifestEntry>,
    /// SHA-256 of the record's context, which is signed with the rest.
    context_hash: [u8; 32],
    signature: Signature,
}

impl Manifest {
    pub(super) fn first(
        context_hash: [u8; 32],
        commitment: [u8; 32],
        entries: Vec<ManifestEntry>,
        signer: DeviceId,
        key: &SigningKey,
    ) -> Result<Self, RecordError> {
        let unsigned = Self {
            commitment,
            revision: 1,
            previous: [0; 32],
            signer,
            stale: false,
            entries,
            context_hash,
            signature: Signature::from_bytes([0; Signature::BYTES]),
        };
        unsigned.sign(key)
    }

    /// The manifest after this one.
    pub(super) fn next(
        &self,
        entries: Vec<ManifestEntry>,
        stale: bool,
        signer: DeviceId,
        key: &SigningKey,
    ) -> Result<Self, RecordError> {
        let revision = self.revision.checked_add(1);
        let unsigned = Self {
            revision: revision.ok_or(RecordError::NoMoreRevisions)?,
            previous: self.hash(),
            signer,
            stale,
            entries,
            ..self.clone()
        };
        unsigned.sign(key)
    }

    /// Number of this manifest within its revision of the record, from 1.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Names this manifest: the hash of exactly what was signed.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.signed())
    }

    /// The device that signed it.
    pub fn signer(&self) -> DeviceId {
        self.signer
    }

    /// Whether somebody lost the right to read since this revision was sealed.
    /// They may have kept its key; the next revision has another.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The readers, in ascending order of the user.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// What a person opens the record with; `None` when they are no reader.
    pub fn entry(&self, user: UserId) -> Option<&ManifestEntry> {
        self.entries.iter().find(|entry| entry.user() == user)
    }

    /// Whether this is the manifest right after `previous`.
    pub(super) fn follows(&self, previous: &Self) -> bool {
        self.context_hash == previous.context_hash
            && self.commitment == previous.commitment
            && previous.revision.checked_add(1) == Some(self.revision)
            && self.previous == previous.hash()
    }

    /// The entries with one put in, in the place of its user's old one.
    pub(super) fn entries_with(&self, entry: ManifestEntry) -> Vec<ManifestEntry> {
        let mut entries = self.entries_without(entry.user());
        entries.push(entry);
        entries
    }

    pub(super) fn entries_without(&self, user: UserId) -> Vec<ManifestEntry> {
        let kept = self.entries.iter().filter(|entry| entry.user() != user);
        kept.cloned().collect()
    }

    /// Checks the signature: by `author`, or by one of `others`.
    pub(super) fn verify(
        &self,
        author: (DeviceId, &VerifyingKey),
        others: &[KnownDevice],
    ) -> Result<(), RecordError> {
        let mut others = others.iter();
        let key = match author {
            (device, key) if device == self.signer => key,
            _ => {
                let known = others.find(|known| known.device == self.signer);
                &known.ok_or(RecordError::UnknownManifestSigner)?.key
            }
        };
        key.verify(&self.signed(), &self.signature)
            .map_err(|_| RecordError::ManifestForged)
    }

    pub(super) fn push(&self, out: &mut Vec<u8>) {
        self.push_unsigned(out);
        out.extend_from_slice(self.signature.as_bytes());
    }

    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        context_hash: [u8; 32],
    ) -> Result<Self, RecordError> {
        let commitment = cursor.array()?;
        let revision = cursor.u32()?;
        let previous: [u8; 32] = cursor.array()?;
        if revision == 0 || (revision == 1) != (previous == [0; 32]) {
            return Err(RecordError::Malformed(
                "the first list of readers, and no other, is without one before it",
            ));
        }
        let signer = DeviceId::from_bytes(cursor.array()?);
        let stale = match cursor.u8()? {
            0 => false,
            1 => true,
            _ => return Err(RecordError::Malformed("the mark of staleness is 0 or 1")),
        };
        let entries = read_entries(cursor)?;
        Ok(Self {
            commitment,
            revision,
            previous,
            signer,
            stale,
            entries,
            context_hash,
            signature: Signature::from_bytes(cursor.array()?),
        })
    }

    fn sign(mut self, key: &SigningKey) -> Result<Self, RecordError> {
        match self.entries.len() {
            0 => return Err(RecordError::NoReaders),
            1..=MAX_READERS => {}
            given => return Err(RecordError::TooManyReaders { given }),
        }
        self.entries.sort_by_key(ManifestEntry::user);
        self.signature = key.sign(&self.signed());
        Ok(self)
    }

    fn signed(&self) -> Vec<u8> {
        let mut message = self.context_hash.to_vec();
        self.push_unsigned(&mut message);
        Label::RecordManifest.bind(&message)
    }

    fn push_unsigned(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.commitment);
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(self.signer.as_bytes());
        out.push(u8::from(self.stale));
        push_entries(out, &self.entries);
    }
}

/// Appends the number of readers and the readers.
pub(super) fn push_entries(out: &mut Vec<u8>, entries: &[ManifestEntry]) {
    let count = u8::try_from(entries.len()).expect("there are at most 64 readers");
    out.push(count);
    entries.iter().for_each(|entry| entry.push(out));
}

/// Reads what [`push_entries`] wrote.
pub(super) fn read_entries(cursor: &mut Cursor<'_>) -> Result<Vec<ManifestEntry>, RecordError> {
    let count = usize::from(cursor.u8()?);
    if !(1..=MAX_READERS).contains(&count) {
        return Err(RecordError::Malformed(
            "the number of readers is not 1 to 64",
        ));
    }
    let mut entries: Vec<ManifestEntry> = Vec::with_capacity(count);
    for _ in 0..count {
        let entry = ManifestEntry::read(cursor)?;
        if entries
            .last()
            .is_some_and(|last| last.user() >= entry.user())
        {
            return Err(RecordError::Malformed(
                "the readers are out of order, or one is named twice",
            ));
        }
        entries.push(entry);
    }
    Ok(entries)
}
