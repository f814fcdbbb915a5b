//! The key-transparency log (`docs/protocol/transparency-v1.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// Most entries of the log on a page.
pub const MAX_LEAVES_PER_PAGE: u32 = 2_000;

/// What devices pin of this server, and what it offers. Whoever is invited gets what is pinned
/// from the inviter, and compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerFacts {
    /// Scheme, host, and port unless it is 443: what devices sign when they log in.
    pub origin: String,
    /// The key of the key-transparency log, as `<name>+<id>+<key>` (c2sp.org/signed-note).
    pub log: String,
    /// The keys of those who are asked to confirm the log, in the same form.
    pub witnesses: Vec<String>,
    /// The key with which the server signs what it seals as it comes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingest: Option<IngestKeyView>,
    /// Whether a passkey can be made here and logged in with. It may change from one day to the
    /// next, so devices do not pin it.
    pub passkeys: bool,
}

/// The key with which the server signs what it seals (`docs/protocol/record-v1.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IngestKeyView {
    /// Names the key, where a record names its author's device.
    pub id: Id,
    /// The Ed25519 public key.
    pub key: Blob,
}

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
