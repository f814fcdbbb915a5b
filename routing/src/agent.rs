//! What volunteers are doing.

use std::time::{Duration, Instant};

use crate::id::VolunteerId;
use crate::limits::later;
use crate::notice::{Notice, VolunteerState};
use crate::router::Router;
use crate::timer::{Deadline, TimerReason, Whose};

/// What must be remembered of a volunteer; the rest follows from the roster.
pub(crate) struct Agent {
    /// How many of their phones ring.
    pub(crate) phones_ringing: usize,
    /// Whether they are with a caller.
    pub(crate) talks: bool,
    pub(crate) wrap_up_until: Option<Instant>,
    /// When they were last rung or with a caller; `None` is longest ago.
    pub(crate) last_busy: Option<Instant>,
    /// The state as last told.
    pub(crate) told: VolunteerState,
}

impl Default for Agent {
    /// Whoever has not been told about counts as unreachable.
    fn default() -> Self {
        Self {
            phones_ringing: 0,
            talks: false,
            wrap_up_until: None,
            last_busy: None,
            told: VolunteerState::Unreachable,
        }
    }
}

impl Agent {
    fn is_engaged(&self) -> bool {
        self.talks || self.phones_ringing > 0
    }

    fn is_free(&self) -> bool {
        !self.is_engaged() && self.wrap_up_until.is_none()
    }
}

impl Router {
    /// What a volunteer is doing.
    pub(crate) fn volunteer_state(&self, volunteer: &VolunteerId) -> VolunteerState {
        let agent = self.agents.get(volunteer);
        if agent.is_some_and(|agent| agent.talks) {
            return VolunteerState::InCall;
        }
        if agent.is_some_and(Agent::is_engaged) {
            return VolunteerState::Ringing;
        }
        if !self.roster.knows(volunteer) {
            return VolunteerState::Unreachable;
        }
        if agent.is_some_and(|agent| agent.wrap_up_until.is_some()) {
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

    /// Neither rung, nor with a caller, nor in wrap-up.
    pub(crate) fn is_free(&self, volunteer: &VolunteerId) -> bool {
        self.agents.get(volunteer).is_none_or(Agent::is_free)
    }

    /// One more phone of a volunteer rings.
    pub(crate) fn phone_rings(&mut self, volunteer: &VolunteerId, now: Instant) {
        let agent = self.agents.entry(volunteer);
        agent.phones_ringing += 1;
        agent.last_busy = Some(now);
    }

    /// One phone of a volunteer rings no more. Returns whether it was the last.
    pub(crate) fn phone_is_quiet(&mut self, volunteer: &VolunteerId) -> bool {
        let agent = self.agents.entry(volunteer);
        agent.phones_ringing = agent.phones_ringing.saturating_sub(1);
        agent.phones_ringing == 0
    }

    /// A volunteer has a caller from now on, or no longer.
    pub(crate) fn set_talks(&mut self, volunteer: &VolunteerId, talks: bool, now: Instant) {
        let agent = self.agents.entry(volunteer);
        agent.talks = talks;
        agent.last_busy = Some(now);
    }

    /// Starts the time in which a volunteer is not rung.
    pub(crate) fn begin_wrap_up(
        &mut self,
        volunteer: &VolunteerId,
        length: Duration,
        now: Instant,
    ) {
        self.end_wrap_up(volunteer);
        if !length.is_zero() {
            let until = later(now, length);
            self.agents.entry(volunteer).wrap_up_until = Some(until);
            self.deadlines.insert(wrap_up_over(volunteer, until));
        }
    }

    pub(crate) fn end_wrap_up(&mut self, volunteer: &VolunteerId) {
        if let Some(agent) = self.agents.get_mut(volunteer)
            && let Some(until) = agent.wrap_up_until.take()
        {
            self.deadlines.remove(&wrap_up_over(volunteer, until));
        }
    }

    /// Tells of every volunteer whose state changed, and forgets those who are removed and free.
    pub(crate) fn tell_volunteers(&mut self) {
        let mut changed = std::mem::take(&mut self.regarded);
        // Who was freed by the offers is told of at once, and free from the next turn on.
        changed.extend(self.agents.touched().iter().cloned());
        let (known, removed): (Vec<_>, Vec<_>) = changed
            .into_iter()
            .partition(|volunteer| self.roster.knows(volunteer));
        for volunteer in known.iter().chain(&removed) {
            self.tell_volunteer(volunteer);
        }
        for volunteer in removed {
            if self.agents.get(&volunteer).is_some_and(Agent::is_free) {
                self.agents.remove(&volunteer);
            }
        }
    }

    fn tell_volunteer(&mut self, volunteer: &VolunteerId) {
        let state = self.volunteer_state(volunteer);
        if self.told(volunteer) != state {
            self.agents.entry_unmarked(volunteer).told = state;
            let volunteer = volunteer.clone();
            self.out
                .notice(Notice::VolunteerChanged { volunteer, state });
        }
    }

    /// The state that was told last.
    pub(crate) fn told(&self, volunteer: &VolunteerId) -> VolunteerState {
        let agent = self.agents.get(volunteer);
        agent.map_or_else(|| Agent::default().told, |agent| agent.told)
    }
}

/// The deadline that belongs to a volunteer's wrap-up.
pub(crate) fn wrap_up_over(volunteer: &VolunteerId, until: Instant) -> Deadline {
    let whose = Whose::Volunteer(volunteer.clone());
    (until, TimerReason::WrapUpOver, whose)
}
