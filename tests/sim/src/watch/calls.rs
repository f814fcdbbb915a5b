//! The life of calls and legs.

use std::time::{Duration, Instant};

use routing::limits::RECORDING_CLOSE_S;
use routing::{CallId, CallRecord, HangupReason, HubId, LegEnd, LegId, Outcome, RejectReason};

use super::{Call, Invariant, Leg, Offer, Stage, Verdict, Watch, breach};

impl Watch {
    pub(super) fn call_offered(
        &mut self,
        leg: LegId,
        caller: Option<String>,
        called: &str,
        now: Instant,
    ) -> Verdict {
        if self.over.contains(&leg) || self.legs.contains_key(&leg) {
            return breach(Invariant::LegsEnd, format!("leg {leg} is offered twice"));
        }
        self.offered += 1;
        let expected = self.screen(caller, called, now);
        self.offer = Some(Offer { leg, expected });
        Ok(())
    }

    /// What must become of a caller at the door.
    fn screen(
        &mut self,
        caller: Option<String>,
        called: &str,
        now: Instant,
    ) -> Result<usize, RejectReason> {
        if self.draining {
            return Err(RejectReason::Unavailable);
        }
        let hub = self
            .hotline
            .hubs
            .iter()
            .position(|hub| hub.number == called);
        let hub = hub.ok_or(RejectReason::UnknownNumber)?;
        let settings = &self.hotline.hubs[hub];
        let Some(number) = caller else {
            return Ok(hub);
        };
        let bans = settings.bans.as_ref();
        if bans.is_some_and(|bans| bans.contains(&number)) {
            return Err(RejectReason::Banned);
        }
        if let Some((most, window)) = settings.rate_limit {
            let let_through = self.windows.entry((hub, number)).or_default();
            let_through.retain(|at| now < *at + window);
            if let_through.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
                return Err(RejectReason::RateLimited);
            }
            let_through.push(now);
        }
        Ok(hub)
    }

    pub(super) fn call_started(
        &mut self,
        id: CallId,
        hub: Option<&HubId>,
        now: Instant,
    ) -> Verdict {
        let Some(Offer { leg, expected }) = self.offer.take() else {
            let what = format!("call {id} began and nobody called");
            return breach(Invariant::CallersAreAccountedFor, what);
        };
        let found = hub.and_then(|hub| self.hub_place(hub));
        let live = Leg {
            call: id,
            phone: None,
            talks_for: None,
            up: false,
            told: None,
            held: false,
        };
        self.legs.insert(leg, live);
        let hub = match expected {
            Ok(hub) if found == Some(hub) => hub,
            Ok(_) => {
                let what = format!("call {id} came to the wrong hub");
                return breach(Invariant::CallersAreAccountedFor, what);
            }
            Err(reason) => {
                self.refused.insert(id, reason);
                self.refusals.insert(leg, reason);
                return Ok(());
            }
        };
        let settings = &self.hotline.hubs[hub];
        let waits = |call: &&Call| call.stage == Stage::Waiting && call.hub == hub;
        let full = self.calls.values().filter(waits).count() >= settings.max_waiting;
        let nobody = self.available(hub).is_empty();
        let stage = match full || nobody {
            true => Stage::Voicemail,
            false => Stage::Waiting,
        };
        let call = Call {
            hub,
            leg,
            stage,
            up: false,
            answer_ordered: false,
            answered: false,
            invited: false,
            recording: false,
            since: now,
            until: now + settings.queue_timeout,
            nobody_until: None,
            rung: Default::default(),
            declined: Default::default(),
        };
        self.calls.insert(id, call);
        Ok(())
    }

    pub(super) fn reject(&mut self, leg: LegId, reason: RejectReason) -> Verdict {
        if self.refusals.remove(&leg) != Some(reason) {
            let what = format!("a caller is refused for {reason:?}");
            return breach(Invariant::CallersAreAccountedFor, what);
        }
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.told = Some(HangupReason::Normal);
        }
        Ok(())
    }

    pub(super) fn leg_answered(&mut self, leg: LegId) -> Verdict {
        let Some(live) = self.legs.get_mut(&leg) else {
            return breach(
                Invariant::LegsEnd,
                format!("leg {leg} is answered and unknown"),
            );
        };
        live.up = true;
        let (id, phone, told) = (live.call, live.phone, live.told);
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        match phone {
            None => call.up = true,
            Some(_) if told.is_none() && call.stage == Stage::Waiting => {
                call.stage = Stage::Talking(leg);
                call.answered = true;
                live.talks_for = Some(call.hub);
            }
            Some(_) => {}
        }
        Ok(())
    }

    pub(super) fn leg_ended(&mut self, leg: LegId, end: LegEnd, now: Instant) -> Verdict {
        if !self.over.insert(leg) {
            return breach(Invariant::LegsEnd, format!("leg {leg} ends twice"));
        }
        // A leg that is not known was never ordered; its dial may still be on its way.
        let Some(live) = self.legs.remove(&leg) else {
            return Ok(());
        };
        let Some(call) = self.calls.get_mut(&live.call) else {
            return Ok(());
        };
        if live.told.is_some() {
            return Ok(());
        }
        let Some((_, who)) = live.phone else {
            if call.recording {
                call.stage = Stage::Closing(now + Duration::from_secs(RECORDING_CLOSE_S));
            }
            return Ok(());
        };
        if call.stage != Stage::Talking(leg) {
            if end == LegEnd::Declined {
                call.declined.insert(who);
            }
            return Ok(());
        }
        match end {
            LegEnd::SignallingLost | LegEnd::MediaFailed | LegEnd::Unreachable => {
                self.wait_again(live.call, now);
            }
            _ => self.begin_wrap_up(&live, now),
        }
        Ok(())
    }

    pub(super) fn media_lost(&mut self, leg: LegId, now: Instant) -> Verdict {
        let Some(live) = self.legs.get(&leg) else {
            return Ok(());
        };
        if live.told.is_some() || live.held {
            return Ok(());
        }
        let id = live.call;
        let Some(call) = self.calls.get(&id) else {
            return Ok(());
        };
        if call.stage == Stage::Talking(leg) {
            self.wait_again(id, now);
        }
        Ok(())
    }

    /// The line to the volunteer broke: the caller waits again.
    fn wait_again(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Stage::Talking(broken) = call.stage
            && let Some(leg) = self.legs.get_mut(&broken)
        {
            leg.talks_for = None;
        }
        call.stage = Stage::Waiting;
        call.since = now;
        call.until = now + self.hotline.hubs[call.hub].queue_timeout;
        call.nobody_until = None;
    }

    /// Time after the call begins when a conversation ends, not when its line breaks.
    fn begin_wrap_up(&mut self, leg: &Leg, now: Instant) {
        if let Some(hub) = leg.talks_for
            && let Some((_, who)) = leg.phone
        {
            let length = self.hotline.hubs[hub].wrap_up;
            self.people[who].wrap_until = (!length.is_zero()).then(|| now + length);
        }
    }

    pub(super) fn hang_up(&mut self, leg: LegId, reason: HangupReason, now: Instant) -> Verdict {
        let Some(live) = self.legs.get_mut(&leg) else {
            return Ok(());
        };
        if live.told.is_some() {
            return Ok(());
        }
        live.told = Some(reason);
        let live = live.clone();
        self.begin_wrap_up(&live, now);
        if live.phone.is_none()
            && let Some(call) = self.calls.get_mut(&live.call)
            && call.recording
        {
            call.stage = Stage::Closing(now + Duration::from_secs(RECORDING_CLOSE_S));
        }
        Ok(())
    }

    pub(super) fn bridge(&mut self, a: LegId, b: LegId) -> Verdict {
        let id = self.legs.get(&a).map(|leg| leg.call);
        let call = id.and_then(|id| self.calls.get(&id));
        if call.is_some_and(|call| call.leg == a && call.stage == Stage::Talking(b)) {
            return Ok(());
        }
        let what = format!("legs {a} and {b} are joined, and do not belong together");
        breach(Invariant::OneToOne, what)
    }

    pub(super) fn call_ended(&mut self, record: &CallRecord) -> Verdict {
        let id = record.call;
        let expected = match (self.refused.remove(&id), self.calls.remove(&id)) {
            (Some(reason), _) => record.outcome == Outcome::Rejected(reason),
            (None, Some(call)) => {
                let refused = matches!(record.outcome, Outcome::Rejected(_));
                let told = call.answered == (record.outcome == Outcome::Answered);
                told && !refused
            }
            (None, None) => {
                let what = format!("call {id} ends, and is over or never began");
                return breach(Invariant::CallersAreAccountedFor, what);
            }
        };
        *self.outcomes.entry(record.outcome).or_default() += 1;
        if expected {
            return Ok(());
        }
        let what = format!("call {id} ends as {:?}", record.outcome);
        breach(Invariant::CallersAreAccountedFor, what)
    }

    /// No leg outlives its call, and the losers are told in the turn in which one wins.
    pub(super) fn check_legs(&self) -> Verdict {
        for (id, leg) in &self.legs {
            if leg.told.is_some() {
                continue;
            }
            let Some(call) = self.calls.get(&leg.call) else {
                let what = format!("leg {id} goes on, and its call is over");
                return breach(Invariant::LegsEnd, what);
            };
            match (leg.phone, call.stage) {
                (None, Stage::Closing(_)) => {
                    let what = format!("caller's leg {id} goes on, and its call is closing");
                    return breach(Invariant::LegsEnd, what);
                }
                (None, _) | (Some(_), Stage::Waiting) => {}
                (Some(_), Stage::Talking(winner)) if winner == *id => {}
                (Some(_), Stage::Talking(_)) => {
                    let what = format!("leg {id} still rings, another was picked up");
                    return breach(Invariant::LosersStop, what);
                }
                (Some(_), _) => {
                    let what = format!("leg {id} still rings, and the caller leaves a message");
                    return breach(Invariant::LegsEnd, what);
                }
            }
        }
        Ok(())
    }

    /// Every call has a caller, or is closing for a short time; refused ones are over at once.
    pub(super) fn check_calls(&self, now: Instant) -> Verdict {
        let lost = |what: String| breach(Invariant::CallersAreAccountedFor, what);
        if self.offer.is_some() || !self.refused.is_empty() || !self.refusals.is_empty() {
            return lost("a caller was neither let in nor refused".into());
        }
        for (id, call) in &self.calls {
            let caller = self.legs.get(&call.leg).filter(|leg| leg.told.is_none());
            match (caller, call.stage) {
                (None, Stage::Closing(until)) if now <= until => {}
                (None, _) => return lost(format!("call {id} goes on without its caller")),
                (Some(_), Stage::Talking(volunteer)) => {
                    let with = self.legs.get(&volunteer).filter(|leg| leg.told.is_none());
                    if with.is_none() {
                        return lost(format!("call {id} goes on without its volunteer"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
