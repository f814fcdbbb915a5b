//! Facts that back ends tell the router.

use std::time::Duration;

use crate::command::PromptKind;
use crate::id::{AccountId, DeviceId, LegId, RecordingId, TrunkId};
use crate::party::{Digit, PhoneNumber};

/// Something happened at a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller wants in. Answer with `Ring`, `Answer` or `Reject` for the leg.
    CallOffered {
        /// The caller's leg, named by the back end.
        leg: LegId,
        /// The trunk it came over; `None` for a test call from one of our own phones.
        trunk: Option<TrunkId>,
        /// The caller's number; `None` when withheld.
        caller: Option<PhoneNumber>,
        /// The number that was dialled.
        called: PhoneNumber,
    },
    /// A dialled phone signals that it rings.
    LegRinging {
        /// The leg.
        leg: LegId,
    },
    /// A dialled phone was picked up, or the caller's leg that we answered is fully up.
    LegAnswered {
        /// The leg.
        leg: LegId,
    },
    /// A leg is over. Exactly one for every leg that was offered or dialled, also after our own `Hangup` or `Reject`.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why.
        end: LegEnd,
    },
    /// A party put the other on hold (`held`), or took it back.
    LegHeld {
        /// The leg of the party that pressed hold.
        leg: LegId,
        /// On or off.
        held: bool,
    },
    /// A key was pressed.
    DigitPressed {
        /// By whom.
        leg: LegId,
        /// Which.
        digit: Digit,
    },
    /// A prompt that does not repeat came to its end. Not sent when it was stopped or replaced.
    PlaybackFinished {
        /// Who heard it.
        leg: LegId,
        /// Which: another one may have been ordered while this was on its way.
        kind: PromptKind,
    },
    /// A recording ended for a reason of its own or after `StopRecording`.
    RecordingFinished {
        /// Whose voice.
        leg: LegId,
        /// Which recording.
        recording: RecordingId,
        /// Why it ended.
        end: RecordingEnd,
        /// How much was recorded.
        length: Duration,
    },
    /// No media came from this leg for the configured time.
    MediaLost {
        /// The leg.
        leg: LegId,
    },
    /// A contact can be rung from now on.
    DeviceUp {
        /// The contact.
        device: DeviceId,
        /// The account that registered it.
        account: AccountId,
    },
    /// A contact cannot be rung any more.
    DeviceDown {
        /// The contact.
        device: DeviceId,
    },
}

/// Why a leg is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegEnd {
    /// The party hung up, or the caller gave up before the answer.
    HungUp,
    /// The phone is busy (486, 600).
    Busy,
    /// The person pressed decline (603).
    Declined,
    /// Nobody picked up in the phone's own time (408, 480).
    NoAnswer,
    /// The phone cannot be reached, or refused for a technical reason.
    Unreachable,
    /// The other side's signalling died (no ACK, transaction time-out, connection lost).
    SignallingLost,
    /// We ended it, as ordered.
    Ordered,
    /// No common codec, or no media port.
    MediaFailed,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordingEnd {
    /// As ordered with `StopRecording`, or because the leg ended.
    Stopped,
    /// The caller fell silent.
    Silence,
    /// The longest time was reached.
    MaxLength,
    /// It could not be written.
    Failed,
}
