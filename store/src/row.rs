//! The rows, as plain values. Ids are those of the parts that own them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::UserId;

/// Keyed hash of a caller's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerHash(pub [u8; 32]);

impl fmt::Debug for CallerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerHash(…)")
    }
}

/// Who called, as much as is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// The number was withheld.
    Anonymous,
    /// The keyed hash of the number.
    Known(CallerHash),
}

/// The beginning of a call, journalled so that a crash cannot hide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStart {
    /// The call.
    pub call: u64,
    /// Its hub, when the dialled number is known.
    pub hub: Option<String>,
    /// Its trunk; `None` for a test call from a phone.
    pub trunk: Option<String>,
    /// The caller.
    pub caller: Caller,
    /// When it came in.
    pub started_at: Timestamp,
}

/// The whole record of a call, written when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// What was known at its beginning.
    pub start: CallStart,
    /// When it ended.
    pub ended_at: Timestamp,
    /// From the start until the first phone was dialled.
    pub until_ring: Option<Duration>,
    /// From the start until an answer, voicemail, or the end.
    pub wait: Duration,
    /// Time with a volunteer.
    pub talk: Duration,
    /// The message: its recording and length.
    pub voicemail: Option<(u64, Duration)>,
    /// Who was rung, in order.
    pub rung: Vec<RungRow>,
    /// Who answered first.
    pub answered_by: Option<String>,
    /// How it ended.
    pub outcome: OutcomeClass,
    /// Why, in one word, where the class alone does not say it.
    pub reason: Option<String>,
}

/// That a call was reported as abuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// When.
    pub at: Timestamp,
    /// By whom; nobody any more once they are erased.
    pub by: Option<UserId>,
}

/// A volunteer who was rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RungRow {
    /// Who.
    pub volunteer: String,
    /// How long they rang, in all. Kept in milliseconds.
    pub rang: Duration,
    /// Whether they spoke with the caller.
    pub answered: bool,
}

/// A call as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallRow {
    /// No outcome yet.
    Open(CallStart),
    /// Over.
    Ended(Box<CallEnd>),
}

impl CallRow {
    /// What was known at its beginning.
    #[must_use]
    pub fn start(&self) -> &CallStart {
        match self {
            Self::Open(start) => start,
            Self::Ended(end) => &end.start,
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeClass {
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

impl OutcomeClass {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Abandoned,
        Self::Voicemail,
        Self::Rejected,
        Self::Failed,
    ];

    /// The word in the database and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::Voicemail => "voicemail",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    /// The class that `word` means.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// A recording that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoicemailStart {
    /// The recording; it has the number of the call in which it was left.
    pub recording: u64,
    /// The hub whose people may open it.
    pub hub: String,
    /// The sealed file, relative to the data folder.
    pub path: String,
    /// When it began.
    pub created_at: Timestamp,
}

/// A recording as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoicemailRow {
    /// What was known at its beginning.
    pub start: VoicemailStart,
    /// Its length, once known. Kept in milliseconds.
    pub length: Option<Duration>,
    /// Whether it was finished in order; otherwise the file may lack its end.
    pub complete: bool,
    /// What the server signed of the whole file; nothing while it is not complete.
    pub header: Option<Vec<u8>>,
    /// When it was first heard.
    pub heard_at: Option<Timestamp>,
    /// By whom; nobody when they were erased.
    pub heard_by: Option<UserId>,
}

/// How a phone is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection that the phone opened, gone after a restart.
    Tcp,
}

impl Transport {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "udp" => Some(Self::Udp),
            "tcp" => Some(Self::Tcp),
            _ => None,
        }
    }
}

/// One registered contact of a phone account.
#[derive(Clone, PartialEq, Eq)]
pub struct BindingRow {
    /// Its stable id.
    pub id: u64,
    /// The account.
    pub account: String,
    /// The contact URI as the phone wrote it.
    pub contact: String,
    /// `+sip.instance`.
    pub instance: Option<String>,
    /// `reg-id`.
    pub reg_id: Option<u32>,
    /// Path header values in order; none holds a line break.
    pub path: Vec<String>,
    /// How it registered.
    pub transport: Transport,
    /// Our end of the flow.
    pub local: SocketAddr,
    /// The phone's end of the flow.
    pub remote: SocketAddr,
    /// Call-ID of the last REGISTER.
    pub call_id: String,
    /// CSeq of the last REGISTER.
    pub cseq: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The phone's `User-Agent`.
    pub user_agent: Option<String>,
}

impl fmt::Debug for BindingRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindingRow")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The applied hotline file.
#[derive(Clone, PartialEq, Eq)]
pub struct HotlineRow {
    /// Counts the applied files, from 1.
    pub revision: u64,
    /// Fingerprint of the body.
    pub hash: String,
    /// The canonical form. Holds the trunks' passwords.
    pub body: String,
    /// When it was applied.
    pub applied_at: Timestamp,
}

impl fmt::Debug for HotlineRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotlineRow")
            .field("revision", &self.revision)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// A number that a hub does not take calls from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRow {
    /// The hub.
    pub hub: String,
    /// The keyed hash of the number.
    pub caller: CallerHash,
    /// When it was banned.
    pub created_at: Timestamp,
    /// When the ban ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// A volunteer's declared break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakRow {
    /// Who.
    pub volunteer: String,
    /// Since when.
    pub since: Timestamp,
}
