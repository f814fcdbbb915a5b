//! One caller's call: what their leg is doing, who is rung for it, what is kept of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::command::{Prompt, PromptKind};
use crate::config::HubConfig;
use crate::id::{CallId, DeviceId, HubId, LegId, RecordingId, TrunkId, VolunteerId};
use crate::limits::later;
use crate::notice::{CallRecord, RungVolunteer};
use crate::outcome::Outcome;
use crate::party::CallerTag;
use crate::timer::TimerReason;

/// A live call.
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) hub: HubId,
    /// The hub's settings; the last ones when the hub was removed meanwhile.
    pub(crate) settings: Arc<HubConfig>,
    pub(crate) leg: LegId,
    pub(crate) answer: Answer,
    /// Whether the caller pressed hold.
    pub(crate) held: bool,
    pub(crate) stage: Stage,
    /// When a caller who hears ringback is to be answered.
    pub(crate) answer_at: Instant,
    /// When waiting ends with voicemail.
    pub(crate) queue_until: Instant,
    /// Place among the waiting callers of the hub, as last told.
    pub(crate) position: Option<usize>,
    /// The next deadline, as last noted.
    pub(crate) deadline: Option<(Instant, TimerReason)>,
    pub(crate) offer: Offer,
    pub(crate) history: History,
}

/// How far the caller's leg is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    NotYet,
    Ordered { until: Instant },
    Up,
}

/// What the caller's leg is doing. Ended calls are not kept.
pub(crate) enum Stage {
    Queued(Waiting),
    Bridged(Talk),
    Voicemail(Voicemail),
}

/// What a waiting caller hears.
pub(crate) enum Waiting {
    Ringback { ordered: bool },
    Answering,
    Greeting { until: Instant },
    Music,
}

/// A caller with a volunteer.
pub(crate) struct Talk {
    pub(crate) volunteer: VolunteerId,
    pub(crate) device: DeviceId,
    pub(crate) leg: LegId,
    /// Whether the volunteer pressed hold.
    pub(crate) held: bool,
    /// Whether the two hear each other.
    pub(crate) connected: bool,
}

/// How far a caller is with a message.
pub(crate) enum Voicemail {
    Answering,
    Invitation {
        until: Instant,
    },
    Recording {
        until: Instant,
        stopping: bool,
    },
    Thanks {
        until: Instant,
    },
    /// The caller is gone, the recording has not yet said how long it is.
    Closing {
        until: Instant,
        /// How the call ended if there is no message.
        otherwise: Outcome,
    },
}

/// Who is rung for a call, and who is not to be for now.
#[derive(Default)]
pub(crate) struct Offer {
    pub(crate) ringing: BTreeMap<LegId, Ringing>,
    /// How many legs to phones are live, those told to end included.
    pub(crate) live_legs: usize,
    /// Volunteers who declined, and from when they may be asked again.
    pub(crate) declined: BTreeMap<VolunteerId, Instant>,
    /// Phones that did not take the call, and from when they may be rung again.
    pub(crate) back_off: BTreeMap<DeviceId, Instant>,
    /// While nobody can be rung: when the caller stops waiting for that to change.
    pub(crate) nobody_until: Option<Instant>,
    /// When to look for phones again.
    pub(crate) ring_again: Option<Instant>,
    /// When a ringing phone makes room for another.
    pub(crate) next_wave: Option<Instant>,
}

/// A phone that rings.
pub(crate) struct Ringing {
    pub(crate) volunteer: VolunteerId,
    pub(crate) device: DeviceId,
    pub(crate) since: Instant,
}

/// What will be kept of a call.
pub(crate) struct History {
    pub(crate) trunk: Option<TrunkId>,
    pub(crate) caller: CallerTag,
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
    first_ring: Option<Instant>,
    wait_over: Option<Instant>,
    talk: Duration,
    talk_since: Option<Instant>,
    rung: Vec<Rung>,
    /// Where each volunteer is in `rung`.
    rung_at: BTreeMap<VolunteerId, usize>,
    pub(crate) answered_by: Option<VolunteerId>,
    pub(crate) voicemail: Option<(RecordingId, Duration)>,
}

struct Rung {
    volunteer: VolunteerId,
    rang: Duration,
    since: Option<Instant>,
    answered: bool,
}

impl Call {
    /// A caller who has just come in and hears nothing yet.
    pub(crate) fn new(
        id: CallId,
        leg: LegId,
        hub: HubId,
        settings: Arc<HubConfig>,
        history: History,
    ) -> Self {
        let started = history.started;
        Self {
            id,
            leg,
            hub,
            answer: Answer::NotYet,
            held: false,
            stage: Stage::Queued(Waiting::Ringback { ordered: false }),
            answer_at: later(started, settings.answer_after),
            queue_until: later(started, settings.queue_timeout),
            position: None,
            deadline: None,
            offer: Offer {
                // Who finds nobody on arrival need not wait at all.
                nobody_until: Some(started),
                ..Offer::default()
            },
            history,
            settings,
        }
    }

    pub(crate) fn prompt(&self, kind: PromptKind) -> Prompt {
        let hub = self.hub.clone();
        Prompt { hub, kind }
    }

    /// The recording of this call; its id is the call's.
    pub(crate) fn recording(&self) -> RecordingId {
        RecordingId(self.id.0)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Queued(_))
    }

    pub(crate) fn talk(&self) -> Option<&Talk> {
        match &self.stage {
            Stage::Bridged(talk) => Some(talk),
            Stage::Queued(_) | Stage::Voicemail(_) => None,
        }
    }
}

impl History {
    pub(crate) fn new(
        trunk: Option<TrunkId>,
        caller: CallerTag,
        started: Instant,
        started_at: Timestamp,
    ) -> Self {
        Self {
            trunk,
            caller,
            started,
            started_at,
            first_ring: None,
            wait_over: None,
            talk: Duration::ZERO,
            talk_since: None,
            rung: Vec::new(),
            rung_at: BTreeMap::new(),
            answered_by: None,
            voicemail: None,
        }
    }

    pub(crate) fn ring_started(&mut self, volunteer: &VolunteerId, now: Instant) {
        self.first_ring.get_or_insert(now);
        if let Some(rung) = self.rung_mut(volunteer) {
            rung.since.get_or_insert(now);
            return;
        }
        self.rung_at.insert(volunteer.clone(), self.rung.len());
        self.rung.push(Rung {
            volunteer: volunteer.clone(),
            rang: Duration::ZERO,
            since: Some(now),
            answered: false,
        });
    }

    pub(crate) fn ring_stopped(&mut self, volunteer: &VolunteerId, now: Instant) {
        if let Some(rung) = self.rung_mut(volunteer)
            && let Some(since) = rung.since.take()
        {
            rung.rang += now.saturating_duration_since(since);
        }
    }

    fn rung_mut(&mut self, volunteer: &VolunteerId) -> Option<&mut Rung> {
        let at = self.rung_at.get(volunteer)?;
        self.rung.get_mut(*at)
    }

    pub(crate) fn wait_over(&mut self, now: Instant) {
        self.wait_over.get_or_insert(now);
    }

    pub(crate) fn waited(&self, now: Instant) -> Duration {
        self.wait_over
            .unwrap_or(now)
            .saturating_duration_since(self.started)
    }

    pub(crate) fn talk_began(&mut self, volunteer: &VolunteerId, now: Instant) {
        self.wait_over(now);
        self.talk_since = Some(now);
        self.answered_by.get_or_insert_with(|| volunteer.clone());
        if let Some(rung) = self.rung_mut(volunteer) {
            rung.answered = true;
        }
    }

    pub(crate) fn talk_over(&mut self, now: Instant) {
        if let Some(since) = self.talk_since.take() {
            self.talk += now.saturating_duration_since(since);
        }
    }

    /// The record of a call that ends now.
    pub(crate) fn into_record(
        self,
        call: CallId,
        hub: Option<HubId>,
        end: Outcome,
        now: Instant,
    ) -> CallRecord {
        let answered = self.answered_by.is_some();
        let (outcome, broke_off) = match end {
            Outcome::Failed(reason) if answered => (Outcome::Answered, Some(reason)),
            _ if answered => (Outcome::Answered, None),
            end => (end, None),
        };
        CallRecord {
            call,
            hub,
            wait: self.waited(now),
            trunk: self.trunk,
            caller: self.caller,
            started_at: self.started_at,
            until_ring: self
                .first_ring
                .map(|at| at.saturating_duration_since(self.started)),
            talk: self.talk,
            voicemail: self.voicemail,
            rung: self
                .rung
                .into_iter()
                .map(|rung| RungVolunteer {
                    volunteer: rung.volunteer,
                    rang: rung.rang,
                    answered: rung.answered,
                })
                .collect(),
            answered_by: self.answered_by,
            outcome,
            broke_off,
        }
    }
}
