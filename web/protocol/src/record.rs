//! Sealed records, their files, and the search over them (`docs/protocol/record-v1.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// Most records on a page.
pub const MAX_RECORDS_PER_PAGE: u32 = 50;
/// Most words that a record is found by.
pub const MAX_TOKENS_PER_RECORD: usize = 256;
/// Most words in one search.
pub const MAX_TOKENS_PER_SEARCH: usize = 8;
/// Most records on a page of what a search finds.
pub const MAX_FOUND: u32 = 200;
/// Length of every piece of a file but the last, in bytes.
pub const FILE_PIECE_BYTES: usize = 64 * 1024;
/// Most bytes that one request reads from a file.
pub const MAX_READ_BYTES: u32 = 1 << 20;

/// What sort of thing is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A note and its custom fields.
    Note,
    /// A message of a conversation.
    Message,
    /// A transcript.
    Transcript,
    /// A report, a case or an event: its reviewers read it as well.
    Report,
    /// A contact or a relationship.
    Contact,
    /// A file.
    Attachment,
    /// A recording that the exchange sealed.
    Voicemail,
}

/// Whom a record is for. Who can open it, its manifest says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Its author and the hub's admins; a report's reviewers, too.
    #[default]
    Shared,
    /// Its author alone.
    Private,
}

/// A word of the blind index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexToken {
    /// Number of the field that it is from.
    pub field: u16,
    /// The token.
    pub token: Id,
}

/// The next revision of a record, or the first of a new one: the sealed header says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// `SealedRecord`: header, readers, body.
    pub record: Blob,
    /// Whom it is for.
    pub visibility: Visibility,
    /// The call that it is about. Later revisions keep that of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// All words that it is found by from now on; at most [`MAX_TOKENS_PER_RECORD`].
    #[serde(default)]
    pub tokens: Vec<IndexToken>,
}

/// Other readers for a revision whose body stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReaders {
    /// `RecordFront`: the header as it is, and the next list of readers.
    pub front: Blob,
    /// Whom it is for from now on; only the author changes it.
    pub visibility: Visibility,
}

/// Which records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordQuery {
    /// Only those of this kind.
    pub kind: Option<RecordKind>,
    /// Only those about this call.
    pub call: Option<u64>,
    /// Only one's own.
    pub mine: Option<bool>,
    /// Only those after this one, in the order of ids: to turn the page.
    pub after: Option<Id>,
    /// Look at so many; at most [`MAX_RECORDS_PER_PAGE`].
    pub limit: Option<u32>,
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordPage {
    /// By id. May be fewer than asked for, even none, with more to come.
    pub records: Vec<RecordRevision>,
    /// Where the next page begins; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Id>,
}

/// A record with all its revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordHistory {
    /// The oldest first.
    pub revisions: Vec<RecordRevision>,
    /// The signed mark in its place, once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure: Option<Blob>,
}

/// One revision of a record. What is beside `record` is what the server was told or saw: the
/// signed header says it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordRevision {
    /// Which record.
    pub id: Id,
    /// Number of the revision, from 1.
    pub revision: u32,
    /// What sort of thing it is.
    pub kind: RecordKind,
    /// Who wrote it; nobody for what the server took in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Id>,
    /// The call that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// Whom it is for.
    pub visibility: Visibility,
    /// When it came to the server.
    pub created_at_ms: u64,
    /// `SealedRecord`, or for a file the `RecordFront`; nothing once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Blob>,
}

/// The order to erase a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordErasure {
    /// `Erasure`, signed by the device that asks, through the newest revision.
    pub erasure: Blob,
}

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// Records that have all of these words: at least one, at most [`MAX_TOKENS_PER_SEARCH`].
    pub tokens: Vec<IndexToken>,
    /// Only those after this one, in the order of ids: to turn the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Id>,
    /// Look at so many; at most [`MAX_FOUND`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// By id. May be fewer than asked for, even none, with more to come.
    pub records: Vec<Id>,
    /// Where the next page begins; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Id>,
}

/// The announcement of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileAnnouncement {
    /// Its length as it is sealed, in bytes.
    pub size: u64,
    /// The record of one's own that it goes with, and is erased with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<Id>,
}

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileState {
    /// The record that it is the body of.
    pub id: Id,
    /// Its length as it is sealed, in bytes.
    pub size: u64,
    /// The record that it goes with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<Id>,
    /// How many pieces of [`FILE_PIECE_BYTES`] are here.
    pub pieces: u32,
    /// Whether it is whole.
    pub complete: bool,
}

/// The files that go with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileList {
    /// The oldest first.
    pub files: Vec<FileState>,
}

/// The record of a file whose pieces are all here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileCompletion {
    /// `RecordFront`: header and readers.
    pub front: Blob,
    /// Whom it is for.
    pub visibility: Visibility,
}

/// Which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BytesQuery {
    /// From this one, counted from 0.
    pub from: u64,
    /// So many; at most [`MAX_READ_BYTES`]. Fewer come at the end.
    pub length: u32,
}

/// Which of one's own records to take away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// Only those after this one, in the order of ids: to turn the page.
    pub after: Option<Id>,
}
