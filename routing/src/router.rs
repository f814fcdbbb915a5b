//! The router.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use jiff::Timestamp;

use crate::clock::WallClock;
use crate::command::Command;
use crate::config::RouterConfig;
use crate::event::Event;
use crate::id::{CallId, HubId, VolunteerId};
use crate::notice::Notice;
use crate::party::CallerHasher;
use crate::snapshot::{Counters, Snapshot};
use crate::timer::TimerReason;

/// Owns all live calls of a node.
pub struct Router {
    config: RouterConfig,
    #[expect(dead_code, reason = "read by screening, which follows")]
    hasher: Box<dyn CallerHasher>,
    clock: WallClock,
    #[expect(dead_code, reason = "read by screening, which follows")]
    next_call: CallId,
    max_parallel_legs: Option<usize>,
    draining: bool,
    commands: VecDeque<Command>,
    notices: VecDeque<Notice>,
}

impl Router {
    /// A router without calls. Call ids count up from `first_call`.
    #[must_use]
    pub fn new(
        config: RouterConfig,
        hasher: Box<dyn CallerHasher>,
        first_call: CallId,
        now: Instant,
    ) -> Self {
        Self {
            config,
            hasher,
            clock: WallClock::new(Timestamp::UNIX_EPOCH, now),
            next_call: first_call,
            max_parallel_legs: None,
            draining: false,
            commands: VecDeque::new(),
            notices: VecDeque::new(),
        }
    }

    /// Replaces the configuration.
    pub fn configure(&mut self, config: RouterConfig, _now: Instant) {
        self.config = config;
    }

    /// Sets what the wall clock shows at `now`.
    pub fn set_wall_clock(&mut self, wall: Timestamp, now: Instant) {
        self.clock = WallClock::new(wall, now);
    }

    /// Limits how many phones ring for one call at once; `None` for all.
    pub fn set_max_parallel_legs(&mut self, most: Option<usize>) {
        self.max_parallel_legs = most;
    }

    /// Takes a fact from a back end.
    pub fn handle_event(&mut self, _event: Event, _now: Instant) {}

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next order to a back end.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The next fact for those who watch.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// When `handle_timeout` is wanted next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerReason)> {
        None
    }

    /// From now on refuses new calls; live ones go on.
    pub fn drain(&mut self, _now: Instant) {
        self.draining = true;
    }

    /// Whether no call and no leg is live.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        true
    }

    /// Everything live at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            at: self.clock.at(now),
            draining: self.draining,
            calls: Vec::new(),
            volunteers: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Who is on duty in a hub at `at`, by its schedule alone.
    #[must_use]
    pub fn on_duty(&self, _hub: &HubId, _at: Timestamp) -> BTreeSet<VolunteerId> {
        BTreeSet::new()
    }

    /// Checks that what the router holds fits together.
    ///
    /// # Errors
    ///
    /// Names the first thing that does not.
    pub fn check_invariants(&self) -> Result<(), String> {
        Ok(())
    }
}
