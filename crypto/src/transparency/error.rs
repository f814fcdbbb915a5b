//! What is wrong with a log, in words that say what to do.

use super::leaf::Subject;

/// A text or a byte string that breaks its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed: {why}")]
pub struct FormatError {
    /// What was to be read.
    pub what: &'static str,
    /// Rule that is broken.
    pub why: &'static str,
}

/// Why a client does not believe a checkpoint. It keeps the one it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointRefused {
    /// Not a checkpoint.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Of another log.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The log's signature is missing or does not fit.
    #[error("the checkpoint is not signed by the log")]
    NotSigned,
    /// A signature in the name of a pinned witness does not fit.
    #[error("a witness's signature on the checkpoint is forged")]
    WitnessForged,
    /// Too few of the pinned witnesses have signed.
    #[error("{found} of {needed} witnesses have confirmed the checkpoint")]
    TooFewWitnesses {
        /// Witnesses that signed.
        found: usize,
        /// Witnesses that must.
        needed: usize,
    },
    /// The witnesses' confirmations are old: newer entries may be withheld.
    #[error("the checkpoint was last confirmed {age_s} s ago; newer keys may be withheld")]
    Stale {
        /// Age in seconds.
        age_s: u64,
    },
    /// Smaller than the one before: entries were taken back.
    #[error("the log has become smaller: the server takes entries back")]
    Rollback,
    /// Does not continue the one before.
    #[error(
        "the log does not continue what was seen before: the server shows different people different logs"
    )]
    Fork,
}

/// Why a leaf or a download does not belong to the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogAltered {
    /// There is no checkpoint yet.
    #[error("no checkpoint of the log is known yet")]
    NoCheckpoint,
    /// The proof does not lead from this leaf to the checkpoint.
    #[error("this entry is not in the log")]
    NotInLog,
    /// The leaves are not those of the checkpoint.
    #[error("the downloaded entries are not those of the checkpoint")]
    OtherEntries,
    /// One number of one chain with two heads, or numbers that go back.
    #[error("the log contradicts itself about {0}")]
    Contradiction(Subject),
}

/// What the log says under a person's own name, and they did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnChainAltered {
    /// An entry that contradicts what this person's devices did.
    #[error(
        "somebody put keys under your name (entry {seqno}); \
         tell the other people of the hotline by another way"
    )]
    Foreign {
        /// Number in the chain.
        seqno: u32,
    },
    /// An entry beyond what this device knows. Fetch the chain and compare
    /// again: another device of this person made it, or nobody did.
    #[error(
        "entry {seqno} under your name is not known on this device; if none of \
         your other devices made it, tell the other people of the hotline"
    )]
    Unknown {
        /// Number in the chain.
        seqno: u32,
    },
    /// An entry that they did make is not in the log.
    #[error("your change number {seqno} is not in the log; others may still use your old keys")]
    Withheld {
        /// Number in the chain.
        seqno: u32,
    },
}
