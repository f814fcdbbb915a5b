//! Why a group operation fails.

/// Why a group operation fails. The group is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MlsError {
    /// Not an MLS message of the expected kind, or too long.
    #[error("the message is malformed")]
    Malformed,
    /// A member whose key is not in their sigchain, or not any more.
    #[error("nobody vouches for the key of this member")]
    Stranger,
    /// A message that is altered, of another group, from the past, or had already.
    #[error("the message is not for this state of the group: {0}")]
    Refused(String),
    /// No key package of this device opens the invitation.
    #[error("the invitation cannot be opened: {0}")]
    NotInvited(String),
    /// Somebody is added who is in the group, or removed who is not, or there
    /// would be too many.
    #[error("the change does not fit the group: {0}")]
    BadChange(String),
    /// An own change waits for [`crate::Group::accepted`] or
    /// [`crate::Group::rejected`].
    #[error("a change of this device is under way")]
    ChangePending,
    /// This device was removed.
    #[error("this device is no longer in the group")]
    Removed,
}
