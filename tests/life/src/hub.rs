//! Hubs: believed, begun, and continued by admins.

use crypto::hub::{Change, Invitation, Role, RoleFlags, RoleId, RosterState};
use crypto::identity::ChainHead;
use crypto::{HubId, UserId};
use crypto_session::{Code, LogFollower, NewHubKey, People};
use protocol::{
    Blob, EpochSearchRoot, HubKeyWraps, HubKeys, HubSettings, Id, PersonSigchain,
    ROSTER_ROLE_HUB_ADMIN, ROSTER_ROLE_REPORTER, ROSTER_ROLE_REVIEWER, ROSTER_ROLE_VOLUNTEER,
    RosterExtension, RosterHead, RosterPage, SigchainsPage,
};

use crate::client::Client;
use crate::failure::Failure;

/// Every permission that a server knows; the bits are in the order of [`protocol::Permission`].
const ALL: u64 = 0xfff;
const WRITE_RECORDS: u64 = 1;
const READ_RECORDS: u64 = 1 << 1;
const TAKE_CALLS: u64 = 1 << 2;
const READ_CALLS: u64 = 1 << 3;
const HEAR_VOICEMAIL: u64 = 1 << 5;

/// The built-in roles as rosters define them.
fn roles() -> Vec<(RoleId, Role)> {
    let role = |id, admin, reviewer, permissions| {
        let flags = RoleFlags { admin, reviewer };
        (RoleId(id), Role { flags, permissions })
    };
    let reviews = READ_RECORDS | READ_CALLS | HEAR_VOICEMAIL;
    vec![
        role(ROSTER_ROLE_HUB_ADMIN, true, false, ALL),
        role(
            ROSTER_ROLE_VOLUNTEER,
            false,
            false,
            WRITE_RECORDS | TAKE_CALLS,
        ),
        role(ROSTER_ROLE_REVIEWER, false, true, reviews),
        role(ROSTER_ROLE_REPORTER, false, false, WRITE_RECORDS),
    ]
}

/// A hub whose roster and people were believed.
pub struct Hub {
    /// Which.
    pub id: HubId,
    /// The verified device lists of its people.
    pub people: People,
    /// The log that they were compared with.
    pub log: LogFollower,
}

impl Client {
    /// Loads a hub and believes it if the roster and every device list verify, continue what was
    /// seen, and are what the key log tells everybody. Opens its keys.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn hub(&mut self, hub: Id) -> Result<Hub, Failure> {
        let (view, heads) = again_if_unlogged(|| self.compared(hub))?;
        self.seen.people.extend(heads);
        self.saw_roster(view.id)?;
        self.open_hub_keys(hub)?;
        Ok(view)
    }

    /// Loads roster and device lists, and compares them with the log as it was just before; gives
    /// the heads of the lists, too. Nothing is remembered as seen: what is not in the log may be
    /// for this device alone.
    fn compared(&mut self, hub: Id) -> Result<(Hub, Vec<(String, Blob)>), Failure> {
        let log = self.check_log()?;
        let mut people = People::default();
        let mut heads = Vec::new();
        let all = self.sigchains(hub)?;
        for person in &all {
            heads.push(self.verify(person, &mut people)?);
        }
        log.check_people(&people)?;
        let user = self.user();
        if let Some(own) = all.iter().find(|person| person.user == user) {
            self.follow_own(own)?;
        }
        let id = HubId::from_bytes(hub.0);
        let links = self.roster_links(hub)?;
        let seen = self.seen.rosters.get(&hub.to_string());
        let seen = seen.map(|head| head.0.clone());
        let session = &mut self.line.session;
        session.forget_hub(id)?;
        session.follow_hub_links(id, &links, seen.as_deref(), &people)?;
        if let Err(refusal) = log.check_hub(session, id) {
            session.forget_hub(id)?;
            return Err(refusal.into());
        }
        Ok((Hub { id, people, log }, heads))
    }

    /// What the roster of a hub says that was loaded.
    ///
    /// # Errors
    /// [`Failure::NotBelieved`].
    pub fn roster(&self, hub: &Hub) -> Result<&RosterState, Failure> {
        Ok(self.line.session.hub(hub.id)?)
    }

    /// Begins the roster of a hub, with oneself as its admin, and its first key.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn begin_hub(&mut self, hub: Id) -> Result<(), Failure> {
        let id = HubId::from_bytes(hub.0);
        let own_role = RoleId(ROSTER_ROLE_HUB_ADMIN);
        let now = self.line.now_ms();
        self.line.session.create_hub(id, &roles(), own_role, now)?;
        let people = People::default();
        let new = self.line.session.new_hub_key(id, None, &people, now)?;
        let request = announced(new, self.newest_epoch(id)?);
        self.extend(id, 0, request)
    }

    /// Takes somebody who redeemed an invitation in, and hands them the hub's key.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn admit(&mut self, hub: Id, user: Id, role: u16) -> Result<(), Failure> {
        let mut view = self.hub(hub)?;
        let person: PersonSigchain = self.get(&format!("/hubs/{hub}/sigchains/{user}"))?;
        if person.user != user {
            let lie = "it gave the device list of somebody else";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        let (name, head) = self.verify(&person, &mut view.people)?;
        again_if_unlogged(|| match view.log.check_people(&view.people) {
            Err(refusal) => {
                // For the second try.
                view.log = self.check_log()?;
                Err(refusal.into())
            }
            Ok(()) => Ok(()),
        })?;
        self.seen.people.insert(name, head);
        self.keep_seen()?;
        self.check_invited(&view, hub, user, role)?;
        let known = self.line.session.hub(view.id)?.head().seqno;
        let (user, now) = (UserId::from_bytes(user.0), self.line.now_ms());
        self.line
            .session
            .add_member(view.id, user, RoleId(role), &view.people, now)?;
        let wrap = self
            .line
            .session
            .wrap_hub_key(view.id, user, &view.people)?;
        let request = RosterExtension {
            wraps: vec![Blob(wrap)],
            ..RosterExtension::default()
        };
        self.extend(view.id, known, request)
    }

    /// The server says who used an invitation; whoever held its link vouches for it.
    fn check_invited(&mut self, view: &Hub, hub: Id, user: Id, role: u16) -> Result<(), Failure> {
        let invites = self.used_invites(hub)?;
        let used = invites.iter().find(|invite| invite.used_by == Some(user));
        let used = used.ok_or_else(|| Failure::Misused("they used no invitation".to_owned()))?;
        let invited = Invitation {
            id: used.invite.0,
            role: RoleId(role),
        };
        let voucher = used.voucher.as_ref().map_or(&[][..], |voucher| &voucher.0);
        let (user, people) = (UserId::from_bytes(user.0), &view.people);
        let session = &self.line.session;
        Ok(session.check_voucher(view.id, &invited, user, voucher, people)?)
    }

    /// Changes the roster, notes how far everybody's device lists go, and makes a new hub key if
    /// one is due then.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn change_hub(&mut self, hub: Id, changes: Vec<Change>) -> Result<(), Failure> {
        let view = self.hub(hub)?;
        let (known, now) = (
            self.line.session.hub(view.id)?.head().seqno,
            self.line.now_ms(),
        );
        let noted = self.line.session.note_devices(view.id, &view.people, now)?;
        if !changes.is_empty() {
            self.line
                .session
                .change_hub(view.id, changes, &view.people, now)?;
        } else if !noted {
            return Ok(());
        }
        let mut request = RosterExtension::default();
        if self.line.session.hub(view.id)?.hub_key_rotation_due() {
            let settings: HubSettings = self.get(&format!("/hubs/{hub}/settings"))?;
            let settings = settings.settings.map(|settings| settings.0);
            let new =
                self.line
                    .session
                    .new_hub_key(view.id, settings.as_deref(), &view.people, now)?;
            request = announced(new, self.newest_epoch(view.id)?);
        }
        self.extend(view.id, known, request)
    }

    /// Hands the newest hub key to a member who has a new key of their own.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn wrap_hub_key(&mut self, hub: Id, user: Id) -> Result<(), Failure> {
        let view = self.hub(hub)?;
        let user = UserId::from_bytes(user.0);
        let wrap = self
            .line
            .session
            .wrap_hub_key(view.id, user, &view.people)?;
        let wraps = HubKeyWraps {
            wraps: vec![Blob(wrap)],
        };
        self.tell("POST", &format!("/hubs/{hub}/keys"), &wraps)?
            .bytes()?;
        Ok(())
    }

    /// Verifies this person's own device list, follows it and remembers how far it goes.
    pub(crate) fn believe_own(&mut self, own: &PersonSigchain) -> Result<(), Failure> {
        let (name, head) = self.verify(own, &mut People::default())?;
        self.follow_own(own)?;
        self.seen.people.insert(name, head);
        self.keep_seen()
    }

    /// Verifies a device list; gives its person's name and its head, to be remembered.
    fn verify(
        &self,
        person: &PersonSigchain,
        people: &mut People,
    ) -> Result<(String, Blob), Failure> {
        let user = UserId::from_bytes(person.user.0);
        let name = person.user.to_string();
        let seen = self.seen.people.get(&name).map(|head| head.0.as_slice());
        let head = people.add(user, &person.sigchain.0, seen)?;
        Ok((name, Blob(head.to_vec())))
    }

    fn follow_own(&mut self, own: &PersonSigchain) -> Result<(), Failure> {
        let seen = self.seen.people.get(&own.user.to_string());
        let seen = seen.map(|head| head.0.as_slice());
        Ok(self.line.session.follow_sigchain(&own.sigchain.0, seen)?)
    }

    fn open_hub_keys(&mut self, hub: Id) -> Result<(), Failure> {
        let id = HubId::from_bytes(hub.0);
        let sealed: HubKeys = self.get(&format!("/hubs/{hub}/keys"))?;
        let mut newest = None;
        for key in sealed.keys {
            self.line.session.open_hub_key(id, &key.wrap.0)?;
            newest = Some(key.search_root.0);
        }
        if let Some(search_root) = newest {
            self.line.session.open_search_root(id, &search_root)?;
        }
        Ok(())
    }

    /// Sends the links after number `known`, with what they announce.
    fn extend(
        &mut self,
        id: HubId,
        known: u32,
        mut request: RosterExtension,
    ) -> Result<(), Failure> {
        let hub = Id(*id.as_bytes());
        let new = self.line.session.roster_links_after(id, known)?;
        request.links = new.into_iter().map(Blob).collect();
        let path = format!("/hubs/{hub}/roster");
        let head: RosterHead = self.tell("POST", &path, &request)?.json()?;
        let ours = self.line.session.hub(id)?.head();
        let theirs = (head.seqno, head.hash.0.as_slice());
        if theirs != (ours.seqno, ours.hash.as_slice()) {
            let lie = "it keeps another roster than the one it was sent";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        self.saw_roster(id)
    }

    fn saw_roster(&mut self, id: HubId) -> Result<(), Failure> {
        let head: [u8; ChainHead::BYTES] = self.line.session.roster_head(id)?;
        let hub = Id(*id.as_bytes()).to_string();
        self.seen.rosters.insert(hub, Blob(head.to_vec()));
        self.keep_seen()
    }

    fn newest_epoch(&self, id: HubId) -> Result<u32, Failure> {
        let epoch = self.line.session.hub(id)?.epoch();
        Ok(epoch.map_or(0, |epoch| epoch.epoch))
    }

    fn roster_links(&mut self, hub: Id) -> Result<Vec<Vec<u8>>, Failure> {
        let mut links = Vec::new();
        loop {
            let after = links.len();
            let page: RosterPage = self.get(&format!("/hubs/{hub}/roster?after={after}"))?;
            let more = page.more && !page.links.is_empty();
            links.extend(page.links.into_iter().map(|link| link.0));
            if !more {
                return Ok(links);
            }
        }
    }

    fn sigchains(&mut self, hub: Id) -> Result<Vec<PersonSigchain>, Failure> {
        let mut people: Vec<PersonSigchain> = Vec::new();
        loop {
            let path = match people.last() {
                None => format!("/hubs/{hub}/sigchains"),
                Some(last) => format!("/hubs/{hub}/sigchains?after={}", last.user),
            };
            let page: SigchainsPage = self.get(&path)?;
            let more = page.more && !page.people.is_empty();
            people.extend(page.people);
            if !more {
                return Ok(people);
            }
        }
    }
}

/// What goes to the server of a key that was announced in a link.
fn announced(key: NewHubKey, epoch: u32) -> RosterExtension {
    let sealed = Blob(key.search_root);
    RosterExtension {
        links: Vec::new(),
        wraps: key.wraps.into_iter().map(|(_, wrap)| Blob(wrap)).collect(),
        search_roots: vec![EpochSearchRoot { epoch, sealed }],
        settings: key.settings.map(Blob),
        settings_parts: Vec::new(),
    }
}

/// The log is loaded before what is compared with it, so that an honest change may fall between.
/// Its entry is there before anybody gets the change: a second try with the log loaded anew finds
/// it, or there is none.
fn again_if_unlogged<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    match attempt() {
        Err(Failure::NotBelieved(refusal)) if refusal.code() == Code::Unlogged => attempt(),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use crypto::SigningKey;
    use crypto::transparency::{Leaf, Log, LogSigner, NoteName, Subject};
    use crypto_session::Session;

    use super::*;

    /// A log that has the person's first device list, and the list after a change.
    fn changed_since() -> (LogFollower, People) {
        let mut session = Session::create(None).unwrap();
        session.begin_sigchain(1).unwrap();
        let name = NoteName::new("hotline.example/log").unwrap();
        let signer = LogSigner::new(name.clone(), SigningKey::from_seed(&[1; 32]));
        let mut log = Log::new(name);
        let leaf = Leaf {
            subject: Subject::User(session.user()),
            head: ChainHead::decode(&session.head().unwrap()),
        };
        log.append(leaf);
        let mut follower = LogFollower::unwitnessed(&signer.key().to_string()).unwrap();
        follower
            .accept(log.sign(&signer).as_str(), &[], 1, 0)
            .unwrap();
        follower.download(&leaf.encode()).unwrap();
        session.rotate_key(2).unwrap();
        let mut people = People::default();
        let chain = session.sigchain().unwrap();
        people.add(session.user(), &chain, None).unwrap();
        (follower, people)
    }

    #[test]
    fn what_the_log_does_not_have_is_compared_once_more_and_then_refused() {
        let (log, people) = changed_since();
        let mut tries = 0;
        let honest = again_if_unlogged(|| {
            tries += 1;
            match tries {
                1 => Ok(log.check_people(&people)?),
                _ => Ok(()),
            }
        });
        assert!(honest.is_ok() && tries == 2);
        tries = 0;
        let refused = again_if_unlogged(|| {
            tries += 1;
            Ok(log.check_people(&people)?)
        });
        assert!(
            matches!(refused, Err(Failure::NotBelieved(refusal)) if refusal.code() == Code::Unlogged)
        );
        assert_eq!(tries, 2);
        tries = 0;
        let other = again_if_unlogged(|| -> Result<(), Failure> {
            tries += 1;
            Err(Failure::Misused(String::new()))
        });
        assert!(other.is_err() && tries == 1);
    }
}
