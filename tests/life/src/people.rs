//! What admins do about people.

use protocol::{ActiveChange, Blob, Id, InviteMade, InviteRequest, Invites, MemberList, Role};

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
        let head = self.line.session.roster_head(view.id)?;
        Ok(Invitation {
            server: self.server().clone(),
            code: made.code,
            hub,
            roster_head: Blob(head.to_vec()),
        })
    }

    /// Who redeemed an invitation and was not taken in yet.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn waiting(&mut self, hub: Id) -> Result<Vec<(Id, Role)>, Failure> {
        let invites: Invites = self.get(&format!("/hubs/{hub}/invites"))?;
        let members: MemberList = self.get(&format!("/hubs/{hub}/members"))?;
        let used = invites.invites.into_iter();
        let used = used.filter_map(|invite| Some((invite.used_by?, invite.role)));
        let is_member = |user: Id| members.members.iter().any(|member| member.user == user);
        Ok(used.filter(|(user, _)| !is_member(*user)).collect())
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
