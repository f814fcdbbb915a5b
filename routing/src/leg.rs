//! The parties' paths, from their first sign until the back end says that they are over.

use std::collections::VecDeque;

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
        if let Some(live) = self.legs.get_mut(&leg)
            && live.ending.is_none()
        {
            live.ending = Some(reason);
            self.out.command(Command::Hangup { leg, reason });
        }
    }
}
