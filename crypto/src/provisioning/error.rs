//! What can go wrong between two devices and a server.

use crate::entropy::EntropyError;
use crate::vault::CodeTextError;

/// Why provisioning stopped. After any of these both devices start anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A code was mistyped.
    #[error(transparent)]
    Code(#[from] CodeTextError),
    /// The QR code is of something else.
    #[error("this is not the code of a new device")]
    NotAnInvitation,
    /// A version that this build does not read.
    #[error("pairing version {0} is not known to this program; update both devices")]
    UnknownVersion(u8),
    /// A message that is malformed or out of turn.
    #[error("the other device sent something unexpected; start again on both devices")]
    Unexpected,
    /// A key with which anybody could know the secret.
    #[error("the other device sent an unsafe key; somebody may be between the devices")]
    UnsafeKey,
    /// The new device's key is not the one in its QR code.
    #[error("the device that answered is not the one that was scanned")]
    NotTheScannedDevice,
    /// The old device's key is not the one that it committed to.
    #[error("the other device changed its key; somebody may be between the devices")]
    CommitmentBroken,
    /// A sealed message does not open.
    #[error("a message was altered, or somebody is between the devices")]
    Refused,
    /// The digits on the two devices are not the same.
    #[error("the digits differ: somebody may be between the devices, nothing was sent")]
    DigitsDiffer,
    /// More than [`super::MAX_SEALED_BYTES`].
    #[error("{given} bytes are too many to send at once")]
    TooLong {
        /// Bytes given.
        given: usize,
    },
}

/// Why the server does not take or give a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomRefused {
    /// Five minutes are over.
    #[error("the pairing code has expired; show a new one")]
    Expired,
    /// Both devices are there already.
    #[error("two devices are in this room already")]
    Full,
    /// Not one of the two devices.
    #[error("this device is not in this room")]
    Stranger,
    /// The other device is to speak, or all has been said.
    #[error("it is not this device's turn")]
    OutOfTurn,
    /// Empty, or over [`super::MAX_MESSAGE_BYTES`].
    #[error("the message is empty or too long")]
    Length,
}
