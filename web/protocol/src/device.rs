//! A person's own devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Blob;

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
