//! A reference model of the calls, fed with what passes the seams, and what must always hold.
//!
//! It reads events and orders, never the router's inside. Where it has to decide what the router
//! must do (who may ring, when waiting ends) it does so by rules of its own.

mod calls;
mod people;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use routing::{
    CallId, Command, DeviceId, Event, HangupReason, HubId, LegId, Notice, Outcome, PromptKind,
    RejectReason,
};

use crate::hotline::Hotline;

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Every caller who reached the exchange gets exactly one outcome.
    CallersAreAccountedFor,
    /// One caller hears one volunteer, and the other way round.
    OneToOne,
    /// Who is busy, in wrap-up, on break or off duty does not ring.
    OnlyTheFreeRing,
    /// Every dialled leg ends, once, and none outlives its call.
    LegsEnd,
    /// When one phone is picked up, the others are told to stop, with the reason, and stop.
    LosersStop,
    /// Waiting ends when it should, to the millisecond.
    WaitingEndsInTime,
    /// Who waits is offered to everybody who is free, the oldest first.
    NobodyIsForgotten,
    /// No phone learns who calls.
    CallersStayPrivate,
    /// What the exchange sends can be read, and belongs to the call that it says.
    PeersUnderstand,
    /// The router's own view fits together.
    RouterFitsTogether,
    /// Orders to the media engine make sense, and it does what the call needs.
    MediaMakesSense,
    /// When all is over nothing is left, and no timer spins.
    NothingIsLeft,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// Whether all is well.
pub type Verdict = Result<(), Breach>;

/// A breach, as an error.
///
/// # Errors
/// Always.
pub fn breach<T>(invariant: Invariant, what: impl Into<String>) -> Result<T, Breach> {
    let what = what.into();
    Err(Breach { invariant, what })
}

/// A live leg.
#[derive(Clone, Debug)]
struct Leg {
    call: CallId,
    /// The phone and its volunteer; `None` for the caller.
    phone: Option<(DeviceId, usize)>,
    /// Its hub's place, once it was picked up: time after the call follows.
    talks_for: Option<usize>,
    up: bool,
    told: Option<HangupReason>,
    held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Talking(LegId),
    Voicemail,
    /// Only the record is still to come, by this time.
    Closing(Instant),
}

struct Call {
    hub: usize,
    leg: LegId,
    stage: Stage,
    up: bool,
    answer_ordered: bool,
    answered: bool,
    invited: bool,
    recording: bool,
    since: Instant,
    until: Instant,
    nobody_until: Option<Instant>,
    rung: BTreeSet<usize>,
    declined: BTreeSet<usize>,
}

#[derive(Clone, Copy, Default)]
struct Person {
    wrap_until: Option<Instant>,
    free_since: Option<Instant>,
}

struct Offer {
    leg: LegId,
    expected: Result<usize, RejectReason>,
}

/// The model.
pub struct Watch {
    hotline: Hotline,
    /// What the wall clock showed at a moment, in nanoseconds since 1970.
    wall: (Instant, i64),
    draining: bool,
    devices: BTreeMap<DeviceId, usize>,
    people: Vec<Person>,
    legs: BTreeMap<LegId, Leg>,
    over: BTreeSet<LegId>,
    rings: BTreeMap<LegId, (CallId, usize)>,
    calls: BTreeMap<CallId, Call>,
    offer: Option<Offer>,
    /// Refused callers whose record is to come, and those whose refusal is to be ordered.
    refused: BTreeMap<CallId, RejectReason>,
    refusals: BTreeMap<LegId, RejectReason>,
    windows: BTreeMap<(usize, String), Vec<Instant>>,
    on_duty: Vec<BTreeSet<usize>>,
    offered: u64,
    outcomes: BTreeMap<Outcome, u64>,
}

impl Watch {
    /// A model of a hotline without calls.
    #[must_use]
    pub fn new(hotline: Hotline, wall_ns: i64, now: Instant) -> Self {
        let people = vec![Person::default(); hotline.volunteers.len()];
        Self {
            hotline,
            wall: (now, wall_ns),
            draining: false,
            devices: BTreeMap::new(),
            people,
            legs: BTreeMap::new(),
            over: BTreeSet::new(),
            rings: BTreeMap::new(),
            calls: BTreeMap::new(),
            offer: None,
            refused: BTreeMap::new(),
            refusals: BTreeMap::new(),
            windows: BTreeMap::new(),
            on_duty: Vec::new(),
            offered: 0,
            outcomes: BTreeMap::new(),
        }
    }

    /// The hotline was changed.
    pub fn configured(&mut self, hotline: Hotline) {
        self.hotline = hotline;
    }

    /// The wall clock was set.
    pub fn clock_set(&mut self, wall_ns: i64, now: Instant) {
        self.wall = (now, wall_ns);
    }

    /// New calls are refused from now on.
    pub fn drained(&mut self) {
        self.draining = true;
    }

    /// What the wall clock shows.
    #[must_use]
    pub fn wall_ns(&self, now: Instant) -> i64 {
        let (at, wall) = self.wall;
        let since = now.saturating_duration_since(at).as_nanos();
        wall.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// Callers who were offered so far.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// Calls that are not over.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.calls.len()
    }

    /// How calls ended.
    #[must_use]
    pub fn outcomes(&self) -> &BTreeMap<Outcome, u64> {
        &self.outcomes
    }

    /// Whose phone a dialled leg rings.
    #[must_use]
    pub fn volunteer_of(&self, leg: LegId) -> Option<usize> {
        self.legs.get(&leg)?.phone.map(|(_, who)| who)
    }

    /// The pairs that must hear each other now, and everybody else nobody.
    pub fn pairs(&self) -> impl Iterator<Item = (LegId, LegId, bool)> + '_ {
        self.calls.values().filter_map(|call| {
            let Stage::Talking(volunteer) = call.stage else {
                return None;
            };
            let (caller, phone) = (self.legs.get(&call.leg)?, self.legs.get(&volunteer)?);
            if caller.told.is_some() || phone.told.is_some() {
                return None;
            }
            Some((call.leg, volunteer, !caller.held && !phone.held))
        })
    }

    /// When waiting ends next, and the model wants to see that it did.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self
            .calls
            .values()
            .filter(|call| call.stage == Stage::Waiting);
        let late = |call: &Call| call.until + Duration::from_millis(1);
        waiting.map(late).min()
    }

    /// A back end's fact, before the router hears of it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn event(&mut self, event: &Event, now: Instant) -> Verdict {
        match event {
            Event::CallOffered {
                leg,
                caller,
                called,
                ..
            } => {
                let caller = caller.as_ref().map(|number| number.reveal().to_owned());
                self.call_offered(*leg, caller, called.reveal(), now)
            }
            Event::LegAnswered { leg } => self.leg_answered(*leg),
            Event::LegEnded { leg, end } => self.leg_ended(*leg, *end, now),
            Event::LegHeld { leg, held } => {
                if let Some(leg) = self.legs.get_mut(leg) {
                    leg.held = *held;
                }
                Ok(())
            }
            Event::MediaLost { leg } => self.media_lost(*leg, now),
            Event::DeviceUp { device, account } => {
                let who = self.hotline.owner(account);
                self.devices.extend(who.map(|who| (*device, who)));
                Ok(())
            }
            Event::DeviceDown { device } => {
                self.devices.remove(device);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Something that the router says of itself.
    ///
    /// # Errors
    /// What does not hold.
    pub fn notice(&mut self, notice: &Notice, now: Instant) -> Verdict {
        match notice {
            Notice::CallStarted { call, hub, .. } => self.call_started(*call, hub.as_ref(), now),
            Notice::RingStarted {
                call,
                volunteer,
                leg,
            } => {
                let who = self.hotline.volunteer(volunteer);
                self.rings.extend(who.map(|who| (*leg, (*call, who))));
                Ok(())
            }
            Notice::CallEnded(record) => self.call_ended(record),
            _ => Ok(()),
        }
    }

    /// An order of the router, as it reaches the back end.
    ///
    /// # Errors
    /// What does not hold.
    pub fn order(&mut self, command: &Command, now: Instant) -> Verdict {
        match command {
            Command::Dial {
                leg, device, hub, ..
            } => self.dial(*leg, *device, hub, now),
            Command::Hangup { leg, reason } => self.hang_up(*leg, *reason, now),
            Command::Reject { leg, reason } => self.reject(*leg, *reason),
            Command::Answer { leg } => {
                if let Some(call) = self.call_of_caller(*leg) {
                    call.answer_ordered = true;
                }
                Ok(())
            }
            Command::Bridge { a, b } => self.bridge(*a, *b),
            Command::Play { leg, prompt, .. } => self.play(*leg, prompt.kind, now),
            Command::Record { leg, .. } => {
                if let Some(call) = self.call_of_caller(*leg) {
                    call.recording = true;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Before the orders that follow from an event or a timeout: what the model expects of the queue.
    pub fn foresee(&mut self, timeout: bool, now: Instant) {
        self.refresh_duty(now);
        self.expire_waiting(timeout, now);
    }

    /// After the orders that followed from one event or timeout. With `more_due` the router is
    /// about to be told that it is time for something else, and may still offer somebody.
    ///
    /// # Errors
    /// What does not hold.
    pub fn settled(&mut self, more_due: bool, now: Instant) -> Verdict {
        self.check_calls(now)?;
        self.check_legs()?;
        self.check_ringing(now)?;
        self.check_queue(now)?;
        if more_due {
            Ok(())
        } else {
            self.check_offers(now)
        }
    }

    fn call_of_caller(&mut self, leg: LegId) -> Option<&mut Call> {
        let id = self.legs.get(&leg)?.call;
        self.calls.get_mut(&id).filter(|call| call.leg == leg)
    }

    fn play(&mut self, leg: LegId, kind: PromptKind, now: Instant) -> Verdict {
        let Some(call) = self.call_of_caller(leg) else {
            return Ok(());
        };
        if kind != PromptKind::VoicemailInvitation {
            return Ok(());
        }
        if call.stage != Stage::Voicemail {
            let early = call.until.saturating_duration_since(now);
            return breach(
                Invariant::WaitingEndsInTime,
                format!("a caller is asked for a message {early:?} too early"),
            );
        }
        call.invited = true;
        Ok(())
    }

    fn hub_place(&self, hub: &HubId) -> Option<usize> {
        self.hotline.hub(hub)
    }
}
