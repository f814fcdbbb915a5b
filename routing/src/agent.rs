//! What volunteers are doing, derived from the calls.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::call::Stage;
use crate::id::{CallId, VolunteerId};
use crate::limits::later;
use crate::notice::{Notice, VolunteerState};
use crate::router::Router;

/// What must be remembered of a volunteer; the rest follows from the calls.
pub(crate) struct Agent {
    pub(crate) wrap_up_until: Option<Instant>,
    /// When they were last rung or with a caller; `None` is longest ago.
    pub(crate) last_busy: Option<Instant>,
    /// The state as last told.
    told: VolunteerState,
}

impl Default for Agent {
    /// Whoever has not been told about counts as unreachable.
    fn default() -> Self {
        Self {
            wrap_up_until: None,
            last_busy: None,
            told: VolunteerState::Unreachable,
        }
    }
}

/// What keeps a volunteer from other calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engagement {
    Ringing(CallId),
    InCall(CallId),
}

impl Router {
    /// Who is rung for, or in, which call.
    pub(crate) fn engagements(&self) -> BTreeMap<VolunteerId, Engagement> {
        let mut engaged = BTreeMap::new();
        for call in self.calls.values() {
            for ringing in call.offer.ringing.values() {
                engaged.insert(ringing.volunteer.clone(), Engagement::Ringing(call.id));
            }
            if let Stage::Bridged(talk) = &call.stage {
                engaged.insert(talk.volunteer.clone(), Engagement::InCall(call.id));
            }
        }
        engaged
    }

    /// What a volunteer is doing, given who is engaged.
    pub(crate) fn volunteer_state(
        &self,
        volunteer: &VolunteerId,
        engaged: &BTreeMap<VolunteerId, Engagement>,
    ) -> VolunteerState {
        match engaged.get(volunteer) {
            Some(Engagement::InCall(_)) => return VolunteerState::InCall,
            Some(Engagement::Ringing(_)) => return VolunteerState::Ringing,
            None => {}
        }
        if !self.roster.knows(volunteer) {
            return VolunteerState::Unreachable;
        }
        if self.wraps_up(volunteer) {
            return VolunteerState::WrapUp;
        }
        if self.roster.on_break(volunteer) {
            return VolunteerState::OnBreak;
        }
        if !self.roster.reachable(volunteer) {
            return VolunteerState::Unreachable;
        }
        VolunteerState::Idle
    }

    pub(crate) fn wraps_up(&self, volunteer: &VolunteerId) -> bool {
        self.agents
            .get(volunteer)
            .is_some_and(|agent| agent.wrap_up_until.is_some())
    }

    /// Notes that a volunteer was just busy.
    pub(crate) fn mark_busy(&mut self, volunteer: &VolunteerId, now: Instant) {
        let agent = self.agents.entry(volunteer.clone()).or_default();
        agent.last_busy = Some(now);
    }

    /// Starts the time in which a volunteer is not rung.
    pub(crate) fn begin_wrap_up(
        &mut self,
        volunteer: &VolunteerId,
        length: Duration,
        now: Instant,
    ) {
        let agent = self.agents.entry(volunteer.clone()).or_default();
        agent.last_busy = Some(now);
        agent.wrap_up_until = (!length.is_zero()).then(|| later(now, length));
    }

    pub(crate) fn end_due_wrap_ups(&mut self, now: Instant) {
        for agent in self.agents.values_mut() {
            agent.wrap_up_until = agent.wrap_up_until.filter(|until| *until > now);
        }
    }

    /// Tells of every volunteer whose state changed, and forgets those who are removed and free.
    pub(crate) fn tell_volunteers(&mut self) {
        let engaged = self.engagements();
        let removed = self.agents.keys().filter(|id| !self.roster.knows(id));
        let changed: Vec<(VolunteerId, VolunteerState)> = self
            .roster
            .volunteers()
            .chain(removed)
            .map(|id| (id, self.volunteer_state(id, &engaged)))
            .filter(|(id, state)| self.told(id) != *state)
            .map(|(id, state)| (id.clone(), state))
            .collect();
        for (volunteer, state) in changed {
            self.agents.entry(volunteer.clone()).or_default().told = state;
            self.out
                .notice(Notice::VolunteerChanged { volunteer, state });
        }
        let roster = &self.roster;
        self.agents.retain(|id, agent| {
            agent.wrap_up_until.is_some() || roster.knows(id) || engaged.contains_key(id)
        });
    }

    /// The state that was told last.
    fn told(&self, volunteer: &VolunteerId) -> VolunteerState {
        let agent = self.agents.get(volunteer);
        agent.map_or_else(|| Agent::default().told, |agent| agent.told)
    }
}
