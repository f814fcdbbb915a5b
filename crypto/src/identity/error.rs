//! What can be wrong with an identity, in words for the person who relies on it.

use crate::encoding::ReadError;
use crate::entropy::EntropyError;

/// Why a sigchain is refused, or cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigchainError {
    /// The first bytes are not those of a sigchain, a link or a device card.
    #[error("this is not part of a device list")]
    NotSigchain,
    /// A version that this build does not read.
    #[error("device list version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// The bytes break a rule of the format.
    #[error("the device list is malformed: {0}")]
    Malformed(&'static str),
    /// A chain without links.
    #[error("the device list is empty")]
    Empty,
    /// More links than [`crate::identity::MAX_SIGCHAIN_LINKS`].
    #[error(
        "the device list has more than {} entries",
        crate::identity::MAX_SIGCHAIN_LINKS
    )]
    TooLong,
    /// A link that belongs to somebody else's chain.
    #[error("entry {seqno} of the device list belongs to another person")]
    OtherUser {
        /// Number that the link should have.
        seqno: u32,
    },
    /// A link is missing or comes twice.
    #[error("entry {found} of the device list stands where entry {expected} belongs")]
    Gap {
        /// Number that belongs here.
        expected: u32,
        /// Number that the link has.
        found: u32,
    },
    /// The link does not follow the link before it.
    #[error("entry {seqno} of the device list does not follow the entry before it")]
    WrongPrev {
        /// Number of the link.
        seqno: u32,
    },
    /// The chain does not begin with a first device.
    #[error("the device list does not begin with a first device")]
    NoEldest,
    /// Another first device in the middle of a chain.
    #[error("entry {seqno} of the device list tries to begin it anew")]
    SecondEldest {
        /// Number of the link.
        seqno: u32,
    },
    /// Signed by a device that the chain does not know.
    #[error("entry {seqno} of the device list is signed by a device that is not on it")]
    UnknownSigner {
        /// Number of the link.
        seqno: u32,
    },
    /// Signed by a device after its revocation.
    #[error("entry {seqno} of the device list is signed by a device that was revoked before")]
    RevokedSigner {
        /// Number of the link.
        seqno: u32,
    },
    /// The signature does not fit.
    #[error("entry {seqno} of the device list was not signed by the device that it names")]
    BadSignature {
        /// Number of the link.
        seqno: u32,
    },
    /// A new device did not sign its own keys for this person.
    #[error("the new device has not confirmed its keys for this person")]
    BadCard,
    /// A device id or a device's key that the chain already had, live or revoked.
    #[error("this device is or was already on the list; a device that comes back needs new keys")]
    DeviceKnown,
    /// A device that is not live.
    #[error("this device is not on the list or was revoked already")]
    NoSuchDevice,
    /// The revocation of the last live device.
    #[error("the last device cannot be revoked: nobody could add another")]
    LastDevice,
    /// More than [`crate::identity::MAX_LIVE_DEVICES`] live devices, or more
    /// than [`crate::identity::MAX_DEVICES_EVER`] in all.
    #[error(
        "a person can have {} devices at a time and {} in all",
        crate::identity::MAX_LIVE_DEVICES,
        crate::identity::MAX_DEVICES_EVER
    )]
    TooManyDevices,
    /// A generation of the per-user key that is not the next one, or a wrap of
    /// one that is not the newest.
    #[error("the list names key generation {found}, but generation {expected} belongs here")]
    PukGeneration {
        /// Generation that belongs here.
        expected: u32,
        /// Generation that was found.
        found: u32,
    },
    /// The new per-user key is not sealed to exactly the live devices.
    #[error("the new key is not sealed to exactly the devices on the list")]
    PukWraps,
    /// A generation with the public key of an earlier one.
    #[error("the new key is an old one")]
    PukKeyReused,
    /// The previous generation was not given when rotating or adding a device.
    #[error("the person's newest key is needed for this; open it on this device first")]
    PukNeeded,
    /// An attestation that does not hold, or was made already.
    #[error("the transport key is not confirmed by its device, or was listed before")]
    BadAttestation,
    /// Fewer links than were seen before.
    #[error(
        "the server shows an older device list than it showed before: it may be hiding \
         that a device was revoked"
    )]
    Rollback,
    /// Another history than was seen before.
    #[error(
        "the server shows a different device list than it showed before: somebody may be \
         pretending to be this person"
    )]
    Fork,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<ReadError> for SigchainError {
    fn from(error: ReadError) -> Self {
        Self::Malformed(match error {
            ReadError::Ended => "it ends too early",
            ReadError::Length => "a length is wrong",
        })
    }
}

/// Why a per-user key, an items key or a content key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PukError {
    /// The person has no per-user key yet.
    #[error("this person has no key yet")]
    None,
    /// The device is not (any longer) among those that the key is sealed to.
    #[error("this person's key is not sealed to this device")]
    NotForThisDevice,
    /// No such generation.
    #[error("there is no key of generation {0}")]
    NoGeneration(u32),
    /// The wrap, or the box of the generation before, does not open.
    #[error("the key of generation {0} does not open: it was altered")]
    Refused(u32),
    /// The opened seed is not that of the public key in the sigchain.
    #[error("the key of generation {0} is not the one that the device list names")]
    Swapped(u32),
    /// Not the bytes of a sealed items key, or of an unknown version.
    #[error("this is not a sealed items key that this program can read")]
    NotItemsKey,
    /// The sealed items key does not open.
    #[error("the items key does not open: it was altered or belongs to another generation")]
    ItemsKeyRefused,
    /// The wrapped content key does not open.
    #[error("the record's key does not open: it belongs to another record or was altered")]
    ContentKeyRefused,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why a draft is not sealed or does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// Not the bytes of a draft.
    #[error("this is not a stored draft")]
    Malformed,
    /// A version that this build does not read.
    #[error("draft version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// The draft or its name is too long.
    #[error("this is too long for a draft")]
    TooLong,
    /// The draft does not open.
    #[error("the draft does not open: it is another device's, another draft, or was altered")]
    Refused,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why an invite is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// Not the bytes of a proof, or an origin out of bounds.
    #[error("the redemption of the invite is malformed")]
    Malformed,
    /// A version that this build does not read.
    #[error("invite message version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// The device is not live on the chain, or the chain is another.
    #[error("the invite was redeemed for another device list")]
    NotOfChain,
    /// The signature does not fit.
    #[error("the invite was redeemed by another device, at another server or with another code")]
    BadSignature,
}

impl From<ReadError> for InviteError {
    fn from(_: ReadError) -> Self {
        Self::Malformed
    }
}

/// Why a login or a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Not the bytes of a challenge or a proof.
    #[error("the login message is malformed")]
    Malformed,
    /// A version that this build does not read.
    #[error("login message version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// The challenge was made by or for another server.
    #[error("this login belongs to another server")]
    OtherOrigin,
    /// The challenge is for another device.
    #[error("this login belongs to another device")]
    OtherDevice,
    /// The challenge's time is over.
    #[error("the login took too long; try again")]
    Expired,
    /// The challenge claims to be valid for longer than a server allows.
    #[error("the login is valid for too long; check this device's clock")]
    TooLongValid,
    /// The nonce was never given out, or has been used.
    #[error("this login was used before; try again")]
    Replayed,
    /// The request was signed too long ago or in the future.
    #[error("the request's time is too far from the server's; check this device's clock")]
    ClockSkew,
    /// The signature does not fit.
    #[error("the signature does not fit the device")]
    BadSignature,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<ReadError> for LoginError {
    fn from(_: ReadError) -> Self {
        Self::Malformed
    }
}
