//! Who may ring.

use std::collections::BTreeSet;
use std::time::Instant;

use routing::{DeviceId, HubId, LegId};

use super::{Invariant, Leg, Stage, Verdict, Watch, breach};
use crate::duty;

impl Watch {
    pub(super) fn refresh_duty(&mut self, now: Instant) {
        let wall = self.wall_ns(now);
        let hubs = self.hotline.hubs.iter();
        self.on_duty = hubs.map(|hub| duty::on_duty(&hub.shifts, wall)).collect();
    }

    /// Those who may ring for a hub: on duty, and the fallback group when none of those can be reached.
    fn allowed(&self, hub: usize) -> BTreeSet<usize> {
        let attends = |who: &usize| {
            let volunteer = &self.hotline.volunteers[*who];
            volunteer.known && !volunteer.on_break
        };
        let on_duty = self.on_duty.get(hub).into_iter().flatten();
        let mut allowed: BTreeSet<usize> = on_duty.copied().filter(attends).collect();
        if !allowed.iter().any(|who| self.reachable(*who)) {
            let fallback = self.hotline.hubs[hub].fallback.iter();
            allowed.extend(fallback.copied().filter(attends));
        }
        allowed
    }

    /// Those of them who can be reached.
    pub(super) fn available(&self, hub: usize) -> BTreeSet<usize> {
        let mut allowed = self.allowed(hub);
        allowed.retain(|who| self.reachable(*who));
        allowed
    }

    fn reachable(&self, who: usize) -> bool {
        self.devices.values().any(|owner| *owner == who)
    }

    /// Whether a phone of theirs has a leg that was not told to end.
    pub(super) fn engaged(&self, who: usize) -> bool {
        self.legs
            .values()
            .any(|leg| leg.told.is_none() && leg.phone.is_some_and(|(_, owner)| owner == who))
    }

    pub(super) fn in_wrap_up(&self, who: usize, now: Instant) -> bool {
        self.people[who].wrap_until.is_some_and(|until| now < until)
    }

    /// Whether one of their phones is up and has no leg at all.
    pub(super) fn has_free_phone(&self, who: usize) -> bool {
        let taken = |device: &DeviceId| {
            self.legs
                .values()
                .any(|leg| leg.phone.is_some_and(|(of, _)| of == *device))
        };
        self.devices
            .iter()
            .any(|(device, owner)| *owner == who && !taken(device))
    }

    pub(super) fn dial(
        &mut self,
        leg: LegId,
        device: DeviceId,
        hub: &HubId,
        now: Instant,
    ) -> Verdict {
        let wrong = |what: &str| breach(Invariant::OnlyTheFreeRing, format!("leg {leg}: {what}"));
        let Some(who) = self.devices.get(&device).copied() else {
            return wrong("a phone is dialled that is not registered");
        };
        let Some(hub) = self.hub_place(hub) else {
            return wrong("a phone is dialled for no hub");
        };
        if !self.allowed(hub).contains(&who) {
            return wrong("somebody is dialled who is off duty, on break or gone");
        }
        if self.in_wrap_up(who, now) {
            return wrong("somebody is dialled in wrap-up");
        }
        let ring = self.rings.remove(&leg);
        let elsewhere = self.legs.values().any(|other| {
            let theirs = other.phone.is_some_and(|(_, owner)| owner == who);
            let same_call = ring.is_some_and(|(call, _)| call == other.call);
            theirs && other.told.is_none() && (other.up || !same_call)
        });
        if elsewhere {
            return wrong("somebody is dialled who talks or rings for another caller");
        }
        if self
            .legs
            .values()
            .any(|other| other.phone.is_some_and(|(of, _)| of == device))
        {
            return wrong("a phone is dialled that has a leg");
        }
        let Some((call, _)) = ring.filter(|(_, owner)| *owner == who) else {
            return breach(
                Invariant::LegsEnd,
                format!("leg {leg} is dialled for no call"),
            );
        };
        if !self.engaged(who) {
            self.check_order(call, who)?;
        }
        let live = Leg {
            call,
            phone: Some((device, who)),
            talks_for: None,
            up: false,
            told: None,
            held: false,
        };
        self.legs.insert(leg, live);
        if let Some(call) = self.calls.get_mut(&call) {
            call.rung.insert(who);
        }
        Ok(())
    }

    /// Nobody who has waited longer is passed over, unless they have rung that volunteer before.
    fn check_order(&self, call: routing::CallId, who: usize) -> Verdict {
        let older = self.calls.range(..call).filter(|(_, older)| {
            older.stage == Stage::Waiting
                && !older.rung.contains(&who)
                && self.available(older.hub).contains(&who)
        });
        match older.into_iter().next() {
            None => Ok(()),
            Some((older, _)) => {
                let what = format!("call {call} is offered before call {older}");
                breach(Invariant::NobodyIsForgotten, what)
            }
        }
    }

    /// Who must not ring any more was told so.
    pub(super) fn check_ringing(&mut self, now: Instant) -> Verdict {
        let allowed: Vec<BTreeSet<usize>> = (0..self.hotline.hubs.len())
            .map(|hub| self.allowed(hub))
            .collect();
        for (id, leg) in &self.legs {
            let Some((_, who)) = leg.phone.filter(|_| leg.told.is_none()) else {
                continue;
            };
            let Some(call) = self.calls.get(&leg.call) else {
                continue;
            };
            if call.stage != Stage::Waiting {
                continue;
            }
            if !allowed[call.hub].contains(&who) || self.in_wrap_up(who, now) {
                let what = format!("leg {id} rings somebody who is off duty, on break or gone");
                return breach(Invariant::OnlyTheFreeRing, what);
            }
        }
        Ok(())
    }
}
