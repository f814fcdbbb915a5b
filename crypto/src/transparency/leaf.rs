//! What stands in the log.

use std::fmt;

use super::error::FormatError;
use crate::audit::AuditChain;
use crate::encoding::Cursor;
use crate::id::{HubId, UserId};
use crate::identity::ChainHead;
use crate::label::Label;

const ID_BYTES: usize = 16;

/// Whose chain it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// The key chain of a person.
    User(UserId),
    /// The chain of who belongs to a hotline.
    Roster(HubId),
    /// The chain of what was done in a hotline, or on the server.
    Audit(AuditChain),
}

impl Subject {
    const fn kind(&self) -> u8 {
        match self {
            Self::User(_) => 1,
            Self::Roster(_) => 2,
            Self::Audit(_) => 3,
        }
    }

    const fn id(&self) -> &[u8; ID_BYTES] {
        match self {
            Self::User(user) => user.as_bytes(),
            Self::Roster(hub) => hub.as_bytes(),
            Self::Audit(chain) => chain.as_bytes(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            Self::Roster(hub) => write!(f, "the roster of hub {hub}"),
            Self::Audit(chain) => write!(f, "the audit trail of {chain}"),
        }
    }
}

/// One entry: this chain has come this far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Whose chain.
    pub subject: Subject,
    /// Its newest link.
    pub head: ChainHead,
}

impl Leaf {
    /// Bytes of an entry.
    pub const BYTES: usize = 1 + ID_BYTES + ChainHead::BYTES;

    /// To store and send.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let (front, head) = out.split_at_mut(1 + ID_BYTES);
        front[0] = self.subject.kind();
        front[1..].copy_from_slice(self.subject.id());
        head.copy_from_slice(&self.head.encode());
        out
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// [`FormatError`] for anything but exactly one entry of a known kind.
    pub fn decode(input: &[u8]) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "an entry of the log",
            why,
        };
        if input.len() != Self::BYTES {
            return Err(malformed("its length is wrong"));
        }
        let short = |_| malformed("its length is wrong");
        let mut cursor = Cursor::new(input);
        let kind = cursor.u8().map_err(short)?;
        let id = cursor.array().map_err(short)?;
        let subject = match kind {
            1 => Subject::User(UserId::from_bytes(id)),
            2 => Subject::Roster(HubId::from_bytes(id)),
            3 => Subject::Audit(AuditChain::from_bytes(id)),
            _ => return Err(malformed("its kind is unknown")),
        };
        Ok(Self {
            subject,
            head: ChainHead::decode(&cursor.array().map_err(short)?),
        })
    }

    /// What is hashed as a leaf by RFC 6962 section 2.1.
    pub(super) fn entry(&self) -> Vec<u8> {
        Label::KtLeaf.bind(&self.encode())
    }
}
