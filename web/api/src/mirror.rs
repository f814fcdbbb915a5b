//! The members and roles that the server acts on, made from what a signed roster says.
//!
//! The roster is the source: whoever is not in it is no member, and nobody may more than its
//! bits say. Its 64 permission bits are those of [`Permissions`]; its roles 1 to 4 are the
//! built-in ones and can be defined in no other way, the others are the hub's own. Nobody whom a
//! roster lists is erased, and a roster that lists somebody who was erased is not taken.

use std::collections::BTreeMap;

use crypto::hub::{RoleFlags, RosterState};
use jiff::Timestamp;
use protocol::{
    ROSTER_ROLE_HUB_ADMIN, ROSTER_ROLE_REPORTER, ROSTER_ROLE_REVIEWER, ROSTER_ROLE_VOLUNTEER,
};
use store::{
    AuditKind, AuditSubject, Change, HubId, MemberRow, Permissions, Role, RoleId, RoleRow, Scoped,
    Sealed, UserId, UserStatus, VaultChange,
};

use crate::call::Call;
use crate::chains::user_of;
use crate::refusal::Refusal;

/// What changes of members and roles, and what the trail tells of it.
#[derive(Debug, Default)]
pub(crate) struct Mirrored {
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<(AuditKind, AuditSubject)>,
    /// The permissions that it takes to order this.
    pub(crate) needed: Option<Permissions>,
}

impl Mirrored {
    fn tell(&mut self, kind: AuditKind, subject: AuditSubject) {
        self.events.push((kind, subject));
    }

    fn need(&mut self, permission: Permissions) {
        self.needed = Some(self.needed.map_or(permission, |held| held | permission));
    }
}

/// The rows of a hub before.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) members: Vec<MemberRow>,
    pub(crate) roles: Vec<RoleRow>,
}

impl Rows {
    /// The rows of the hub of `scope`, to be led to what the roster says `after`; refused when
    /// that lists somebody who was erased.
    pub(crate) async fn of(
        call: &Call,
        scope: &Scoped<'_>,
        after: &RosterState,
    ) -> Result<Self, Refusal> {
        let members = scope.members().await?;
        for (user, _) in after.members() {
            let user = user_of(user);
            // Whoever is a member was not erased.
            if members.iter().any(|row| row.user == user) {
                continue;
            }
            let row = call.shared.store.reader().user(user).await?;
            if row.is_some_and(|row| row.status == UserStatus::Erased) {
                return Err(Refusal::conflict(
                    "the list names somebody who was erased: take them off",
                ));
            }
        }
        Ok(Self {
            members,
            roles: scope.roles().await?,
        })
    }
}

/// What leads from `rows` to what the roster says `after`.
pub(crate) fn follow(
    hub: HubId,
    rows: &Rows,
    before: Option<&RosterState>,
    after: &RosterState,
    now: Timestamp,
) -> Result<Mirrored, Refusal> {
    let mut mirrored = Mirrored::default();
    define_roles(hub, rows, after, &mut mirrored)?;
    let roles: BTreeMap<UserId, Role> = after
        .members()
        .map(|(user, member)| Ok((user_of(user), role_of(member.role)?)))
        .collect::<Result<_, Refusal>>()?;
    let known: BTreeMap<UserId, &MemberRow> =
        rows.members.iter().map(|row| (row.user, row)).collect();
    for user in known.keys().filter(|user| !roles.contains_key(user)) {
        let user = *user;
        mirrored
            .changes
            .push(VaultChange::MemberRemoved { hub, user }.into());
        mirrored.need(Permissions::MANAGE_MEMBERS);
        mirrored.tell(AuditKind::VolunteerRemoved, AuditSubject::User(user));
    }
    for (user, role) in &roles {
        let row = known.get(user);
        if row.is_some_and(|row| row.role == *role) {
            continue;
        }
        mirrored.need(Permissions::MANAGE_MEMBERS);
        let told = match (row, role) {
            (Some(_), _) => Some(AuditKind::RoleChanged),
            // That an admin is new is told below.
            (None, Role::HubAdmin) => None,
            (None, _) => Some(AuditKind::VolunteerAdded),
        };
        if let Some(kind) = told {
            mirrored.tell(kind, AuditSubject::User(*user));
        }
        let member = MemberRow {
            hub,
            user: *user,
            role: *role,
            since: row.map_or(now, |row| row.since),
        };
        mirrored.changes.push(VaultChange::MemberSet(member).into());
    }
    tell_admins(before, after, &mut mirrored);
    Ok(mirrored)
}

/// Who became an admin, and who is none any more.
fn tell_admins(before: Option<&RosterState>, after: &RosterState, mirrored: &mut Mirrored) {
    let is_admin = |state: &RosterState, user| {
        let role = state.role_of(user);
        role.is_some_and(|role| role.flags.admin)
    };
    for user in after.admins() {
        if !before.is_some_and(|before| is_admin(before, user)) {
            mirrored.tell(AuditKind::AdminPromoted, AuditSubject::User(user_of(user)));
        }
    }
    for user in before.into_iter().flat_map(RosterState::admins) {
        if !is_admin(after, user) {
            mirrored.tell(AuditKind::AdminDemoted, AuditSubject::User(user_of(user)));
        }
    }
}

fn define_roles(
    hub: HubId,
    rows: &Rows,
    after: &RosterState,
    mirrored: &mut Mirrored,
) -> Result<(), Refusal> {
    for (number, role) in after.roles() {
        let permissions = u32::try_from(role.permissions).ok();
        let permissions = permissions.and_then(Permissions::from_bits);
        let permissions = permissions.ok_or_else(|| {
            Refusal::not_verified("a role has permissions that this server does not know")
        })?;
        let id = match role_of(number)? {
            Role::Own(id) => id,
            built_in => {
                let fixed = built_in.permissions() == Some(permissions);
                if !fixed || role.flags != flags(built_in) {
                    return Err(Refusal::not_verified(
                        "a built-in role is defined in another way than this server knows it",
                    ));
                }
                continue;
            }
        };
        let known = rows.roles.iter().find(|row| row.id == id);
        if known.is_some_and(|row| row.permissions == permissions) {
            continue;
        }
        mirrored.need(Permissions::MANAGE_ROLES);
        mirrored.tell(AuditKind::RoleDefined, AuditSubject::Role(id));
        // What it is called is among the hub's settings.
        let row = RoleRow {
            hub,
            id,
            name: Sealed(Vec::new()),
            permissions,
        };
        mirrored.changes.push(VaultChange::RoleDefined(row).into());
    }
    Ok(())
}

/// The role of this number in rosters.
fn role_of(number: crypto::hub::RoleId) -> Result<Role, Refusal> {
    Ok(match number.0 {
        0 => return Err(Refusal::not_verified("there is no role 0")),
        ROSTER_ROLE_HUB_ADMIN => Role::HubAdmin,
        ROSTER_ROLE_VOLUNTEER => Role::Volunteer,
        ROSTER_ROLE_REVIEWER => Role::Reviewer,
        ROSTER_ROLE_REPORTER => Role::Reporter,
        own => {
            let mut id = [0; 16];
            id[14..].copy_from_slice(&own.to_be_bytes());
            Role::Own(RoleId(id))
        }
    })
}

fn flags(role: Role) -> RoleFlags {
    RoleFlags {
        admin: role == Role::HubAdmin,
        reviewer: role == Role::Reviewer,
    }
}
