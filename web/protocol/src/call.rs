//! Calls, messages of callers, and banned numbers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Cursor, Id};

/// Most calls on a page.
pub const MAX_CALLS_PER_PAGE: u32 = 200;
/// Most messages on a page.
pub const MAX_VOICEMAILS_PER_PAGE: u32 = 200;
/// Most bans on a page.
pub const MAX_BANS_PER_PAGE: u32 = 200;

/// Which calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallQuery {
    /// Only those before this one: to turn the page.
    pub before: Option<u64>,
    /// At most so many; at most [`MAX_CALLS_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Calls of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallPage {
    /// The newest first.
    pub calls: Vec<CallView>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// A volunteer spoke with the caller.
    Answered,
    /// The caller hung up first and left no message.
    Abandoned,
    /// The caller left a message.
    Voicemail,
    /// Refused at the door.
    Rejected,
    /// The exchange or the line failed the caller.
    Failed,
}

/// A call, without its caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    /// Which.
    pub call: u64,
    /// When it came in.
    pub started_at_ms: u64,
    /// Whether the number was withheld, or has been forgotten.
    pub anonymous: bool,
    /// That it was reported as abuse; nothing when nobody did. Whoever reports first stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<CallReportView>,
    /// How it ended; nothing while it is going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<CallEndView>,
}

/// A report of a call as abuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallReportView {
    /// Who said so; nothing when they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Id>,
    /// When.
    pub at_ms: u64,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallEndView {
    /// When it ended.
    pub ended_at_ms: u64,
    /// How it ended.
    pub outcome: CallOutcome,
    /// Why, in one word, where the class alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From the start until an answer, a message, or the end.
    pub wait_ms: u64,
    /// Time with a volunteer.
    pub talk_ms: u64,
    /// The caller's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<u64>,
    /// Who was rung, in order.
    pub rung: Vec<RungView>,
}

/// Somebody who was rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RungView {
    /// The person, where the volunteer of the hotline file is linked to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Id>,
    /// Their name in the hotline file, for who manages members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volunteer: Option<String>,
    /// How long they rang.
    pub rang_ms: u64,
    /// Whether they spoke with the caller.
    pub answered: bool,
}

/// A revealed caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallerView {
    /// The number, sealed to those who may call back; nothing when it was withheld or forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Blob>,
}

/// The order to forget a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerErasure {
    /// Whether a ban of the number stays, which needs its keyed hash.
    pub keep_ban: bool,
}

/// Which bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BanQuery {
    /// Only those after this place: to turn the page. Where the ban of that place was lifted,
    /// others that were made in the same microsecond may come again.
    pub after: Option<Cursor>,
    /// At most so many; at most [`MAX_BANS_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Banned numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BanList {
    /// The oldest first.
    pub bans: Vec<BanView>,
    /// After which place the next page begins; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

/// A banned number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BanView {
    /// A name for the ban, which says nothing about the number.
    pub id: Id,
    /// Since when.
    pub created_at_ms: u64,
    /// Until when; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Why, in the words of the operator at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The order to ban the caller of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// Whose caller.
    pub call: u64,
    /// Until when; for ever without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
}

/// Which messages of callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoicemailQuery {
    /// Only those before this one: to turn the page.
    pub before: Option<u64>,
    /// At most so many; at most [`MAX_VOICEMAILS_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Messages of callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoicemailList {
    /// The newest first.
    pub messages: Vec<VoicemailView>,
    /// Before which message the next page begins; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A message of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoicemailView {
    /// Which.
    pub recording: u64,
    /// When it began.
    pub created_at_ms: u64,
    /// How long it is, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_ms: Option<u64>,
    /// Whether it was finished in order; otherwise its end may be missing.
    pub complete: bool,
    /// What the server signed of it (`docs/protocol/record-v1.md`, "What the server seals");
    /// nothing while it is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Blob>,
    /// Since when it counts as heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at_ms: Option<u64>,
    /// Who said so; nothing also when they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_by: Option<Id>,
    /// Its length as it is sealed, in bytes; nothing when the file is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its key for this person, where it is not in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap: Option<Blob>,
}
