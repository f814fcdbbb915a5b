//! What a verified sigchain says, and the rules by which each entry changes it.

use std::collections::BTreeMap;

use super::link::{Link, Payload, Wrap};
use super::{MAX_DEVICES_EVER, MAX_LIVE_DEVICES, MAX_SIGCHAIN_LINKS};
use crate::id::{DeviceId, HubId, UserId};
use crate::identity::chain::{ChainHead, link_hash};
use crate::identity::device_keys::DeviceCard;
use crate::identity::error::SigchainError;
use crate::identity::puk::PREV_BOX_BYTES;
use crate::identity::reader::Reader;
use crate::identity::subkey::TransportAttestation;
use crate::identity::transport_key::TransportPublicKey;
use crate::primitive::VerifyingKey;
use crate::reader_key::ReaderPublicKey;

/// A device as the chain knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Checks its signatures.
    pub sign_key: VerifyingKey,
    /// Seals to it.
    pub hpke_key: ReaderPublicKey,
    /// The entry that added it.
    pub added: u32,
    /// The entry that revoked it.
    pub revoked: Option<u32>,
}

impl Device {
    /// Whether it can still act for its person.
    pub fn is_live(&self) -> bool {
        self.revoked.is_none()
    }

    /// Whether it was live right after entry `seqno`.
    pub(crate) fn was_live_at(&self, seqno: u32) -> bool {
        self.added <= seqno && self.revoked.is_none_or(|revoked| revoked > seqno)
    }
}

/// One generation of the per-user key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PukGeneration {
    /// Who opens it, and the public key.
    pub reader: Reader,
    /// The seed, sealed to devices, also to those added later.
    pub(super) wraps: BTreeMap<DeviceId, Wrap>,
    /// The seed before, boxed under this one.
    pub(super) previous: Option<[u8; PREV_BOX_BYTES]>,
}

/// What a person's chain says, after every entry of it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigchainState {
    pub(super) user: UserId,
    pub(super) head: ChainHead,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    /// From generation 1 on.
    pub(super) puk: Vec<PukGeneration>,
    pub(super) puk_rotation_due: bool,
    pub(super) transport_keys: BTreeMap<(HubId, u32, DeviceId), TransportPublicKey>,
}

impl SigchainState {
    /// Whose chain it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// How far it goes.
    pub fn head(&self) -> ChainHead {
        self.head
    }

    /// Every device ever, live and revoked.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter().map(|(id, device)| (*id, device))
    }

    /// The devices that can act for the person now.
    pub fn live_devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices().filter(|(_, device)| device.is_live())
    }

    /// A device, live or revoked.
    pub fn device(&self, device: DeviceId) -> Option<&Device> {
        self.devices.get(&device)
    }

    /// Whom to seal to: the newest generation. `None` before the first.
    pub fn reader(&self) -> Option<Reader> {
        self.puk.last().map(|generation| generation.reader)
    }

    /// An older generation, to check what was sealed to it.
    pub fn reader_of(&self, generation: u32) -> Option<Reader> {
        let place = usize::try_from(generation).ok()?.checked_sub(1)?;
        self.puk.get(place).map(|generation| generation.reader)
    }

    /// Whether a device was revoked after the newest generation was made: the
    /// revoked device can open that generation, so the next live device that
    /// comes by makes a new one.
    pub fn puk_rotation_due(&self) -> bool {
        self.puk_rotation_due
    }

    /// The relay key that a live device has attested in the chain.
    pub fn transport_key(
        &self,
        device: DeviceId,
        hub: HubId,
        epoch: u32,
    ) -> Option<&TransportPublicKey> {
        self.devices.get(&device).filter(|found| found.is_live())?;
        self.transport_keys.get(&(hub, epoch, device))
    }

    /// The state after the first entry.
    pub(super) fn begin(bytes: &[u8]) -> Result<Self, SigchainError> {
        let link = Link::decode(bytes)?;
        let Payload::Eldest(card) = &link.body.payload else {
            return Err(SigchainError::NoEldest);
        };
        let (found, expected) = (link.body.seqno, 1);
        if found != expected {
            return Err(SigchainError::Gap { expected, found });
        }
        if link.body.prev != [0; 32] {
            return Err(SigchainError::WrongPrev { seqno: 1 });
        }
        if link.body.signer != card.device {
            return Err(SigchainError::UnknownSigner { seqno: 1 });
        }
        link.verify(&card.sign_key)?;
        card.verify()?;
        Ok(Self {
            user: link.body.user,
            head: ChainHead {
                seqno: 1,
                hash: link_hash(bytes),
            },
            devices: BTreeMap::from([(card.device, device(card, 1))]),
            puk: Vec::new(),
            puk_rotation_due: false,
            transport_keys: BTreeMap::new(),
        })
    }

    /// Verifies the next entry and applies it; on an error nothing has changed.
    pub(super) fn apply(&mut self, bytes: &[u8]) -> Result<(), SigchainError> {
        let link = Link::decode(bytes)?;
        let seqno = self.check_place(&link)?;
        let signer = self
            .devices
            .get(&link.body.signer)
            .ok_or(SigchainError::UnknownSigner { seqno })?;
        if !signer.is_live() {
            return Err(SigchainError::RevokedSigner { seqno });
        }
        link.verify(&signer.sign_key)?;
        match link.body.payload {
            Payload::Eldest(_) => return Err(SigchainError::SecondEldest { seqno }),
            Payload::Add { card, puk } => self.add(seqno, &card, puk)?,
            Payload::Revoke(device) => self.revoke(seqno, device)?,
            Payload::Puk {
                generation,
                key,
                wraps,
                previous,
            } => self.rotate(generation, key, wraps, previous)?,
            Payload::Subkey(attestation) => self.attest(&attestation)?,
        }
        self.head = ChainHead {
            seqno,
            hash: link_hash(bytes),
        };
        Ok(())
    }

    fn check_place(&self, link: &Link<'_>) -> Result<u32, SigchainError> {
        let (expected, found) = (self.head.seqno + 1, link.body.seqno);
        if expected as usize > MAX_SIGCHAIN_LINKS {
            return Err(SigchainError::TooLong);
        }
        if link.body.user != self.user {
            return Err(SigchainError::OtherUser { seqno: expected });
        }
        if found != expected {
            return Err(SigchainError::Gap { expected, found });
        }
        if link.body.prev != self.head.hash {
            return Err(SigchainError::WrongPrev { seqno: found });
        }
        Ok(found)
    }

    fn add(
        &mut self,
        seqno: u32,
        card: &DeviceCard,
        puk: Option<(u32, Wrap)>,
    ) -> Result<(), SigchainError> {
        card.verify()?;
        let known = self.devices.iter().any(|(id, device)| {
            *id == card.device
                || device.sign_key == card.sign_key
                || device.hpke_key == card.hpke_key
        });
        if known {
            return Err(SigchainError::DeviceKnown);
        }
        if self.live_devices().count() >= MAX_LIVE_DEVICES || self.devices.len() >= MAX_DEVICES_EVER
        {
            return Err(SigchainError::TooManyDevices);
        }
        let expected = self.generation();
        let found = puk.map_or(0, |(generation, _)| generation);
        if found != expected {
            return Err(SigchainError::PukGeneration { expected, found });
        }
        if let (Some(newest), Some((_, wrap))) = (self.puk.last_mut(), puk) {
            newest.wraps.insert(card.device, wrap);
        }
        self.devices.insert(card.device, device(card, seqno));
        Ok(())
    }

    fn revoke(&mut self, seqno: u32, device: DeviceId) -> Result<(), SigchainError> {
        let live = self.live_devices().count();
        let has_puk = !self.puk.is_empty();
        let revoked = self
            .devices
            .get_mut(&device)
            .filter(|device| device.is_live())
            .ok_or(SigchainError::NoSuchDevice)?;
        if live == 1 {
            return Err(SigchainError::LastDevice);
        }
        revoked.revoked = Some(seqno);
        self.puk_rotation_due = has_puk;
        Ok(())
    }

    fn rotate(
        &mut self,
        generation: u32,
        key: ReaderPublicKey,
        wraps: Vec<(DeviceId, Wrap)>,
        previous: Option<[u8; PREV_BOX_BYTES]>,
    ) -> Result<(), SigchainError> {
        let expected = self.generation() + 1;
        if generation != expected {
            let found = generation;
            return Err(SigchainError::PukGeneration { expected, found });
        }
        if self.puk.iter().any(|older| older.reader.key == key) {
            return Err(SigchainError::PukKeyReused);
        }
        let sealed_to = wraps.iter().map(|(device, _)| *device);
        if !sealed_to.eq(self.live_devices().map(|(device, _)| device)) {
            return Err(SigchainError::PukWraps);
        }
        let user = self.user;
        self.puk.push(PukGeneration {
            reader: Reader {
                user,
                generation,
                key,
            },
            wraps: wraps.into_iter().collect(),
            previous,
        });
        self.puk_rotation_due = false;
        Ok(())
    }

    /// `attestation` speaks for the signer: its person and device were taken
    /// from the entry.
    fn attest(&mut self, attestation: &TransportAttestation) -> Result<(), SigchainError> {
        let signer = self
            .devices
            .get(&attestation.device)
            .ok_or(SigchainError::NoSuchDevice)?;
        attestation.verify(&signer.sign_key)?;
        let place = (attestation.hub, attestation.epoch, attestation.device);
        if self.transport_keys.contains_key(&place) {
            return Err(SigchainError::BadAttestation);
        }
        self.transport_keys.insert(place, attestation.key);
        Ok(())
    }

    /// Number of the newest generation, 0 before the first.
    pub(super) fn generation(&self) -> u32 {
        self.reader().map_or(0, |reader| reader.generation)
    }
}

fn device(card: &DeviceCard, added: u32) -> Device {
    Device {
        sign_key: card.sign_key,
        hpke_key: card.hpke_key,
        added,
        revoked: None,
    }
}
