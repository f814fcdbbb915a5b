//! Roles and permissions between the store and the clients.

use protocol::{Id, Permission};
use store::{Permissions, Role, RoleId};

const ALL: [(Permission, Permissions); 12] = [
    (Permission::WriteRecords, Permissions::WRITE_RECORDS),
    (Permission::ReadRecords, Permissions::READ_RECORDS),
    (Permission::TakeCalls, Permissions::TAKE_CALLS),
    (Permission::ReadCalls, Permissions::READ_CALLS),
    (Permission::ReadCallers, Permissions::READ_CALLERS),
    (Permission::HearVoicemail, Permissions::HEAR_VOICEMAIL),
    (Permission::ManageBans, Permissions::MANAGE_BANS),
    (Permission::ManageMembers, Permissions::MANAGE_MEMBERS),
    (Permission::ManageRoles, Permissions::MANAGE_ROLES),
    (Permission::ManageHub, Permissions::MANAGE_HUB),
    (Permission::ReadAudit, Permissions::READ_AUDIT),
    (Permission::Erase, Permissions::ERASE),
];

/// The set as a list.
pub(crate) fn listed(held: Permissions) -> Vec<Permission> {
    let held = ALL.iter().filter(|(_, bits)| held.has(*bits));
    held.map(|(permission, _)| *permission).collect()
}

pub(crate) fn to_client(role: Role) -> protocol::Role {
    match role {
        Role::Volunteer => protocol::Role::Volunteer,
        Role::HubAdmin => protocol::Role::HubAdmin,
        Role::Reviewer => protocol::Role::Reviewer,
        Role::Reporter => protocol::Role::Reporter,
        Role::Own(id) => protocol::Role::Own { id: Id(id.0) },
    }
}

pub(crate) fn from_client(role: protocol::Role) -> Role {
    match role {
        protocol::Role::Volunteer => Role::Volunteer,
        protocol::Role::HubAdmin => Role::HubAdmin,
        protocol::Role::Reviewer => Role::Reviewer,
        protocol::Role::Reporter => Role::Reporter,
        protocol::Role::Own { id } => Role::Own(RoleId(id.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_name() {
        assert_eq!(listed(Permissions::ALL).len(), ALL.len());
        let all = ALL
            .iter()
            .fold(Permissions::NONE, |all, (_, bits)| all | *bits);
        assert_eq!(all, Permissions::ALL);
        let two = Permissions::READ_AUDIT | Permissions::ERASE;
        assert_eq!(listed(two), [Permission::ReadAudit, Permission::Erase]);
    }
}
