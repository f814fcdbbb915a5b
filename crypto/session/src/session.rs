//! An unlocked device.

use std::collections::BTreeMap;
use std::fmt;

use crypto::identity::{
    ChainHead, DeviceKeys, InviteProof, ItemsKey, LoginChallenge, Puk, PukRing, RequestFacts,
    Sigchain,
};
use crypto::vault::VaultId;
use crypto::{DeviceId, Entropy, HubId, OsEntropy, ReaderSecretKey, UserId};
use zeroize::Zeroizing;

use crate::SharedEntropy;
use crate::hotline::Hotline;
use crate::people;
use crate::pinned::Pinned;
use crate::refusal::{Code, Refusal};

/// One device of one person, from unlocking to locking.
///
/// Holds the device's keys, the person's keys and their items keys; gives none
/// of them out. [`Session::lock`] wipes them, and so does dropping it.
pub struct Session {
    user: UserId,
    device: DeviceId,
    /// In a place of its own, all of which is given back: a move copies unused
    /// bytes as well, and these can hold what lay on the stack before.
    open: Option<Box<Open>>,
    /// What the device that let this one in has pinned of the server.
    pub(crate) pinned: Option<Pinned>,
    entropy: SharedEntropy,
}

/// What a lock takes away.
pub(crate) struct Open {
    pub(crate) seed: Zeroizing<[u8; DeviceKeys::SEED_BYTES]>,
    pub(crate) vault_id: VaultId,
    pub(crate) keys: DeviceKeys,
    /// What a pairing said about the chain before the chain was loaded.
    pub(crate) promised: Option<ChainHead>,
    pub(crate) person: Option<Person>,
    /// By generation of the per-user key.
    pub(crate) items: BTreeMap<u32, ItemsKey>,
    pub(crate) hubs: BTreeMap<HubId, Hotline>,
}

/// The person's own chain and what this device opens of it.
pub(crate) struct Person {
    pub(crate) chain: Sigchain,
    pub(crate) ring: PukRing,
    /// Opens what is sealed to a generation.
    pub(crate) readers: BTreeMap<u32, ReaderSecretKey>,
}

impl Session {
    /// A new device with new keys: of a new person, or of `user`, whose other
    /// device must then add it.
    ///
    /// # Errors
    /// [`Code::NoRandomness`].
    pub fn create(user: Option<UserId>) -> Result<Self, Refusal> {
        Self::create_with(user, Box::new(OsEntropy))
    }

    /// As [`Session::create`], with the randomness of the session.
    ///
    /// # Errors
    /// [`Code::NoRandomness`].
    pub fn create_with(user: Option<UserId>, mut entropy: SharedEntropy) -> Result<Self, Refusal> {
        let user = match user {
            Some(user) => user,
            None => UserId::generate(&mut *entropy)?,
        };
        let device = DeviceId::generate(&mut *entropy)?;
        let vault_id = VaultId::generate(&mut *entropy)?;
        let mut seed = Zeroizing::new([0; DeviceKeys::SEED_BYTES]);
        entropy.fill(&mut *seed)?;
        Ok(Self::of_seed(user, device, &seed, vault_id, entropy))
    }

    pub(crate) fn of_seed(
        user: UserId,
        device: DeviceId,
        seed: &[u8; DeviceKeys::SEED_BYTES],
        vault_id: VaultId,
        entropy: SharedEntropy,
    ) -> Self {
        let open = Open {
            seed: Zeroizing::new(*seed),
            vault_id,
            keys: DeviceKeys::from_seed(user, device, seed),
            promised: None,
            person: None,
            items: BTreeMap::new(),
            hubs: BTreeMap::new(),
        };
        Self {
            user,
            device,
            open: Some(Box::new(open)),
            pinned: None,
            entropy,
        }
    }

    /// Makes this new device one of `user`, before anybody has seen its card.
    pub(crate) fn become_device_of(&mut self, user: UserId) -> Result<(), Refusal> {
        let device = self.device;
        let (open, _) = self.parts()?;
        open.keys = DeviceKeys::from_seed(user, device, &open.seed);
        self.user = user;
        Ok(())
    }

    /// Whose device this is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Which device this is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// What the device that has just let this one in has pinned of the server: to be kept in place
    /// of what the server says of itself.
    pub fn pinned(&self) -> Option<&Pinned> {
        self.pinned.as_ref()
    }

    /// Whether the keys are gone.
    pub fn is_locked(&self) -> bool {
        self.open.is_none()
    }

    /// Wipes every key. Everything but the ids is refused from here on.
    pub fn lock(&mut self) {
        self.open = None;
    }

    /// Begins the sigchain of a new person, with their first key and items key.
    /// `now_ms` is Unix milliseconds.
    ///
    /// # Errors
    /// [`Code::Locked`]; [`Code::OutOfTurn`] when there is a chain already.
    pub fn begin_sigchain(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let (open, entropy) = self.parts()?;
        if open.person.is_some() || open.promised.is_some() {
            return Err(Refusal::new(
                Code::OutOfTurn,
                "this person has a device list already",
            ));
        }
        let mut chain = Sigchain::create(&open.keys, now_ms)?;
        chain.rotate_puk(&open.keys, None, now_ms, entropy)?;
        open.take_chain(chain)?;
        open.new_items_key(entropy)
    }

    /// Verifies the person's own sigchain, as the server has it now, and opens
    /// their keys. `seen` is the head that was stored when it was last loaded.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Moved`], [`Code::Rollback`],
    /// [`Code::NotForYou`] when this device is not on it, or what is wrong with
    /// the chain.
    pub fn follow_sigchain(&mut self, sigchain: &[u8], seen: Option<&[u8]>) -> Result<(), Refusal> {
        let user = self.user;
        let (open, _) = self.parts()?;
        let known = open.person.as_ref().map(|person| person.chain.head());
        let chain = people::verified(user, sigchain, seen, known)?;
        if let Some(promised) = open.promised {
            chain.check_contains(&promised)?;
        }
        open.take_chain(chain)
    }

    /// The whole chain, to send to the server after it was changed here.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`] before there is one.
    pub fn sigchain(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.opened()?.person()?.chain.encode())
    }

    /// How far the chain goes: to be stored, and given when it is next loaded.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`] before there is a chain.
    pub fn head(&self) -> Result<[u8; ChainHead::BYTES], Refusal> {
        Ok(self.opened()?.person()?.chain.head().encode())
    }

    /// The devices that can act for the person now; what is on paper is among them.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`] before there is a chain.
    pub fn devices(&self) -> Result<Vec<DeviceId>, Refusal> {
        let chain = &self.opened()?.person()?.chain;
        Ok(chain.state().live_devices().map(|(id, _)| id).collect())
    }

    /// Revokes another device. It has the newest key: until [`Session::rotate_key`]
    /// makes the next one, this session seals nothing to its person.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::NotAllowed`].
    pub fn revoke_device(&mut self, device: DeviceId, now_ms: u64) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let person = open.person.as_mut().ok_or_else(no_chain)?;
        Ok(person.chain.revoke_device(&open.keys, device, now_ms)?)
    }

    /// Makes the next generation of the person's key and of their items key.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::NoRandomness`].
    pub fn rotate_key(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let (open, entropy) = self.parts()?;
        let person = open.person()?;
        let mut chain = person.chain.clone();
        chain.rotate_puk(&open.keys, Some(person.ring.current()), now_ms, entropy)?;
        open.take_chain(chain)?;
        open.new_items_key(entropy)
    }

    /// The newest items key, sealed to the person: to be kept on the server for
    /// their other devices.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::NoRandomness`];
    /// [`Code::OutOfTurn`] when a device was revoked and [`Session::rotate_key`] has
    /// not followed.
    pub fn sealed_items_key(&mut self) -> Result<Vec<u8>, Refusal> {
        let (open, entropy) = self.parts()?;
        let puk = open.sealing_key()?;
        let items = open.items.get(&puk.generation());
        let items = items.ok_or_else(no_items_key)?;
        Ok(items.seal(puk, entropy)?)
    }

    /// Opens an items key, of any generation, that the server keeps.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::Malformed`],
    /// [`Code::Altered`].
    pub fn open_items_key(&mut self, sealed: &[u8]) -> Result<(), Refusal> {
        let (open, _) = self.parts()?;
        let generation = ItemsKey::generation_of(sealed)?;
        let puk = open.person()?.ring.generation(generation)?;
        let items = ItemsKey::open(puk, sealed)?;
        open.items.insert(generation, items);
        Ok(())
    }

    /// Signs a server's login challenge. `origin` is the server that this
    /// device is connected to, by what TLS says.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Login`], [`Code::Malformed`].
    pub fn answer_login(
        &self,
        challenge: &[u8],
        origin: &str,
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let keys = &self.opened()?.keys;
        let challenge = LoginChallenge::decode(challenge)?;
        Ok(challenge.answer(keys, origin, now_ms)?.encode())
    }

    /// Signs that this device redeems an invite for its person's sigchain,
    /// which is sent along. `origin` is the server that this device is
    /// connected to, by what TLS says.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`] before there is a chain,
    /// [`Code::Malformed`].
    pub fn redeem_invite(&self, code: &str, origin: &str) -> Result<Vec<u8>, Refusal> {
        let open = self.opened()?;
        let chain = &open.person()?.chain;
        Ok(InviteProof::new(&open.keys, chain, origin, code.as_bytes())?.encode())
    }

    /// Signs one request; `path` with its query exactly as sent.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::Malformed`], [`Code::NoRandomness`].
    pub fn prove_request(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let (open, entropy) = self.parts()?;
        let facts = RequestFacts::new(method, path, body, token)?;
        Ok(facts.sign(&open.keys, now_ms, entropy)?.encode())
    }

    pub(crate) fn opened(&self) -> Result<&Open, Refusal> {
        self.open.as_deref().ok_or_else(Refusal::locked)
    }

    pub(crate) fn parts(&mut self) -> Result<(&mut Open, &mut dyn Entropy), Refusal> {
        let open = self.open.as_deref_mut().ok_or_else(Refusal::locked)?;
        Ok((open, &mut *self.entropy))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_locked() { "locked" } else { "…" };
        write!(f, "Session({state}, {} of {})", self.device, self.user)
    }
}

impl Open {
    pub(crate) fn person(&self) -> Result<&Person, Refusal> {
        self.person.as_ref().ok_or_else(no_chain)
    }

    /// The person's newest key, to seal under: not while a device that was revoked still has it.
    pub(crate) fn sealing_key(&self) -> Result<&Puk, Refusal> {
        let person = self.person()?;
        if person.chain.state().puk_rotation_due() {
            return Err(Refusal::new(
                Code::OutOfTurn,
                "a device was taken off and still has the newest key; make the next one first",
            ));
        }
        Ok(person.ring.current())
    }

    /// The items key that new records are wrapped under, if it was loaded.
    pub(crate) fn newest_items_key(&self) -> Option<&ItemsKey> {
        let generation = self.person.as_ref()?.ring.current().generation();
        self.items.get(&generation)
    }

    pub(crate) fn take_chain(&mut self, chain: Sigchain) -> Result<(), Refusal> {
        let ring = chain.open_puk(&self.keys)?;
        let mut readers = BTreeMap::new();
        for generation in 1..=ring.current().generation() {
            let secret = ring.generation(generation)?.reader_key();
            readers.insert(generation, secret);
        }
        self.person = Some(Person {
            chain,
            ring,
            readers,
        });
        Ok(())
    }

    fn new_items_key(&mut self, entropy: &mut dyn Entropy) -> Result<(), Refusal> {
        let puk = self.person()?.ring.current();
        let items = ItemsKey::generate(puk, entropy)?;
        self.items.insert(items.generation(), items);
        Ok(())
    }
}

pub(crate) fn no_chain() -> Refusal {
    Refusal::new(
        Code::KeyNeeded,
        "this person's device list was not loaded yet",
    )
}

pub(crate) fn no_items_key() -> Refusal {
    Refusal::new(Code::KeyNeeded, "the newest items key was not loaded yet")
}
