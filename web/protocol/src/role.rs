//! Roles and permissions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Id;

/// One thing that a member of a hub may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Write records, and read those that one wrote.
    WriteRecords,
    /// Read all records.
    ReadRecords,
    /// Take calls and see that they happen.
    TakeCalls,
    /// Read the history of calls.
    ReadCalls,
    /// Read the sealed numbers of callers.
    ReadCallers,
    /// Hear messages.
    HearVoicemail,
    /// Ban numbers and lift bans.
    ManageBans,
    /// Invite people, change their roles, remove them.
    ManageMembers,
    /// Define roles.
    ManageRoles,
    /// Change the hub's settings and shifts.
    ManageHub,
    /// Read the audit trail.
    ReadAudit,
    /// Erase records, callers and people.
    Erase,
}

/// What a member is in a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Role {
    /// Takes calls, writes notes, reads own notes.
    Volunteer,
    /// May do everything in the hub.
    HubAdmin,
    /// Reads all records and the history of calls; changes nothing.
    Reviewer,
    /// Hands in reports and reads own ones.
    Reporter,
    /// A role that the hub defined.
    Own {
        /// Which.
        id: Id,
    },
}
