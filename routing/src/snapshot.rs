//! What a screen or a probe may see of the router at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::call::{Call, Stage, Voicemail, Waiting};
use crate::id::{CallId, DeviceId, HubId, RecordingId, TrunkId, VolunteerId};
use crate::notice::VolunteerState;
use crate::outcome::Outcome;
use crate::router::Router;

/// Everything live, in the order of ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The moment it shows.
    pub at: Timestamp,
    /// Whether new calls are refused.
    pub draining: bool,
    /// The live calls, oldest first.
    pub calls: Vec<CallSnapshot>,
    /// The configured volunteers, and removed ones who are still with a caller.
    pub volunteers: Vec<VolunteerSnapshot>,
    /// Totals since the router was made.
    pub counters: Counters,
}

/// A live call. No number.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSnapshot {
    /// The call.
    pub call: CallId,
    /// Its hub.
    pub hub: HubId,
    /// Its trunk; `None` for a test call from a registered phone.
    pub trunk: Option<TrunkId>,
    /// When it came in.
    pub started_at: Timestamp,
    /// What the caller's leg is doing.
    pub stage: CallStage,
    /// From the call's start until it was answered, voicemail began, or now.
    pub waited: Duration,
    /// Place among those who wait in its hub, 1 is next; `None` when it does not wait.
    pub position: Option<usize>,
    /// Whose phones ring for it.
    pub ringing: BTreeSet<VolunteerId>,
    /// Who has the caller.
    pub volunteer: Option<VolunteerId>,
    /// The recording while, or after, it is made.
    pub recording: Option<RecordingId>,
}

/// What a caller's leg is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallStage {
    /// Waits, not answered yet; hears ringback.
    Ringback,
    /// Waits; is being answered.
    Answering,
    /// Waits; hears the greeting.
    Greeting,
    /// Waits; hears music.
    Music,
    /// Speaks with a volunteer.
    Bridged,
    /// With a volunteer, but one of them pressed hold.
    Held,
    /// Is asked for a message, or is being answered for it.
    Invitation,
    /// Leaves a message.
    Recording,
    /// Is thanked for the message.
    Thanks,
    /// Gone; the length of the message is not known yet.
    Closing,
}

/// A volunteer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolunteerSnapshot {
    /// Who.
    pub volunteer: VolunteerId,
    /// What they are doing.
    pub state: VolunteerState,
    /// The hubs in which they are on duty by the schedule.
    pub on_duty: BTreeSet<HubId>,
    /// Their phones that can be rung.
    pub devices: BTreeSet<DeviceId>,
}

/// Totals since the router was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that began, refused ones included.
    pub started: u64,
    /// Calls that ended, by outcome.
    pub ended: BTreeMap<Outcome, u64>,
    /// Phones dialled.
    pub dialled: u64,
    /// Callers whose rate-limit window was dropped early because the table was full.
    pub forgotten_callers: u64,
}

impl Counters {
    /// All calls that ended.
    #[must_use]
    pub fn ended_in_all(&self) -> u64 {
        self.ended.values().sum()
    }
}

impl Router {
    /// Everything live at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let volunteers = self
            .agents
            .keys()
            .map(|volunteer| VolunteerSnapshot {
                volunteer: volunteer.clone(),
                state: self.volunteer_state(volunteer),
                on_duty: self.roster.duties(volunteer),
                devices: self.roster.phones(volunteer).collect(),
            })
            .collect();
        let mut counters = self.counters.clone();
        counters.forgotten_callers = self.door.forgotten();
        Snapshot {
            at: self.clock.at(now),
            draining: self.draining,
            calls: self.calls.values().map(|call| call.snapshot(now)).collect(),
            volunteers,
            counters,
        }
    }
}

impl Call {
    fn snapshot(&self, now: Instant) -> CallSnapshot {
        let stage = self.stage_shown();
        let recorded = matches!(
            stage,
            CallStage::Recording | CallStage::Thanks | CallStage::Closing
        );
        CallSnapshot {
            call: self.id,
            hub: self.hub.clone(),
            trunk: self.history.trunk.clone(),
            started_at: self.history.started_at,
            stage,
            waited: self.history.waited(now),
            position: self.position,
            ringing: self
                .offer
                .ringing
                .values()
                .map(|ringing| ringing.volunteer.clone())
                .collect(),
            volunteer: self.talk().map(|talk| talk.volunteer.clone()),
            recording: recorded.then(|| self.recording()),
        }
    }

    fn stage_shown(&self) -> CallStage {
        match &self.stage {
            Stage::Queued(Waiting::Ringback { .. }) => CallStage::Ringback,
            Stage::Queued(Waiting::Answering) => CallStage::Answering,
            Stage::Queued(Waiting::Greeting { .. }) => CallStage::Greeting,
            Stage::Queued(Waiting::Music) => CallStage::Music,
            Stage::Bridged(talk) if talk.connected => CallStage::Bridged,
            Stage::Bridged(_) => CallStage::Held,
            Stage::Voicemail(Voicemail::Answering | Voicemail::Invitation { .. }) => {
                CallStage::Invitation
            }
            Stage::Voicemail(Voicemail::Recording { .. }) => CallStage::Recording,
            Stage::Voicemail(Voicemail::Thanks { .. }) => CallStage::Thanks,
            Stage::Voicemail(Voicemail::Closing { .. }) => CallStage::Closing,
        }
    }
}
