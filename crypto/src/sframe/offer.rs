//! How the devices of a call get its key, and know from whom.

use super::call_key::{CallKey, MAX_MEMBERS, Member, SECRET_BYTES, check_members};
use super::error::CallKeyError;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::id::{CallId, DeviceId, UserId};
use crate::identity::{DeviceCard, DeviceKeys, SigchainState};
use crate::label::Label;
use crate::primitive::Signature;
use crate::reader_key::WRAP_BYTES;

const MAGIC: [u8; 4] = *b"HLCK";
const VERSION: u8 = 1;

/// A call's key, sealed to each device in it and signed by the one that made it.
///
/// Without the signature the server could make up a key, seal it to everybody,
/// and listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallKeyOffer {
    call: CallId,
    epoch: u32,
    signer: Member,
    wraps: Vec<(Member, [u8; WRAP_BYTES])>,
    signature: Signature,
}

impl CallKeyOffer {
    /// Makes a new key for a call. `members` are the cards of all devices in it,
    /// this one among them, from their verified sigchains; `epoch` is higher
    /// than that of any key that the call had.
    ///
    /// # Errors
    /// [`CallKeyError::Members`], [`CallKeyError::NotMember`] or
    /// [`CallKeyError::Entropy`].
    pub fn create(
        keys: &DeviceKeys,
        call: CallId,
        epoch: u32,
        members: &[DeviceCard],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, CallKey), CallKeyError> {
        let signer = Member {
            user: keys.user(),
            device: keys.device(),
        };
        let list: Vec<Member> = members.iter().map(member).collect();
        let key = CallKey::generate(call, epoch, list, signer, entropy)?;
        let mut wraps = Vec::with_capacity(members.len());
        for card in members {
            let info = wrap_info(call, epoch, signer, member(card));
            let sealed = match card.hpke_key().seal_bytes(&info, key.expose(), entropy) {
                Ok(sealed) => sealed.try_into().expect("a call secret has one length"),
                Err(Error::Entropy(failure)) => return Err(failure.into()),
                Err(_) => unreachable!("a public key of small order was refused when it was read"),
            };
            wraps.push((member(card), sealed));
        }
        let mut offer = Self {
            call,
            epoch,
            signer,
            wraps,
            signature: Signature::from_bytes([0; Signature::BYTES]),
        };
        offer.signature = keys.signing_key().sign(&offer.bound());
        Ok((offer, key))
    }

    /// Reads an offer. Nothing in it is believed before [`CallKeyOffer::open`].
    ///
    /// # Errors
    /// [`CallKeyError::Malformed`], [`CallKeyError::UnknownVersion`] or
    /// [`CallKeyError::Members`].
    pub fn decode(input: &[u8]) -> Result<Self, CallKeyError> {
        let mut cursor = Cursor::new(input);
        if cursor.array()? != MAGIC {
            return Err(CallKeyError::Malformed("it is something else"));
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(CallKeyError::UnknownVersion(version));
        }
        let call = CallId::from_bytes(cursor.array()?);
        let epoch = cursor.u32()?;
        let signer = read_member(&mut cursor)?;
        let count = usize::from(cursor.u8()?);
        if count > MAX_MEMBERS {
            return Err(CallKeyError::Members);
        }
        let mut wraps = Vec::with_capacity(count);
        for _ in 0..count {
            wraps.push((read_member(&mut cursor)?, cursor.array()?));
        }
        let members: Vec<Member> = wraps.iter().map(|(member, _)| *member).collect();
        check_members(&members)?;
        let signature = Signature::from_bytes(cursor.array()?);
        if cursor.position() != input.len() {
            return Err(CallKeyError::Malformed("bytes after the end"));
        }
        Ok(Self {
            call,
            epoch,
            signer,
            wraps,
            signature,
        })
    }

    /// Writes the offer, to be passed on to the devices.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signed_part();
        out.extend_from_slice(self.signature.as_bytes());
        out
    }

    /// Which call it says it is for.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Who says to have made it: whose sigchain [`CallKeyOffer::open`] needs.
    pub fn signer(&self) -> Member {
        self.signer
    }

    /// The devices that it says are in the call.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member> {
        self.wraps.iter().map(|(member, _)| *member)
    }

    /// Checks who made the key, and opens it on one of the devices.
    ///
    /// `signer` is the verified sigchain of the signing person; that they may
    /// be in this call at all is for the caller to know.
    ///
    /// # Errors
    /// [`CallKeyError`].
    pub fn open(
        &self,
        keys: &DeviceKeys,
        call: CallId,
        signer: &SigchainState,
    ) -> Result<CallKey, CallKeyError> {
        if self.call != call {
            return Err(CallKeyError::OtherCall);
        }
        let device = signer.device(self.signer.device);
        let device = device.filter(|device| device.is_live() && signer.user() == self.signer.user);
        let device = device.ok_or(CallKeyError::UnknownSigner)?;
        device
            .sign_key
            .verify(&self.bound(), &self.signature)
            .map_err(|_| CallKeyError::Forged)?;
        let own = Member {
            user: keys.user(),
            device: keys.device(),
        };
        let mut wraps = self.wraps.iter();
        let wrap = wraps.find(|(member, _)| *member == own);
        let (_, wrap) = wrap.ok_or(CallKeyError::NotMember)?;
        let info = wrap_info(self.call, self.epoch, self.signer, own);
        let secret = keys
            .hpke_key()
            .open_bytes(&info, wrap)
            .map_err(|_| CallKeyError::WrapRefused)?;
        let secret: &[u8; SECRET_BYTES] = secret
            .as_slice()
            .try_into()
            .map_err(|_| CallKeyError::WrapRefused)?;
        let members = self.members().collect();
        CallKey::from_shared_secret(self.call, self.epoch, secret, members, own)
    }

    fn bound(&self) -> Vec<u8> {
        Label::CallKeyOffer.bind(&self.signed_part())
    }

    fn signed_part(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend_from_slice(self.call.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        push_member(&mut out, self.signer);
        out.push(u8::try_from(self.wraps.len()).expect("there are at most 64 members"));
        for (member, wrap) in &self.wraps {
            push_member(&mut out, *member);
            out.extend_from_slice(wrap);
        }
        out
    }
}

fn member(card: &DeviceCard) -> Member {
    Member {
        user: card.user(),
        device: card.device(),
    }
}

fn wrap_info(call: CallId, epoch: u32, signer: Member, to: Member) -> Vec<u8> {
    let mut context = call.as_bytes().to_vec();
    context.extend_from_slice(&epoch.to_be_bytes());
    push_member(&mut context, signer);
    push_member(&mut context, to);
    Label::CallKeyWrap.bind(&context)
}

fn push_member(out: &mut Vec<u8>, member: Member) {
    out.extend_from_slice(member.user.as_bytes());
    out.extend_from_slice(member.device.as_bytes());
}

fn read_member(cursor: &mut Cursor<'_>) -> Result<Member, CallKeyError> {
    Ok(Member {
        user: UserId::from_bytes(cursor.array()?),
        device: DeviceId::from_bytes(cursor.array()?),
    })
}
