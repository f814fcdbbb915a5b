//! Who comes in by an invitation is who was invited: a secret that goes past the
//! server with the link, and a voucher that only its holder can make.
//!
//! The server makes the code of an invitation and says who used it, so the code
//! proves nothing to an admin. `docs/protocol/hub-v1.md`, "Invitations".

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::HubError;
use super::hub_key::HubKey;
use super::roster::RoleId;
use crate::encoding::Cursor;
use crate::id::UserId;
use crate::identity::ChainHead;
use crate::key_text::{self, KEY_BYTES, KeyKind, KeyTextError};
use crate::label::Label;
use crate::primitive::derive;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 32;

/// An invitation, as the server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Which. The server's choice, and no secret.
    pub id: [u8; 16],
    /// As what the inviter meant somebody to come in.
    pub role: RoleId,
}

/// What the link of one invitation carries past the server.
///
/// Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct InviteSecret(Zeroizing<[u8; KEY_BYTES]>);

impl InviteSecret {
    /// The text for the link, `hlinv1…`.
    pub fn reveal(&self) -> Zeroizing<String> {
        key_text::encode(KeyKind::InviteSecret, &self.0)
    }

    /// Vouches for the person who holds the link: for `user`, whose device list
    /// goes as far as `head`.
    pub fn vouch(&self, user: UserId, head: ChainHead) -> Voucher {
        let tag = *self.tag(user, head);
        Voucher { head, tag }
    }

    fn tag(&self, user: UserId, head: ChainHead) -> Zeroizing<[u8; TAG_BYTES]> {
        let whom = [user.as_bytes().as_slice(), &head.encode()].concat();
        derive(&*self.0, &Label::InviteVoucher.bind(&whom))
    }
}

impl FromStr for InviteSecret {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        key_text::decode(KeyKind::InviteSecret, text).map(Self)
    }
}

impl fmt::Debug for InviteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteSecret(…)")
    }
}

/// Says that the keys of who used an invitation are of whoever held its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voucher {
    head: ChainHead,
    tag: [u8; TAG_BYTES],
}

impl Voucher {
    /// Bytes of an encoded voucher.
    pub const BYTES: usize = 1 + ChainHead::BYTES + TAG_BYTES;

    /// Reads a voucher.
    ///
    /// # Errors
    /// [`HubError::Malformed`] or [`HubError::UnknownVersion`].
    pub fn decode(input: &[u8]) -> Result<Self, HubError> {
        let mut cursor = Cursor::new(input);
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(HubError::UnknownVersion(version));
        }
        let voucher = Self {
            head: ChainHead::decode(&cursor.array()?),
            tag: cursor.array()?,
        };
        match cursor.position() == input.len() {
            true => Ok(voucher),
            false => Err(HubError::Malformed),
        }
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [VERSION; Self::BYTES];
        let (head, tag) = out[1..].split_at_mut(ChainHead::BYTES);
        head.copy_from_slice(&self.head.encode());
        tag.copy_from_slice(&self.tag);
        out
    }

    /// How far the device list went that it vouches for. What is admitted must
    /// contain it.
    pub fn head(&self) -> ChainHead {
        self.head
    }
}

impl HubKey {
    /// The secret of an invitation, which everybody who has this key can make
    /// again, and the server cannot.
    pub fn invite_secret(&self, invitation: &Invitation) -> InviteSecret {
        let Invitation { id, role } = invitation;
        let about = [&self.context()[..], id, &role.0.to_be_bytes()].concat();
        InviteSecret(derive(self.expose(), &Label::InviteSecret.bind(&about)))
    }

    /// Whether `voucher` is for the keys of `user`, by whoever held the link of
    /// this invitation.
    ///
    /// # Errors
    /// [`HubError::NotVouched`]; also when it was made under another hub key.
    pub fn check_voucher(
        &self,
        invitation: &Invitation,
        user: UserId,
        voucher: &Voucher,
    ) -> Result<(), HubError> {
        let expected = self.invite_secret(invitation).tag(user, voucher.head);
        match bool::from(expected.ct_eq(&voucher.tag)) {
            true => Ok(()),
            false => Err(HubError::NotVouched),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::HubId;

    const ANA: UserId = UserId::from_bytes([1; 16]);
    const INVITATION: Invitation = Invitation {
        id: [2; 16],
        role: RoleId(2),
    };
    const HEAD: ChainHead = ChainHead {
        seqno: 3,
        hash: [4; 32],
    };

    fn key() -> HubKey {
        HubKey::generate(HubId::from_bytes([9; 16]), 1, &mut crate::OsEntropy).unwrap()
    }

    #[test]
    fn whoever_holds_the_link_is_vouched_for_and_nobody_else() {
        let key = key();
        let link = key.invite_secret(&INVITATION).reveal();
        let held: InviteSecret = link.parse().unwrap();
        let voucher = Voucher::decode(&held.vouch(ANA, HEAD).encode()).unwrap();
        assert_eq!(voucher.head(), HEAD);
        key.check_voucher(&INVITATION, ANA, &voucher).unwrap();

        let refused = |invitation: &Invitation, user, voucher: &Voucher| {
            let refused = key.check_voucher(invitation, user, voucher);
            assert_eq!(refused, Err(HubError::NotVouched));
        };
        refused(&INVITATION, UserId::from_bytes([5; 16]), &voucher);
        let more = RoleId(1);
        refused(
            &Invitation {
                role: more,
                ..INVITATION
            },
            ANA,
            &voucher,
        );
        refused(
            &Invitation {
                id: [3; 16],
                ..INVITATION
            },
            ANA,
            &voucher,
        );
        let other_keys = ChainHead {
            hash: [6; 32],
            ..HEAD
        };
        refused(
            &INVITATION,
            ANA,
            &Voucher {
                head: other_keys,
                ..voucher
            },
        );
    }

    #[test]
    fn the_server_has_no_key_to_vouch_with() {
        let (ours, servers) = (key(), key());
        let forged = servers.invite_secret(&INVITATION).vouch(ANA, HEAD);
        let refused = ours.check_voucher(&INVITATION, ANA, &forged);
        assert_eq!(refused, Err(HubError::NotVouched));
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        let secret = key().invite_secret(&INVITATION);
        let link = secret.reveal();
        for text in ["", "A", &link[1..], &format!("{}AAAA", *link)] {
            assert!(InviteSecret::from_str(text).is_err(), "{text}");
        }
        let voucher = secret.vouch(ANA, HEAD).encode();
        assert!(Voucher::decode(&voucher[1..]).is_err());
        assert!(Voucher::decode(&[&voucher[..], &[0]].concat()).is_err());
        let mut newer = voucher;
        newer[0] = 2;
        let refused = Voucher::decode(&newer);
        assert_eq!(refused, Err(HubError::UnknownVersion(2)));
        assert_eq!(format!("{secret:?}"), "InviteSecret(…)");
    }
}
