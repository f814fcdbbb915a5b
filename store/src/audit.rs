//! The audit trail: what happened, as ids only, each entry chained to the one before it.
//!
//! There is one chain per hub and one of the installation. An entry's hash covers the hash before
//! it and the entry's [canonical form](AuditEntry::canonical); the hash function is given by the
//! program, because this crate knows no labels. Old entries can expire: the hash of the last of
//! them stays, so that what follows still verifies.

mod kind;
mod verify;

use jiff::Timestamp;

pub use kind::AuditKind;
pub use verify::{AuditFault, AuditHead, AuditLine, AuditSummary, Installation};

use crate::id::{DeviceId, HubId, RecordId, RoleId, UserId};

/// Makes the hash of an entry from the hash before it and its canonical form. The first entry of
/// a chain follows 32 zeros.
pub type AuditHash = fn(previous: &[u8; 32], entry: &[u8]) -> [u8; 32];

/// Whose chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditChain {
    /// That of the installation: logins, hubs, the server itself.
    Installation,
    /// That of a hub.
    Hub(HubId),
}

impl AuditChain {
    pub(crate) fn bytes(self) -> [u8; 16] {
        match self {
            Self::Installation => [0; 16],
            Self::Hub(hub) => hub.0,
        }
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        if bytes == [0; 16] {
            Self::Installation
        } else {
            Self::Hub(HubId(bytes))
        }
    }
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditSubject {
    /// The hub or the installation as a whole.
    Whole,
    /// A person.
    User(UserId),
    /// A device.
    Device(DeviceId),
    /// A record.
    Record(RecordId),
    /// A role.
    Role(RoleId),
    /// A call.
    Call(u64),
    /// A recording.
    Recording(u64),
    /// Anything else that has an id of its own, for example a shift or an invitation.
    Thing([u8; 16]),
}

impl AuditSubject {
    /// The code of its kind, and its id with leading zeros.
    pub(crate) fn encode(self) -> (u8, [u8; 16]) {
        let number = |number: u64| u128::from(number).to_be_bytes();
        match self {
            Self::Whole => (0, [0; 16]),
            Self::User(id) => (1, id.0),
            Self::Device(id) => (2, id.0),
            Self::Record(id) => (3, id.0),
            Self::Role(id) => (4, id.0),
            Self::Call(id) => (5, number(id)),
            Self::Recording(id) => (6, number(id)),
            Self::Thing(id) => (7, id),
        }
    }

    pub(crate) fn decode(kind: u8, id: [u8; 16]) -> Option<Self> {
        let number = || u64::try_from(u128::from_be_bytes(id)).ok();
        Some(match kind {
            0 if id == [0; 16] => Self::Whole,
            1 => Self::User(UserId(id)),
            2 => Self::Device(DeviceId(id)),
            3 => Self::Record(RecordId(id)),
            4 => Self::Role(RoleId(id)),
            5 => Self::Call(number()?),
            6 => Self::Recording(number()?),
            7 => Self::Thing(id),
            _ => return None,
        })
    }
}

/// Something that happened. The same entry of the same microsecond is kept once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// In whose trail.
    pub chain: AuditChain,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// Who did it; `None` for the server or a stranger.
    pub actor: Option<UserId>,
    /// About what.
    pub subject: AuditSubject,
}

impl AuditEntry {
    /// Length of the canonical form.
    pub const CANONICAL_BYTES: usize = 68;

    /// The bytes that the chain covers, all numbers big-endian: chain (16), number of the entry
    /// (8), microseconds since 1970 (8), code of the kind (2), 1 or 0 for with or without actor
    /// (1), actor (16), code of the subject's kind (1), subject (16).
    #[must_use]
    pub fn canonical(&self, seqno: u64) -> [u8; Self::CANONICAL_BYTES] {
        let (subject_kind, subject) = self.subject.encode();
        let mut bytes = [0; Self::CANONICAL_BYTES];
        bytes[..16].copy_from_slice(&self.chain.bytes());
        bytes[16..24].copy_from_slice(&seqno.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.at.as_microsecond().to_be_bytes());
        bytes[32..34].copy_from_slice(&self.kind.code().to_be_bytes());
        bytes[34] = u8::from(self.actor.is_some());
        bytes[35..51].copy_from_slice(&self.actor.map_or([0; 16], |actor| actor.0));
        bytes[51] = subject_kind;
        bytes[52..].copy_from_slice(&subject);
        bytes
    }
}

/// An entry as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number in the chain, from 1.
    pub seqno: u64,
    /// What happened.
    pub entry: AuditEntry,
    /// Its place in the chain.
    pub hash: [u8; 32],
}
