//! Those who wait.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use routing::CallId;
use routing::limits::{NOBODY_LEFT_GRACE_S, RE_RING_AFTER_DECLINE_S};

use super::{Invariant, Stage, Verdict, Watch, breach};

/// Somebody free who was rung before is rung again after this time at the latest.
const RING_AGAIN: Duration = Duration::from_secs(RE_RING_AFTER_DECLINE_S + 1);

impl Watch {
    /// Whose waiting ends now: for want of anybody to ring, or because it took too long.
    pub(super) fn expire_waiting(&mut self, timeout: bool, now: Instant) {
        let nobody = self.hubs_without_anybody();
        let ringing = self.ringing_calls();
        for (id, call) in &mut self.calls {
            if call.stage != Stage::Waiting {
                continue;
            }
            let deserted = nobody.contains(&call.hub)
                && !ringing.contains(id)
                && call.nobody_until.is_some_and(|until| until <= now);
            if deserted || (timeout && call.until <= now) {
                call.stage = Stage::Voicemail;
            }
        }
    }

    pub(super) fn check_queue(&mut self, now: Instant) -> Verdict {
        let nobody = self.hubs_without_anybody();
        let ringing = self.ringing_calls();
        for (id, call) in &mut self.calls {
            if call.stage == Stage::Voicemail && call.up && !call.invited {
                let what = format!("call {id} is not asked for a message, though it is time");
                return breach(Invariant::WaitingEndsInTime, what);
            }
            if call.stage == Stage::Voicemail && !call.up && !call.answer_ordered {
                let what = format!("call {id} is not answered, though its waiting is over");
                return breach(Invariant::WaitingEndsInTime, what);
            }
            if call.stage != Stage::Waiting {
                continue;
            }
            if now > call.until {
                let what = format!("call {id} waits {:?} too long", now - call.until);
                return breach(Invariant::WaitingEndsInTime, what);
            }
            if nobody.contains(&call.hub) && !ringing.contains(id) {
                let grace = Duration::from_secs(NOBODY_LEFT_GRACE_S);
                call.nobody_until.get_or_insert(now + grace);
            } else {
                call.nobody_until = None;
            }
        }
        self.note_who_is_free(now);
        Ok(())
    }

    fn hubs_without_anybody(&self) -> BTreeSet<usize> {
        let hubs = 0..self.hotline.hubs.len();
        hubs.filter(|hub| self.available(*hub).is_empty()).collect()
    }

    fn ringing_calls(&self) -> BTreeSet<CallId> {
        let rings = self
            .legs
            .values()
            .filter(|leg| leg.phone.is_some() && leg.told.is_none());
        rings.map(|leg| leg.call).collect()
    }

    fn note_who_is_free(&mut self, now: Instant) {
        for who in 0..self.people.len() {
            let free = !self.engaged(who) && !self.in_wrap_up(who, now) && self.has_free_phone(who);
            let since = &mut self.people[who].free_since;
            if free {
                since.get_or_insert(now);
            } else {
                *since = None;
            }
        }
    }

    /// Nobody waits while somebody is free.
    pub(super) fn check_offers(&self, now: Instant) -> Verdict {
        for (id, call) in &self.calls {
            if call.stage != Stage::Waiting {
                continue;
            }
            for who in self.available(call.hub) {
                let Some(since) = self.people[who].free_since else {
                    continue;
                };
                let both = since.max(call.since);
                let long = now.saturating_duration_since(both) > RING_AGAIN;
                let forgotten = match call.rung.contains(&who) {
                    false => true,
                    true => long && !call.declined.contains(&who),
                };
                if forgotten {
                    let what = format!("call {id} waits, and volunteer {who} is free");
                    return breach(Invariant::NobodyIsForgotten, what);
                }
            }
        }
        Ok(())
    }
}
