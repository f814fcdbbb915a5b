//! The per-user key: what is sealed to a person rather than to a device.

use std::fmt;

use zeroize::Zeroizing;

use super::device_keys::DeviceKeys;
use super::error::PukError;
use super::reader::Reader;
use crate::entropy::{Entropy, EntropyError};
use crate::error::Error;
use crate::id::{DeviceId, UserId};
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, derive, open_box, seal_box};
use crate::reader_key::{ReaderPublicKey, ReaderSecretKey, WRAP_BYTES};

const SEED_BYTES: usize = 32;
/// Bytes of the previous generation's seed, boxed.
pub(super) const PREV_BOX_BYTES: usize = SEED_BYTES + BOX_OVERHEAD_BYTES;

/// One generation of a person's key.
///
/// Wiped from memory when dropped; `Debug` shows person and generation.
#[derive(Clone)]
pub struct Puk {
    user: UserId,
    generation: u32,
    seed: Zeroizing<[u8; SEED_BYTES]>,
}

impl Puk {
    pub(super) fn generate(
        user: UserId,
        generation: u32,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        entropy.fill(&mut *seed)?;
        Ok(Self {
            user,
            generation,
            seed,
        })
    }

    /// Whose key it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Number of this generation, from 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Opens what is sealed to this generation.
    pub fn reader_key(&self) -> ReaderSecretKey {
        let ikm = derive(&*self.seed, &Label::PukHpkeIkm.bind(&self.context()));
        ReaderSecretKey::from_ikm(&ikm)
    }

    /// What others seal to.
    pub fn reader(&self) -> Reader {
        Reader {
            user: self.user,
            generation: self.generation,
            key: *self.reader_key().public_key(),
        }
    }

    /// Boxes what belongs to this generation: the seed before it, the items key.
    pub(super) fn symmetric_key(&self) -> Zeroizing<[u8; 32]> {
        derive(&*self.seed, &Label::PukSym.bind(&self.context()))
    }

    pub(super) fn wrap_for(
        &self,
        device: DeviceId,
        device_key: &ReaderPublicKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<[u8; WRAP_BYTES], EntropyError> {
        let info = wrap_info(&self.reader(), device);
        match device_key.seal_bytes(&info, &*self.seed, entropy) {
            Ok(wrap) => Ok(wrap.try_into().expect("a seed has one length")),
            Err(Error::Entropy(failure)) => Err(failure),
            Err(_) => unreachable!("a public key of small order was refused when it was read"),
        }
    }

    /// Opens a wrap, and compares with the public key that the sigchain names.
    pub(super) fn open_wrap(
        named: &Reader,
        keys: &DeviceKeys,
        wrap: &[u8; WRAP_BYTES],
    ) -> Result<Self, PukError> {
        let info = wrap_info(named, keys.device());
        let seed = keys
            .hpke_key()
            .open_bytes(&info, wrap)
            .map_err(|_| PukError::Refused(named.generation))?;
        Self::from_opened(named, &seed)
    }

    pub(super) fn box_previous(
        &self,
        previous: &Self,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<[u8; PREV_BOX_BYTES], EntropyError> {
        let boxed = seal_box(
            &self.symmetric_key(),
            &self.prev_context(),
            &*previous.seed,
            entropy,
        )?;
        Ok(boxed.try_into().expect("a seed has one length"))
    }

    pub(super) fn open_previous(
        &self,
        named: &Reader,
        boxed: &[u8; PREV_BOX_BYTES],
    ) -> Result<Self, PukError> {
        let seed = open_box(&self.symmetric_key(), &self.prev_context(), boxed)
            .ok_or(PukError::Refused(named.generation))?;
        Self::from_opened(named, &seed)
    }

    fn from_opened(named: &Reader, seed: &[u8]) -> Result<Self, PukError> {
        let seed = seed
            .try_into()
            .map_err(|_| PukError::Refused(named.generation))?;
        let opened = Self {
            user: named.user,
            generation: named.generation,
            seed: Zeroizing::new(seed),
        };
        if opened.reader() != *named {
            return Err(PukError::Swapped(named.generation));
        }
        Ok(opened)
    }

    fn prev_context(&self) -> Vec<u8> {
        Label::PukPrevBox.bind(&self.context())
    }

    /// Person and generation.
    pub(super) fn context(&self) -> Vec<u8> {
        [
            self.user.as_bytes().as_slice(),
            &self.generation.to_be_bytes(),
        ]
        .concat()
    }
}

impl fmt::Debug for Puk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Puk(… generation {} of {})", self.generation, self.user)
    }
}

/// All generations of one's own key, opened on a live device.
#[derive(Debug, Clone)]
pub struct PukRing {
    /// From generation 1 on; never empty.
    generations: Vec<Puk>,
}

impl PukRing {
    /// `newest_first` has every generation.
    pub(super) fn new(mut newest_first: Vec<Puk>) -> Result<Self, PukError> {
        newest_first.reverse();
        match newest_first.is_empty() {
            true => Err(PukError::None),
            false => Ok(Self {
                generations: newest_first,
            }),
        }
    }

    /// The newest generation.
    pub fn current(&self) -> &Puk {
        self.generations.last().expect("a ring is never empty")
    }

    /// One generation.
    ///
    /// # Errors
    /// [`PukError::NoGeneration`] when there is none of that number.
    pub fn generation(&self, generation: u32) -> Result<&Puk, PukError> {
        let place = usize::try_from(generation)
            .ok()
            .and_then(|n| n.checked_sub(1));
        place
            .and_then(|place| self.generations.get(place))
            .ok_or(PukError::NoGeneration(generation))
    }
}

fn wrap_info(named: &Reader, device: DeviceId) -> Vec<u8> {
    let context = [
        named.user.as_bytes().as_slice(),
        &named.generation.to_be_bytes(),
        named.key.as_bytes(),
        device.as_bytes(),
    ]
    .concat();
    Label::PukDeviceWrap.bind(&context)
}
