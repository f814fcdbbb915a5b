//! Whether what the router holds fits together; asked by simulations after every step.

use std::collections::{BTreeMap, BTreeSet};

use crate::call::{Answer, Call, Stage, Voicemail, Waiting};
use crate::id::{DeviceId, LegId, VolunteerId};
use crate::leg::{Leg, Party};
use crate::limits::MAX_LIVE_CALLS;
use crate::router::Router;

impl Router {
    /// Checks that what the router holds fits together.
    ///
    /// # Errors
    ///
    /// Names the first thing that does not.
    pub fn check_invariants(&self) -> Result<(), String> {
        ensure(self.calls.len() <= MAX_LIVE_CALLS, || {
            "more live calls than allowed".into()
        })?;
        let live = u64::try_from(self.calls.len()).unwrap_or(u64::MAX);
        let counted = self.counters.started - self.counters.ended_in_all();
        ensure(counted == live, || {
            format!("{counted} calls without an outcome, but {live} live")
        })?;
        for call in self.calls.values() {
            self.check_call(call)
                .map_err(|wrong| format!("call {}: {wrong}", call.id))?;
        }
        self.check_legs()?;
        self.check_volunteers()?;
        self.door.check()?;
        self.roster.check(self.clock.at(self.settled_at))?;
        self.check_kept()
    }

    fn check_call(&self, call: &Call) -> Result<(), String> {
        let closing = matches!(call.stage, Stage::Voicemail(Voicemail::Closing { .. }));
        let caller_live = self.legs.get(call.leg).is_some_and(|leg| {
            leg.call == call.id && leg.party == Party::Caller && leg.ending.is_none()
        });
        ensure(caller_live != closing, || {
            "the caller's leg and the stage disagree".into()
        })?;
        ensure(call.is_waiting() || call.offer.ringing.is_empty(), || {
            "phones ring for a caller who does not wait".into()
        })?;
        ensure(call.is_waiting() == call.position.is_some(), || {
            "only who waits has a place".into()
        })?;
        let ringback = matches!(call.stage, Stage::Queued(Waiting::Ringback { .. }));
        ensure(ringback == (call.answer == Answer::NotYet), || {
            "only ringback is heard before the answer".into()
        })?;
        if let Some(talk) = call.talk() {
            let party = Party::Volunteer {
                device: talk.device,
            };
            let live = self.legs.get(talk.leg).is_some_and(|leg| {
                leg.call == call.id && leg.party == party && leg.ending.is_none()
            });
            ensure(live, || "the volunteer's leg is not live".into())?;
            ensure(talk.connected != (talk.held || call.held), || {
                "hold and bridge disagree".into()
            })?;
        }
        self.check_ringing(call)
    }

    fn check_ringing(&self, call: &Call) -> Result<(), String> {
        let team = self.roster.team(&call.hub).ok_or("no hub")?;
        for (leg, ringing) in &call.offer.ringing {
            let party = Party::Volunteer {
                device: ringing.device,
            };
            let live = self.legs.get(*leg).is_some_and(|live| {
                live.call == call.id && live.party == party && live.ending.is_none()
            });
            ensure(live, || format!("ringing leg {leg} is not live"))?;
            ensure(team.allowed.contains(&ringing.volunteer), || {
                format!("{} rings, but is not to be rung", ringing.volunteer)
            })?;
            let agent = self.agents.get(&ringing.volunteer);
            let wraps_up = agent.is_some_and(|agent| agent.wrap_up_until.is_some());
            ensure(!wraps_up, || {
                format!("{} rings in wrap-up", ringing.volunteer)
            })?;
        }
        Ok(())
    }

    fn check_legs(&self) -> Result<(), String> {
        let mut occupied: BTreeSet<DeviceId> = BTreeSet::new();
        for (id, leg) in self.legs.iter() {
            if let Some(device) = leg.device() {
                ensure(occupied.insert(device), || {
                    format!("device {device} has two legs")
                })?;
            }
            ensure(leg.ending.is_some() || self.is_wanted(id, leg), || {
                format!("leg {id} is live and no call wants it")
            })?;
        }
        ensure(&occupied == self.legs.occupied(), || {
            "other phones have a leg than noted".into()
        })
    }

    fn is_wanted(&self, id: LegId, leg: &Leg) -> bool {
        self.calls.get(&leg.call).is_some_and(|call| {
            call.leg == id
                || call.offer.ringing.contains_key(&id)
                || call.talk().is_some_and(|talk| talk.leg == id)
        })
    }

    fn check_volunteers(&self) -> Result<(), String> {
        let mut calls_of: BTreeMap<&VolunteerId, BTreeSet<_>> = BTreeMap::new();
        for call in self.calls.values() {
            let rung = call.offer.ringing.values().map(|rung| &rung.volunteer);
            for volunteer in rung.chain(call.talk().map(|talk| &talk.volunteer)) {
                calls_of.entry(volunteer).or_default().insert(call.id);
            }
        }
        match calls_of.iter().find(|(_, calls)| calls.len() > 1) {
            Some((volunteer, calls)) => Err(format!("{volunteer} is in {} calls", calls.len())),
            None => Ok(()),
        }
    }
}

pub(crate) fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}
