//! Why there is no sound.

use crate::encoding::ReadError;
use crate::entropy::EntropyError;

/// Why a call's key is not taken, or cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallKeyError {
    /// Not an offer, or one that breaks a rule of the format.
    #[error("the key of the call is malformed: {0}")]
    Malformed(&'static str),
    /// A version that this build does not read.
    #[error("version {0} of call keys is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// A member twice, nobody, or more than [`crate::sframe::MAX_MEMBERS`].
    #[error(
        "a call has between one member and {}, each once",
        crate::sframe::MAX_MEMBERS
    )]
    Members,
    /// The signing device is none of this person's, or was revoked.
    #[error("the key of the call comes from a device that its person does not have")]
    UnknownSigner,
    /// The signature does not fit: somebody else made the key.
    #[error("the key of the call is forged")]
    Forged,
    /// This device is not in the call.
    #[error("this device is not in the call")]
    NotMember,
    /// The wrap for this device does not open.
    #[error("the key of the call cannot be opened by this device")]
    WrapRefused,
    /// A key of another call.
    #[error("the key belongs to another call")]
    OtherCall,
    /// A key from before the newest one.
    #[error("the key of the call is older than the one in use")]
    Old,
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<ReadError> for CallKeyError {
    fn from(error: ReadError) -> Self {
        Self::Malformed(match error {
            ReadError::Ended => "it is cut off",
            ReadError::Length => "a length",
        })
    }
}

/// Why a frame is not sealed, or not played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than [`crate::sframe::MAX_FRAME_BYTES`], or no SFrame.
    #[error("the frame is malformed")]
    Malformed,
    /// Of a key that is not, or no longer, in use.
    #[error("the frame is sealed with a key that is not in use")]
    UnknownKey,
    /// One's own, played back by somebody in between.
    #[error("the frame is this device's own")]
    Reflected,
    /// Altered, or not by whom it says.
    #[error("the frame was altered")]
    Altered,
    /// Had already, or too late to tell.
    #[error("the frame was played before")]
    Replayed,
    /// Somebody began again more often than [`crate::sframe::MAX_STREAMS`].
    #[error("a member of the call began again too often")]
    TooManyStreams,
    /// So many frames that the call needs a new key.
    #[error("the call needs a new key")]
    Exhausted,
    /// No call key yet.
    #[error("the call has no key yet")]
    NoKey,
}
