//! The audit trail: each entry's hash covers all entries before it, and the
//! head of a trail is made public in the [key log](crate::transparency).
//!
//! An entry is 68 bytes of ids and numbers (`docs/protocol/audit-v1.md`), which
//! the store lays out; here they are bytes. A chain alone shows a change to
//! whoever kept an older head. Heads in the log are kept by everybody who
//! follows the log, so even the server's owner cannot rewrite a trail unseen.

use std::fmt;

use crate::id::HubId;
use crate::identity::ChainHead;
use crate::label::Label;
use crate::primitive;
use crate::transparency::{Leaf, Subject};

/// What the first entry of a trail follows.
pub const GENESIS: [u8; 32] = [0; 32];

/// The hash of an entry: SHA-256 over the label, the hash of the entry before
/// it ([`GENESIS`] for the first) and its canonical form.
///
/// # Panics
/// When `canonical` is longer than 16351 bytes; an entry has 68.
pub fn entry_hash(previous: &[u8; 32], canonical: &[u8]) -> [u8; 32] {
    let mut chained = Vec::with_capacity(previous.len() + canonical.len());
    chained.extend_from_slice(previous);
    chained.extend_from_slice(canonical);
    primitive::hash(&Label::AuditEntry.bind(&chained))
}

/// Whose trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditChain {
    /// That of the installation: logins, hubs, the server itself.
    Installation,
    /// That of a hotline.
    Hub(HubId),
}

impl AuditChain {
    const INSTALLATION: HubId = HubId::from_bytes([0; HubId::BYTES]);

    /// Takes the 16 bytes that stand in entries: zeros for the installation,
    /// else a hub's id.
    pub fn from_bytes(bytes: [u8; HubId::BYTES]) -> Self {
        match HubId::from_bytes(bytes) {
            Self::INSTALLATION => Self::Installation,
            hub => Self::Hub(hub),
        }
    }

    /// As it stands in entries and in the log.
    pub const fn as_bytes(&self) -> &[u8; HubId::BYTES] {
        match self {
            Self::Installation => Self::INSTALLATION.as_bytes(),
            Self::Hub(hub) => hub.as_bytes(),
        }
    }
}

impl fmt::Display for AuditChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("the installation"),
            Self::Hub(hub) => write!(f, "hub {hub}"),
        }
    }
}

/// How far a trail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Whose trail.
    pub chain: AuditChain,
    /// Number of its newest entry, from 1.
    pub seqno: u64,
    /// Hash of that entry.
    pub hash: [u8; 32],
}

impl AuditHead {
    /// The entry of the key log that makes this head public; the log's
    /// signature and its witnesses' cover it from the next checkpoint on.
    /// `None` after 2³² - 1 entries, for which the log has no room.
    pub fn leaf(&self) -> Option<Leaf> {
        let seqno = u32::try_from(self.seqno).ok()?;
        Some(Leaf {
            subject: Subject::Audit(self.chain),
            head: ChainHead {
                seqno,
                hash: self.hash,
            },
        })
    }

    /// Reads a head out of the key log; `None` for an entry about something
    /// else.
    pub fn of_leaf(leaf: &Leaf) -> Option<Self> {
        let Subject::Audit(chain) = leaf.subject else {
            return None;
        };
        Some(Self {
            chain,
            seqno: u64::from(leaf.head.seqno),
            hash: leaf.head.hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_before_it_changes_a_hash() {
        let first = entry_hash(&GENESIS, b"one");
        let second = entry_hash(&first, b"two");
        assert_ne!(second, entry_hash(&GENESIS, b"two"));
        assert_ne!(second, entry_hash(&first, b"twO"));
    }

    #[test]
    fn a_head_comes_back_out_of_the_log() {
        for chain in [[0; 16], [7; 16]].map(AuditChain::from_bytes) {
            let head = AuditHead {
                chain,
                seqno: 41,
                hash: [9; 32],
            };
            let leaf = head.leaf().unwrap();
            let read = Leaf::decode(&leaf.encode()).unwrap();
            assert_eq!(AuditHead::of_leaf(&read), Some(head));
        }
        assert_eq!(AuditChain::from_bytes([0; 16]), AuditChain::Installation);
    }

    #[test]
    fn a_number_that_the_log_cannot_hold_is_not_cut_short() {
        let head = AuditHead {
            chain: AuditChain::Installation,
            seqno: 1 << 32,
            hash: [0; 32],
        };
        assert_eq!(head.leaf(), None);
    }
}
