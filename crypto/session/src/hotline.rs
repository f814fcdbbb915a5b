//! A hotline as one of its members sees it: who belongs to it, its keys, its
//! settings and its search.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crypto::hub::{
    Change, ExistingReaders, HubEpoch, HubKey, HubKeyWrap, IndexField, IndexToken, Role, RoleId,
    Roster, RosterState, SealedSettings, SearchRoot, Sigchains, Visibility,
};
use crypto::identity::ChainHead;
use crypto::record::RecordPlace;
use crypto::{HubId, UserId};
use zeroize::Zeroizing;

use crate::notes::Expectation;
use crate::people::{self, People};
use crate::refusal::{Code, Refusal};
use crate::session::{Open, Session};

/// A hotline's verified roster, and what this member has opened of it.
pub(crate) struct Hotline {
    pub(crate) roster: Roster,
    /// By epoch.
    keys: BTreeMap<u32, HubKey>,
    search: Option<SearchRoot>,
}

/// A hub key that was just made and announced. All of it goes to the server,
/// together with the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHubKey {
    /// The key, sealed to each member.
    pub wraps: Vec<(UserId, Vec<u8>)>,
    /// The search root under the new key.
    pub search_root: Vec<u8>,
    /// The settings under the new key, where there are any.
    pub settings: Option<Vec<u8>>,
}

impl Session {
    /// Begins a hotline with this person as its first admin. `roles` has at
    /// least `own_role`, with the admin's flag. A hub key is due next.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::OutOfTurn`] when this
    /// hotline is known, [`Code::NotAllowed`] when nobody would be an admin.
    pub fn create_hub(
        &mut self,
        hub: HubId,
        roles: &[(RoleId, Role)],
        own_role: RoleId,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let user = self.user();
        let (open, _) = self.parts()?;
        if open.hubs.contains_key(&hub) {
            return Err(Refusal::new(
                Code::OutOfTurn,
                "this hotline is there already",
            ));
        }
        let head = open.person()?.chain.head();
        let sigchains = open.sigchains(&People::default())?;
        let roles = roles
            .iter()
            .map(|(id, role)| Change::DefineRole(*id, *role));
        let own = Change::AddMember {
            user,
            role: own_role,
            head,
        };
        let founding = roles.chain([own]).collect();
        let roster = Roster::create(hub, &open.keys, founding, &sigchains, now_ms)?;
        open.hubs.insert(hub, Hotline::new(roster));
        Ok(())
    }

    /// Verifies a hotline's roster, as a file. `people` has the device lists of
    /// its members and of everybody who signed it; `seen` is the head that was
    /// stored, or that an invitation named.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::UnknownPerson`], [`Code::Moved`],
    /// [`Code::Rollback`], or what is wrong with the roster.
    pub fn follow_hub(
        &mut self,
        hub: HubId,
        roster: &[u8],
        seen: Option<&[u8]>,
        people: &People,
    ) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let roster = Roster::decode(roster, &open.sigchains(people)?)?;
        open.follow_hub(hub, roster, seen)
    }

    /// As [`Session::follow_hub`], with the links that the server gives: all of
    /// them, from the first on.
    ///
    /// # Errors
    /// As of [`Session::follow_hub`].
    pub fn follow_hub_links(
        &mut self,
        hub: HubId,
        links: &[impl AsRef<[u8]>],
        seen: Option<&[u8]>,
        people: &People,
    ) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let roster = Roster::from_links(links, &open.sigchains(people)?)?;
        open.follow_hub(hub, roster, seen)
    }

    /// Forgets a hotline and its keys: when the server did not take a change
    /// because another admin was faster, to follow it anew.
    ///
    /// # Errors
    /// [`Code::Locked`].
    pub fn forget_hub(&mut self, hub: HubId) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        open.hubs.remove(&hub);
        Ok(())
    }

    /// The whole roster, as a file.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`] when it was not loaded.
    pub fn roster(&self, hub: HubId) -> Result<Vec<u8>, Refusal> {
        Ok(self.opened()?.hub(hub)?.roster.encode())
    }

    /// The roster's links after number `seqno`, to send to the server after
    /// they were made here; all with 0.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn roster_links_after(&self, hub: HubId, seqno: u32) -> Result<Vec<Vec<u8>>, Refusal> {
        let links = self.opened()?.hub(hub)?.roster.links();
        let known = usize::try_from(seqno).unwrap_or(usize::MAX);
        Ok(links.skip(known).map(<[u8]>::to_vec).collect())
    }

    /// How far the roster goes: to be stored, and put into invitations.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn roster_head(&self, hub: HubId) -> Result<[u8; ChainHead::BYTES], Refusal> {
        Ok(self.opened()?.hub(hub)?.roster.head().encode())
    }

    /// What the roster says.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn hub(&self, hub: HubId) -> Result<&RosterState, Refusal> {
        Ok(self.opened()?.hub(hub)?.roster.state())
    }

    /// Who must be able to read a record of `author`, for an
    /// [`crate::Expectation`].
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::NotAllowed`] when the author is no
    /// member.
    pub fn readers(
        &self,
        hub: HubId,
        visibility: Visibility,
        author: UserId,
    ) -> Result<BTreeSet<UserId>, Refusal> {
        Ok(self.hub(hub)?.readers(visibility, author)?)
    }

    /// What is expected of a record by a person that is there already. Author and
    /// readers may have left the hub since.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn expectation(
        &self,
        place: RecordPlace,
        visibility: Visibility,
        author: UserId,
    ) -> Result<Expectation, Refusal> {
        let state = self.hub(place.hub)?;
        let ExistingReaders { allowed, former } = state.readers_of_existing(visibility, author);
        Ok(Expectation {
            former,
            ..Expectation::new(place, author.into(), allowed)
        })
    }

    /// Whether an admin should make a new hub key: there is none yet, or
    /// somebody who has it left or lost a device.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn is_hub_key_due(&self, hub: HubId) -> Result<bool, Refusal> {
        let state = self.hub(hub)?;
        Ok(state.epoch().is_none() || state.hub_key_rotation_due())
    }

    /// Number of the newest revision of the settings; 0 before the first.
    ///
    /// # Errors
    /// As of [`Session::roster`].
    pub fn settings_revision(&self, hub: HubId) -> Result<u32, Refusal> {
        let announced = self.hub(hub)?.settings();
        Ok(announced.map_or(0, |settings| settings.revision))
    }

    /// Changes the roster, as an admin. All of `changes` or none.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::NotAllowed`], [`Code::UnknownPerson`],
    /// [`Code::Limit`].
    pub fn change_hub(
        &mut self,
        hub: HubId,
        changes: Vec<Change>,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        open.change_hub(hub, changes, people, now_ms)
    }

    /// Takes somebody in, whose device list is among `people`.
    ///
    /// # Errors
    /// As of [`Session::change_hub`].
    pub fn add_member(
        &mut self,
        hub: HubId,
        user: UserId,
        role: RoleId,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let head = self.opened()?.chain_of(user, people)?.head();
        let change = Change::AddMember { user, role, head };
        self.change_hub(hub, vec![change], people, now_ms)
    }

    /// Notes how far the members' device lists go, where they have grown: from
    /// then on a device that was revoked signs nothing for this hotline.
    ///
    /// Gives whether there was anything to note.
    ///
    /// # Errors
    /// As of [`Session::change_hub`].
    pub fn note_devices(
        &mut self,
        hub: HubId,
        people: &People,
        now_ms: u64,
    ) -> Result<bool, Refusal> {
        let open = self.opened()?;
        let mut notes = Vec::new();
        for (user, member) in open.hub(hub)?.roster.state().members() {
            let head = open.chain_of(user, people)?.head();
            if head != member.head {
                notes.push(Change::NoteHead { user, head });
            }
        }
        for some in notes.chunks(crypto::hub::MAX_CHANGES) {
            self.change_hub(hub, some.to_vec(), people, now_ms)?;
        }
        Ok(!notes.is_empty())
    }

    /// Makes and announces the hotline's next key, as an admin, and seals it to
    /// every member. `settings` are the newest as the server has them, when
    /// there are any.
    ///
    /// # Errors
    /// As of [`Session::change_hub`] and [`Session::open_settings`];
    /// [`Code::KeyNeeded`] when settings or search root exist and were not
    /// given or opened.
    pub fn new_hub_key(
        &mut self,
        hub: HubId,
        settings: Option<&[u8]>,
        people: &People,
        now_ms: u64,
    ) -> Result<NewHubKey, Refusal> {
        let settings = self.current_settings(hub, settings)?;
        let (open, entropy) = self.parts()?;
        let sigchains = open.sigchains(people)?;
        let hotline = open.hub(hub)?;
        let state = hotline.roster.state();
        let newest = state.epoch().map_or(0, |epoch| epoch.epoch);
        let search = match (&hotline.search, newest) {
            (Some(root), _) => root.clone(),
            (None, 0) => SearchRoot::generate(hub, entropy)?,
            (None, _) => return Err(needed("open the hotline's search root first")),
        };
        let members = state.member_keys(&sigchains)?;
        let key = HubKey::generate(hub, newest + 1, entropy)?;
        let mut changes = vec![Change::HubKey {
            epoch: key.epoch(),
            commitment: key.commitment(),
        }];
        let revision = state.settings().map_or(0, |settings| settings.revision);
        let settings = match settings {
            None => None,
            Some(text) => Some(SealedSettings::seal(&key, revision + 1, &text, entropy)?),
        };
        changes.extend(settings.as_ref().map(SealedSettings::change));
        let search_root = search.seal(&key, entropy)?;
        open.change_hub(hub, changes, people, now_ms)?;
        let hotline = open.hub_mut(hub)?;
        let epoch = *hotline.epoch(key.epoch())?;
        let mut wraps = Vec::with_capacity(members.len());
        let (_, entropy) = self.parts()?;
        for reader in &members {
            let wrap = key.wrap_for(&epoch, reader, entropy)?;
            wraps.push((reader.user, wrap.encode()));
        }
        let (open, _) = self.parts()?;
        open.hub_mut(hub)?.take(key, Some(search));
        Ok(NewHubKey {
            wraps,
            search_root,
            settings: settings.map(|settings| settings.encode()),
        })
    }

    /// Seals the newest hub key to a member: to one who came later, or whose
    /// own key was rotated.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::KeyNeeded`] when the newest key was
    /// not opened, [`Code::NotAllowed`] for somebody who is no member,
    /// [`Code::UnknownPerson`].
    pub fn wrap_hub_key(
        &mut self,
        hub: HubId,
        user: UserId,
        people: &People,
    ) -> Result<Vec<u8>, Refusal> {
        let (open, entropy) = self.parts()?;
        let hotline = open.hub(hub)?;
        let reader = match hotline.roster.state().member(user) {
            Some(_) => open.reader(user, people)?,
            None => {
                let sentence = "this person is no member of the hotline";
                return Err(Refusal::new(Code::NotAllowed, sentence));
            }
        };
        let key = hotline.newest_key()?;
        let epoch = hotline.epoch(key.epoch())?;
        Ok(key.wrap_for(epoch, &reader, entropy)?.encode())
    }

    /// Opens a hub key that is sealed to this person.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::NotForYou`], [`Code::Altered`],
    /// [`Code::KeyNeeded`] when the roster does not announce it yet.
    pub fn open_hub_key(&mut self, hub: HubId, wrap: &[u8]) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let wrap = HubKeyWrap::decode(wrap)?;
        let epoch = open.hub(hub)?.epoch(wrap.epoch())?;
        let key = {
            let puk = open.person()?.ring.generation(wrap.generation())?;
            wrap.open(epoch, puk)?
        };
        open.hub_mut(hub)?.take(key, None);
        Ok(())
    }

    /// Opens the search root that is kept under the newest hub key.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::KeyNeeded`], [`Code::Altered`].
    pub fn open_search_root(&mut self, hub: HubId, sealed: &[u8]) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let hotline = open.hub_mut(hub)?;
        let root = SearchRoot::open(hotline.newest_key()?, sealed)?;
        hotline.search = Some(root);
        Ok(())
    }

    /// Seals the hotline's settings and announces them in the roster, as an
    /// admin. Both go to the server together.
    ///
    /// # Errors
    /// As of [`Session::change_hub`]; [`Code::KeyNeeded`], [`Code::Limit`].
    pub fn seal_settings(
        &mut self,
        hub: HubId,
        text: &[u8],
        people: &People,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let (open, entropy) = self.parts()?;
        let hotline = open.hub(hub)?;
        let announced = hotline.roster.state().settings();
        let revision = announced.map_or(0, |settings| settings.revision) + 1;
        let sealed = SealedSettings::seal(hotline.newest_key()?, revision, text, entropy)?;
        open.change_hub(hub, vec![sealed.change()], people, now_ms)?;
        Ok(sealed.encode())
    }

    /// Opens the newest settings.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::Rollback`] when they are older than
    /// the roster says, [`Code::Altered`], [`Code::KeyNeeded`].
    pub fn open_settings(&self, hub: HubId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let hotline = self.opened()?.hub(hub)?;
        let announced = hotline.roster.state().settings();
        let announced = announced.ok_or_else(|| {
            let sentence = "no admin has announced any settings of this hotline";
            Refusal::new(Code::Altered, sentence)
        })?;
        let settings = SealedSettings::decode(sealed)?;
        Ok(settings.open(announced, hotline.key(settings.epoch())?)?)
    }

    /// The tokens under which a record is found by these words: one for each
    /// word of a name, one for anything else.
    ///
    /// # Errors
    /// As of [`Session::roster`]; [`Code::KeyNeeded`] before the search root
    /// was opened, [`Code::Limit`] for a word that is too short or too long.
    pub fn index(
        &self,
        hub: HubId,
        field: IndexField,
        words: &str,
    ) -> Result<Vec<[u8; IndexToken::BYTES]>, Refusal> {
        let search = self.opened()?.hub(hub)?.search.as_ref();
        let search = search.ok_or_else(|| needed("open the hotline's search root first"))?;
        let terms: Vec<&str> = match field {
            IndexField::NAME_WORD => words.split_whitespace().collect(),
            _ => vec![words],
        };
        let tokens = terms.into_iter().map(|term| {
            let token = search.token(field, term)?;
            Ok(*token.as_bytes())
        });
        tokens.collect()
    }

    fn current_settings(
        &self,
        hub: HubId,
        sealed: Option<&[u8]>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        match (sealed, self.hub(hub)?.settings()) {
            (_, None) => Ok(None),
            (None, Some(_)) => Err(needed("the hotline's newest settings are needed for this")),
            (Some(sealed), Some(_)) => self.open_settings(hub, sealed).map(Some),
        }
    }
}

impl Open {
    pub(crate) fn hub(&self, hub: HubId) -> Result<&Hotline, Refusal> {
        let known = self.hubs.get(&hub);
        known.ok_or_else(|| needed("this hotline's member list was not loaded yet"))
    }

    fn hub_mut(&mut self, hub: HubId) -> Result<&mut Hotline, Refusal> {
        let known = self.hubs.get_mut(&hub);
        known.ok_or_else(|| needed("this hotline's member list was not loaded yet"))
    }

    fn follow_hub(
        &mut self,
        hub: HubId,
        roster: Roster,
        seen: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if roster.state().hub() != hub {
            let sentence = "the server sent the member list of another hotline";
            return Err(Refusal::new(Code::Moved, sentence));
        }
        if let Some(seen) = seen {
            roster.check_contains(&people::head(seen)?)?;
        }
        match self.hubs.get_mut(&hub) {
            Some(known) => {
                roster.check_contains(&known.roster.head())?;
                known.roster = roster;
            }
            None => drop(self.hubs.insert(hub, Hotline::new(roster))),
        }
        Ok(())
    }

    fn change_hub(
        &mut self,
        hub: HubId,
        changes: Vec<Change>,
        people: &People,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let sigchains = self.sigchains(people)?;
        let keys = self.keys.clone();
        let roster = &mut self.hub_mut(hub)?.roster;
        Ok(roster.change(&keys, changes, &sigchains, now_ms)?)
    }

    /// Everybody's chain, with this person's own as this device knows it.
    fn sigchains(&self, people: &People) -> Result<Sigchains, Refusal> {
        let own = &self.person()?.chain;
        let mut chains = people.chains().clone();
        chains.insert(own.user(), own.clone());
        Ok(chains)
    }
}

impl Hotline {
    fn new(roster: Roster) -> Self {
        Self {
            roster,
            keys: BTreeMap::new(),
            search: None,
        }
    }

    fn take(&mut self, key: HubKey, search: Option<SearchRoot>) {
        self.keys.insert(key.epoch(), key);
        self.search = search.or(self.search.take());
    }

    fn epoch(&self, epoch: u32) -> Result<&HubEpoch, Refusal> {
        let announced = self.roster.state().epoch_of(epoch);
        announced.ok_or_else(|| needed("the member list does not announce this hub key yet"))
    }

    pub(crate) fn key(&self, epoch: u32) -> Result<&HubKey, Refusal> {
        let key = self.keys.get(&epoch);
        key.ok_or_else(|| needed(format!("the hub key of epoch {epoch} was not opened yet")))
    }

    pub(crate) fn newest_key(&self) -> Result<&HubKey, Refusal> {
        let newest = self.roster.state().epoch();
        let newest = newest.ok_or_else(|| needed("the hotline has no key yet"))?;
        self.key(newest.epoch)
    }
}

impl fmt::Debug for Hotline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hotline({} …)", self.roster.state().hub())
    }
}

fn needed(sentence: impl Into<String>) -> Refusal {
    Refusal::new(Code::KeyNeeded, sentence)
}
