//! The parties' paths, from their first sign until the back end says that they are over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::{Command, HangupReason};
use crate::id::{CallId, DeviceId, LegId};
use crate::notice::Notice;
use crate::router::Router;

/// A live leg.
pub(crate) struct Leg {
    pub(crate) call: CallId,
    pub(crate) party: Party,
    /// The reason with which it was told to end.
    pub(crate) ending: Option<HangupReason>,
}

/// Whose leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Caller,
    Volunteer { device: DeviceId },
}

impl Leg {
    pub(crate) fn new(call: CallId, party: Party) -> Self {
        Self {
            call,
            party,
            ending: None,
        }
    }

    /// The phone it occupies, until it is over.
    pub(crate) fn device(&self) -> Option<DeviceId> {
        match self.party {
            Party::Caller => None,
            Party::Volunteer { device } => Some(device),
        }
    }
}

/// The live legs, those included that were told to end and have not yet.
#[derive(Default)]
pub(crate) struct Legs {
    live: BTreeMap<LegId, Leg>,
    /// Phones with a live leg.
    occupied: BTreeSet<DeviceId>,
}

impl Legs {
    pub(crate) fn get(&self, id: LegId) -> Option<&Leg> {
        self.live.get(&id)
    }

    pub(crate) fn insert(&mut self, id: LegId, leg: Leg) {
        self.occupied.extend(leg.device());
        self.live.insert(id, leg);
    }

    /// Takes out a leg that is over.
    pub(crate) fn remove(&mut self, id: LegId) -> Option<Leg> {
        let over = self.live.remove(&id)?;
        if let Some(device) = over.device() {
            self.occupied.remove(&device);
        }
        Some(over)
    }

    pub(crate) fn occupies(&self, device: DeviceId) -> bool {
        self.occupied.contains(&device)
    }

    pub(crate) fn occupied(&self) -> &BTreeSet<DeviceId> {
        &self.occupied
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LegId, &Leg)> {
        self.live.iter().map(|(id, leg)| (*id, leg))
    }
}

/// What is to be told, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) commands: VecDeque<Command>,
    pub(crate) notices: VecDeque<Notice>,
}

impl Outbox {
    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }
}

impl Router {
    /// Ends a leg, once.
    pub(crate) fn hang_up(&mut self, leg: LegId, reason: HangupReason) {
        if let Some(live) = self.legs.live.get_mut(&leg)
            && live.ending.is_none()
        {
            live.ending = Some(reason);
            self.out.command(Command::Hangup { leg, reason });
        }
    }
}
