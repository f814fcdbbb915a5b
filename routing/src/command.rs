//! Orders of the router to the back end that owns the leg.

use std::time::Duration;

use crate::id::{DeviceId, HubId, LegId, RecordingId};

/// An order. A back end that cannot carry it out ends the leg with a fitting `LegEnd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let the caller hear ringback (180).
    Ring {
        /// The caller's leg.
        leg: LegId,
    },
    /// Answer the caller. `LegAnswered` follows; media may be connected at once.
    Answer {
        /// The caller's leg.
        leg: LegId,
    },
    /// Refuse the caller before any answer.
    Reject {
        /// The caller's leg.
        leg: LegId,
        /// Why.
        reason: RejectReason,
    },
    /// Ring a phone.
    Dial {
        /// The leg's id, picked by the router.
        leg: LegId,
        /// What to ring.
        device: DeviceId,
        /// The hub on whose behalf, for what the phone shows. Never the caller.
        hub: HubId,
        /// The hub's name as the phone shows it.
        display: String,
    },
    /// End a leg in whatever state it is. `LegEnded` follows.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why, as the phone may show it.
        reason: HangupReason,
    },
    /// The two legs hear each other; whatever was played to either stops.
    Bridge {
        /// One.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// The two legs no longer hear each other.
    Unbridge {
        /// One.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// Play to a leg, in place of what was played before.
    Play {
        /// Who hears it.
        leg: LegId,
        /// What.
        prompt: Prompt,
        /// Start over at the end, until stopped.
        repeat: bool,
    },
    /// Stop playing to a leg.
    StopPlaying {
        /// The leg.
        leg: LegId,
    },
    /// Beep, then record the leg until a limit or `StopRecording`.
    Record {
        /// Whose voice.
        leg: LegId,
        /// Names the recording.
        recording: RecordingId,
        /// The hub whose people may open it.
        hub: HubId,
        /// Longest recording.
        max_length: Duration,
        /// This much uninterrupted silence ends it.
        max_silence: Duration,
    },
    /// End a recording. `RecordingFinished` follows.
    StopRecording {
        /// The leg.
        leg: LegId,
    },
}

impl Command {
    /// The leg that decides which back end gets the order.
    #[must_use]
    pub fn leg(&self) -> LegId {
        match self {
            Self::Ring { leg }
            | Self::Answer { leg }
            | Self::Reject { leg, .. }
            | Self::Dial { leg, .. }
            | Self::Hangup { leg, .. }
            | Self::Bridge { a: leg, .. }
            | Self::Unbridge { a: leg, .. }
            | Self::Play { leg, .. }
            | Self::StopPlaying { leg }
            | Self::Record { leg, .. }
            | Self::StopRecording { leg } => *leg,
        }
    }
}

/// Why a caller is refused before any answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// The number is on the hub's ban list.
    Banned,
    /// The number called too often within the window.
    RateLimited,
    /// No hub has the dialled number.
    UnknownNumber,
    /// The box is shutting down or full; the carrier may try elsewhere.
    Unavailable,
}

/// Why a leg is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HangupReason {
    /// The conversation is over.
    Normal,
    /// Somebody else picked up ("Call completed elsewhere").
    AnsweredElsewhere,
    /// The caller is gone, or now leaves a message.
    NoLongerNeeded,
    /// The volunteer is no longer on duty, on break, or busy otherwise.
    NotAvailable,
    /// Media died.
    MediaLost,
    /// The exchange could not do what was needed.
    Failed,
}

/// Something to play.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prompt {
    /// The hub whose recording and language apply.
    pub hub: HubId,
    /// Which.
    pub kind: PromptKind,
}

/// The prompts of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromptKind {
    /// Heard once when the caller is answered and has to wait.
    Greeting,
    /// Heard while waiting and on hold.
    HoldMusic,
    /// Asks for a message after the tone.
    VoicemailInvitation,
    /// Thanks for the message.
    VoicemailThanks,
}

impl PromptKind {
    /// All kinds, in the order in which a caller may hear them.
    pub const ALL: [Self; 4] = [
        Self::Greeting,
        Self::HoldMusic,
        Self::VoicemailInvitation,
        Self::VoicemailThanks,
    ];
}
