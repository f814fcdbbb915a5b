//! What a new device shows to an old one.

use std::fmt;

use zeroize::Zeroizing;

use super::error::ProvisionError;
use crate::entropy::{Entropy, EntropyError};
use crate::vault;

pub(super) const PUBLIC_BYTES: usize = 32;
pub(super) const SECRET_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"HLPQ";
const VERSION: u8 = 1;
const QR_BYTES: usize = MAGIC.len() + 1 + RoomId::BYTES + PUBLIC_BYTES + SECRET_BYTES;
/// Random bits of a typed code.
const TYPED_BITS: usize = 50;
const TYPED_BYTES: usize = TYPED_BITS.div_ceil(8);

/// Names the room on the server where two devices meet.
///
/// Of a typed invitation it is the code itself: `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId([u8; Self::BYTES]);

impl RoomId {
    /// Bytes of an id.
    pub const BYTES: usize = 16;

    /// Takes an id that was sent.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// To send.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn typed(code: &[u8; TYPED_BYTES]) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[Self::BYTES - TYPED_BYTES..].copy_from_slice(code);
        Self(bytes)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomId(…)")
    }
}

/// How the invitation gets from one device to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationKind {
    /// A QR code: carries the new device's key and a secret as well.
    Scanned = 1,
    /// Twelve characters to type: carries the room alone. All trust is in the
    /// comparison of the digits.
    Typed = 2,
}

/// Where to find the new device, and (scanned) how to know it.
///
/// Holds a secret: wiped from memory when dropped, and `Debug` shows only its kind.
#[derive(Clone)]
pub struct Invitation {
    pub(super) room: RoomId,
    pub(super) scanned: Option<Scanned>,
}

#[derive(Clone)]
pub(super) struct Scanned {
    pub(super) public: [u8; PUBLIC_BYTES],
    pub(super) secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl Invitation {
    pub(super) fn scanned(
        public: [u8; PUBLIC_BYTES],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, EntropyError> {
        let mut room = [0; RoomId::BYTES];
        entropy.fill(&mut room)?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        entropy.fill(&mut *secret)?;
        Ok(Self {
            room: RoomId(room),
            scanned: Some(Scanned { public, secret }),
        })
    }

    pub(super) fn typed(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut code = [0; TYPED_BYTES];
        entropy.fill(&mut code)?;
        code[TYPED_BYTES - 1] &= 0xff << (TYPED_BYTES * 8 - TYPED_BITS);
        Ok(Self {
            room: RoomId::typed(&code),
            scanned: None,
        })
    }

    /// The room to open or join.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// How it is passed on.
    pub fn kind(&self) -> InvitationKind {
        match self.scanned {
            Some(_) => InvitationKind::Scanned,
            None => InvitationKind::Typed,
        }
    }

    /// The text for the screen: of the QR code (upper case and digits, which
    /// makes a small one) or the code to type.
    pub fn reveal(&self) -> Zeroizing<String> {
        let room = self.room.as_bytes();
        let Some(Scanned { public, secret }) = &self.scanned else {
            return vault::encode_code(&room[RoomId::BYTES - TYPED_BYTES..], TYPED_BITS);
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(QR_BYTES));
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(room);
        bytes.extend_from_slice(public);
        bytes.extend_from_slice(&**secret);
        Zeroizing::new(vault::encode_bytes(&bytes))
    }

    /// Reads a scanned QR code.
    ///
    /// # Errors
    /// [`ProvisionError::NotAnInvitation`], [`ProvisionError::UnknownVersion`].
    pub fn scan(text: &str) -> Result<Self, ProvisionError> {
        let bytes = vault::decode_bytes::<QR_BYTES>(text);
        let bytes = bytes.ok_or(ProvisionError::NotAnInvitation)?;
        let mut cursor = crate::encoding::Cursor::new(&*bytes);
        let short = |_| ProvisionError::NotAnInvitation;
        if cursor.bytes(MAGIC.len()) != Ok(MAGIC) {
            return Err(ProvisionError::NotAnInvitation);
        }
        let version = cursor.u8().map_err(short)?;
        if version != VERSION {
            return Err(ProvisionError::UnknownVersion(version));
        }
        let room = RoomId(cursor.array().map_err(short)?);
        let public = cursor.array().map_err(short)?;
        let secret = Zeroizing::new(cursor.array().map_err(short)?);
        let scanned = Some(Scanned { public, secret });
        Ok(Self { room, scanned })
    }

    /// Reads a typed code; case, spaces and dashes do not count.
    ///
    /// # Errors
    /// [`ProvisionError::Code`], which says what is wrong with it.
    pub fn enter(text: &str) -> Result<Self, ProvisionError> {
        let code = vault::decode_code::<TYPED_BYTES>(text, TYPED_BITS)?;
        Ok(Self {
            room: RoomId::typed(&code),
            scanned: None,
        })
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({:?}, …)", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_code_that_names_the_room() {
        let invitation = Invitation::typed(&mut crate::OsEntropy).unwrap();
        assert_eq!(format!("{:?}", invitation.room()), "RoomId(…)");
        assert_eq!(format!("{invitation:?}"), "Invitation(Typed, …)");
    }
}
