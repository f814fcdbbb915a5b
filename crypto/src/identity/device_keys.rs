//! The keys of one device, and the card by which it introduces itself.

use std::fmt;

use zeroize::Zeroizing;

use super::error::SigchainError;
use super::subkey::{Subkey, attested};
use super::transport_key::TransportSecretKey;
use crate::encoding::Cursor;
use crate::id::{DeviceId, HubId, UserId};
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey, derive};
use crate::reader_key::{ReaderPublicKey, ReaderSecretKey};

const CARD_MAGIC: [u8; 4] = *b"HLDC";
const CARD_VERSION: u8 = 1;

/// Everything that one device of one person can do, from one seed of 32 bytes.
///
/// Wiped from memory when dropped; `Debug` shows ids only.
#[derive(Clone)]
pub struct DeviceKeys {
    user: UserId,
    device: DeviceId,
    seed: Zeroizing<[u8; Self::SEED_BYTES]>,
    signing: SigningKey,
    hpke: ReaderSecretKey,
}

impl DeviceKeys {
    /// Bytes of a seed.
    pub const SEED_BYTES: usize = 32;

    /// The keys of a seed. The seed is 32 uniformly random bytes, made on the
    /// device and kept in its vault; `device` was made at random with it.
    pub fn from_seed(user: UserId, device: DeviceId, seed: &[u8; Self::SEED_BYTES]) -> Self {
        let sign_seed = derive(seed, &Label::DeviceSignSeed.bind(b""));
        let hpke_ikm = derive(seed, &Label::DeviceHpkeIkm.bind(b""));
        Self {
            user,
            device,
            seed: Zeroizing::new(*seed),
            signing: SigningKey::from_seed(&sign_seed),
            hpke: ReaderSecretKey::from_ikm(&hpke_ikm),
        }
    }

    /// Whose device this is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Which device this is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Signs as this device.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// Opens what is sealed to this device.
    pub fn hpke_key(&self) -> &ReaderSecretKey {
        &self.hpke
    }

    /// The secp256k1 key that signs this device's relay events of one hub and
    /// one hub key epoch. Good for nothing else.
    pub fn transport_key(&self, hub: HubId, epoch: u32) -> TransportSecretKey {
        // A candidate is out of range once in 2^128 times.
        let found = (0..=u8::MAX).find_map(|attempt| {
            let context = [hub.as_bytes().as_slice(), &epoch.to_be_bytes(), &[attempt]].concat();
            let scalar = derive(&*self.seed, &Label::DeviceNostrKey.bind(&context));
            TransportSecretKey::from_scalar(&scalar)
        });
        found.expect("256 candidates are not all out of range")
    }

    /// Seals what this device keeps for itself alone.
    pub(super) fn draft_key(&self) -> Zeroizing<[u8; 32]> {
        derive(&*self.seed, &Label::DraftKey.bind(b""))
    }

    /// Introduces this device to its person's other devices.
    pub fn card(&self) -> DeviceCard {
        let sign_key = self.signing.verifying_key();
        let hpke_key = *self.hpke.public_key();
        let subkey = Subkey::Hpke(&hpke_key);
        let attestation = self
            .signing
            .sign(&attested(self.user, self.device, &sign_key, subkey));
        DeviceCard {
            user: self.user,
            device: self.device,
            sign_key,
            hpke_key,
            attestation,
        }
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys(… of {} of {})", self.device, self.user)
    }
}

/// A device's public keys, with its own signature that they are its keys and
/// that it means to be a device of this person.
///
/// Whoever adds the device compares the card with what the person sees on the
/// new device's screen (see provisioning); the signature alone does not say
/// who holds the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceCard {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) sign_key: VerifyingKey,
    pub(super) hpke_key: ReaderPublicKey,
    pub(super) attestation: Signature,
}

impl DeviceCard {
    /// Bytes of an encoded card.
    pub const BYTES: usize = 4 + 1 + UserId::BYTES + Self::BODY_BYTES;
    /// Bytes without magic, version and person, as in a link.
    const BODY_BYTES: usize = DeviceId::BYTES + 2 * 32 + Signature::BYTES;

    /// Reads a card and checks its signature.
    ///
    /// # Errors
    /// [`SigchainError::BadCard`] when the device did not sign these keys for
    /// this person; other variants when the bytes are no card.
    pub fn decode(input: &[u8]) -> Result<Self, SigchainError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != CARD_MAGIC {
            return Err(SigchainError::NotSigchain);
        }
        let version = cursor.u8()?;
        if version != CARD_VERSION {
            return Err(SigchainError::UnknownVersion(version));
        }
        let user = UserId::from_bytes(cursor.array()?);
        let card = Self::read_body(&mut cursor, user)?;
        if cursor.position() != input.len() {
            return Err(SigchainError::Malformed("bytes after the end"));
        }
        card.verify()?;
        Ok(card)
    }

    /// Writes the card, to send to a device that is on the list.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&CARD_MAGIC);
        out.push(CARD_VERSION);
        out.extend_from_slice(self.user.as_bytes());
        self.push_body(&mut out);
        out
    }

    /// Whose device it means to be.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The device's id.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Checks the device's signatures.
    pub fn sign_key(&self) -> &VerifyingKey {
        &self.sign_key
    }

    /// Seals to the device.
    pub fn hpke_key(&self) -> &ReaderPublicKey {
        &self.hpke_key
    }

    pub(super) fn verify(&self) -> Result<(), SigchainError> {
        let subkey = Subkey::Hpke(&self.hpke_key);
        let message = attested(self.user, self.device, &self.sign_key, subkey);
        self.sign_key
            .verify(&message, &self.attestation)
            .map_err(|_| SigchainError::BadCard)
    }

    pub(super) fn push_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(self.sign_key.as_bytes());
        out.extend_from_slice(self.hpke_key.as_bytes());
        out.extend_from_slice(self.attestation.as_bytes());
    }

    pub(super) fn read_body(cursor: &mut Cursor<'_>, user: UserId) -> Result<Self, SigchainError> {
        let device = DeviceId::from_bytes(cursor.array()?);
        let sign_key = VerifyingKey::from_bytes(&cursor.array()?)
            .map_err(|_| SigchainError::Malformed("a signing key is not usable"))?;
        Ok(Self {
            user,
            device,
            sign_key,
            hpke_key: read_public_key(cursor)?,
            attestation: Signature::from_bytes(cursor.array()?),
        })
    }
}

pub(super) fn read_public_key(cursor: &mut Cursor<'_>) -> Result<ReaderPublicKey, SigchainError> {
    ReaderPublicKey::from_bytes(cursor.array()?)
        .map_err(|_| SigchainError::Malformed("a sealing key is not usable"))
}
