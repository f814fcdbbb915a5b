//! Whether what is kept up to date turn by turn is what would be found anew: the
//! guard against a change that touches less than it should.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::wrap_up_over;
use crate::call::Call;
use crate::check::ensure;
use crate::id::{CallId, HubId, VolunteerId};
use crate::leg::Party;
use crate::router::Router;
use crate::timer::{Deadline, Whose};

impl Router {
    /// Finds anew all that is kept, and that looking at all callers again would change nothing.
    ///
    /// # Errors
    ///
    /// Names the first thing that is not as kept.
    pub(crate) fn check_kept(&self) -> Result<(), String> {
        self.check_engagements()?;
        self.check_live_legs()?;
        self.check_queues()?;
        self.check_deadlines()?;
        for queue in self.queues.by_hub.values() {
            for id in queue.calls.difference(self.calls.touched()) {
                if let Some(call) = self.calls.get(id) {
                    self.check_offer(call, &queue.idle)
                        .map_err(|wrong| format!("call {id}: {wrong}"))?;
                }
            }
        }
        self.check_told()
    }

    fn check_engagements(&self) -> Result<(), String> {
        let mut engaged: BTreeMap<&VolunteerId, (usize, bool)> = BTreeMap::new();
        for call in self.calls.values() {
            for ringing in call.offer.ringing.values() {
                engaged.entry(&ringing.volunteer).or_default().0 += 1;
            }
            if let Some(talk) = call.talk() {
                engaged.entry(&talk.volunteer).or_default().1 = true;
            }
        }
        let kept: BTreeMap<&VolunteerId, (usize, bool)> = self
            .agents
            .iter()
            .map(|(volunteer, agent)| (volunteer, (agent.phones_ringing, agent.talks)))
            .filter(|(_, engagement)| *engagement != (0, false))
            .collect();
        ensure(engaged == kept, || {
            format!("engaged are {engaged:?}, noted {kept:?}")
        })
    }

    fn check_live_legs(&self) -> Result<(), String> {
        let mut live: BTreeMap<CallId, usize> = BTreeMap::new();
        for (_, leg) in self.legs.iter() {
            if leg.party != Party::Caller {
                *live.entry(leg.call).or_default() += 1;
            }
        }
        for call in self.calls.values() {
            let live = live.get(&call.id).copied().unwrap_or_default();
            ensure(live == call.offer.live_legs, || {
                format!("call {} has {live} legs to phones, others noted", call.id)
            })?;
        }
        Ok(())
    }

    fn check_queues(&self) -> Result<(), String> {
        let mut waiting: BTreeMap<&HubId, BTreeSet<CallId>> = BTreeMap::new();
        for call in self.calls.values().filter(|call| call.is_waiting()) {
            let queue = waiting.entry(&call.hub).or_default();
            queue.insert(call.id);
            ensure(call.position == Some(queue.len()), || {
                format!("call {} has another place than told", call.id)
            })?;
        }
        let kept: BTreeMap<&HubId, BTreeSet<CallId>> = self
            .queues
            .by_hub
            .iter()
            .map(|(hub, queue)| (hub, queue.calls.clone()))
            .collect();
        ensure(waiting == kept, || {
            format!("waiting are {waiting:?}, noted {kept:?}")
        })?;
        for (hub, queue) in &self.queues.by_hub {
            let mut idle = self.idle_of(hub);
            // Those whom an offer freed are free from the next turn on.
            idle.retain(|volunteer| !self.agents.touched().contains(volunteer));
            ensure(idle == queue.idle, || {
                format!("idle in {hub} are {idle:?}, noted {:?}", queue.idle)
            })?;
        }
        Ok(())
    }

    fn check_deadlines(&self) -> Result<(), String> {
        let calls = self.calls.values().filter_map(|call| {
            let (at, reason) = call.next_deadline()?;
            Some((at, reason, Whose::Call(call.id)))
        });
        let wrap_ups = self
            .agents
            .iter()
            .filter_map(|(volunteer, agent)| Some(wrap_up_over(volunteer, agent.wrap_up_until?)));
        let deadlines: BTreeSet<Deadline> = calls.chain(wrap_ups).collect();
        ensure(deadlines == *self.deadlines.all(), || {
            format!("due are {deadlines:?}, noted {:?}", self.deadlines.all())
        })
    }

    /// Checks that the offer loop would do nothing for a caller whom it did not mark.
    fn check_offer(&self, call: &Call, idle: &BTreeSet<VolunteerId>) -> Result<(), String> {
        let now = self.settled_at;
        let survey = self.survey(call, idle, now);
        ensure(survey.room == 0 || survey.candidates.is_empty(), || {
            "a phone could ring and does not".into()
        })?;
        ensure(survey.ring_again == call.offer.ring_again, || {
            "phones could ring again at another time than noted".into()
        })?;
        let (over, next) = call.offer.wave(survey.without_room, now);
        ensure(over.is_empty() && next == call.offer.next_wave, || {
            "the next wave is at another time than noted".into()
        })?;
        let team = self.roster.team(&call.hub);
        let somebody = team.is_some_and(|team| !team.available.is_empty());
        let left_alone = !somebody && call.offer.ringing.is_empty();
        let waits_on = call.offer.nobody_until.is_some_and(|until| until > now);
        ensure(
            left_alone == call.offer.nobody_until.is_some() && left_alone == waits_on,
            || "whether anybody is left is not as noted".into(),
        )
    }

    fn check_told(&self) -> Result<(), String> {
        let removed = self.agents.keys().filter(|id| !self.roster.knows(id));
        for volunteer in self.roster.volunteers().chain(removed) {
            let state = self.volunteer_state(volunteer);
            ensure(state == self.told(volunteer), || {
                format!("{volunteer} is {state:?}, which was not told")
            })?;
        }
        Ok(())
    }
}
