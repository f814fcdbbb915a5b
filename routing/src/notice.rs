//! Facts for those who watch: records, audit, the live feed. They drive nothing.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::{CallId, HubId, LegId, RecordingId, TrunkId, VolunteerId};
use crate::outcome::{FailReason, Outcome};
use crate::party::CallerTag;

/// Something that the record keeper, the audit log or a screen should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A call began; journal it, so that a crash cannot hide it.
    CallStarted {
        /// The call.
        call: CallId,
        /// Its hub; `None` when no hub has the dialled number.
        hub: Option<HubId>,
        /// Its trunk; `None` for a test call from a registered phone.
        trunk: Option<TrunkId>,
        /// The caller.
        caller: CallerTag,
        /// When.
        at: Timestamp,
    },
    /// The caller now waits at this place (1 is next).
    CallQueued {
        /// The call.
        call: CallId,
        /// Its place.
        position: usize,
    },
    /// A volunteer's phone was dialled for a call.
    RingStarted {
        /// The call.
        call: CallId,
        /// The volunteer.
        volunteer: VolunteerId,
        /// The leg.
        leg: LegId,
    },
    /// A volunteer's phone was told to stop, or gave up.
    RingStopped {
        /// The call.
        call: CallId,
        /// The volunteer.
        volunteer: VolunteerId,
        /// The leg.
        leg: LegId,
    },
    /// A volunteer has the caller.
    CallAnswered {
        /// The call.
        call: CallId,
        /// Its hub.
        hub: HubId,
        /// The volunteer.
        volunteer: VolunteerId,
    },
    /// The message is being recorded.
    VoicemailStarted {
        /// The call.
        call: CallId,
        /// The recording.
        recording: RecordingId,
        /// The hub whose people may open it.
        hub: HubId,
    },
    /// Too little was recorded to be a message; its file is to be deleted.
    VoicemailDiscarded {
        /// The call.
        call: CallId,
        /// The recording.
        recording: RecordingId,
    },
    /// A volunteer's derived state changed.
    VolunteerChanged {
        /// The volunteer.
        volunteer: VolunteerId,
        /// The new state.
        state: VolunteerState,
    },
    /// A call is over.
    CallEnded(Box<CallRecord>),
}

/// What a volunteer is doing, derived from facts (the declared status is "on break").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolunteerState {
    /// No phone of theirs can be rung.
    Unreachable,
    /// Declared a break.
    OnBreak,
    /// Reachable and free.
    Idle,
    /// Rung for a call.
    Ringing,
    /// With a caller.
    InCall,
    /// After a call, not rung yet.
    WrapUp,
}

/// A volunteer who was rung for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RungVolunteer {
    /// Who.
    pub volunteer: VolunteerId,
    /// How long they rang, in all.
    pub rang: Duration,
    /// Whether they spoke with the caller.
    pub answered: bool,
}

/// What is kept of a call. No number, no audio.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The call.
    pub call: CallId,
    /// Its hub, when the dialled number was known.
    pub hub: Option<HubId>,
    /// Its trunk; `None` for a test call from a registered phone.
    pub trunk: Option<TrunkId>,
    /// The caller.
    pub caller: CallerTag,
    /// When the call came in.
    pub started_at: Timestamp,
    /// From the call's start until the first volunteer's phone was dialled; `None` when none was.
    pub until_ring: Option<Duration>,
    /// From the call's start until a volunteer answered, voicemail began, or the end.
    pub wait: Duration,
    /// Time with a volunteer.
    pub talk: Duration,
    /// Length of the message.
    pub voicemail: Option<(RecordingId, Duration)>,
    /// Everyone who was rung, in order.
    pub rung: Vec<RungVolunteer>,
    /// Who answered first.
    pub answered_by: Option<VolunteerId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why an answered call broke off, when nobody hung up.
    pub broke_off: Option<FailReason>,
}
