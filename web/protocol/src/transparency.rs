//! The key-transparency log (`docs/protocol/transparency-v1.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Blob;

/// Most entries of the log on a page.
pub const MAX_LEAVES_PER_PAGE: u32 = 2_000;

/// The newest signed head of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointAnswer {
    /// The C2SP checkpoint with all signatures; nothing while the log is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// Which entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeavesQuery {
    /// From the one of this number, counted from 0.
    pub from: u64,
    /// At most so many; at most [`MAX_LEAVES_PER_PAGE`].
    pub limit: Option<u32>,
}

/// Entries of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeavesPage {
    /// One after the other, each 53 bytes.
    pub leaves: Blob,
}

/// The proof that an entry is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InclusionQuery {
    /// Which entry, counted from 0.
    pub place: u64,
    /// In the log of this size.
    pub size: u64,
}

/// The proof that the log has only grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyQuery {
    /// From this size.
    pub old: u64,
    /// To this one.
    pub new: u64,
}

/// A proof of RFC 6962, section 2.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofAnswer {
    /// Its hashes, in order.
    pub hashes: Vec<Blob>,
}
