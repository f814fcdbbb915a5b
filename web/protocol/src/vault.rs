//! What the server keeps for a person's keys: the share of a vault, the ways back in, items keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Blob;

/// Backup codes of a set.
pub const BACKUP_CODES: usize = 8;

/// A device asks for the server's share of its vault (`docs/protocol/vault-v1.md`, "Server
/// share").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareRequest {
    /// `auth` of the code that was entered; 32 bytes.
    pub auth: Blob,
}

/// What came of it. A wrong try counts before it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum ShareAnswer {
    /// The code was right.
    Given {
        /// The share; 32 bytes.
        share: Blob,
    },
    /// The code was wrong.
    Wrong {
        /// How many more tries there are.
        left: u8,
    },
    /// Too early after wrong tries; this one does not count.
    Wait {
        /// When the next try is taken.
        until_ms: u64,
    },
    /// Too many wrong tries: the share is gone for good.
    Destroyed,
}

/// A share for a new vault, or one that takes the place of another when it is first used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareProposal {
    /// The share; 32 bytes.
    pub share: Blob,
    /// `auth` of the new code; 32 bytes.
    pub auth: Blob,
}

/// Which ways back in somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryFacts {
    /// Whether there is an escrow for a recovery key.
    pub recovery_key: bool,
    /// Backup codes not yet used.
    pub backup_codes: u32,
}

/// Somebody wants back in with a recovery key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscrowRequest {
    /// Who; it stands in their backup file and beside the key on the paper.
    pub user: crate::Id,
}

/// What a recovery key or a backup code opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EscrowAnswer {
    /// `Escrow` (`docs/protocol/vault-v1.md`).
    pub escrow: Blob,
}

/// New backup codes; all before are void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupCodes {
    /// Exactly [`BACKUP_CODES`].
    pub codes: Vec<BackupCode>,
}

/// What the server keeps of a backup code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupCode {
    /// The verifier of its `auth`; 32 bytes.
    pub verifier: Blob,
    /// `Escrow`, of kind 2.
    pub escrow: Blob,
}

/// Somebody wants back in with a backup code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupCodeUse {
    /// Who.
    pub user: crate::Id,
    /// `auth` of the code; 32 bytes.
    pub auth: Blob,
}

/// The caller's items keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemsKeys {
    /// `ItemsKey` (`docs/protocol/sigchain-v1.md`, "Items key"), by generation.
    pub keys: Vec<Blob>,
}

/// The items key of a generation. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemsKeyAdded {
    /// `ItemsKey`.
    pub key: Blob,
}
