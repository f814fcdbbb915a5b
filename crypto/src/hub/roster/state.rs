//! What a verified roster says, and the rules by which each entry changes it.

use std::collections::{BTreeMap, BTreeSet};

use super::link::{Change, Link, LinkBody, Role, RoleFlags, RoleId};
use super::{MAX_MEMBERS, MAX_ROLES, MAX_ROSTER_LINKS, Sigchains};
use crate::hub::error::RosterError;
use crate::hub::hub_key::HubEpoch;
use crate::hub::settings::SettingsHead;
use crate::id::{HubId, UserId};
use crate::identity::chain::link_hash;
use crate::identity::{ChainHead, Reader, Sigchain};

/// A member of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Their role.
    pub role: RoleId,
    /// How far their sigchain went when an entry last spoke of it.
    pub head: ChainHead,
}

/// Who reads a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Its author alone.
    Private,
    /// Its author and the admins.
    Case,
    /// Its author (a reporter), the reviewers and the admins.
    Reporter,
}

/// Who stands on the list of readers of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExistingReaders {
    /// Who may be entered now.
    pub allowed: BTreeSet<UserId>,
    /// Who may not be entered any more, and may still stand there.
    pub former: BTreeSet<UserId>,
}

/// What a hub's roster says, after every entry of it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterState {
    hub: HubId,
    head: ChainHead,
    roles: BTreeMap<RoleId, Role>,
    members: BTreeMap<UserId, Member>,
    /// What everybody was at some time, members and those who left.
    once: BTreeMap<UserId, RoleFlags>,
    /// The farthest head of everybody's sigchain that an entry spoke of; also of
    /// those who left, so that nobody comes back with an older one.
    known_heads: BTreeMap<UserId, ChainHead>,
    epochs: Vec<HubEpoch>,
    hub_key_rotation_due: bool,
    settings: Option<SettingsHead>,
}

impl RosterState {
    /// Whose roster it is.
    pub fn hub(&self) -> HubId {
        self.hub
    }

    /// How far it goes.
    pub fn head(&self) -> ChainHead {
        self.head
    }

    /// The members, by id.
    pub fn members(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.members.iter().map(|(user, member)| (*user, member))
    }

    /// A member.
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(&user)
    }

    /// Whether somebody is a member or was one once.
    pub fn was_member(&self, user: UserId) -> bool {
        self.once.contains_key(&user)
    }

    /// The roles, by number.
    pub fn roles(&self) -> impl Iterator<Item = (RoleId, &Role)> {
        self.roles.iter().map(|(id, role)| (*id, role))
    }

    /// A member's role.
    pub fn role_of(&self, user: UserId) -> Option<&Role> {
        self.roles.get(&self.members.get(&user)?.role)
    }

    /// The admins.
    pub fn admins(&self) -> impl Iterator<Item = UserId> {
        self.members_who(|role| role.flags.admin)
    }

    /// The newest hub key epoch. `None` before the first.
    pub fn epoch(&self) -> Option<&HubEpoch> {
        self.epochs.last()
    }

    /// One hub key epoch.
    pub fn epoch_of(&self, epoch: u32) -> Option<&HubEpoch> {
        let place = usize::try_from(epoch).ok()?.checked_sub(1)?;
        self.epochs.get(place)
    }

    /// Whether a member left, or lost a device, since the newest hub key was
    /// made: they have that key, so an admin makes a new one.
    pub fn hub_key_rotation_due(&self) -> bool {
        self.hub_key_rotation_due
    }

    /// The newest revision of the settings. `None` before the first.
    pub fn settings(&self) -> Option<&SettingsHead> {
        self.settings.as_ref()
    }

    /// Who must be able to read a record of `author`, in order of ids.
    ///
    /// # Errors
    /// [`RosterError::NotMember`] when the author is none.
    pub fn readers(
        &self,
        visibility: Visibility,
        author: UserId,
    ) -> Result<BTreeSet<UserId>, RosterError> {
        if !self.members.contains_key(&author) {
            return Err(RosterError::NotMember(author));
        }
        let mut readers = BTreeSet::from([author]);
        match visibility {
            Visibility::Private => {}
            Visibility::Case => readers.extend(self.admins()),
            Visibility::Reporter => {
                readers.extend(self.members_who(|role| role.flags.admin || role.flags.reviewer));
            }
        }
        Ok(readers)
    }

    /// Who may read a record of `author` that is there already, and who may not
    /// any more but stands on lists from when they might. The author may have
    /// left.
    pub fn readers_of_existing(&self, visibility: Visibility, author: UserId) -> ExistingReaders {
        let reads = |flags: RoleFlags| match visibility {
            Visibility::Private => false,
            Visibility::Case => flags.admin,
            Visibility::Reporter => flags.admin || flags.reviewer,
        };
        let mut allowed: BTreeSet<UserId> = self.members_who(|role| reads(role.flags)).collect();
        if self.members.contains_key(&author) {
            allowed.insert(author);
        }
        let once = self.once.iter();
        let former = once
            .filter(|(user, flags)| reads(**flags) || **user == author)
            .map(|(user, _)| *user)
            .filter(|user| !allowed.contains(user))
            .collect();
        ExistingReaders { allowed, former }
    }

    /// The keys of [`RosterState::readers`], by everybody's sigchain.
    ///
    /// # Errors
    /// [`RosterError::NotMember`]; [`RosterError::SigchainMissing`],
    /// [`RosterError::Sigchain`] or [`RosterError::NoReader`] when a reader's
    /// key is not known: a record must not be sealed to fewer readers in silence.
    pub fn reader_keys(
        &self,
        visibility: Visibility,
        author: UserId,
        sigchains: &Sigchains,
    ) -> Result<Vec<Reader>, RosterError> {
        self.keys_of(self.readers(visibility, author)?, sigchains)
    }

    /// The keys of all members, to seal a hub key to.
    ///
    /// # Errors
    /// As of [`RosterState::reader_keys`].
    pub fn member_keys(&self, sigchains: &Sigchains) -> Result<Vec<Reader>, RosterError> {
        self.keys_of(self.members.keys().copied(), sigchains)
    }

    /// The state after the first entry.
    pub(super) fn begin(bytes: &[u8], sigchains: &Sigchains) -> Result<Self, RosterError> {
        let link = Link::decode(bytes)?;
        let mut state = Self {
            hub: link.body.hub,
            head: ChainHead {
                seqno: 0,
                hash: [0; 32],
            },
            roles: BTreeMap::new(),
            members: BTreeMap::new(),
            once: BTreeMap::new(),
            known_heads: BTreeMap::new(),
            epochs: Vec::new(),
            hub_key_rotation_due: false,
            settings: None,
        };
        state.check_place(&link.body)?;
        state.check_signature(&link, sigchains)?;
        state.change(&link.body, bytes, sigchains)?;
        let signer = state.members.get(&link.body.signer);
        let founded = signer.is_some_and(|member| member.head == link.body.signer_head)
            && state.is_admin(link.body.signer);
        match founded {
            true => Ok(state),
            false => Err(RosterError::NoBootstrap),
        }
    }

    /// Verifies the next entry and applies it. After an error the state is
    /// worth nothing any more.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        sigchains: &Sigchains,
    ) -> Result<(), RosterError> {
        let link = Link::decode(bytes)?;
        let seqno = self.check_place(&link.body)?;
        if !self.is_admin(link.body.signer) {
            return Err(RosterError::NotAdmin { seqno });
        }
        self.check_signature(&link, sigchains)?;
        self.change(&link.body, bytes, sigchains)
    }

    /// Checks that the sigchains given for the members continue what the
    /// entries say of them.
    pub(super) fn check_members(&self, sigchains: &Sigchains) -> Result<(), RosterError> {
        self.members.iter().try_for_each(|(user, member)| {
            let chain = sigchain(sigchains, *user)?;
            chain
                .check_contains(&member.head)
                .map_err(|reason| RosterError::Sigchain {
                    user: *user,
                    reason,
                })
        })
    }

    fn check_place(&self, body: &LinkBody) -> Result<u32, RosterError> {
        let (expected, found) = (self.head.seqno + 1, body.seqno);
        if expected as usize > MAX_ROSTER_LINKS {
            return Err(RosterError::TooLong);
        }
        if body.hub != self.hub {
            return Err(RosterError::OtherHub { seqno: expected });
        }
        if found != expected {
            return Err(RosterError::Gap { expected, found });
        }
        if body.prev != self.head.hash {
            return Err(RosterError::WrongPrev { seqno: found });
        }
        Ok(found)
    }

    fn check_signature(&self, link: &Link<'_>, sigchains: &Sigchains) -> Result<(), RosterError> {
        let user = link.body.signer;
        let key = sigchain(sigchains, user)?
            .device_at(link.body.signer_device, &link.body.signer_head)
            .map_err(|reason| RosterError::Sigchain { user, reason })?;
        link.verify(key)
    }

    fn change(
        &mut self,
        body: &LinkBody,
        bytes: &[u8],
        sigchains: &Sigchains,
    ) -> Result<(), RosterError> {
        self.head = ChainHead {
            seqno: body.seqno,
            hash: link_hash(bytes),
        };
        body.changes
            .iter()
            .try_for_each(|change| self.apply(change, sigchains))?;
        self.remember();
        self.note(body.signer, body.signer_head, sigchains)?;
        match self.admins().next() {
            Some(_) => Ok(()),
            None if body.seqno == 1 => Err(RosterError::NoBootstrap),
            None => Err(RosterError::NoAdminLeft),
        }
    }

    fn apply(&mut self, change: &Change, sigchains: &Sigchains) -> Result<(), RosterError> {
        match *change {
            Change::DefineRole(id, role) => {
                self.roles.insert(id, role);
                match self.roles.len() > MAX_ROLES {
                    true => Err(RosterError::TooMany),
                    false => Ok(()),
                }
            }
            Change::AddMember { user, role, head } => {
                self.check_role(role)?;
                if self.members.contains_key(&user) {
                    return Err(RosterError::AlreadyMember(user));
                }
                if self.members.len() >= MAX_MEMBERS {
                    return Err(RosterError::TooMany);
                }
                self.members.insert(user, Member { role, head });
                self.note(user, head, sigchains)
            }
            Change::ChangeRole { user, role } => {
                self.check_role(role)?;
                self.member_mut(user)?.role = role;
                Ok(())
            }
            Change::RemoveMember { user } => {
                self.member_mut(user)?;
                self.members.remove(&user);
                self.hub_key_rotation_due = !self.epochs.is_empty();
                Ok(())
            }
            Change::NoteHead { user, head } => {
                self.member_mut(user)?;
                self.note(user, head, sigchains)
            }
            Change::HubKey { epoch, commitment } => self.announce(epoch, commitment),
            Change::Settings { revision, hash } => self.configure(revision, hash),
        }
    }

    fn announce(&mut self, epoch: u32, commitment: [u8; 32]) -> Result<(), RosterError> {
        let expected = self.epoch().map_or(0, |newest| newest.epoch) + 1;
        if epoch != expected {
            let found = epoch;
            return Err(RosterError::Epoch { expected, found });
        }
        self.epochs.push(HubEpoch {
            hub: self.hub,
            epoch,
            commitment,
            announced: self.head,
        });
        self.hub_key_rotation_due = false;
        Ok(())
    }

    fn configure(&mut self, revision: u32, hash: [u8; 32]) -> Result<(), RosterError> {
        let newest = self.settings.map_or(0, |settings| settings.revision);
        if newest.checked_add(1) != Some(revision) {
            let (expected, found) = (newest.saturating_add(1), revision);
            return Err(RosterError::Settings { expected, found });
        }
        self.settings = Some(SettingsHead {
            hub: self.hub,
            revision,
            hash,
        });
        Ok(())
    }

    /// Remembers what everybody is now. Who is removed was remembered when they
    /// came.
    fn remember(&mut self) {
        for (user, member) in &self.members {
            let flags = self.roles.get(&member.role).map(|role| role.flags);
            let once = self.once.entry(*user).or_default();
            if let Some(flags) = flags {
                once.admin |= flags.admin;
                once.reviewer |= flags.reviewer;
            }
        }
    }

    /// Remembers how far somebody's sigchain goes; never back.
    fn note(
        &mut self,
        user: UserId,
        head: ChainHead,
        sigchains: &Sigchains,
    ) -> Result<(), RosterError> {
        let known = self.known_heads.insert(user, head);
        if let Some(known) = known {
            let went_back = head.seqno < known.seqno;
            let differs = head.seqno == known.seqno && head.hash != known.hash;
            if went_back || differs {
                let seqno = self.head.seqno;
                return Err(RosterError::StaleHead { seqno });
            }
            // Whoever left may have been erased; only members' chains are needed.
            let lost_a_device = sigchains
                .get(&user)
                .is_some_and(|chain| chain.revokes_between(known.seqno, head.seqno));
            if lost_a_device && self.members.contains_key(&user) {
                self.hub_key_rotation_due |= !self.epochs.is_empty();
            }
        }
        if let Some(member) = self.members.get_mut(&user) {
            member.head = head;
        }
        Ok(())
    }

    fn check_role(&self, role: RoleId) -> Result<(), RosterError> {
        match self.roles.contains_key(&role) {
            true => Ok(()),
            false => Err(RosterError::NoSuchRole(role.0)),
        }
    }

    fn member_mut(&mut self, user: UserId) -> Result<&mut Member, RosterError> {
        self.members
            .get_mut(&user)
            .ok_or(RosterError::NotMember(user))
    }

    fn is_admin(&self, user: UserId) -> bool {
        self.role_of(user).is_some_and(|role| role.flags.admin)
    }

    fn members_who(&self, wanted: impl Fn(&Role) -> bool) -> impl Iterator<Item = UserId> {
        self.members()
            .filter(move |(_, member)| self.roles.get(&member.role).is_some_and(&wanted))
            .map(|(user, _)| user)
    }

    fn keys_of(
        &self,
        users: impl IntoIterator<Item = UserId>,
        sigchains: &Sigchains,
    ) -> Result<Vec<Reader>, RosterError> {
        let keys = users.into_iter().map(|user| {
            let chain = sigchain(sigchains, user)?;
            if let Some(member) = self.members.get(&user) {
                chain
                    .check_contains(&member.head)
                    .map_err(|reason| RosterError::Sigchain { user, reason })?;
            }
            chain.state().reader().ok_or(RosterError::NoReader(user))
        });
        keys.collect()
    }
}

/// The chain of `user`, which must say that it is theirs.
fn sigchain(sigchains: &Sigchains, user: UserId) -> Result<&Sigchain, RosterError> {
    sigchains
        .get(&user)
        .filter(|chain| chain.user() == user)
        .ok_or(RosterError::SigchainMissing(user))
}
