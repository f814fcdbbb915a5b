//! One entry of a roster, as bytes.

use crate::encoding::Cursor;
use crate::hub::error::RosterError;
use crate::id::{DeviceId, HubId, UserId};
use crate::identity::ChainHead;
use crate::identity::chain::MAX_LINK_BYTES;
use crate::label::Label;
use crate::primitive::{Signature, SigningKey, VerifyingKey};

use super::MAX_CHANGES;

const MAGIC: [u8; 4] = *b"HLRL";
const VERSION: u8 = 1;
const CHANGE_ROLE: u8 = 1;
const CHANGE_ADD: u8 = 2;
const CHANGE_MEMBER_ROLE: u8 = 3;
const CHANGE_REMOVE: u8 = 4;
const CHANGE_HEAD: u8 = 5;
const CHANGE_EPOCH: u8 = 6;
const CHANGE_SETTINGS: u8 = 7;

/// Number of a role within its hub. What it is called is sealed elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub u16);

/// What the readers of records must know of a role, beside its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoleFlags {
    /// Continues the roster, makes hub keys, reads every case.
    pub admin: bool,
    /// Reads what reporters submit.
    pub reviewer: bool,
}

impl RoleFlags {
    const ADMIN: u8 = 1;
    const REVIEWER: u8 = 2;

    fn encode(self) -> u8 {
        let bit = |set, bit| if set { bit } else { 0 };
        bit(self.admin, Self::ADMIN) | bit(self.reviewer, Self::REVIEWER)
    }

    fn decode(bits: u8) -> Result<Self, RosterError> {
        if bits & !(Self::ADMIN | Self::REVIEWER) != 0 {
            return Err(RosterError::Malformed("a role flag that is not known"));
        }
        Ok(Self {
            admin: bits & Self::ADMIN != 0,
            reviewer: bits & Self::REVIEWER != 0,
        })
    }
}

/// A role: opaque permission bits, which the server checks requests against,
/// and the flags that decide who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// What the flags mean is fixed by the format.
    pub flags: RoleFlags,
    /// What the bits mean is not this crate's business.
    pub permissions: u64,
}

/// One thing that an entry changes. The changes of an entry are applied in
/// order, and all or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Defines a role, or defines it anew.
    DefineRole(RoleId, Role),
    /// Takes somebody in, whose sigchain went as far as `head`.
    AddMember {
        /// The new member.
        user: UserId,
        /// Their role.
        role: RoleId,
        /// What the admin saw of their sigchain.
        head: ChainHead,
    },
    /// Gives a member another role.
    ChangeRole {
        /// The member.
        user: UserId,
        /// Their new role.
        role: RoleId,
    },
    /// Lets a member go. A new hub key epoch is then due.
    RemoveMember {
        /// The member.
        user: UserId,
    },
    /// Notes that a member's sigchain has gone on: a device that it revokes
    /// cannot sign for this hub by an older head any more.
    NoteHead {
        /// The member.
        user: UserId,
        /// What the admin saw of their sigchain.
        head: ChainHead,
    },
    /// Announces the next hub key.
    HubKey {
        /// Number of the epoch, from 1, without gaps.
        epoch: u32,
        /// What the key can be recognised by ([`crate::hub::HubKey::commitment`]).
        commitment: [u8; 32],
    },
    /// Announces the next revision of the hub's settings.
    Settings {
        /// Number of the revision, from 1, without gaps.
        revision: u32,
        /// SHA-256 of the encoded [`crate::hub::SealedSettings`].
        hash: [u8; 32],
    },
}

impl Change {
    fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::DefineRole(id, role) => {
                out.push(CHANGE_ROLE);
                out.extend_from_slice(&id.0.to_be_bytes());
                out.push(role.flags.encode());
                out.extend_from_slice(&role.permissions.to_be_bytes());
            }
            Self::AddMember { user, role, head } => {
                out.push(CHANGE_ADD);
                out.extend_from_slice(user.as_bytes());
                out.extend_from_slice(&role.0.to_be_bytes());
                out.extend_from_slice(&head.encode());
            }
            Self::ChangeRole { user, role } => {
                out.push(CHANGE_MEMBER_ROLE);
                out.extend_from_slice(user.as_bytes());
                out.extend_from_slice(&role.0.to_be_bytes());
            }
            Self::RemoveMember { user } => {
                out.push(CHANGE_REMOVE);
                out.extend_from_slice(user.as_bytes());
            }
            Self::NoteHead { user, head } => {
                out.push(CHANGE_HEAD);
                out.extend_from_slice(user.as_bytes());
                out.extend_from_slice(&head.encode());
            }
            Self::HubKey { epoch, commitment } => {
                out.push(CHANGE_EPOCH);
                out.extend_from_slice(&epoch.to_be_bytes());
                out.extend_from_slice(commitment);
            }
            Self::Settings { revision, hash } => {
                out.push(CHANGE_SETTINGS);
                out.extend_from_slice(&revision.to_be_bytes());
                out.extend_from_slice(hash);
            }
        }
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, RosterError> {
        let kind = cursor.u8()?;
        if kind == CHANGE_ROLE {
            let id = RoleId(cursor.u16()?);
            let flags = RoleFlags::decode(cursor.u8()?)?;
            let permissions = cursor.u64()?;
            return Ok(Self::DefineRole(id, Role { flags, permissions }));
        }
        if kind == CHANGE_EPOCH {
            return Ok(Self::HubKey {
                epoch: cursor.u32()?,
                commitment: cursor.array()?,
            });
        }
        if kind == CHANGE_SETTINGS {
            return Ok(Self::Settings {
                revision: cursor.u32()?,
                hash: cursor.array()?,
            });
        }
        let user = UserId::from_bytes(cursor.array()?);
        match kind {
            CHANGE_ADD => Ok(Self::AddMember {
                user,
                role: RoleId(cursor.u16()?),
                head: ChainHead::read(cursor)?,
            }),
            CHANGE_MEMBER_ROLE => Ok(Self::ChangeRole {
                user,
                role: RoleId(cursor.u16()?),
            }),
            CHANGE_REMOVE => Ok(Self::RemoveMember { user }),
            CHANGE_HEAD => Ok(Self::NoteHead {
                user,
                head: ChainHead::read(cursor)?,
            }),
            _ => Err(RosterError::Malformed("a change of an unknown kind")),
        }
    }
}

/// An entry without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkBody {
    pub(super) hub: HubId,
    pub(super) seqno: u32,
    pub(super) prev: [u8; 32],
    pub(super) time_ms: u64,
    pub(super) signer: UserId,
    pub(super) signer_device: DeviceId,
    /// How far the signer's sigchain went when it signed.
    pub(super) signer_head: ChainHead,
    pub(super) changes: Vec<Change>,
}

impl LinkBody {
    /// The bytes of the entry, signed by `key`.
    pub(super) fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.hub.as_bytes());
        out.extend_from_slice(&self.seqno.to_be_bytes());
        out.extend_from_slice(&self.prev);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        out.extend_from_slice(self.signer.as_bytes());
        out.extend_from_slice(self.signer_device.as_bytes());
        out.extend_from_slice(&self.signer_head.encode());
        out.push(u8::try_from(self.changes.len()).expect("changes are limited"));
        self.changes.iter().for_each(|change| change.push(&mut out));
        let signature = key.sign(&signed(&out));
        out.extend_from_slice(signature.as_bytes());
        out
    }
}

/// An entry whose signature has not been checked.
pub(super) struct Link<'a> {
    pub(super) body: LinkBody,
    /// What was signed.
    bytes: &'a [u8],
    signature: Signature,
}

impl<'a> Link<'a> {
    pub(super) fn decode(input: &'a [u8]) -> Result<Self, RosterError> {
        if input.len() > MAX_LINK_BYTES {
            return Err(RosterError::Malformed("an entry is too long"));
        }
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(RosterError::NotRoster);
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(RosterError::UnknownVersion(version));
        }
        let body = LinkBody {
            hub: HubId::from_bytes(cursor.array()?),
            seqno: cursor.u32()?,
            prev: cursor.array()?,
            time_ms: cursor.u64()?,
            signer: UserId::from_bytes(cursor.array()?),
            signer_device: DeviceId::from_bytes(cursor.array()?),
            signer_head: ChainHead::read(&mut cursor)?,
            changes: read_changes(&mut cursor)?,
        };
        let bytes = &input[..cursor.position()];
        let signature = Signature::from_bytes(cursor.array()?);
        if cursor.position() != input.len() {
            return Err(RosterError::Malformed("bytes after the end"));
        }
        Ok(Self {
            body,
            bytes,
            signature,
        })
    }

    pub(super) fn verify(&self, key: &VerifyingKey) -> Result<(), RosterError> {
        key.verify(&signed(self.bytes), &self.signature)
            .map_err(|_| RosterError::BadSignature {
                seqno: self.body.seqno,
            })
    }
}

fn signed(body: &[u8]) -> Vec<u8> {
    Label::HubRosterLink.bind(body)
}

fn read_changes(cursor: &mut Cursor<'_>) -> Result<Vec<Change>, RosterError> {
    let count = usize::from(cursor.u8()?);
    if !(1..=MAX_CHANGES).contains(&count) {
        return Err(RosterError::Malformed(
            "no changes, or too many in one entry",
        ));
    }
    (0..count).map(|_| Change::read(cursor)).collect()
}
