//! What a record is and where it belongs.

use super::error::RecordError;
use crate::encoding::{Cursor, push_vector};
use crate::id::{DeviceId, HubId, RecordId, UserId};
use crate::label::Label;

const MAGIC: [u8; 4] = *b"HLRC";
pub(super) const VERSION: u8 = 1;
/// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; Cobblestone-256;
/// Ed25519.
pub(super) const SUITE: u8 = 1;
/// Labels are shorter than this many bytes.
const MAX_LABEL_BYTES: usize = 63;
/// Stands where the author would, in what the server sealed at ingest.
const NOBODY: UserId = UserId::from_bytes([0; UserId::BYTES]);

/// What sort of thing is sealed. Each has a purpose of its own, so that one
/// cannot be shown as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A note and its custom fields.
    Note,
    /// A message of a conversation.
    Message,
    /// A transcript.
    Transcript,
    /// A report, a case or an event.
    Report,
    /// A contact or a relationship.
    Contact,
    /// A file.
    Attachment,
    /// A recording that the exchange sealed; in a [`super::RecordHeader`] only,
    /// the recording itself has the format of `voicemail-v1.md`.
    Voicemail,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Note,
        Self::Message,
        Self::Transcript,
        Self::Report,
        Self::Contact,
        Self::Attachment,
        Self::Voicemail,
    ];

    pub(crate) fn label(self) -> Label {
        match self {
            Self::Note => Label::NoteBody,
            Self::Message => Label::MessageBody,
            Self::Transcript => Label::TranscriptBody,
            Self::Report => Label::ReportBody,
            Self::Contact => Label::ContactBody,
            Self::Attachment => Label::AttachmentBody,
            Self::Voicemail => Label::VoicemailBody,
        }
    }

    fn from_label(text: &[u8]) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|kind| kind.label().value().as_bytes() == text)
    }
}

/// Which record of which hub, and what sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// What sort of thing it is.
    pub kind: RecordKind,
    /// The hotline that it belongs to.
    pub hub: HubId,
    /// The record.
    pub record: RecordId,
}

/// The facts of one revision. They stand in the clear, so they must say nothing
/// about a caller; they are signed, and the body opens under no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordContext {
    pub(super) place: RecordPlace,
    pub(super) revision: u32,
    pub(super) parent: [u8; 32],
    pub(super) author: UserId,
    pub(super) device: DeviceId,
}

impl RecordContext {
    /// The first revision of a record; `author` `None` is the server at ingest.
    pub(super) fn first(place: RecordPlace, author: Option<UserId>, device: DeviceId) -> Self {
        Self {
            place,
            revision: 1,
            parent: [0; 32],
            author: author.unwrap_or(NOBODY),
            device,
        }
    }

    /// Which record of which hub, and what sort of thing it is.
    pub fn place(&self) -> RecordPlace {
        self.place
    }

    /// Number of this revision, from 1.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// [`super::RecordHeader::hash`] of the revision before; zeros in the first.
    pub fn parent(&self) -> &[u8; 32] {
        &self.parent
    }

    /// Who wrote it; `None` when the server sealed it as it came in.
    pub fn author(&self) -> Option<UserId> {
        Some(self.author).filter(|author| *author != NOBODY)
    }

    /// The author's device, or the id of the server's key.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The exact bytes that everything else is bound to.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, SUITE]);
        push_vector(&mut out, self.place.kind.label().value().as_bytes());
        out.extend_from_slice(self.place.hub.as_bytes());
        out.extend_from_slice(self.place.record.as_bytes());
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.parent);
        out.extend_from_slice(self.author.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, RecordError> {
        read_front(cursor, MAGIC, "sealed record")?;
        match cursor.u8()? {
            SUITE => {}
            other => return Err(RecordError::UnknownSuite(other)),
        }
        let label = cursor.vector(MAX_LABEL_BYTES)?;
        let kind = RecordKind::from_label(label).ok_or(RecordError::UnknownKind)?;
        let place = RecordPlace {
            kind,
            hub: HubId::from_bytes(cursor.array()?),
            record: RecordId::from_bytes(cursor.array()?),
        };
        let context = Self {
            place,
            revision: cursor.u32()?,
            parent: cursor.array()?,
            author: UserId::from_bytes(cursor.array()?),
            device: DeviceId::from_bytes(cursor.array()?),
        };
        if context.revision == 0 || (context.revision == 1) != (context.parent == [0; 32]) {
            return Err(RecordError::Malformed(
                "the first revision, and no other, is without a parent",
            ));
        }
        Ok(context)
    }

    /// The Cobblestone context of the body.
    pub(super) fn body_context(&self) -> Vec<u8> {
        self.place.kind.label().bind(&self.encode())
    }
}

/// Reads magic and version of one of the formats of this module.
pub(super) fn read_front(
    cursor: &mut Cursor<'_>,
    magic: [u8; 4],
    name: &'static str,
) -> Result<(), RecordError> {
    if cursor.array()? != magic {
        return Err(RecordError::NotThis(name));
    }
    match cursor.u8()? {
        VERSION => Ok(()),
        other => Err(RecordError::UnknownVersion(other)),
    }
}
