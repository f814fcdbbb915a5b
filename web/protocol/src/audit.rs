//! The audit trail (`docs/protocol/audit-v1.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// Most entries on a page.
pub const MAX_AUDIT_PER_PAGE: u32 = 500;

/// Which entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Those after the one of this number; from the first without.
    pub after: Option<u64>,
    /// At most so many; at most [`MAX_AUDIT_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Entries of a trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The oldest first.
    pub entries: Vec<AuditEntry>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number in the trail, from 1.
    pub seqno: u64,
    /// When.
    pub at_ms: u64,
    /// What, in one word; `unreadable` when the entry was changed to what says nothing.
    pub kind: String,
    /// Who did it; nobody for the server or a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Id>,
    /// About what.
    pub subject: AuditSubject,
    /// The bytes that the chain covers; none when it is unreadable.
    pub canonical: Blob,
    /// The hash of the entry before and of `canonical`; none when it is unreadable.
    pub hash: Blob,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AuditSubject {
    /// The hub or the installation as a whole.
    Whole,
    /// A person.
    User {
        /// Which.
        id: Id,
    },
    /// A device.
    Device {
        /// Which.
        id: Id,
    },
    /// A record.
    Record {
        /// Which.
        id: Id,
    },
    /// A role.
    Role {
        /// Which.
        id: Id,
    },
    /// A call.
    Call {
        /// Which.
        call: u64,
    },
    /// A recording.
    Recording {
        /// Which.
        recording: u64,
    },
    /// Anything else that has an id of its own.
    Thing {
        /// Which.
        id: Id,
    },
}

/// The end of a trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// Number of its newest entry.
    pub seqno: u64,
    /// Hash of that entry.
    pub hash: Blob,
}

/// A head that somebody kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditKept {
    /// Its number.
    pub seqno: Option<u64>,
    /// Its hash.
    pub hash: Option<Blob>,
}

/// Whether a trail is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Whether it is.
    pub whole: bool,
    /// What is wrong, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Where, when the place is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_seqno: Option<u64>,
    /// Its end, when it is whole and not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<AuditHead>,
    /// How many entries are there and fit.
    pub verified: u64,
    /// How many expired before them.
    pub expired: u64,
    /// How many heads that are kept elsewhere lie in it: those in the key log, and the caller's.
    pub compared: u64,
    /// Numbers of such heads that nothing can be said about: their entries expired.
    pub uncompared: Vec<u64>,
}
