//! The router's state, and what comes in through its doors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::agent::Agent;
use crate::call::{Call, History};
use crate::clock::WallClock;
use crate::command::{Command, HangupReason, RejectReason};
use crate::config::{HubConfig, RouterConfig};
use crate::event::{Event, LegEnd};
use crate::id::{CallId, DeviceId, HubId, LegId, TrunkId, VolunteerId};
use crate::leg::{Leg, Legs, Outbox, Party};
use crate::limits::MAX_LIVE_CALLS;
use crate::notice::Notice;
use crate::outcome::Outcome;
use crate::party::{CallerHasher, CallerTag, PhoneNumber};
use crate::roster::Roster;
use crate::screening::Door;
use crate::snapshot::Counters;
use crate::timer::Deadlines;
use crate::tracked::Tracked;
use crate::waiting::Queues;

/// The live calls; ids follow the order of arrival.
pub(crate) type Calls = Tracked<CallId, Call>;

/// Owns all live calls of a node.
///
/// After each `handle_*`, `configure` or `set_*` the caller drains
/// [`poll_command`](Self::poll_command) and [`poll_notice`](Self::poll_notice), and
/// asks [`poll_timeout`](Self::poll_timeout) anew. `now` must never go back.
pub struct Router {
    pub(crate) roster: Roster,
    pub(crate) door: Door,
    hasher: Box<dyn CallerHasher>,
    pub(crate) clock: WallClock,
    next_call: u64,
    pub(crate) next_leg: u64,
    pub(crate) max_parallel_legs: usize,
    max_calls: usize,
    pub(crate) draining: bool,
    pub(crate) calls: Calls,
    pub(crate) legs: Legs,
    pub(crate) agents: Tracked<VolunteerId, Agent>,
    /// Whose changes were taken over in this turn, and are to be told at its end.
    pub(crate) regarded: BTreeSet<VolunteerId>,
    pub(crate) queues: Queues,
    pub(crate) deadlines: Deadlines,
    /// When everything was last brought in line.
    pub(crate) settled_at: Instant,
    /// When somebody's duty begins or ends next.
    pub(crate) next_shift: Option<Instant>,
    pub(crate) counters: Counters,
    pub(crate) out: Outbox,
}

impl Router {
    /// A router without calls. Call ids count up from `first_call`.
    ///
    /// Until [`set_wall_clock`](Self::set_wall_clock) it believes to be in 1970.
    /// Every volunteer counts as unreachable until a `VolunteerChanged` says otherwise.
    #[must_use]
    pub fn new(
        config: RouterConfig,
        hasher: Box<dyn CallerHasher>,
        first_call: CallId,
        now: Instant,
    ) -> Self {
        let mut router = Self {
            roster: Roster::default(),
            door: Door::default(),
            hasher,
            clock: WallClock::new(Timestamp::UNIX_EPOCH, now),
            next_call: first_call.0,
            next_leg: 0,
            max_parallel_legs: usize::MAX,
            max_calls: MAX_LIVE_CALLS,
            draining: false,
            calls: Calls::default(),
            legs: Legs::default(),
            agents: Tracked::default(),
            regarded: BTreeSet::new(),
            queues: Queues::default(),
            deadlines: Deadlines::default(),
            settled_at: now,
            next_shift: None,
            counters: Counters::default(),
            out: Outbox::default(),
        };
        router.configure(config, now);
        router
    }

    /// Replaces the configuration, with effect on everything from now on.
    ///
    /// Live calls keep the deadlines with which they began to wait, and those of
    /// a removed hub its last settings. Nobody is cut off: a removed volunteer
    /// stops ringing, but may finish a conversation.
    pub fn configure(&mut self, config: RouterConfig, now: Instant) {
        let in_use: BTreeMap<HubId, Arc<HubConfig>> = self
            .calls
            .values()
            .map(|call| (call.hub.clone(), Arc::clone(&call.settings)))
            .collect();
        self.roster.configure(config, in_use, self.clock.at(now));
        self.agents.touch_all();
        self.calls.touch_all();
        for id in self.calls.touched().clone() {
            if let Some(call) = self.calls.get_mut(&id)
                && let Some(settings) = self.roster.settings(&call.hub)
            {
                call.settings = settings;
            }
        }
        self.refresh_duty(now);
        self.settle(now);
    }

    /// Sets what the wall clock shows at `now`; at start before any call, then
    /// regularly, and whenever the machine's clock was corrected.
    pub fn set_wall_clock(&mut self, wall: Timestamp, now: Instant) {
        self.clock = WallClock::new(wall, now);
        self.refresh_duty(now);
        self.settle(now);
    }

    /// Limits how many phones ring for one call at once, because a back end
    /// cannot do more; `None` for all. Takes effect with the next event.
    pub fn set_max_parallel_legs(&mut self, most: Option<usize>) {
        self.max_parallel_legs = most.unwrap_or(usize::MAX).max(1);
        self.calls.touch_all();
    }

    /// Limits how many calls are live at once, over all hubs; one more is
    /// refused as unavailable, so that the carrier may try elsewhere. At most
    /// [`MAX_LIVE_CALLS`]. Calls that are live stay.
    pub fn set_max_calls(&mut self, most: usize) {
        self.max_calls = most.min(MAX_LIVE_CALLS);
    }

    /// Takes a fact from a back end. Facts about unknown legs are ignored.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::CallOffered {
                leg,
                trunk,
                caller,
                called,
            } => self.call_offered(leg, trunk, caller.as_ref(), &called, now),
            Event::LegRinging { .. } => return,
            Event::LegAnswered { leg } => self.leg_answered(leg, now),
            Event::LegEnded { leg, end } => self.leg_ended(leg, end, now),
            Event::LegHeld { leg, held } => self.leg_held(leg, held),
            Event::DigitPressed { leg, digit } => self.digit_pressed(leg, digit, now),
            Event::PlaybackFinished { leg, kind } => self.playback_finished(leg, kind, now),
            Event::RecordingFinished {
                recording,
                end,
                length,
                ..
            } => self.recording_finished(recording, end, length, now),
            Event::MediaLost { leg } => self.media_lost(leg, now),
            Event::DeviceUp { device, account } => {
                if self.roster.device_up(device, account) {
                    self.forget_back_off(device);
                }
            }
            Event::DeviceDown { device } => {
                self.roster.device_down(device);
            }
        }
        self.settle(now);
    }

    /// The next order to a back end.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.out.commands.pop_front()
    }

    /// The next fact for those who watch.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.out.notices.pop_front()
    }

    /// From now on refuses new calls as unavailable; live ones go on.
    pub fn drain(&mut self, now: Instant) {
        self.draining = true;
        self.settle(now);
    }

    /// Whether no call and no leg is live.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.legs.is_empty()
    }

    /// Who is on duty in a hub at `at`, by its schedule alone: who would be rung
    /// then, if reachable and not on break. Empty for an unknown hub.
    #[must_use]
    pub fn on_duty(&self, hub: &HubId, at: Timestamp) -> BTreeSet<VolunteerId> {
        self.roster
            .settings(hub)
            .map(|settings| settings.schedule.on_duty(at))
            .unwrap_or_default()
    }

    pub(crate) fn refresh_duty(&mut self, now: Instant) {
        self.roster.refresh_duty(self.clock.at(now));
        self.next_shift = self
            .roster
            .next_change()
            .map(|wall| self.clock.instant_of(wall, now));
    }

    fn call_offered(
        &mut self,
        leg: LegId,
        trunk: Option<TrunkId>,
        caller: Option<&PhoneNumber>,
        called: &PhoneNumber,
        now: Instant,
    ) {
        if self.legs.get(leg).is_some() {
            return;
        }
        let id = CallId(self.next_call);
        self.next_call += 1;
        let caller = caller.map_or(CallerTag::Anonymous, |number| {
            CallerTag::Known(self.hasher.hash(number))
        });
        let found = self.roster.hub_of(called);
        let hub = found.as_ref().map(|(hub, _)| hub.clone());
        let started_at = self.clock.at(now);
        self.counters.started += 1;
        self.out.notice(Notice::CallStarted {
            call: id,
            hub: hub.clone(),
            trunk: trunk.clone(),
            caller,
            at: started_at,
        });
        let history = History::new(trunk, caller, now, started_at);
        match self.admit(found, caller, now) {
            Ok((hub, settings)) => {
                let full = self.queues.len_of(&hub) >= settings.max_waiting;
                self.legs.insert(leg, Leg::new(id, Party::Caller));
                let call = Call::new(id, leg, hub, settings, history);
                self.calls.insert(id, call);
                if full {
                    self.begin_voicemail(id, now);
                }
            }
            Err(reason) => {
                self.out.command(Command::Reject { leg, reason });
                self.record(id, hub, history, Outcome::Rejected(reason), now);
            }
        }
    }

    fn admit(
        &mut self,
        found: Option<(HubId, Arc<HubConfig>)>,
        caller: CallerTag,
        now: Instant,
    ) -> Result<(HubId, Arc<HubConfig>), RejectReason> {
        if self.draining || self.calls.len() >= self.max_calls {
            return Err(RejectReason::Unavailable);
        }
        let (hub, settings) = found.ok_or(RejectReason::UnknownNumber)?;
        let time = (now, self.clock.at(now));
        self.door.screen(&hub, &settings.screening, caller, time)?;
        Ok((hub, settings))
    }

    fn leg_answered(&mut self, leg: LegId, now: Instant) {
        let Some(live) = self.legs.get(leg) else {
            return;
        };
        let (call, party, ending) = (live.call, live.party, live.ending);
        match (ending, party) {
            // Two phones were picked up at once: the order to end crossed this.
            (Some(reason), Party::Volunteer { .. }) => {
                self.out.command(Command::Hangup { leg, reason });
            }
            (Some(_), Party::Caller) => {}
            (None, Party::Caller) => self.caller_up(call, now),
            (None, Party::Volunteer { .. }) => self.picked_up(call, leg, now),
        }
    }

    fn leg_ended(&mut self, leg: LegId, end: LegEnd, now: Instant) {
        let Some(over) = self.legs.remove(leg) else {
            return;
        };
        if let Some(device) = over.device() {
            self.roster.phone_freed(device);
            if let Some(call) = self.calls.get_mut(&over.call) {
                call.offer.live_legs = call.offer.live_legs.saturating_sub(1);
            }
        }
        if over.ending.is_some() {
            return;
        }
        match over.party {
            Party::Caller => self.caller_gone(over.call, end, now),
            Party::Volunteer { .. } => self.volunteer_gone(over.call, leg, end, now),
        }
    }

    /// The live call of a leg that was not told to end, and whether the leg is the caller's.
    pub(crate) fn call_of(&self, leg: LegId) -> Option<(CallId, Party)> {
        let live = self.legs.get(leg).filter(|live| live.ending.is_none())?;
        Some((live.call, live.party))
    }

    /// A phone that has just come up may be rung at once.
    fn forget_back_off(&mut self, device: DeviceId) {
        let waits_for_it = |call: &&Call| call.offer.back_off.contains_key(&device);
        let calls = self.calls.values().filter(waits_for_it);
        let calls: Vec<CallId> = calls.map(|call| call.id).collect();
        for id in calls {
            if let Some(call) = self.calls.get_mut(&id) {
                call.offer.back_off.remove(&device);
            }
        }
    }

    /// Ends a call: stops every phone that rings for it and writes its record.
    /// The legs of a conversation are the business of whoever ends it.
    pub(crate) fn end_call(&mut self, id: CallId, outcome: Outcome, now: Instant) {
        self.stop_all_ringing(id, HangupReason::NoLongerNeeded, now);
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        self.queues.leave(&call.hub, id);
        self.deadlines.replace_of_call(id, call.deadline, None);
        call.history.talk_over(now);
        self.record(id, Some(call.hub), call.history, outcome, now);
    }

    fn record(
        &mut self,
        id: CallId,
        hub: Option<HubId>,
        history: History,
        end: Outcome,
        now: Instant,
    ) {
        let record = history.into_record(id, hub, end, now);
        *self.counters.ended.entry(record.outcome).or_default() += 1;
        self.out.notice(Notice::CallEnded(Box::new(record)));
    }
}
