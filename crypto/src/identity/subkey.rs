//! A device's word for its other keys.

use super::device_keys::DeviceKeys;
use super::error::SigchainError;
use super::transport_key::{TransportPublicKey, TransportSignature};
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::id::{DeviceId, HubId, UserId};
use crate::label::Label;
use crate::primitive::{Signature, VerifyingKey, hash};
use crate::reader_key::ReaderPublicKey;

const MAGIC: [u8; 4] = *b"HLTA";
const VERSION: u8 = 1;
const KIND_HPKE: u8 = 1;
const KIND_TRANSPORT: u8 = 2;

/// What a device vouches for.
pub(super) enum Subkey<'a> {
    Hpke(&'a ReaderPublicKey),
    Transport(HubId, u32, &'a TransportPublicKey),
}

/// The message by which a device vouches for a subkey.
pub(super) fn attested(
    user: UserId,
    device: DeviceId,
    sign_key: &VerifyingKey,
    subkey: Subkey<'_>,
) -> Vec<u8> {
    let mut context = Vec::with_capacity(128);
    context.extend_from_slice(user.as_bytes());
    context.extend_from_slice(device.as_bytes());
    context.extend_from_slice(sign_key.as_bytes());
    match subkey {
        Subkey::Hpke(key) => {
            context.push(KIND_HPKE);
            context.extend_from_slice(key.as_bytes());
        }
        Subkey::Transport(hub, epoch, key) => {
            context.push(KIND_TRANSPORT);
            context.extend_from_slice(hub.as_bytes());
            context.extend_from_slice(&epoch.to_be_bytes());
            context.extend_from_slice(key.as_bytes());
        }
    }
    Label::DeviceSubkeyAttest.bind(&context)
}

/// A device's word, and the key's own, that relay events of one hub and epoch
/// under this key come from that device.
///
/// It stands by itself: who knows the device's signing key (from its person's
/// verified sigchain) needs nothing else. Both keys sign, so that nobody can
/// claim another device's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportAttestation {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) hub: HubId,
    pub(super) epoch: u32,
    pub(super) key: TransportPublicKey,
    pub(super) by_device: Signature,
    pub(super) by_key: TransportSignature,
}

impl TransportAttestation {
    /// Vouches for the device's transport key of this hub and hub key epoch.
    ///
    /// # Errors
    /// [`SigchainError::Entropy`] when the source fails.
    pub fn new(
        keys: &DeviceKeys,
        hub: HubId,
        epoch: u32,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, SigchainError> {
        let secret = keys.transport_key(hub, epoch);
        let key = secret.public_key();
        let sign_key = keys.signing_key().verifying_key();
        let subkey = Subkey::Transport(hub, epoch, &key);
        let message = attested(keys.user(), keys.device(), &sign_key, subkey);
        Ok(Self {
            user: keys.user(),
            device: keys.device(),
            hub,
            epoch,
            key,
            by_device: keys.signing_key().sign(&message),
            by_key: secret.sign(&hash(&message), entropy)?,
        })
    }

    /// Reads an attestation; not yet checked, see [`TransportAttestation::verify`].
    ///
    /// # Errors
    /// [`SigchainError`] when the bytes are no attestation.
    pub fn decode(input: &[u8]) -> Result<Self, SigchainError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(SigchainError::NotSigchain);
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(SigchainError::UnknownVersion(version));
        }
        let user = UserId::from_bytes(cursor.array()?);
        let device = DeviceId::from_bytes(cursor.array()?);
        let attestation = Self::read_body(&mut cursor, user, device)?;
        if cursor.position() != input.len() {
            return Err(SigchainError::Malformed("bytes after the end"));
        }
        Ok(attestation)
    }

    /// Writes the attestation, to show to a relay or to other members.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        self.push_body(&mut out);
        out
    }

    /// Checks that the device and the key have both signed.
    ///
    /// # Errors
    /// [`SigchainError::BadAttestation`] when either has not.
    pub fn verify(&self, sign_key: &VerifyingKey) -> Result<(), SigchainError> {
        let subkey = Subkey::Transport(self.hub, self.epoch, &self.key);
        let message = attested(self.user, self.device, sign_key, subkey);
        sign_key
            .verify(&message, &self.by_device)
            .and_then(|()| self.key.verify(&hash(&message), &self.by_key))
            .map_err(|_| SigchainError::BadAttestation)
    }

    /// Whose device it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The device that vouches.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The hub whose events the key signs.
    pub fn hub(&self) -> HubId {
        self.hub
    }

    /// The hub key epoch whose events the key signs.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key that is vouched for.
    pub fn key(&self) -> &TransportPublicKey {
        &self.key
    }

    pub(super) fn push_body(&self, out: &mut Vec<u8>) {
        out.push(KIND_TRANSPORT);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.by_device.as_bytes());
        out.extend_from_slice(self.by_key.as_bytes());
    }

    pub(super) fn read_body(
        cursor: &mut Cursor<'_>,
        user: UserId,
        device: DeviceId,
    ) -> Result<Self, SigchainError> {
        if cursor.u8()? != KIND_TRANSPORT {
            return Err(SigchainError::Malformed("a subkey of an unknown kind"));
        }
        Ok(Self {
            user,
            device,
            hub: HubId::from_bytes(cursor.array()?),
            epoch: cursor.u32()?,
            key: TransportPublicKey::from_bytes(cursor.array()?)
                .map_err(|_| SigchainError::Malformed("a transport key is not usable"))?,
            by_device: Signature::from_bytes(cursor.array()?),
            by_key: TransportSignature::from_bytes(cursor.array()?),
        })
    }
}
