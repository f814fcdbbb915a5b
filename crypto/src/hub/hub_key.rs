//! The key that a hub's members share for a while, and how each gets it.

use std::fmt;

use zeroize::Zeroizing;

use super::error::HubError;
use crate::encoding::Cursor;
use crate::entropy::{Entropy, EntropyError};
use crate::error::Error;
use crate::id::{HubId, UserId};
use crate::identity::{ChainHead, Puk, Reader};
use crate::label::Label;
use crate::primitive::derive;
use crate::reader_key::WRAP_BYTES;

const MAGIC: [u8; 4] = *b"HLHK";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;

/// A hub key epoch, as an admin announced it in the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubEpoch {
    /// Whose key it is.
    pub hub: HubId,
    /// Number of the epoch, from 1.
    pub epoch: u32,
    /// What the key is recognised by.
    pub commitment: [u8; 32],
    /// The roster's head with the entry that announced it.
    pub announced: ChainHead,
}

/// The key of one epoch: 32 random bytes that no identity is derived from or to.
///
/// Wiped from memory when dropped; `Debug` shows hub and epoch.
#[derive(Clone)]
pub struct HubKey {
    hub: HubId,
    epoch: u32,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl HubKey {
    /// Makes the key of an epoch: the one after the roster's newest.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(
        hub: HubId,
        epoch: u32,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key)?;
        Ok(Self { hub, epoch, key })
    }

    /// Whose key it is.
    pub fn hub(&self) -> HubId {
        self.hub
    }

    /// Number of the epoch, from 1.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What members recognise the key by; an admin puts it into the roster
    /// ([`crate::hub::Change::HubKey`]). It says nothing of the key.
    pub fn commitment(&self) -> [u8; 32] {
        *derive(&*self.key, &Label::HubKeyCommitment.bind(&self.context()))
    }

    /// The tag that this epoch's events have at the relay; changes with the
    /// epoch, and tells nobody outside which hub it is.
    pub fn topic(&self) -> [u8; 16] {
        *derive(&*self.key, &Label::HubTopic.bind(&self.context()))
    }

    /// Seals the key to one member. `announced` is the epoch by the verified
    /// roster, `reader` the member's newest key by their verified sigchain.
    ///
    /// # Errors
    /// [`HubError::KeySwapped`] when this is not the announced key,
    /// [`HubError::Entropy`] when the source fails.
    pub fn wrap_for(
        &self,
        announced: &HubEpoch,
        reader: &Reader,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<HubKeyWrap, HubError> {
        self.check(announced)?;
        let info = wrap_info(announced, reader.user, reader.generation);
        let sealed = match reader.key.seal_bytes(&info, &*self.key, entropy) {
            Ok(sealed) => sealed.try_into().expect("a hub key has one length"),
            Err(Error::Entropy(failure)) => return Err(failure.into()),
            Err(_) => unreachable!("a public key of small order was refused when it was read"),
        };
        Ok(HubKeyWrap {
            hub: self.hub,
            epoch: self.epoch,
            user: reader.user,
            generation: reader.generation,
            sealed,
        })
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    /// Hub and epoch.
    pub(super) fn context(&self) -> Vec<u8> {
        [self.hub.as_bytes().as_slice(), &self.epoch.to_be_bytes()].concat()
    }

    fn check(&self, announced: &HubEpoch) -> Result<(), HubError> {
        let fits = (self.hub, self.epoch) == (announced.hub, announced.epoch)
            && self.commitment() == announced.commitment;
        match fits {
            true => Ok(()),
            false => Err(HubError::KeySwapped),
        }
    }
}

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubKey(… epoch {} of {})", self.epoch, self.hub)
    }
}

/// A hub key, sealed to one member.
///
/// It carries no signature: what it opens to must be the key whose commitment
/// an admin has signed into the roster. So any member can hand the key on to a
/// member who joined later, and nobody can hand on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubKeyWrap {
    hub: HubId,
    epoch: u32,
    user: UserId,
    generation: u32,
    sealed: [u8; WRAP_BYTES],
}

impl HubKeyWrap {
    /// Bytes of an encoded wrap.
    pub const BYTES: usize = 4 + 1 + 16 + 4 + 16 + 4 + WRAP_BYTES;

    /// Reads a wrap.
    ///
    /// # Errors
    /// [`HubError::Malformed`] or [`HubError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, HubError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(HubError::Malformed);
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(HubError::UnknownVersion(version));
        }
        let wrap = Self {
            hub: HubId::from_bytes(cursor.array()?),
            epoch: cursor.u32()?,
            user: UserId::from_bytes(cursor.array()?),
            generation: cursor.u32()?,
            sealed: cursor.array()?,
        };
        match cursor.position() == input.len() {
            true => Ok(wrap),
            false => Err(HubError::Malformed),
        }
    }

    /// Writes the wrap, to be kept on the server.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.sealed);
        out
    }

    /// Whose wrap it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Which generation of the member's key opens it.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Which epoch's key is in it.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Opens the wrap. `announced` is the epoch by the verified roster.
    ///
    /// # Errors
    /// [`HubError::NotForThisKey`] when it is sealed to another person or
    /// generation, [`HubError::WrapRefused`] when it does not open,
    /// [`HubError::KeySwapped`] when the key is not the one that was announced.
    pub fn open(&self, announced: &HubEpoch, puk: &Puk) -> Result<HubKey, HubError> {
        if (self.user, self.generation) != (puk.user(), puk.generation()) {
            return Err(HubError::NotForThisKey);
        }
        let info = wrap_info(announced, self.user, self.generation);
        let key = puk
            .reader_key()
            .open_bytes(&info, &self.sealed)
            .map_err(|_| HubError::WrapRefused)?;
        let key = key.as_slice().try_into();
        let opened = HubKey {
            hub: self.hub,
            epoch: self.epoch,
            key: Zeroizing::new(key.map_err(|_| HubError::WrapRefused)?),
        };
        opened.check(announced)?;
        Ok(opened)
    }
}

fn wrap_info(announced: &HubEpoch, user: UserId, generation: u32) -> Vec<u8> {
    let context = [
        announced.hub.as_bytes().as_slice(),
        &announced.epoch.to_be_bytes(),
        &announced.announced.encode(),
        user.as_bytes(),
        &generation.to_be_bytes(),
    ]
    .concat();
    Label::HubKeyWrap.bind(&context)
}
