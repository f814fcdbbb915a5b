//! The offer loop: after every event, whoever is free is rung for whoever waits.
//!
//! The oldest caller first gets all free volunteers of its hub, the next one
//! those who are left. Who is no longer to be rung stops ringing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::agent::Engagement;
use crate::call::{Ringing, Stage, Waiting};
use crate::command::{Command, HangupReason};
use crate::event::LegEnd;
use crate::id::{CallId, DeviceId, HubId, LegId, VolunteerId};
use crate::leg::{Leg, Party};
use crate::limits::{
    NOBODY_LEFT_GRACE_S, RE_RING_AFTER_DECLINE_S, RE_RING_AFTER_S, RE_RING_UNREACHABLE_AFTER_S,
    WAVE_S, later_s,
};
use crate::notice::Notice;
use crate::roster::Team;
use crate::router::Router;

/// Who is there to be rung, while one round of offers lasts.
struct Round {
    teams: BTreeMap<HubId, Team>,
    /// Neither rung, nor with a caller, nor in wrap-up.
    free: BTreeSet<VolunteerId>,
    /// Phones with a live leg, one that was told to end included.
    occupied: BTreeSet<DeviceId>,
}

/// A phone that may be rung. The order is that of ringing: longest idle first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    last_busy: Option<Instant>,
    volunteer: VolunteerId,
    device: DeviceId,
}

impl Router {
    /// Brings everything in line with what is true `now`.
    pub(crate) fn settle(&mut self, now: Instant) {
        if self.next_shift.is_some_and(|at| at <= now) {
            self.refresh_duty(now);
        }
        self.end_due_wrap_ups(now);
        let waiting: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.is_waiting())
            .map(|call| call.id)
            .collect();
        if !waiting.is_empty() {
            let teams = self.teams(&waiting);
            self.stop_unavailable(&waiting, &teams, now);
            let mut round = self.round(teams);
            for id in waiting {
                self.offer(id, &mut round, now);
                self.move_on(id, &round, now);
            }
        }
        self.tell_positions();
        self.tell_volunteers();
    }

    /// Tells one phone to stop ringing.
    pub(crate) fn stop_ringing(
        &mut self,
        id: CallId,
        leg: LegId,
        reason: HangupReason,
        now: Instant,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some(ringing) = call.ring_over(leg, now) {
            self.hang_up(leg, reason);
            self.out.notice(Notice::RingStopped {
                call: id,
                volunteer: ringing.volunteer,
                leg,
            });
        }
    }

    /// Tells every phone to stop ringing for a call.
    pub(crate) fn stop_all_ringing(&mut self, id: CallId, reason: HangupReason, now: Instant) {
        for leg in self.ringing_legs(id, |_| true) {
            self.stop_ringing(id, leg, reason, now);
        }
    }

    /// A phone gave up ringing by itself.
    pub(crate) fn ring_failed(&mut self, id: CallId, leg: LegId, end: LegEnd, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(ringing) = call.ring_over(leg, now) else {
            return;
        };
        let volunteer = ringing.volunteer;
        match end {
            LegEnd::Declined => {
                let until = later_s(now, RE_RING_AFTER_DECLINE_S);
                call.offer.declined.insert(volunteer.clone(), until);
            }
            LegEnd::Busy | LegEnd::NoAnswer | LegEnd::HungUp | LegEnd::Ordered => {
                let until = later_s(now, RE_RING_AFTER_S);
                call.offer.back_off.insert(ringing.device, until);
            }
            LegEnd::Unreachable | LegEnd::SignallingLost | LegEnd::MediaFailed => {
                let until = later_s(now, RE_RING_UNREACHABLE_AFTER_S);
                call.offer.back_off.insert(ringing.device, until);
            }
        }
        self.out.notice(Notice::RingStopped {
            call: id,
            volunteer: volunteer.clone(),
            leg,
        });
        if end == LegEnd::Declined {
            // The person has said no, not the phone.
            for other in self.ringing_legs(id, |ringing| ringing.volunteer == volunteer) {
                self.stop_ringing(id, other, HangupReason::NotAvailable, now);
            }
        }
    }

    fn ringing_legs(&self, id: CallId, wanted: impl Fn(&Ringing) -> bool) -> Vec<LegId> {
        let Some(call) = self.calls.get(&id) else {
            return Vec::new();
        };
        call.offer
            .ringing
            .iter()
            .filter(|(_, ringing)| wanted(ringing))
            .map(|(leg, _)| *leg)
            .collect()
    }

    fn teams(&self, waiting: &[CallId]) -> BTreeMap<HubId, Team> {
        let hubs: BTreeSet<&HubId> = waiting
            .iter()
            .filter_map(|id| self.calls.get(id))
            .map(|call| &call.hub)
            .collect();
        hubs.into_iter()
            .map(|hub| (hub.clone(), self.roster.team(hub)))
            .collect()
    }

    /// Stops the phones of those whose shift ended, who went on break, or who were removed.
    fn stop_unavailable(
        &mut self,
        waiting: &[CallId],
        teams: &BTreeMap<HubId, Team>,
        now: Instant,
    ) {
        for id in waiting {
            let Some(team) = self.calls.get(id).and_then(|call| teams.get(&call.hub)) else {
                continue;
            };
            for leg in self.ringing_legs(*id, |ringing| !team.allowed.contains(&ringing.volunteer))
            {
                self.stop_ringing(*id, leg, HangupReason::NotAvailable, now);
            }
        }
    }

    fn round(&self, teams: BTreeMap<HubId, Team>) -> Round {
        let engaged: BTreeMap<VolunteerId, Engagement> = self.engagements();
        let free = teams
            .values()
            .flat_map(|team| &team.available)
            .filter(|volunteer| !engaged.contains_key(volunteer) && !self.wraps_up(volunteer))
            .cloned()
            .collect();
        let occupied = self.legs.values().filter_map(Leg::device).collect();
        Round {
            teams,
            free,
            occupied,
        }
    }

    /// Rings every phone that may be rung for a call, as many as may ring at once.
    fn offer(&mut self, id: CallId, round: &mut Round, now: Instant) {
        let Some(candidates) = self.candidates(id, round, now) else {
            return;
        };
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        // Phones told to stop still count as ringing for the back end, but make room soon.
        let ringing = call.offer.ringing.len();
        let live = self
            .legs
            .values()
            .filter(|leg| leg.call == id && leg.party != Party::Caller)
            .count();
        let room = self.max_parallel_legs.saturating_sub(live);
        let without_room = candidates
            .len()
            .saturating_sub(self.max_parallel_legs.saturating_sub(ringing));
        for candidate in candidates.into_iter().take(room) {
            round.free.remove(&candidate.volunteer);
            round.occupied.insert(candidate.device);
            self.dial(id, candidate.volunteer, candidate.device, now);
        }
        self.next_wave(id, without_room, now);
    }

    /// The phones that may be rung for a call now, in the order in which to ring them.
    /// Notes when it is worth looking again.
    fn candidates(&mut self, id: CallId, round: &Round, now: Instant) -> Option<Vec<Candidate>> {
        let call = self.calls.get_mut(&id)?;
        let team = round.teams.get(&call.hub)?;
        let offer = &mut call.offer;
        offer.back_off.retain(|_, until| *until > now);
        let rung: BTreeSet<&VolunteerId> = offer
            .ringing
            .values()
            .map(|ringing| &ringing.volunteer)
            .collect();
        let at_hand: BTreeSet<&VolunteerId> = round
            .free
            .iter()
            .chain(rung)
            .filter(|volunteer| team.available.contains(volunteer))
            .collect();
        let all_declined = at_hand
            .iter()
            .all(|volunteer| offer.declined.contains_key(volunteer));
        let mut candidates = Vec::new();
        for volunteer in at_hand {
            let asked_again = |until: &Instant| all_declined && *until <= now;
            if !offer.declined.get(volunteer).is_none_or(asked_again) {
                continue;
            }
            let last_busy = self.agents.get(volunteer).and_then(|agent| agent.last_busy);
            for device in self.roster.phones(volunteer) {
                if !round.occupied.contains(&device) && !offer.back_off.contains_key(&device) {
                    candidates.push(Candidate {
                        last_busy,
                        volunteer: volunteer.clone(),
                        device,
                    });
                }
            }
        }
        candidates.sort();
        // A phone that two volunteers share rings for the one who was idle longer.
        let mut seen = BTreeSet::new();
        candidates.retain(|candidate| seen.insert(candidate.device));
        let declined = offer.declined.values().filter(|_| all_declined);
        offer.ring_again = offer
            .back_off
            .values()
            .chain(declined)
            .filter(|until| **until > now)
            .min()
            .copied();
        Some(candidates)
    }

    fn dial(&mut self, id: CallId, volunteer: VolunteerId, device: DeviceId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Stage::Queued(Waiting::Ringback { ordered }) = &mut call.stage
            && !*ordered
        {
            *ordered = true;
            self.out.command(Command::Ring { leg: call.leg });
        }
        self.next_leg += 1;
        let leg = LegId(self.next_leg);
        self.legs
            .insert(leg, Leg::new(id, Party::Volunteer { device }));
        let ringing = Ringing {
            volunteer: volunteer.clone(),
            device,
            since: now,
        };
        call.offer.ringing.insert(leg, ringing);
        call.history.ring_started(&volunteer, now);
        self.out.command(Command::Dial {
            leg,
            device,
            hub: call.hub.clone(),
            display: call.settings.display.clone(),
        });
        self.counters.dialled += 1;
        self.mark_busy(&volunteer, now);
        self.out.notice(Notice::RingStarted {
            call: id,
            volunteer,
            leg,
        });
    }

    /// With more phones than may ring, lets those that rang long enough make room.
    fn next_wave(&mut self, id: CallId, without_room: usize, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let mut by_age: Vec<(Instant, LegId)> = call
            .offer
            .ringing
            .iter()
            .map(|(leg, ringing)| (later_s(ringing.since, WAVE_S), *leg))
            .collect();
        by_age.sort_unstable();
        let due = |(until, _): &&(Instant, LegId)| *until <= now;
        let over: Vec<LegId> = by_age
            .iter()
            .take(without_room)
            .take_while(due)
            .map(|(_, leg)| *leg)
            .collect();
        call.offer.next_wave = (over.len() < without_room)
            .then(|| by_age.get(over.len()).map(|(until, _)| *until))
            .flatten();
        for leg in over {
            self.stop_ringing(id, leg, HangupReason::NoLongerNeeded, now);
        }
    }

    /// A caller for whom nobody is left goes to voicemail; one for whom nothing rings is answered.
    fn move_on(&mut self, id: CallId, round: &Round, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let somebody = round
            .teams
            .get(&call.hub)
            .is_some_and(|team| !team.available.is_empty());
        let quiet = call.offer.ringing.is_empty();
        if somebody || !quiet {
            call.offer.nobody_until = None;
        } else {
            let grace = later_s(now, NOBODY_LEFT_GRACE_S);
            let until = *call.offer.nobody_until.get_or_insert(grace);
            if until <= now {
                self.begin_voicemail(id, now);
                return;
            }
        }
        if quiet && matches!(call.stage, Stage::Queued(Waiting::Ringback { .. })) {
            self.answer_caller(id, now);
        }
    }

    fn tell_positions(&mut self) {
        let mut last: BTreeMap<&HubId, usize> = BTreeMap::new();
        for call in self.calls.values_mut() {
            if !call.is_waiting() {
                call.position = None;
                continue;
            }
            let position = last.entry(&call.hub).or_default();
            *position += 1;
            if call.position != Some(*position) {
                call.position = Some(*position);
                self.out.notice(Notice::CallQueued {
                    call: call.id,
                    position: *position,
                });
            }
        }
    }
}
