//! What admins do about people.

use crypto::hub::RoleId;
use protocol::{
    ActiveChange, Blob, Id, InviteFacts, InviteMade, InviteRequest, Invites, MemberList,
    ROSTER_ROLE_HUB_ADMIN, ROSTER_ROLE_REPORTER, ROSTER_ROLE_REVIEWER, ROSTER_ROLE_VOLUNTEER, Role,
};

use crate::client::Client;
use crate::failure::Failure;
use crate::folder::Invitation;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Client {
    /// Invites somebody, for a day.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn invite(&mut self, hub: Id, role: Role) -> Result<Invitation, Failure> {
        let view = self.hub(hub)?;
        let request = InviteRequest {
            role,
            expires_at_ms: self.line.now_ms() + DAY_MS,
        };
        let path = format!("/hubs/{hub}/invites");
        let made: InviteMade = self.tell("POST", &path, &request)?.json()?;
        let session = &self.line.session;
        let head = session.roster_head(view.id)?;
        let invited = crypto::hub::Invitation {
            id: made.invite.0,
            role: roster_role(role)?,
        };
        let secret = session.invite_secret(view.id, &invited)?;
        Ok(Invitation {
            server: self.server().clone(),
            code: made.code,
            hub,
            roster_head: Blob(head.to_vec()),
            secret: secret.to_string(),
        })
    }

    /// Who redeemed an invitation and was not taken in yet.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn waiting(&mut self, hub: Id) -> Result<Vec<(Id, Role)>, Failure> {
        let members: MemberList = self.get(&format!("/hubs/{hub}/members"))?;
        let is_member = |user: Id| members.members.iter().any(|member| member.user == user);
        let used = self.used_invites(hub)?.into_iter();
        let used = used.filter_map(|invite| Some((invite.used_by?, invite.role)));
        Ok(used.filter(|(user, _)| !is_member(*user)).collect())
    }

    /// The hub's invitations, as the server tells of them, the newest first.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn used_invites(&mut self, hub: Id) -> Result<Vec<InviteFacts>, Failure> {
        let mut invites = Vec::new();
        let mut path = format!("/hubs/{hub}/invites");
        loop {
            let page: Invites = self.get(&path)?;
            invites.extend(page.invites);
            let Some(next) = page.next else {
                return Ok(invites);
            };
            path = format!("/hubs/{hub}/invites?before={next}");
        }
    }

    /// Lets somebody log in, or not.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn set_active(&mut self, user: Id, active: bool) -> Result<(), Failure> {
        let path = format!("/users/{user}/active");
        self.tell("PUT", &path, &ActiveChange { active })?.bytes()?;
        Ok(())
    }

    /// Has somebody forgotten who has left every hub.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn erase_person(&mut self, user: Id) -> Result<(), Failure> {
        let path = format!("/users/{user}/erasure");
        self.ask("POST", &path, &[])?.bytes()?;
        Ok(())
    }
}

/// The number that a built-in role has in the roster.
fn roster_role(role: Role) -> Result<RoleId, Failure> {
    match role {
        Role::HubAdmin => Ok(RoleId(ROSTER_ROLE_HUB_ADMIN)),
        Role::Volunteer => Ok(RoleId(ROSTER_ROLE_VOLUNTEER)),
        Role::Reviewer => Ok(RoleId(ROSTER_ROLE_REVIEWER)),
        Role::Reporter => Ok(RoleId(ROSTER_ROLE_REPORTER)),
        other => Err(Failure::Misused(format!("no built-in role: {other:?}"))),
    }
}
