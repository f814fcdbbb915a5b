//! The secret that the devices of a call share for a while.

use std::fmt;

use zeroize::Zeroizing;

use super::error::CallKeyError;
use crate::entropy::{Entropy, EntropyError};
use crate::id::{CallId, DeviceId, UserId};
use crate::label::Label;
use crate::primitive::derive;

/// The most devices in a call.
pub const MAX_MEMBERS: usize = 64;
pub(super) const SECRET_BYTES: usize = 32;

/// A device in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Whose device.
    pub user: UserId,
    /// Which device.
    pub device: DeviceId,
}

/// The key of one epoch of a call: 32 random bytes, for the devices on its list.
///
/// Wiped from memory when dropped; `Debug` shows call and epoch.
#[derive(Clone)]
pub struct CallKey {
    call: CallId,
    epoch: u32,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
    members: Vec<Member>,
    own: u8,
}

impl CallKey {
    /// Makes a key, on the device `own`.
    pub(super) fn generate(
        call: CallId,
        epoch: u32,
        members: Vec<Member>,
        own: Member,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, CallKeyError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        entropy.fill(&mut *secret)?;
        Self::new(call, epoch, secret, members, own)
    }

    /// The key of a call whose devices share a secret already, such as an MLS
    /// group, which exports one for each of its epochs. All devices must have
    /// the list in the same order.
    ///
    /// # Errors
    /// [`CallKeyError::Members`] or [`CallKeyError::NotMember`].
    pub fn from_shared_secret(
        call: CallId,
        epoch: u32,
        secret: &[u8; 32],
        members: Vec<Member>,
        own: Member,
    ) -> Result<Self, CallKeyError> {
        Self::new(call, epoch, Zeroizing::new(*secret), members, own)
    }

    pub(super) fn new(
        call: CallId,
        epoch: u32,
        secret: Zeroizing<[u8; SECRET_BYTES]>,
        members: Vec<Member>,
        own: Member,
    ) -> Result<Self, CallKeyError> {
        check_members(&members)?;
        let own = members.iter().position(|member| *member == own);
        let own = own.ok_or(CallKeyError::NotMember)?;
        Ok(Self {
            call,
            epoch,
            secret,
            members,
            own: u8::try_from(own).map_err(|_| CallKeyError::Members)?,
        })
    }

    /// Which call.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Number of the key within its call.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The devices that have it.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// This device's place in the list.
    pub(super) fn own(&self) -> u8 {
        self.own
    }

    pub(super) fn member(&self, place: u8) -> Option<Member> {
        self.members.get(usize::from(place)).copied()
    }

    pub(super) fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.secret
    }

    /// The `base_key` of RFC 9605 section 4.4.2 for one stream of one member.
    pub(super) fn base_key(&self, member: Member, kid: u64) -> Zeroizing<[u8; 32]> {
        let context = [
            self.call.as_bytes().as_slice(),
            &self.epoch.to_be_bytes(),
            member.user.as_bytes(),
            member.device.as_bytes(),
            &kid.to_be_bytes(),
        ];
        derive(&*self.secret, &Label::SframeBaseKey.bind(&context.concat()))
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey(… epoch {} of {})", self.epoch, self.call)
    }
}

/// The label with which an MLS group exports the secret of a call (RFC 9420
/// section 8.5), for [`CallKey::from_shared_secret`]; the context is the call's
/// id.
pub const fn mls_exporter_label() -> &'static str {
    Label::MlsCallSecret.value()
}

/// Somebody, nobody twice, and not too many.
pub(super) fn check_members(members: &[Member]) -> Result<(), CallKeyError> {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let fits = (1..=MAX_MEMBERS).contains(&members.len()) && sorted.len() == members.len();
    fits.then_some(()).ok_or(CallKeyError::Members)
}

/// A random number for a stream, in the upper 48 bits.
pub(super) fn stream(entropy: &mut (impl Entropy + ?Sized)) -> Result<u64, EntropyError> {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes[..6])?;
    Ok(u64::from_be_bytes(bytes))
}
