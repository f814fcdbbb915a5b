//! What can go wrong, in words that may be shown to the person at the keyboard.

use crate::entropy::EntropyError;
use crate::key_text::KeyTextError;

/// An error of this crate. No variant carries plaintext or key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source of the sealed bytes failed.
    #[error("cannot read the sealed recording: {0}")]
    Io(#[from] std::io::Error),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A key's text or bytes are not usable.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// The facts about a new recording do not fit the format.
    #[error(transparent)]
    Meta(#[from] MetaError),

    /// A recording that nobody could open must not be made.
    #[error("a recording needs at least one reader")]
    NoRecipients,
    /// More readers than [`crate::MAX_RECIPIENTS`].
    #[error(
        "{given} readers were given, a recording can have {}",
        crate::MAX_RECIPIENTS
    )]
    TooManyRecipients {
        /// Distinct readers given.
        given: usize,
    },

    /// The first bytes are not those of a sealed recording.
    #[error("this is not a sealed voicemail")]
    NotVoicemail,
    /// A version that this build does not read.
    #[error("sealed voicemail version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// A cipher suite that this build does not read.
    #[error("cipher suite {0} is not known to this program; a newer one may read it")]
    UnknownSuite(u8),
    /// The file ends inside its header: nothing of the sound was written.
    #[error("the recording ends inside its header")]
    HeaderTruncated,
    /// The header breaks a rule of the format.
    #[error("the header of the recording is malformed: {0}")]
    HeaderMalformed(&'static str),
    /// The recording was sealed to other keys.
    #[error("this recording was not sealed to this key")]
    NotARecipient,
    /// A wrap for this key exists, but the wrap or the header was altered.
    #[error("the recording's key does not open: its header was altered")]
    WrapRefused,
    /// The content key and context do not fit the body (its commitment).
    #[error("the sealed body does not belong to this header")]
    BodyMismatch,
    /// A chunk was altered, moved, or belongs to another message.
    #[error("chunk {index} of the sealed body was altered or is out of place")]
    ChunkCorrupt {
        /// Chunk number, from 0.
        index: u64,
    },
    /// The message ends without its final short chunk.
    #[error("the sealed body is truncated")]
    BodyTruncated,
    /// More than 2^38 chunks (4 PiB).
    #[error("a sealed body cannot hold more than 4 PiB")]
    TooLong,
    /// Asked for a chunk after the last.
    #[error("there is no chunk {index}")]
    NoSuchChunk {
        /// Chunk number asked for, from 0.
        index: u64,
    },
    /// A content key that is not 32 bytes.
    #[error("a content key has 32 bytes, {given} were given")]
    ContentKeyLength {
        /// Bytes given.
        given: usize,
    },
}

/// Why a [`crate::VoicemailMeta`] cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// The hub id is empty or longer than [`crate::MAX_ID_BYTES`].
    #[error("a hub id has 1 to {} bytes, {given} were given", crate::MAX_ID_BYTES)]
    HubLength {
        /// Bytes given.
        given: usize,
    },
    /// The recording id is empty or longer than [`crate::MAX_ID_BYTES`].
    #[error(
        "a recording id has 1 to {} bytes, {given} were given",
        crate::MAX_ID_BYTES
    )]
    RecordingLength {
        /// Bytes given.
        given: usize,
    },
    /// The sample rate is outside [`crate::SAMPLE_RATES_HZ`].
    #[error("a sample rate of {given} Hz is outside 8000 to 48000 Hz")]
    SampleRate {
        /// Rate given, in Hz.
        given: u32,
    },
}
