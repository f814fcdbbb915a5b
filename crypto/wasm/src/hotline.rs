//! A hotline as one of its members sees it.

use crypto::hub::{Change, RoleFlags, RoleId};
use crypto_session as core;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::expectation::{Expectation, People, Place};
use crate::milliseconds;
use crate::refused::Thrown;
use crate::session::Session;

/// A role of a hotline.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
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

#[wasm_bindgen]
impl Role {
    /// A role, to be defined.
    #[wasm_bindgen(constructor)]
    pub fn new(id: u16, admin: bool, reviewer: bool, permissions: u64) -> Self {
        Self {
            id,
            admin,
            reviewer,
            permissions,
        }
    }

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
#[wasm_bindgen]
#[derive(Debug)]
pub struct Member {
    user: String,
    /// The number of their role.
    pub role: u16,
}

#[wasm_bindgen]
impl Member {
    /// Who it is.
    #[wasm_bindgen(getter)]
    pub fn user(&self) -> String {
        self.user.clone()
    }
}

/// A hub key, sealed to one member.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MemberWrap {
    user: String,
    wrap: Vec<u8>,
}

#[wasm_bindgen]
impl MemberWrap {
    /// To whom.
    #[wasm_bindgen(getter)]
    pub fn user(&self) -> String {
        self.user.clone()
    }

    /// To send to the server.
    #[wasm_bindgen(getter)]
    pub fn wrap(&self) -> Vec<u8> {
        self.wrap.clone()
    }
}

/// A hub key that was just made. All of it goes to the server with the roster.
#[wasm_bindgen]
#[derive(Debug)]
pub struct NewHubKey(core::NewHubKey);

#[wasm_bindgen]
impl NewHubKey {
    /// The key, sealed to each member.
    pub fn wraps(&self) -> Vec<MemberWrap> {
        let wraps = self.0.wraps.iter();
        let wraps = wraps.map(|(user, wrap)| MemberWrap {
            user: user.to_string(),
            wrap: wrap.clone(),
        });
        wraps.collect()
    }

    /// The search root under the new key.
    #[wasm_bindgen(getter, js_name = searchRoot)]
    pub fn search_root(&self) -> Vec<u8> {
        self.0.search_root.clone()
    }

    /// The settings under the new key, where there are any.
    #[wasm_bindgen(getter)]
    pub fn settings(&self) -> Option<Vec<u8>> {
        self.0.settings.clone()
    }
}

#[wasm_bindgen]
impl Session {
    /// Begins a hotline with this person as its first admin, in `ownRole`. A
    /// hub key is due next.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `out-of-turn`, `not-allowed`, `malformed`.
    #[wasm_bindgen(js_name = createHub)]
    pub fn create_hub(
        &mut self,
        hub: &str,
        roles: Vec<Role>,
        own_role: u16,
        now: f64,
    ) -> Result<(), Thrown> {
        let hub = core::hub_named(hub)?;
        let roles: Vec<_> = roles.into_iter().map(Role::parts).collect();
        let now_ms = milliseconds(now);
        Ok(self.0.create_hub(hub, &roles, RoleId(own_role), now_ms)?)
    }

    /// Verifies a hotline's roster. `people` has the device lists of its members
    /// and of everybody who signed it; `seen` is the head that was stored, or
    /// that an invitation named.
    ///
    /// # Errors
    /// `locked`, `unknown-person`, `moved`, `rollback`, `altered`, `malformed`.
    #[wasm_bindgen(js_name = followHub)]
    pub fn follow_hub(
        &mut self,
        hub: &str,
        roster: &[u8],
        seen: Option<Vec<u8>>,
        people: &People,
    ) -> Result<(), Thrown> {
        let hub = core::hub_named(hub)?;
        Ok(self.0.follow_hub(hub, roster, seen.as_deref(), &people.0)?)
    }

    /// As `followHub`, with the links that the server gives: all of them, from
    /// the first on.
    ///
    /// # Errors
    /// As of `followHub`.
    #[wasm_bindgen(js_name = followHubLinks)]
    pub fn follow_hub_links(
        &mut self,
        hub: &str,
        links: Vec<Uint8Array>,
        seen: Option<Vec<u8>>,
        people: &People,
    ) -> Result<(), Thrown> {
        let hub = core::hub_named(hub)?;
        let links: Vec<Vec<u8>> = links.iter().map(Uint8Array::to_vec).collect();
        let session = &mut self.0;
        Ok(session.follow_hub_links(hub, &links, seen.as_deref(), &people.0)?)
    }

    /// Forgets a hotline and its keys: to follow it anew when another admin was
    /// faster.
    ///
    /// # Errors
    /// `locked`, `malformed`.
    #[wasm_bindgen(js_name = forgetHub)]
    pub fn forget_hub(&mut self, hub: &str) -> Result<(), Thrown> {
        Ok(self.0.forget_hub(core::hub_named(hub)?)?)
    }

    /// The whole roster, as a file.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roster(&self, hub: &str) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.roster(core::hub_named(hub)?)?)
    }

    /// The roster's links after number `seqno`, to send to the server; all with
    /// 0.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = rosterLinksAfter)]
    pub fn roster_links_after(&self, hub: &str, seqno: u32) -> Result<Vec<Uint8Array>, Thrown> {
        let links = self.0.roster_links_after(core::hub_named(hub)?, seqno)?;
        Ok(links.iter().map(|link| link.as_slice().into()).collect())
    }

    /// Number of the roster's newest link.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = rosterSeqno)]
    pub fn roster_seqno(&self, hub: &str) -> Result<u32, Thrown> {
        Ok(self.0.hub(core::hub_named(hub)?)?.head().seqno)
    }

    /// How far the roster goes: to be stored, and put into invitations.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = rosterHead)]
    pub fn roster_head(&self, hub: &str) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.roster_head(core::hub_named(hub)?)?.to_vec())
    }

    /// Who belongs to the hotline.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn members(&self, hub: &str) -> Result<Vec<Member>, Thrown> {
        let state = self.0.hub(core::hub_named(hub)?)?;
        let members = state.members().map(|(user, member)| Member {
            user: user.to_string(),
            role: member.role.0,
        });
        Ok(members.collect())
    }

    /// The hotline's roles.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    pub fn roles(&self, hub: &str) -> Result<Vec<Role>, Thrown> {
        let state = self.0.hub(core::hub_named(hub)?)?;
        let roles = state.roles().map(|(id, role)| Role {
            id: id.0,
            admin: role.flags.admin,
            reviewer: role.flags.reviewer,
            permissions: role.permissions,
        });
        Ok(roles.collect())
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
    ) -> Result<Vec<String>, Thrown> {
        let visibility = core::visibility_named(visibility)?;
        let author = core::user_named(author)?;
        let hub = core::hub_named(hub)?;
        let readers = self.0.readers(hub, visibility, author)?;
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
    ) -> Result<Expectation, Thrown> {
        let visibility = core::visibility_named(visibility)?;
        let author = core::user_named(author)?;
        Ok(Expectation(
            self.0.expectation(place.0, visibility, author)?,
        ))
    }

    /// Whether an admin should make a new hub key: there is none yet, or
    /// somebody who has it left or lost a device.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = isHubKeyDue)]
    pub fn is_hub_key_due(&self, hub: &str) -> Result<bool, Thrown> {
        Ok(self.0.is_hub_key_due(core::hub_named(hub)?)?)
    }

    /// Number of the newest hub key that the roster announces; 0 before the
    /// first.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = hubKeyEpoch)]
    pub fn hub_key_epoch(&self, hub: &str) -> Result<u32, Thrown> {
        let epoch = self.0.hub(core::hub_named(hub)?)?.epoch();
        Ok(epoch.map_or(0, |epoch| epoch.epoch))
    }

    /// Number of the newest revision of the settings; 0 before the first.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = settingsRevision)]
    pub fn settings_revision(&self, hub: &str) -> Result<u32, Thrown> {
        Ok(self.0.settings_revision(core::hub_named(hub)?)?)
    }

    /// Takes somebody in, as an admin; their device list is among `people`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `unknown-person`, `malformed`.
    #[wasm_bindgen(js_name = addMember)]
    pub fn add_member(
        &mut self,
        hub: &str,
        user: &str,
        role: u16,
        people: &People,
        now: f64,
    ) -> Result<(), Thrown> {
        let (hub, user) = (core::hub_named(hub)?, core::user_named(user)?);
        let (role, now_ms) = (RoleId(role), milliseconds(now));
        Ok(self.0.add_member(hub, user, role, &people.0, now_ms)?)
    }

    /// Gives a member another role, as an admin.
    ///
    /// # Errors
    /// As of `addMember`.
    #[wasm_bindgen(js_name = changeRole)]
    pub fn change_role(
        &mut self,
        hub: &str,
        user: &str,
        role: u16,
        people: &People,
        now: f64,
    ) -> Result<(), Thrown> {
        let (user, role) = (core::user_named(user)?, RoleId(role));
        self.change(hub, Change::ChangeRole { user, role }, people, now)
    }

    /// Lets a member go, as an admin. A new hub key is then due.
    ///
    /// # Errors
    /// As of `addMember`.
    #[wasm_bindgen(js_name = removeMember)]
    pub fn remove_member(
        &mut self,
        hub: &str,
        user: &str,
        people: &People,
        now: f64,
    ) -> Result<(), Thrown> {
        let user = core::user_named(user)?;
        self.change(hub, Change::RemoveMember { user }, people, now)
    }

    /// Defines a role, or defines it anew, as an admin.
    ///
    /// # Errors
    /// As of `addMember`.
    #[wasm_bindgen(js_name = defineRole)]
    pub fn define_role(
        &mut self,
        hub: &str,
        role: &Role,
        people: &People,
        now: f64,
    ) -> Result<(), Thrown> {
        let (id, role) = role.parts();
        self.change(hub, Change::DefineRole(id, role), people, now)
    }

    /// Notes how far the members' device lists go, as an admin; gives whether
    /// there was anything to note.
    ///
    /// # Errors
    /// As of `addMember`.
    #[wasm_bindgen(js_name = noteDevices)]
    pub fn note_devices(&mut self, hub: &str, people: &People, now: f64) -> Result<bool, Thrown> {
        let hub = core::hub_named(hub)?;
        Ok(self.0.note_devices(hub, &people.0, milliseconds(now))?)
    }

    /// Makes and announces the next hub key, as an admin. `settings` are the
    /// newest as the server has them, when there are any.
    ///
    /// # Errors
    /// As of `addMember` and `openSettings`; `no-randomness`.
    #[wasm_bindgen(js_name = newHubKey)]
    pub fn new_hub_key(
        &mut self,
        hub: &str,
        settings: Option<Vec<u8>>,
        people: &People,
        now: f64,
    ) -> Result<NewHubKey, Thrown> {
        let (hub, now_ms) = (core::hub_named(hub)?, milliseconds(now));
        let session = &mut self.0;
        let made = session.new_hub_key(hub, settings.as_deref(), &people.0, now_ms)?;
        Ok(NewHubKey(made))
    }

    /// Seals the newest hub key to one more member.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-allowed`, `unknown-person`, `malformed`.
    #[wasm_bindgen(js_name = wrapHubKey)]
    pub fn wrap_hub_key(
        &mut self,
        hub: &str,
        user: &str,
        people: &People,
    ) -> Result<Vec<u8>, Thrown> {
        let (hub, user) = (core::hub_named(hub)?, core::user_named(user)?);
        Ok(self.0.wrap_hub_key(hub, user, &people.0)?)
    }

    /// Opens a hub key that is sealed to this person.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`.
    #[wasm_bindgen(js_name = openHubKey)]
    pub fn open_hub_key(&mut self, hub: &str, wrap: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.open_hub_key(core::hub_named(hub)?, wrap)?)
    }

    /// Opens the search root that is kept under the newest hub key.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `altered`, `malformed`.
    #[wasm_bindgen(js_name = openSearchRoot)]
    pub fn open_search_root(&mut self, hub: &str, sealed: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.open_search_root(core::hub_named(hub)?, sealed)?)
    }

    /// Seals the settings and announces them in the roster, as an admin. Both
    /// go to the server together.
    ///
    /// # Errors
    /// As of `addMember`; `limit`.
    #[wasm_bindgen(js_name = sealSettings)]
    pub fn seal_settings(
        &mut self,
        hub: &str,
        settings: &[u8],
        people: &People,
        now: f64,
    ) -> Result<Vec<u8>, Thrown> {
        let (hub, now_ms) = (core::hub_named(hub)?, milliseconds(now));
        Ok(self.0.seal_settings(hub, settings, &people.0, now_ms)?)
    }

    /// Opens the newest settings.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `rollback`, `altered`, `malformed`.
    #[wasm_bindgen(js_name = openSettings)]
    pub fn open_settings(&self, hub: &str, sealed: &[u8]) -> Result<Vec<u8>, Thrown> {
        let opened = self.0.open_settings(core::hub_named(hub)?, sealed)?;
        Ok(opened.to_vec())
    }

    /// The tokens that a record is found by, in hexadecimal. `field` is `name`
    /// (a token for each word), `phone`, `email`, `case`, or the number of a
    /// field that the hotline declared and its fewest characters: `3/4`.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `limit`, `malformed`.
    pub fn index(&self, hub: &str, field: &str, words: &str) -> Result<Vec<String>, Thrown> {
        let (hub, field) = (core::hub_named(hub)?, core::field_named(field)?);
        Ok(core::tokens_shown(&self.0.index(hub, field, words)?))
    }
}

impl Session {
    fn change(
        &mut self,
        hub: &str,
        change: Change,
        people: &People,
        now: f64,
    ) -> Result<(), Thrown> {
        let (hub, now_ms) = (core::hub_named(hub)?, milliseconds(now));
        Ok(self.0.change_hub(hub, vec![change], &people.0, now_ms)?)
    }
}
