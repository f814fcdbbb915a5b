//! The offer loop: after every event, whoever is free is rung for whoever waits.
//!
//! The oldest caller first gets all free volunteers of its hub, the next one
//! those who are left. Who is no longer to be rung stops ringing. Only callers
//! for whom something changed are looked at: for all others, looking again
//! would change nothing.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::call::{Call, Offer, Ringing, Stage, Waiting};
use crate::command::{Command, HangupReason};
use crate::event::LegEnd;
use crate::id::{CallId, DeviceId, LegId, VolunteerId};
use crate::leg::{Leg, Party};
use crate::limits::{
    NOBODY_LEFT_GRACE_S, RE_RING_AFTER_DECLINE_S, RE_RING_AFTER_S, RE_RING_UNREACHABLE_AFTER_S,
    WAVE_S, later_s,
};
use crate::notice::Notice;
use crate::router::Router;

/// What may be done for a waiting caller now.
pub(crate) struct Survey {
    /// The phones that may be rung, in the order in which to ring them.
    pub(crate) candidates: Vec<Candidate>,
    /// How many of them may be rung at once.
    pub(crate) room: usize,
    /// How many of them only have room when others stop ringing.
    pub(crate) without_room: usize,
    /// When it is worth looking again.
    pub(crate) ring_again: Option<Instant>,
}

/// A phone that may be rung. The order is that of ringing: longest idle first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    last_busy: Option<Instant>,
    volunteer: VolunteerId,
    device: DeviceId,
}

impl Router {
    /// Brings everything in line with what is true `now`.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled_at = now;
        if self.next_shift.is_some_and(|at| at <= now) {
            self.refresh_duty(now);
        }
        self.note_due(now);
        self.index_calls();
        let restaffed = self.regard_changes();
        self.stop_unavailable(&restaffed, now);
        self.regard_volunteers();
        self.offer_to_waiting(now);
        self.tell_positions();
        self.tell_volunteers();
    }

    /// Looks at all waiting callers for whom something changed, oldest first. What
    /// an offer changes for older ones is taken up in the next turn, and so is
    /// the room that a wave made.
    fn offer_to_waiting(&mut self, now: Instant) {
        let mut last = None;
        while let Some(id) = self.calls.next_touched(last) {
            last = Some(id);
            let made_room = self.offer(id, now);
            self.move_on(id, now);
            let waits = self.index_call(id);
            if !(made_room && waits) {
                self.calls.looked_at(&id);
            }
        }
    }

    /// Drops a phone from those that ring, and closes the volunteer's ring time with their last phone.
    pub(crate) fn ring_over(&mut self, id: CallId, leg: LegId, now: Instant) -> Option<Ringing> {
        let call = self.calls.get_mut(&id)?;
        let ringing = call.offer.ringing.remove(&leg)?;
        if self.phone_is_quiet(&ringing.volunteer)
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.history.ring_stopped(&ringing.volunteer, now);
        }
        Some(ringing)
    }

    /// Tells one phone to stop ringing.
    pub(crate) fn stop_ringing(
        &mut self,
        id: CallId,
        leg: LegId,
        reason: HangupReason,
        now: Instant,
    ) {
        if let Some(ringing) = self.ring_over(id, leg, now) {
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
        let Some(ringing) = self.ring_over(id, leg, now) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
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

    /// Stops the phones of those whose shift ended, who went on break, or who were removed.
    fn stop_unavailable(&mut self, restaffed: &BTreeSet<CallId>, now: Instant) {
        for id in restaffed {
            let team = self
                .calls
                .get(id)
                .and_then(|call| self.roster.team(&call.hub));
            let Some(team) = team else {
                continue;
            };
            for leg in self.ringing_legs(*id, |ringing| !team.allowed.contains(&ringing.volunteer))
            {
                self.stop_ringing(*id, leg, HangupReason::NotAvailable, now);
            }
        }
    }

    /// Rings every phone that may be rung for a call, as many as may ring at once.
    /// Returns whether others were told to stop, to make room.
    fn offer(&mut self, id: CallId, now: Instant) -> bool {
        let Some(call) = self.calls.get(&id) else {
            return false;
        };
        let Some(queue) = self.queues.by_hub.get(&call.hub) else {
            return false;
        };
        let survey = self.survey(call, &queue.idle, now);
        if let Some(call) = self.calls.get_mut(&id) {
            call.offer.back_off.retain(|_, until| *until > now);
            call.offer.ring_again = survey.ring_again;
        }
        for candidate in survey.candidates.into_iter().take(survey.room) {
            self.dial(id, candidate.volunteer, candidate.device, now);
        }
        self.next_wave(id, survey.without_room, now)
    }

    /// Finds the phones that may be rung for a waiting caller now, and when to look
    /// again, given those who are free.
    pub(crate) fn survey(&self, call: &Call, idle: &BTreeSet<VolunteerId>, now: Instant) -> Survey {
        let offer = &call.offer;
        let team = self.roster.team(&call.hub);
        let at_hand = || {
            let rung = offer.ringing.values().map(|ringing| &ringing.volunteer);
            let available =
                |who: &&VolunteerId| team.is_some_and(|team| team.available.contains(*who));
            idle.iter().chain(rung.filter(available))
        };
        let all_declined = at_hand().all(|volunteer| offer.declined.contains_key(volunteer));
        let backs_off = |device| {
            offer
                .back_off
                .get(&device)
                .is_some_and(|until| *until > now)
        };
        let mut candidates = Vec::new();
        for volunteer in at_hand() {
            let asked_again = |until: &Instant| all_declined && *until <= now;
            if !offer.declined.get(volunteer).is_none_or(asked_again) {
                continue;
            }
            let last_busy = self.agents.get(volunteer).and_then(|agent| agent.last_busy);
            for device in self.roster.phones(volunteer) {
                if !self.legs.occupies(device) && !backs_off(device) {
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
        let ring_again = offer.back_off.values().chain(declined);
        let ring_again = ring_again.filter(|until| **until > now).min().copied();
        // Phones told to stop still count as ringing for the back end, but make room soon.
        let room_soon = self.max_parallel_legs.saturating_sub(offer.ringing.len());
        Survey {
            room: self.max_parallel_legs.saturating_sub(offer.live_legs),
            without_room: candidates.len().saturating_sub(room_soon),
            candidates,
            ring_again,
        }
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
        call.offer.live_legs += 1;
        call.history.ring_started(&volunteer, now);
        self.out.command(Command::Dial {
            leg,
            device,
            hub: call.hub.clone(),
            display: call.settings.display.clone(),
        });
        self.counters.dialled += 1;
        self.phone_rings(&volunteer, now);
        self.regard(volunteer.clone());
        self.regard_phone(device);
        self.out.notice(Notice::RingStarted {
            call: id,
            volunteer,
            leg,
        });
    }

    /// With more phones than may ring, lets those that rang long enough make room.
    fn next_wave(&mut self, id: CallId, without_room: usize, now: Instant) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        let (over, next) = call.offer.wave(without_room, now);
        call.offer.next_wave = next;
        for leg in &over {
            self.stop_ringing(id, *leg, HangupReason::NoLongerNeeded, now);
        }
        !over.is_empty()
    }

    /// A caller for whom nobody is left goes to voicemail; one for whom nothing rings is answered.
    fn move_on(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let team = self.roster.team(&call.hub);
        let somebody = team.is_some_and(|team| !team.available.is_empty());
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
}

impl Offer {
    /// The phones that have rung long enough to make room for as many others,
    /// and when the next will have.
    pub(crate) fn wave(&self, without_room: usize, now: Instant) -> (Vec<LegId>, Option<Instant>) {
        if without_room == 0 {
            return (Vec::new(), None);
        }
        let mut by_age: Vec<(Instant, LegId)> = self
            .ringing
            .iter()
            .map(|(leg, ringing)| (later_s(ringing.since, WAVE_S), *leg))
            .collect();
        by_age.sort_unstable();
        let over: Vec<LegId> = by_age
            .iter()
            .take(without_room)
            .take_while(|(until, _)| *until <= now)
            .map(|(_, leg)| *leg)
            .collect();
        let next = (over.len() < without_room)
            .then(|| by_age.get(over.len()).map(|(until, _)| *until))
            .flatten();
        (over, next)
    }
}
