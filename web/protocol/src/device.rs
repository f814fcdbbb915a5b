//! A person's own devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// The caller's devices that were not revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// The oldest first.
    pub devices: Vec<DeviceFacts>,
}

/// A device. What it is and may do stands in the sigchain alone; this is what the server knows
/// beside that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceFacts {
    /// Which.
    pub device: Id,
    /// Since when.
    pub added_at_ms: u64,
    /// Whether the server keeps a share of its vault: a code opens it. What is on paper, the
    /// recovery key, is a device without.
    pub has_vault: bool,
    /// Whether it is what the recovery key in force stands for, as far as the server knows.
    pub is_recovery: bool,
}

/// The caller's sigchain grew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigchainUpdate {
    /// All of it. It must continue what the server has.
    pub sigchain: Blob,
    /// The escrow of a recovery key whose device was added with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_escrow: Option<Blob>,
    /// The items key of a generation that was made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_key: Option<Blob>,
}
