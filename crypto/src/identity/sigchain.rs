//! The signed list of a person's devices and keys.

mod link;
mod state;
#[cfg(test)]
mod threats;

use crate::entropy::Entropy;
use crate::id::{DeviceId, HubId, UserId};
use crate::primitive::VerifyingKey;

use super::chain::{self, ChainFileError, ChainHead, Disagreement};
use super::device_keys::{DeviceCard, DeviceKeys};
use super::error::{PukError, SigchainError};
use super::puk::{Puk, PukRing};
use super::subkey::TransportAttestation;
use link::{LinkBody, Payload};

pub use state::{Device, SigchainState};

/// The most entries of a sigchain.
pub const MAX_SIGCHAIN_LINKS: usize = 4_096;
/// The most devices of a person at a time.
pub const MAX_LIVE_DEVICES: usize = 32;
/// The most devices that a person can have had.
pub const MAX_DEVICES_EVER: usize = 256;

const MAGIC: [u8; 4] = *b"HLSC";

/// A person's sigchain, verified from its first entry to its last.
///
/// That it is verified says that these devices vouch for one another, not that
/// the first of them is who one thinks: that is what a hub's roster, the
/// transparency log and safety numbers are for. Nor does it say that this is
/// all of the chain: see [`Sigchain::check_contains`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sigchain {
    links: Vec<Vec<u8>>,
    hashes: Vec<[u8; 32]>,
    state: SigchainState,
}

impl Sigchain {
    /// Begins a person's chain with their first device. `time_ms` is Unix
    /// milliseconds; the times in a chain are what its signers claim.
    ///
    /// # Errors
    /// None that a caller can bring about; the entry is verified like any other.
    pub fn create(keys: &DeviceKeys, time_ms: u64) -> Result<Self, SigchainError> {
        let body = LinkBody {
            user: keys.user(),
            seqno: 1,
            prev: [0; 32],
            time_ms,
            signer: keys.device(),
            payload: Payload::Eldest(keys.card()),
        };
        Self::from_links([body.sign(keys.signing_key())])
    }

    /// Verifies entries, from the first on.
    ///
    /// # Errors
    /// [`SigchainError`] for the first entry that breaks a rule.
    pub fn from_links(
        links: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, SigchainError> {
        let mut links = links.into_iter();
        let first = links.next().ok_or(SigchainError::Empty)?;
        let state = SigchainState::begin(first.as_ref())?;
        let mut chain = Self {
            links: vec![first.as_ref().to_vec()],
            hashes: vec![state.head.hash],
            state,
        };
        links.try_for_each(|link| chain.append(link.as_ref()))?;
        Ok(chain)
    }

    /// Reads and verifies a whole chain.
    ///
    /// # Errors
    /// [`SigchainError`] for the first thing that breaks a rule.
    pub fn decode(input: &[u8]) -> Result<Self, SigchainError> {
        let links = chain::decode_links(MAGIC, MAX_SIGCHAIN_LINKS, input)?;
        Self::from_links(links)
    }

    /// Writes the whole chain.
    pub fn encode(&self) -> Vec<u8> {
        chain::encode_links(MAGIC, &self.links)
    }

    /// Verifies the next entry, as it came from another device. On an error the
    /// chain is as it was.
    ///
    /// # Errors
    /// [`SigchainError`] when the entry breaks a rule.
    pub fn append(&mut self, link: &[u8]) -> Result<(), SigchainError> {
        self.state.apply(link)?;
        self.links.push(link.to_vec());
        self.hashes.push(self.state.head.hash);
        Ok(())
    }

    /// What the chain says.
    pub fn state(&self) -> &SigchainState {
        &self.state
    }

    /// Whose chain it is.
    pub fn user(&self) -> UserId {
        self.state.user
    }

    /// How far it goes; to be remembered, and shown to others.
    pub fn head(&self) -> ChainHead {
        self.state.head
    }

    /// The entries, to store or send one by one.
    pub fn links(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.links.iter().map(Vec::as_slice)
    }

    /// Demands that this chain continues the one that was seen before.
    ///
    /// # Errors
    /// [`SigchainError::Rollback`] when it ends earlier,
    /// [`SigchainError::Fork`] when it tells another history.
    pub fn check_contains(&self, seen: &ChainHead) -> Result<(), SigchainError> {
        chain::contains(&self.hashes, seen).map_err(|disagreement| match disagreement {
            Disagreement::Rollback => SigchainError::Rollback,
            Disagreement::Fork => SigchainError::Fork,
        })
    }

    /// The signing key of a device that was live when the chain went as far as
    /// `head`, which must be part of this chain.
    ///
    /// # Errors
    /// As of [`Sigchain::check_contains`]; [`SigchainError::NoSuchDevice`] when
    /// the device was not live there.
    pub fn device_at(
        &self,
        device: DeviceId,
        head: &ChainHead,
    ) -> Result<&VerifyingKey, SigchainError> {
        self.check_contains(head)?;
        self.state
            .device(device)
            .filter(|device| device.was_live_at(head.seqno))
            .map(|device| &device.sign_key)
            .ok_or(SigchainError::NoSuchDevice)
    }

    /// Whether an entry after `from`, up to `to`, revokes a device.
    pub(crate) fn revokes_between(&self, from: u32, to: u32) -> bool {
        let mut revocations = self
            .state
            .devices()
            .filter_map(|(_, device)| device.revoked);
        revocations.any(|seqno| seqno > from && seqno <= to)
    }

    /// Adds a device, as one that is on the list.
    ///
    /// The person must have compared the card with the new device: whoever gets
    /// a wrong card signed is inside. `puk` is the newest generation, which the
    /// new device is given; `None` before the first.
    ///
    /// # Errors
    /// [`SigchainError`] when the rules do not allow it; the chain is then as
    /// it was.
    pub fn add_device(
        &mut self,
        signer: &DeviceKeys,
        card: &DeviceCard,
        puk: Option<&Puk>,
        time_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(), SigchainError> {
        if card.user != self.user() {
            return Err(SigchainError::BadCard);
        }
        let puk = match self.newest(puk)? {
            None => None,
            Some(puk) => {
                let wrap = puk.wrap_for(card.device, &card.hpke_key, entropy)?;
                Some((puk.generation(), wrap))
            }
        };
        self.write(signer, time_ms, Payload::Add { card: *card, puk })
    }

    /// Revokes a device. A rotation of the per-user key is then due.
    ///
    /// # Errors
    /// [`SigchainError`] when the rules do not allow it; the chain is then as
    /// it was.
    pub fn revoke_device(
        &mut self,
        signer: &DeviceKeys,
        device: DeviceId,
        time_ms: u64,
    ) -> Result<(), SigchainError> {
        self.write(signer, time_ms, Payload::Revoke(device))
    }

    /// Makes the next generation of the per-user key, sealed to every live
    /// device. `current` is the generation before it; `None` before the first.
    ///
    /// # Errors
    /// [`SigchainError`] when the rules do not allow it; the chain is then as
    /// it was.
    pub fn rotate_puk(
        &mut self,
        signer: &DeviceKeys,
        current: Option<&Puk>,
        time_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Puk, SigchainError> {
        let current = self.newest(current)?;
        let next = Puk::generate(self.user(), self.state.generation() + 1, entropy)?;
        let previous = match current {
            None => None,
            Some(current) => Some(next.box_previous(current, entropy)?),
        };
        let mut wraps = Vec::new();
        for (id, device) in self.state.live_devices() {
            wraps.push((id, next.wrap_for(id, &device.hpke_key, entropy)?));
        }
        let reader = next.reader();
        let payload = Payload::Puk {
            generation: reader.generation,
            key: reader.key,
            wraps,
            previous,
        };
        self.write(signer, time_ms, payload)?;
        Ok(next)
    }

    /// Lists the signer's transport key of a hub and hub key epoch.
    ///
    /// A [`TransportAttestation`] also holds by itself; it is listed where
    /// others should see which keys there are.
    ///
    /// # Errors
    /// [`SigchainError`] when the rules do not allow it; the chain is then as
    /// it was.
    pub fn attest_transport_key(
        &mut self,
        signer: &DeviceKeys,
        hub: HubId,
        epoch: u32,
        time_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(), SigchainError> {
        let attestation = TransportAttestation::new(signer, hub, epoch, entropy)?;
        self.write(signer, time_ms, Payload::Subkey(attestation))
    }

    /// Opens every generation of the per-user key, on a live device of its
    /// person: the newest with the device's key, the others with the one after
    /// or, where that fails, with the device's key too. So a stolen device that
    /// makes a generation with a broken box does not take the older ones away.
    ///
    /// # Errors
    /// [`PukError`] when there is none, when this device is not given it, or
    /// when a generation is not the one that the chain names.
    pub fn open_puk(&self, keys: &DeviceKeys) -> Result<PukRing, PukError> {
        let newest = self.state.puk.last().ok_or(PukError::None)?;
        let wrap = newest
            .wraps
            .get(&keys.device())
            .ok_or(PukError::NotForThisDevice)?;
        let mut opened = vec![Puk::open_wrap(&newest.reader, keys, wrap)?];
        for pair in self.state.puk.windows(2).rev() {
            let (Some(later), [older, newer]) = (opened.last(), pair) else {
                break;
            };
            let boxed = newer
                .previous
                .as_ref()
                .ok_or(PukError::NoGeneration(older.reader.generation))?;
            let puk = match (
                later.open_previous(&older.reader, boxed),
                older.wraps.get(&keys.device()),
            ) {
                (Err(_), Some(wrap)) => Puk::open_wrap(&older.reader, keys, wrap)?,
                (boxed, _) => boxed?,
            };
            opened.push(puk);
        }
        PukRing::new(opened)
    }

    /// `given` is the newest generation, or none where there is none.
    fn newest<'a>(&self, given: Option<&'a Puk>) -> Result<Option<&'a Puk>, SigchainError> {
        match given.map(Puk::reader) == self.state.reader() {
            true => Ok(given),
            false => Err(SigchainError::PukNeeded),
        }
    }

    fn write(
        &mut self,
        signer: &DeviceKeys,
        time_ms: u64,
        payload: Payload,
    ) -> Result<(), SigchainError> {
        let body = LinkBody {
            user: self.user(),
            seqno: self.head().seqno + 1,
            prev: self.head().hash,
            time_ms,
            signer: signer.device(),
            payload,
        };
        self.append(&body.sign(signer.signing_key()))
    }
}

impl From<ChainFileError> for SigchainError {
    fn from(error: ChainFileError) -> Self {
        match error {
            ChainFileError::Magic => Self::NotSigchain,
            ChainFileError::Version(version) => Self::UnknownVersion(version),
            ChainFileError::TooLong => Self::TooLong,
            ChainFileError::Malformed => Self::Malformed("the file around its entries is damaged"),
        }
    }
}
