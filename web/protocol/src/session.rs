//! Who is logged in, and from where.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id, Permission, Role};

/// The caller, as the server knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Who.
    pub user: Id,
    /// With which device.
    pub device: Id,
    /// In which session.
    pub session: Id,
    /// Whether they run the installation.
    pub super_admin: bool,
    /// Name and languages; sealed.
    pub profile: Blob,
    /// Where they are a member. An invitation that was redeemed counts once an admin has entered
    /// the person in the hub's roster.
    pub hubs: Vec<MyHub>,
}

/// A hub of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MyHub {
    /// Which.
    pub hub: Id,
    /// Its name in the hotline file.
    pub name: String,
    /// What the caller is there.
    pub role: Role,
    /// What they may do there.
    pub permissions: Vec<Permission>,
    /// Since when they belong to it.
    pub since_ms: u64,
}

/// The key with which a locked device looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewKey {
    /// An Ed25519 public key. Requests that are signed with it are let through where nothing is
    /// secret, do not keep the session from ending when it is idle, and can end it.
    pub key: Blob,
}

/// The caller's sessions that can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The one used latest first.
    pub sessions: Vec<SessionFacts>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionFacts {
    /// Which.
    pub session: Id,
    /// From which device.
    pub device: Id,
    /// Since when.
    pub created_at_ms: u64,
    /// When it was last used, to the minute.
    pub seen_at_ms: u64,
    /// Whether it is the one that asks.
    pub current: bool,
}
