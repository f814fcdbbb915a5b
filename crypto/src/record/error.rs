//! What can be wrong with a sealed record, in words for the person who opens it.

use super::sealed::Position;
use super::wrap::WrapKind;
use crate::encoding::ReadError;
use crate::entropy::EntropyError;
use crate::error::Error;
use crate::id::UserId;

/// Why a record cannot be made, believed or opened. No variant carries
/// plaintext or key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The source of a sealed body failed.
    #[error("cannot read the sealed body: {0}")]
    Io(#[from] std::io::Error),

    /// A record that nobody could open must not be made.
    #[error("a record needs at least one reader")]
    NoReaders,
    /// More readers than [`super::MAX_READERS`].
    #[error("{given} readers were given, a record can have {}", super::MAX_READERS)]
    TooManyReaders {
        /// Distinct readers given.
        given: usize,
    },
    /// The text or file is longer than the format takes.
    #[error("{given} bytes were given, at most {limit} can be sealed in this way")]
    TooLong {
        /// Bytes given.
        given: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A streamed body got more or fewer bytes than were announced.
    #[error("the file changed while it was being sealed: {announced} bytes were announced")]
    LengthChanged {
        /// Bytes announced when sealing began.
        announced: u64,
    },
    /// A reader's public key cannot be sealed to.
    #[error("the public key of {0} cannot be sealed to")]
    UnusableReader(UserId),
    /// A revision number is at its end (2^32 − 1).
    #[error("this record cannot have more revisions")]
    NoMoreRevisions,
    /// A kind that only the exchange's own recordings have.
    #[error("a voicemail is not sealed as a record; it has a format of its own")]
    VoicemailIsIngest,

    /// The first bytes are not those of this format.
    #[error("this is not a {0}")]
    NotThis(&'static str),
    /// A version that this build does not read.
    #[error("record format version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// A cipher suite that this build does not read.
    #[error("cipher suite {0} is not known to this program; a newer one may read it")]
    UnknownSuite(u8),
    /// A kind of record that this build does not read.
    #[error("this kind of record is not known to this program; a newer one may read it")]
    UnknownKind,
    /// The bytes end too early.
    #[error("the record is cut off")]
    CutOff,
    /// The bytes break a rule of the format.
    #[error("the record is malformed: {0}")]
    Malformed(&'static str),

    /// It belongs to another hub or record, or is of another kind.
    #[error("this was moved here from another record")]
    Moved,
    /// An older state than the reader has already seen.
    #[error("this is an older state of the record ({given}) than the one seen before ({seen})")]
    Rollback {
        /// State already seen.
        seen: Position,
        /// State shown now.
        given: Position,
    },
    /// It does not continue the state that was seen before.
    #[error("this does not continue the state of the record that was seen before")]
    NotSuccessor,
    /// Its header names another author or device than the one expected.
    #[error("this record is not by the author that it is shown under")]
    OtherAuthor,
    /// The signature over facts and body does not hold.
    #[error("the author did not sign this record: its facts were altered or it was made up")]
    HeaderForged,
    /// The list of readers is signed by a device that may not do so.
    #[error("the list of readers is not signed by anyone who may change it")]
    UnknownManifestSigner,
    /// The signature over the list of readers does not hold.
    #[error("the list of readers was altered")]
    ManifestForged,
    /// Somebody can read this who must not, by the rule for its visibility.
    #[error("{0} is among the readers and may not be")]
    ReaderNotAllowed(UserId),
    /// Somebody else's key was replaced, and their per-user key has no newer generation.
    #[error("what opens this for {0} was replaced, and is not for a newer key of theirs")]
    WrapReplaced(UserId),
    /// An erasure or an export is not signed by who it names.
    #[error("the person named did not sign this erasure")]
    ErasureForged,

    /// The record is not sealed to this person.
    #[error("this record was not sealed to you")]
    NotAReader,
    /// The record is sealed to another key of this person.
    #[error("this record needs your {kind} of generation {generation}")]
    OtherKeyNeeded {
        /// Generation of the per-user key.
        generation: u32,
        /// Which key of that generation.
        kind: WrapKind,
    },
    /// The content key does not open: made for another record, or altered.
    #[error("the key of this record does not open: it belongs to another record or was altered")]
    WrapRefused,
    /// The content key opens, and is not this body's.
    #[error("the sealed text does not belong to this record or to this key")]
    BodyMismatch,
    /// The body is not the one that the author signed.
    #[error("the sealed text was altered")]
    BodyAltered,
    /// The body ends too early.
    #[error("the sealed text is cut off")]
    BodyCutOff,
    /// Asked for a chunk after the last.
    #[error("there is no chunk {0}")]
    NoSuchChunk(u64),
}

impl From<ReadError> for RecordError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Ended => Self::CutOff,
            ReadError::Length => Self::Malformed("a length is out of bounds"),
        }
    }
}

impl From<Error> for RecordError {
    /// Of the content layer only; wraps are mapped where they are opened.
    fn from(error: Error) -> Self {
        match error {
            Error::Entropy(error) => Self::Entropy(error),
            Error::Io(error) => Self::Io(error),
            Error::BodyMismatch => Self::BodyMismatch,
            Error::BodyTruncated => Self::BodyCutOff,
            Error::NoSuchChunk { index } => Self::NoSuchChunk(index),
            _ => Self::BodyAltered,
        }
    }
}
