//! Who waits in which hub, and who is there to be rung for them: kept up to date
//! turn by turn, so that a turn costs no more than what it changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{CallId, DeviceId, HubId, VolunteerId};
use crate::notice::Notice;
use crate::roster::{Changes, Roster};
use crate::router::{Calls, Router};

/// The waiting callers of one hub; a hub without any has none.
pub(crate) struct Queue {
    /// Next first: ids follow the order of arrival.
    pub(crate) calls: BTreeSet<CallId>,
    /// Those of the hub who can be reached and are free.
    pub(crate) idle: BTreeSet<VolunteerId>,
}

/// The queues of all hubs in which somebody waits.
#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) by_hub: BTreeMap<HubId, Queue>,
    /// Hubs whose callers may have another place than they were told.
    moved: BTreeSet<HubId>,
}

impl Queues {
    /// How many wait in a hub.
    pub(crate) fn len_of(&self, hub: &HubId) -> usize {
        self.by_hub.get(hub).map_or(0, |queue| queue.calls.len())
    }

    /// A caller waits no longer.
    pub(crate) fn leave(&mut self, hub: &HubId, call: CallId) {
        let Some(queue) = self.by_hub.get_mut(hub) else {
            return;
        };
        if queue.calls.remove(&call) {
            if queue.calls.is_empty() {
                self.by_hub.remove(hub);
            }
            self.moved.insert(hub.clone());
        }
    }
}

impl Router {
    /// Brings queues and deadlines in line with the calls that were touched.
    /// Those that wait stay marked: they are to be looked at by the offer loop.
    pub(crate) fn index_calls(&mut self) {
        let mut last = None;
        while let Some(id) = self.calls.next_touched(last) {
            last = Some(id);
            if !self.index_call(id) {
                self.calls.looked_at(&id);
            }
        }
    }

    /// Brings queues and deadlines in line with a call. Returns whether it waits.
    pub(crate) fn index_call(&mut self, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut_unmarked(&id) else {
            return false;
        };
        let next = call.next_deadline();
        let before = std::mem::replace(&mut call.deadline, next);
        if before != next {
            self.deadlines.replace_of_call(id, before, next);
        }
        let waits = call.is_waiting();
        if waits {
            let hub = call.hub.clone();
            self.enter_queue(hub, id);
        } else {
            call.position = None;
            self.queues.leave(&call.hub, id);
        }
        waits
    }

    fn enter_queue(&mut self, hub: HubId, id: CallId) {
        if let Some(queue) = self.queues.by_hub.get_mut(&hub) {
            if queue.calls.insert(id) {
                self.queues.moved.insert(hub);
            }
            return;
        }
        let queue = Queue {
            calls: [id].into(),
            idle: self.idle_of(&hub),
        };
        self.queues.moved.insert(hub.clone());
        self.queues.by_hub.insert(hub, queue);
    }

    /// Those of a hub who can be reached and are free, found anew.
    pub(crate) fn idle_of(&self, hub: &HubId) -> BTreeSet<VolunteerId> {
        self.roster
            .team(hub)
            .into_iter()
            .flat_map(|team| &team.available)
            .filter(|volunteer| self.is_free(volunteer))
            .cloned()
            .collect()
    }

    /// Takes over what changed among volunteers, phones and teams. Returns the
    /// waiting callers of the teams that changed, oldest first.
    pub(crate) fn regard_changes(&mut self) -> BTreeSet<CallId> {
        let Changes { phones, teams } = self.roster.take_changes();
        let mut restaffed = BTreeSet::new();
        for hub in teams {
            let idle = self.idle_of(&hub);
            if let Some(queue) = self.queues.by_hub.get_mut(&hub) {
                queue.idle = idle;
                restaffed.extend(&queue.calls);
                touch_calls(&mut self.calls, &queue.calls);
            }
        }
        for volunteer in phones {
            touch_waiting_for(&self.roster, &self.queues, &mut self.calls, &volunteer);
            self.agents.touch(volunteer);
        }
        self.regard_volunteers();
        restaffed
    }

    /// Takes over what changed among volunteers.
    pub(crate) fn regard_volunteers(&mut self) {
        while let Some(volunteer) = self.agents.pop_touched() {
            self.regard(volunteer);
        }
    }

    /// Takes over that a volunteer became free or busy: a change for all who wait for them.
    pub(crate) fn regard(&mut self, volunteer: VolunteerId) {
        let free = self.is_free(&volunteer);
        for hub in self.roster.posts(&volunteer) {
            let Some(queue) = self.queues.by_hub.get_mut(hub) else {
                continue;
            };
            let team = self.roster.team(hub);
            let idle = free && team.is_some_and(|team| team.available.contains(&volunteer));
            let changed = if idle {
                queue.idle.insert(volunteer.clone())
            } else {
                queue.idle.remove(&volunteer)
            };
            if changed {
                touch_calls(&mut self.calls, &queue.calls);
            }
        }
        self.agents.looked_at(&volunteer);
        self.regarded.insert(volunteer);
    }

    /// Takes over that a phone rings now, which nobody else can be rung on who shares it.
    pub(crate) fn regard_phone(&mut self, device: DeviceId) {
        if self.roster.owners_of(device).nth(1).is_none() {
            return;
        }
        for owner in self.roster.owners_of(device) {
            touch_waiting_for(&self.roster, &self.queues, &mut self.calls, owner);
        }
    }

    /// Tells the callers of every queue that moved their places, where they are new.
    pub(crate) fn tell_positions(&mut self) {
        let mut news: Vec<(CallId, usize)> = Vec::new();
        for hub in std::mem::take(&mut self.queues.moved) {
            let Some(queue) = self.queues.by_hub.get(&hub) else {
                continue;
            };
            for (id, position) in queue.calls.iter().zip(1..) {
                if let Some(call) = self.calls.get_mut_unmarked(id)
                    && call.position != Some(position)
                {
                    call.position = Some(position);
                    news.push((*id, position));
                }
            }
        }
        news.sort_unstable();
        for (call, position) in news {
            self.out.notice(Notice::CallQueued { call, position });
        }
    }
}

/// Marks all who wait in a hub in which a volunteer may be rung.
fn touch_waiting_for(roster: &Roster, queues: &Queues, calls: &mut Calls, volunteer: &VolunteerId) {
    for hub in roster.posts(volunteer) {
        if let Some(queue) = queues.by_hub.get(hub) {
            touch_calls(calls, &queue.calls);
        }
    }
}

fn touch_calls(all: &mut Calls, calls: &BTreeSet<CallId>) {
    for call in calls {
        all.touch(*call);
    }
}
