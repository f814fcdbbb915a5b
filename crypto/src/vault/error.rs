//! What can go wrong with a vault, in words for the person in front of it.

use crate::entropy::EntropyError;

/// An error of a vault, an escrow, or what the server keeps for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The first bytes are not those of the thing asked for.
    #[error("this is not a {0}")]
    NotThis(&'static str),
    /// A version that this build does not read.
    #[error("{what} version {version} is not known to this program; a newer one may read it")]
    UnknownVersion {
        /// What was to be read.
        what: &'static str,
        /// Version found.
        version: u8,
    },
    /// A key derivation that this build does not know.
    #[error("key derivation {0} is not known to this program; a newer one may open this vault")]
    UnknownKdf(u8),
    /// The bytes break a rule of the format.
    #[error("the stored {what} is malformed: {why}")]
    Malformed {
        /// What was to be read.
        what: &'static str,
        /// Rule that is broken.
        why: &'static str,
    },
    /// The vault names a share that was not given.
    #[error("this vault also needs the {0}")]
    ShareMissing(&'static str),
    /// A share was given that the vault does not name.
    #[error("this vault does not use the {0}")]
    ShareUnused(&'static str),
    /// Code or shares are wrong, or the vault was altered; which, nobody can tell.
    #[error("the code is wrong, or this vault belongs to another device or has been altered")]
    Refused,
    /// The memory for the key derivation is not there.
    #[error("there is not enough memory to check the code (64 MiB are needed)")]
    OutOfMemory,
    /// The key or code opens another escrow, or the escrow was altered.
    #[error("this key does not open the stored backup, or the backup has been altered")]
    EscrowRefused,
    /// More than [`super::MAX_ESCROW_BYTES`].
    #[error(
        "a backup holds 1 to {} bytes, {given} were given",
        super::MAX_ESCROW_BYTES
    )]
    EscrowLength {
        /// Bytes given.
        given: usize,
    },
    /// No such backup code, or it has been used.
    #[error("this backup code is not known, or it has been used before")]
    BackupCodeUnknown,
}

/// Why a code cannot protect a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasscodeRefused {
    /// Fewer than six digits.
    #[error("a PIN needs at least 6 digits")]
    PinTooShort,
    /// One digit, or one short group, over and over.
    #[error("this PIN repeats itself; choose digits without a pattern")]
    PinRepeats,
    /// Digits that go up or down by one.
    #[error("this PIN counts up or down; choose digits without a pattern")]
    PinCounts,
    /// Fewer than twelve characters that are not all digits.
    #[error(
        "a passphrase needs at least 12 characters; four words are good (or choose a PIN of at least 6 digits)"
    )]
    PassphraseTooShort,
    /// Fewer than five different characters.
    #[error("this passphrase repeats itself; four different words are good")]
    PassphraseRepeats,
    /// Over [`super::MAX_PASSCODE_BYTES`].
    #[error("a code can have at most {} bytes", super::MAX_PASSCODE_BYTES)]
    TooLong,
}

/// Why a typed recovery key, backup code or pairing code is not one. Never
/// repeats what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeTextError {
    /// Characters are missing or surplus.
    #[error(
        "{expected} characters are needed, {given} were typed (spaces and dashes do not count)"
    )]
    Length {
        /// Characters of a whole code.
        expected: usize,
        /// Characters found.
        given: usize,
    },
    /// A character that codes never have.
    #[error("character {position} is not one that these codes have")]
    Character {
        /// Place among the characters that count, from 1.
        position: usize,
    },
    /// The check characters do not fit.
    #[error("there is a typing mistake: a character is wrong, or two are swapped")]
    Mistyped,
}

/// Why the server does not give its share out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareRefused {
    /// A wrong code.
    #[error("the code is wrong; {left} tries are left")]
    Wrong {
        /// Tries until the share is destroyed.
        left: u8,
    },
    /// Too soon after a wrong code. Not counted as a try.
    #[error("too many wrong codes; wait before the next try")]
    Wait {
        /// When the next try is taken, in Unix milliseconds.
        until_ms: u64,
    },
    /// Too many wrong codes: the share is gone for good.
    #[error("too many wrong codes: this vault is closed for good; use the recovery key")]
    Destroyed,
}
