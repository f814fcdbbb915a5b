//! A hotline as one of its members sees it.

use crypto::UserId;
use crypto::hub::{Change, RoleFlags, RoleId};
use crypto_session as core;

use crate::expectation::{Expectation, People, Place};
use crate::refusal::Refusal;
use crate::session::Session;

/// A role of a hotline.
#[derive(Debug, Clone, Copy, uniffi::Record)]
pub struct Role {
    /// Its number within the hotline.
    pub id: u16,
    /// Whether who has it continues the member list and reads every case.
    pub admin: bool,
    /// Whether who has it reads what reporters submit.
    pub reviewer: bool,
    /// What it may ask of the server, as the server counts the bits.
    pub permissions: u64,
}

impl Role {
    fn parts(self) -> (RoleId, crypto::hub::Role) {
        let flags = RoleFlags {
            admin: self.admin,
            reviewer: self.reviewer,
        };
        let permissions = self.permissions;
        (RoleId(self.id), crypto::hub::Role { flags, permissions })
    }
}

/// A member of a hotline.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Member {
    /// Who it is.
    pub user: String,
    /// The number of their role.
    pub role: u16,
}

/// A hub key, sealed to one member.
#[derive(Debug, Clone, uniffi::Record)]
pub struct MemberWrap {
    /// To whom.
    pub user: String,
    /// To send to the server.
    pub wrap: Vec<u8>,
}

/// A hub key that was just made. All of it goes to the server with the roster.
#[derive(Debug, Clone, uniffi::Record)]
pub struct NewHubKey {
    /// The key, sealed to each member.
    pub wraps: Vec<MemberWrap>,
    /// The search root under the new key.
    pub search_root: Vec<u8>,
    /// The settings under the new key, where there are any.
    pub settings: Option<Vec<u8>>,
}

impl From<core::NewHubKey> for NewHubKey {
    fn from(made: core::NewHubKey) -> Self {
        let wraps = made.wraps.into_iter();
        let wraps = wraps.map(|(user, wrap)| MemberWrap {
            user: user.to_string(),
            wrap,
        });
        Self {
            wraps: wraps.collect(),
            search_root: made.search_root,
            settings: made.settings,
        }
    }
}

#[uniffi::export]
impl Session {
    /// Begins a hotline with this person as its first admin, in `own_role`. A
    /// hub key is due next.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `out-of-turn`, `not-allowed`, `malformed`.
    pub fn create_hub(
        &self,
        hub: &str,
        roles: Vec<Role>,
        own_role: u16,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        let roles: Vec<_> = roles.into_iter().map(Role::parts).collect();
        let create = |it: &mut core::Session| it.create_hub(hub, &roles, RoleId(own_role), now_ms);
        self.held.with(create)
    }

    /// Verifies a hotline's roster. `people` has the device lists of its members
    /// and of everybody who signed it; `seen` is the head that was stored, or
    /// that an invitation named.
    ///
    /// # Errors
    /// `locked`, `unknown-person`, `moved`, `rollback`, `altered`, `malformed`.
    pub fn follow_hub(
        &self,
        hub: &str,
        roster: &[u8],
        seen: Option<Vec<u8>>,
        people: &People,
    ) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.with_people(people, |it, people| {
            it.follow_hub(hub, roster, seen.as_deref(), people)
        })
    }

    /// As `follow_hub`, with the links that the server gives: all of them, from
    /// the first on.
    ///
    /// # Errors
    /// As of `follow_hub`.
    pub fn follow_hub_links(
        &self,
        hub: &str,
        links: Vec<Vec<u8>>,
        seen: Option<Vec<u8>>,
        people: &People,
    ) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.with_people(people, |it, people| {
            it.follow_hub_links(hub, &links, seen.as_deref(), people)
        })
    }

    /// Forgets a hotline and its keys: to follow it anew when another admin was
    /// faster.
    ///
    /// # Errors
    /// `locked`, `malformed`.
    pub fn forget_hub(&self, hub: &str) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.forget_hub(hub))
    }

    /// The whole roster, to send to the server.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roster(&self, hub: &str) -> Result<Vec<u8>, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.roster(hub))
    }

    /// The roster's links after number `seqno`, to send to the server; all with 0.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roster_links_after(&self, hub: &str, seqno: u32) -> Result<Vec<Vec<u8>>, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.roster_links_after(hub, seqno))
    }

    /// Number of the roster's newest link.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roster_seqno(&self, hub: &str) -> Result<u32, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held
            .with(|it| Ok::<_, core::Refusal>(it.hub(hub)?.head().seqno))
    }

    /// How far the roster goes: to be stored, and put into invitations.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roster_head(&self, hub: &str) -> Result<Vec<u8>, Refusal> {
        let hub = core::hub_named(hub)?;
        Ok(self.held.with(|it| it.roster_head(hub))?.to_vec())
    }

    /// Who belongs to the hotline.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn members(&self, hub: &str) -> Result<Vec<Member>, Refusal> {
        let hub = core::hub_named(hub)?;
        let member = |(user, member): (UserId, &crypto::hub::Member)| Member {
            user: user.to_string(),
            role: member.role.0,
        };
        self.held
            .with(|it| Ok::<_, core::Refusal>(it.hub(hub)?.members().map(member).collect()))
    }

    /// The hotline's roles.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roles(&self, hub: &str) -> Result<Vec<Role>, Refusal> {
        let hub = core::hub_named(hub)?;
        let role = |(id, role): (RoleId, &crypto::hub::Role)| Role {
            id: id.0,
            admin: role.flags.admin,
            reviewer: role.flags.reviewer,
            permissions: role.permissions,
        };
        self.held
            .with(|it| Ok::<_, core::Refusal>(it.hub(hub)?.roles().map(role).collect()))
    }

    /// Who must be able to read a record of `author`. `visibility` is
    /// `private`, `case` or `reporter`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `malformed`.
    pub fn readers(
        &self,
        hub: &str,
        visibility: &str,
        author: &str,
    ) -> Result<Vec<String>, Refusal> {
        let visibility = core::visibility_named(visibility)?;
        let author = core::user_named(author)?;
        let hub = core::hub_named(hub)?;
        let readers = self.held.with(|it| it.readers(hub, visibility, author))?;
        Ok(readers.iter().map(ToString::to_string).collect())
    }

    /// What is expected of a record by `author` that is there already; both they
    /// and its readers may have left the hub since.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn expectation(
        &self,
        place: &Place,
        visibility: &str,
        author: &str,
    ) -> Result<Expectation, Refusal> {
        let visibility = core::visibility_named(visibility)?;
        let author = core::user_named(author)?;
        let expectation = self
            .held
            .with(|it| it.expectation(place.0, visibility, author))?;
        Ok(expectation.into())
    }

    /// Whether an admin should make a new hub key: there is none yet, or
    /// somebody who has it left or lost a device.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn is_hub_key_due(&self, hub: &str) -> Result<bool, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.is_hub_key_due(hub))
    }

    /// Number of the newest revision of the settings; 0 before the first.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn settings_revision(&self, hub: &str) -> Result<u32, Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.settings_revision(hub))
    }

    /// Takes somebody in, as an admin; their device list is among `people`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `unknown-person`, `malformed`.
    pub fn add_member(
        &self,
        hub: &str,
        user: &str,
        role: u16,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let (hub, user) = (core::hub_named(hub)?, core::user_named(user)?);
        self.with_people(people, |it, people| {
            it.add_member(hub, user, RoleId(role), people, now_ms)
        })
    }

    /// Gives a member another role, as an admin.
    ///
    /// # Errors
    /// As of `add_member`.
    pub fn change_role(
        &self,
        hub: &str,
        user: &str,
        role: u16,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let (user, role) = (core::user_named(user)?, RoleId(role));
        self.change(hub, Change::ChangeRole { user, role }, people, now_ms)
    }

    /// Lets a member go, as an admin. A new hub key is then due.
    ///
    /// # Errors
    /// As of `add_member`.
    pub fn remove_member(
        &self,
        hub: &str,
        user: &str,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let user = core::user_named(user)?;
        self.change(hub, Change::RemoveMember { user }, people, now_ms)
    }

    /// Defines a role, or defines it anew, as an admin.
    ///
    /// # Errors
    /// As of `add_member`.
    pub fn define_role(
        &self,
        hub: &str,
        role: &Role,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let (id, role) = role.parts();
        self.change(hub, Change::DefineRole(id, role), people, now_ms)
    }

    /// Notes how far the members' device lists go, as an admin; gives whether
    /// there was anything to note.
    ///
    /// # Errors
    /// As of `add_member`.
    pub fn note_devices(&self, hub: &str, people: &People, now_ms: u64) -> Result<bool, Refusal> {
        let hub = core::hub_named(hub)?;
        self.with_people(people, |it, people| it.note_devices(hub, people, now_ms))
    }

    /// Makes and announces the next hub key, as an admin. `settings` are the
    /// newest as the server has them, when there are any.
    ///
    /// # Errors
    /// As of `add_member` and `open_settings`; `no-randomness`.
    pub fn new_hub_key(
        &self,
        hub: &str,
        settings: Option<Vec<u8>>,
        people: &People,
        now_ms: u64,
    ) -> Result<NewHubKey, Refusal> {
        let hub = core::hub_named(hub)?;
        let made = self.with_people(people, |it, people| {
            it.new_hub_key(hub, settings.as_deref(), people, now_ms)
        })?;
        Ok(made.into())
    }

    /// Seals the newest hub key to one more member.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `unknown-person`, `malformed`.
    pub fn wrap_hub_key(&self, hub: &str, user: &str, people: &People) -> Result<Vec<u8>, Refusal> {
        let (hub, user) = (core::hub_named(hub)?, core::user_named(user)?);
        self.with_people(people, |it, people| it.wrap_hub_key(hub, user, people))
    }

    /// Opens a hub key that is sealed to this person.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`.
    pub fn open_hub_key(&self, hub: &str, wrap: &[u8]) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.open_hub_key(hub, wrap))
    }

    /// Opens the search root that is kept under the newest hub key.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `malformed`.
    pub fn open_search_root(&self, hub: &str, sealed: &[u8]) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.held.with(|it| it.open_search_root(hub, sealed))
    }

    /// Seals the settings and announces them in the roster, as an admin. Both
    /// go to the server together.
    ///
    /// # Errors
    /// As of `add_member`; `limit`.
    pub fn seal_settings(
        &self,
        hub: &str,
        settings: &[u8],
        people: &People,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let hub = core::hub_named(hub)?;
        self.with_people(people, |it, people| {
            it.seal_settings(hub, settings, people, now_ms)
        })
    }

    /// Opens the newest settings.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `rollback`, `altered`, `malformed`.
    pub fn open_settings(&self, hub: &str, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let hub = core::hub_named(hub)?;
        let opened = self.held.with(|it| it.open_settings(hub, sealed))?;
        Ok(opened.to_vec())
    }

    /// The tokens that a record is found by, in hexadecimal. `field` is `name`
    /// (a token for each word), `phone`, `email`, `case`, or the number of a
    /// field that the hotline declared and its fewest characters: `3/4`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `malformed`.
    pub fn index(&self, hub: &str, field: &str, words: &str) -> Result<Vec<String>, Refusal> {
        let (hub, field) = (core::hub_named(hub)?, core::field_named(field)?);
        let tokens = self.held.with(|it| it.index(hub, field, words))?;
        Ok(core::tokens_shown(&tokens))
    }
}

impl Session {
    fn change(
        &self,
        hub: &str,
        change: Change,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.with_people(people, |it, people| {
            it.change_hub(hub, vec![change], people, now_ms)
        })
    }
}
