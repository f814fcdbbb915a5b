//! What can be wrong with a backup, in words for whoever needs it back.

use super::format::MAX_BACKUP_READERS;
use crate::encoding::ReadError;
use crate::entropy::EntropyError;
use crate::error::Error;

/// Why a backup cannot be made or opened. Carries no plaintext and no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file could not be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A backup that nobody could open must not be made.
    #[error("a backup needs at least one recovery key")]
    NoReaders,
    /// More keys than a backup takes.
    #[error("{given} recovery keys were given, a backup takes {MAX_BACKUP_READERS}")]
    TooManyReaders {
        /// Distinct keys given.
        given: usize,
    },
    /// More than 4 PiB.
    #[error("a backup cannot hold more than 4 PiB")]
    TooLong,
    /// The first bytes are not those of a backup.
    #[error("this is not a backup of centralita")]
    NotABackup,
    /// A version that this build does not read.
    #[error("backup version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// A cipher suite that this build does not read.
    #[error("cipher suite {0} is not known to this program; a newer one may read it")]
    UnknownSuite(u8),
    /// The header breaks a rule of the format.
    #[error("the backup is damaged: {0}. Take another copy of it")]
    Malformed(&'static str),
    /// It was sealed to other keys.
    #[error("this backup was not made for this recovery key. Take the key that belongs to it")]
    OtherKey,
    /// A part was altered, moved, or belongs to another backup.
    #[error("the backup is damaged or was changed. Take another copy of it")]
    Altered,
    /// It has no end.
    #[error("the backup is cut off: its end is missing. Take another copy of it")]
    CutOff,
}

impl From<ReadError> for BackupError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Ended => Self::CutOff,
            ReadError::Length => Self::Malformed("a length in its header is wrong"),
        }
    }
}

impl From<Error> for BackupError {
    fn from(error: Error) -> Self {
        match error {
            Error::Entropy(error) => Self::Entropy(error),
            Error::TooLong => Self::TooLong,
            Error::BodyTruncated => Self::CutOff,
            _ => Self::Altered,
        }
    }
}
