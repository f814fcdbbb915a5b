//! How a call ended. Every call ends with exactly one of these.

use crate::command::RejectReason;

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A volunteer spoke with the caller.
    Answered,
    /// The caller hung up before anybody answered and left no message.
    Abandoned,
    /// The caller left a message.
    Voicemail,
    /// The caller was refused at the door.
    Rejected(RejectReason),
    /// The exchange or the line failed the caller.
    Failed(FailReason),
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailReason {
    /// The caller's side vanished without a word.
    SignallingLost,
    /// No audio came from the caller.
    MediaLost,
    /// No common codec or no free media port.
    MediaFailed,
    /// The message could not be recorded.
    RecordingFailed,
    /// The exchange stopped while the call was live; set when it starts again.
    Crashed,
}
