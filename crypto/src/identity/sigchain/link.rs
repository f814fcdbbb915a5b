//! One entry of a sigchain, as bytes.

use crate::encoding::{Cursor, push_vector};
use crate::id::{DeviceId, UserId};
use crate::identity::chain::MAX_LINK_BYTES;
use crate::identity::device_keys::{DeviceCard, read_public_key};
use crate::identity::error::SigchainError;
use crate::identity::puk::PREV_BOX_BYTES;
use crate::identity::subkey::TransportAttestation;
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey};
use crate::reader_key::{ReaderPublicKey, WRAP_BYTES};

use super::MAX_LIVE_DEVICES;

const MAGIC: [u8; 4] = *b"HLSL";
const VERSION: u8 = 1;
const TYPE_ELDEST: u8 = 1;
const TYPE_ADD: u8 = 2;
const TYPE_REVOKE: u8 = 3;
const TYPE_PUK: u8 = 4;
const TYPE_SUBKEY: u8 = 5;

/// A seed of the per-user key, sealed to one device.
pub(super) type Wrap = [u8; WRAP_BYTES];

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    Eldest(DeviceCard),
    Add {
        card: DeviceCard,
        /// The newest generation, sealed to the new device.
        puk: Option<(u32, Wrap)>,
    },
    Revoke(DeviceId),
    Puk {
        generation: u32,
        key: ReaderPublicKey,
        /// In rising order of device ids.
        wraps: Vec<(DeviceId, Wrap)>,
        /// The seed before, boxed under this one; none for the first.
        previous: Option<[u8; PREV_BOX_BYTES]>,
    },
    Subkey(TransportAttestation),
}

/// An entry without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkBody {
    pub(super) user: UserId,
    pub(super) seqno: u32,
    pub(super) prev: [u8; 32],
    pub(super) time_ms: u64,
    pub(super) signer: DeviceId,
    pub(super) payload: Payload,
}

impl LinkBody {
    /// The bytes of the entry, signed by `key`.
    pub(super) fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut out = self.encode();
        let signature = key.sign(&signed(&out));
        out.extend_from_slice(signature.as_bytes());
        out
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.user.as_bytes());
        out.extend_from_slice(&self.seqno.to_be_bytes());
        out.extend_from_slice(&self.prev);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        out.extend_from_slice(self.signer.as_bytes());
        self.payload.push(&mut out);
        out
    }
}

impl Payload {
    fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::Eldest(card) => {
                out.push(TYPE_ELDEST);
                card.push_body(out);
            }
            Self::Add { card, puk } => {
                out.push(TYPE_ADD);
                card.push_body(out);
                let generation = puk.as_ref().map_or(0, |(generation, _)| *generation);
                out.extend_from_slice(&generation.to_be_bytes());
                push_vector(out, puk.as_ref().map_or(&[], |(_, wrap)| wrap));
            }
            Self::Revoke(device) => {
                out.push(TYPE_REVOKE);
                out.extend_from_slice(device.as_bytes());
            }
            Self::Puk {
                generation,
                key,
                wraps,
                previous,
            } => {
                out.push(TYPE_PUK);
                out.extend_from_slice(&generation.to_be_bytes());
                out.extend_from_slice(key.as_bytes());
                out.push(u8::try_from(wraps.len()).expect("live devices are limited"));
                for (device, wrap) in wraps {
                    out.extend_from_slice(device.as_bytes());
                    out.extend_from_slice(wrap);
                }
                push_vector(out, previous.as_ref().map_or(&[], |boxed| boxed));
            }
            Self::Subkey(attestation) => {
                out.push(TYPE_SUBKEY);
                attestation.push_body(out);
            }
        }
    }

    fn read(
        cursor: &mut Cursor<'_>,
        user: UserId,
        signer: DeviceId,
    ) -> Result<Self, SigchainError> {
        match cursor.u8()? {
            TYPE_ELDEST => DeviceCard::read_body(cursor, user).map(Self::Eldest),
            TYPE_ADD => Ok(Self::Add {
                card: DeviceCard::read_body(cursor, user)?,
                puk: read_added_wrap(cursor)?,
            }),
            TYPE_REVOKE => Ok(Self::Revoke(DeviceId::from_bytes(cursor.array()?))),
            TYPE_PUK => read_puk(cursor),
            TYPE_SUBKEY => TransportAttestation::read_body(cursor, user, signer).map(Self::Subkey),
            _ => Err(SigchainError::Malformed("an entry of an unknown type")),
        }
    }
}

/// An entry whose signature has not been checked.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) body: LinkBody,
    /// What was signed.
    bytes: &'a [u8],
    signature: Signature,
}

impl<'a> Link<'a> {
    pub(super) fn decode(input: &'a [u8]) -> Result<Self, SigchainError> {
        if input.len() > MAX_LINK_BYTES {
            return Err(SigchainError::Malformed("an entry is too long"));
        }
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(SigchainError::NotSigchain);
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(SigchainError::UnknownVersion(version));
        }
        let user = UserId::from_bytes(cursor.array()?);
        let seqno = cursor.u32()?;
        let prev = cursor.array()?;
        let time_ms = cursor.u64()?;
        let signer = DeviceId::from_bytes(cursor.array()?);
        let payload = Payload::read(&mut cursor, user, signer)?;
        let bytes = &input[..cursor.position()];
        let signature = Signature::from_bytes(cursor.array()?);
        if cursor.position() != input.len() {
            return Err(SigchainError::Malformed("bytes after the end"));
        }
        Ok(Self {
            body: LinkBody {
                user,
                seqno,
                prev,
                time_ms,
                signer,
                payload,
            },
            bytes,
            signature,
        })
    }

    pub(super) fn verify(&self, key: &VerifyingKey) -> Result<(), SigchainError> {
        key.verify(&signed(self.bytes), &self.signature)
            .map_err(|_| SigchainError::BadSignature {
                seqno: self.body.seqno,
            })
    }
}

fn signed(body: &[u8]) -> Vec<u8> {
    Label::SigchainLink.bind(body)
}

fn read_added_wrap(cursor: &mut Cursor<'_>) -> Result<Option<(u32, Wrap)>, SigchainError> {
    let generation = cursor.u32()?;
    let wrap = cursor.vector(WRAP_BYTES)?;
    match (generation, wrap) {
        (0, []) => Ok(None),
        (1.., wrap) => wrap
            .try_into()
            .map(|wrap| Some((generation, wrap)))
            .map_err(|_| SigchainError::Malformed("a sealed key has a wrong length")),
        (0, _) => Err(SigchainError::Malformed("a sealed key of no generation")),
    }
}

fn read_puk(cursor: &mut Cursor<'_>) -> Result<Payload, SigchainError> {
    let generation = cursor.u32()?;
    let key = read_public_key(cursor)?;
    let count = usize::from(cursor.u8()?);
    if count > MAX_LIVE_DEVICES {
        return Err(SigchainError::TooManyDevices);
    }
    let mut wraps: Vec<(DeviceId, Wrap)> = Vec::with_capacity(count);
    for _ in 0..count {
        let device = DeviceId::from_bytes(cursor.array()?);
        if wraps.last().is_some_and(|(last, _)| *last >= device) {
            return Err(SigchainError::Malformed("devices are not in order"));
        }
        wraps.push((device, cursor.array()?));
    }
    let previous = match cursor.vector(PREV_BOX_BYTES)? {
        [] => None,
        boxed => Some(
            boxed
                .try_into()
                .map_err(|_| SigchainError::Malformed("a boxed key has a wrong length"))?,
        ),
    };
    if (generation > 1) != previous.is_some() {
        return Err(SigchainError::Malformed(
            "each key but the first carries the key before it",
        ));
    }
    Ok(Payload::Puk {
        generation,
        key,
        wraps,
        previous,
    })
}
