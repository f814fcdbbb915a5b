//! A router under a virtual clock, with a hotline that is easy to talk about.
//!
//! The hotline `night` has Ana (device 1) and Luis (device 2) on duty around the
//! clock, and Eva (device 3) as fallback.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use routing::schedule::{Day, Schedule, Shift};
use routing::*;

pub const NIGHT: &str = "+34900100100";
pub const DAY: &str = "+34900200200";
pub const ANA: u64 = 1;
pub const LUIS: u64 = 2;
pub const EVA: u64 = 3;
/// A Wednesday.
pub const NOON: &str = "2026-03-04T12:00:00Z";

pub struct Desk {
    pub router: Router,
    pub now: Instant,
    pub notices: Vec<Notice>,
    next_caller: u64,
}

/// Stands in for the keyed hash: different numbers, different hashes.
pub struct PlainHasher;

impl CallerHasher for PlainHasher {
    fn hash(&self, number: &PhoneNumber) -> CallerHash {
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().zip(number.reveal().bytes()) {
            *place = byte;
        }
        CallerHash(hash)
    }
}

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

pub fn hub(name: &str) -> HubId {
    HubId::new(name)
}

pub fn person(name: &str) -> VolunteerId {
    VolunteerId::new(name)
}

pub fn people(names: &[&str]) -> BTreeSet<VolunteerId> {
    names.iter().map(|name| person(name)).collect()
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn every_day() -> BTreeSet<Day> {
    use Day::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun].into()
}

pub fn around_the_clock(names: &[&str]) -> Schedule {
    let shifts = vec![Shift {
        days: every_day(),
        from: Time::midnight(),
        to: Time::midnight(),
        volunteers: people(names),
    }];
    Schedule {
        zone: TimeZone::UTC,
        shifts,
    }
}

pub fn hub_with(on_duty: &[&str], fallback: &[&str]) -> HubConfig {
    HubConfig {
        display: "Night line".into(),
        schedule: around_the_clock(on_duty),
        fallback: people(fallback),
        answer_after: secs(10),
        queue_timeout: secs(60),
        max_waiting: 3,
        voicemail_max: secs(120),
        voicemail_silence: secs(8),
        wrap_up: secs(30),
        screening: Screening::default(),
    }
}

/// Only the hub `night`.
pub fn config_with(night: HubConfig) -> RouterConfig {
    let volunteers = ["ana", "luis", "eva"].map(|name| {
        let volunteer = VolunteerConfig {
            accounts: [AccountId::new(name)].into(),
            on_break: false,
        };
        (person(name), volunteer)
    });
    RouterConfig {
        hubs: [(hub("night"), night)].into(),
        numbers: [(number(NIGHT), hub("night"))].into(),
        volunteers: volunteers.into(),
    }
}

pub fn config() -> RouterConfig {
    config_with(hub_with(&["ana", "luis"], &["eva"]))
}

/// `night` as ever, and `day` with Eva.
pub fn two_hubs() -> RouterConfig {
    let mut config = config();
    let mut day = hub_with(&["eva"], &[]);
    day.display = "Day line".into();
    config.hubs.insert(hub("day"), day);
    config.numbers.insert(number(DAY), hub("day"));
    config
}

impl Desk {
    /// The config's people with all their phones up.
    pub fn open(config: RouterConfig) -> Self {
        let mut desk = Self::without_phones(config);
        desk.up(ANA, "ana");
        desk.up(LUIS, "luis");
        desk.up(EVA, "eva");
        desk
    }

    pub fn without_phones(config: RouterConfig) -> Self {
        let now = Instant::now();
        let router = Router::new(config, Box::new(PlainHasher), CallId(100), now);
        let mut desk = Self {
            router,
            now,
            notices: Vec::new(),
            next_caller: 0,
        };
        desk.wall(NOON);
        desk
    }

    /// Does something to the router and returns its orders.
    pub fn turn(&mut self, act: impl FnOnce(&mut Router, Instant)) -> Vec<Command> {
        act(&mut self.router, self.now);
        self.router.check_invariants().unwrap();
        while let Some(notice) = self.router.poll_notice() {
            self.notices.push(notice);
        }
        std::iter::from_fn(|| self.router.poll_command()).collect()
    }

    pub fn event(&mut self, event: Event) -> Vec<Command> {
        self.turn(|router, now| router.handle_event(event, now))
    }

    pub fn configure(&mut self, config: RouterConfig) -> Vec<Command> {
        self.turn(|router, now| router.configure(config, now))
    }

    pub fn wall(&mut self, at: &str) -> Vec<Command> {
        let wall = at.parse().unwrap();
        self.turn(|router, now| router.set_wall_clock(wall, now))
    }

    /// Lets time pass, waking the router whenever it asked for it.
    pub fn wait_ms(&mut self, ms: u64) -> Vec<Command> {
        let until = self.now + Duration::from_millis(ms);
        let mut commands = Vec::new();
        while let Some((at, reason)) = self.router.poll_timeout()
            && at <= until
        {
            self.now = self.now.max(at);
            commands.extend(self.turn(Router::handle_timeout));
            let next = self.router.poll_timeout();
            assert!(
                next.is_none_or(|(next, _)| next > self.now),
                "{reason:?} was due and still is: {next:?}"
            );
        }
        self.now = until;
        commands
    }

    pub fn wait(&mut self, seconds: u64) -> Vec<Command> {
        self.wait_ms(seconds * 1000)
    }

    pub fn up(&mut self, device: u64, account: &str) -> Vec<Command> {
        self.event(Event::DeviceUp {
            device: DeviceId(device),
            account: AccountId::new(account),
        })
    }

    pub fn down(&mut self, device: u64) -> Vec<Command> {
        self.event(Event::DeviceDown {
            device: DeviceId(device),
        })
    }

    /// Somebody calls a number; returns their leg and the orders.
    pub fn call_from(&mut self, caller: Option<&str>, called: &str) -> (LegId, Vec<Command>) {
        self.next_caller += 1;
        let leg = LegId::incoming(0, self.next_caller);
        let commands = self.event(Event::CallOffered {
            leg,
            trunk: Some(TrunkId::new("trunk")),
            caller: caller.map(number),
            called: number(called),
        });
        (leg, commands)
    }

    pub fn call(&mut self) -> (LegId, Vec<Command>) {
        self.call_from(None, NIGHT)
    }

    pub fn answered(&mut self, leg: LegId) -> Vec<Command> {
        self.event(Event::LegAnswered { leg })
    }

    pub fn ended(&mut self, leg: LegId, end: LegEnd) -> Vec<Command> {
        self.event(Event::LegEnded { leg, end })
    }

    pub fn hung_up(&mut self, leg: LegId) -> Vec<Command> {
        self.ended(leg, LegEnd::HungUp)
    }

    pub fn held(&mut self, leg: LegId, held: bool) -> Vec<Command> {
        self.event(Event::LegHeld { leg, held })
    }

    pub fn played(&mut self, leg: LegId, kind: PromptKind) -> Vec<Command> {
        self.event(Event::PlaybackFinished { leg, kind })
    }

    pub fn key(&mut self, leg: LegId, key: char) -> Vec<Command> {
        let digit = Digit::new(key).unwrap();
        self.event(Event::DigitPressed { leg, digit })
    }

    /// Every leg that was told to end reports that it has.
    pub fn finish(&mut self, commands: &[Command]) -> Vec<Command> {
        let mut more = Vec::new();
        for command in commands {
            if let Command::Hangup { leg, .. } = command {
                more.extend(self.ended(*leg, LegEnd::Ordered));
            }
        }
        more
    }

    /// A call that Ana answered, Luis' phone being quiet again.
    pub fn talk(&mut self) -> (LegId, LegId) {
        let (caller, commands) = self.call();
        let ana = leg_to(&commands, ANA);
        let commands = self.answered(ana);
        self.answered(caller);
        self.finish(&commands);
        (caller, ana)
    }

    pub fn records(&self) -> Vec<CallRecord> {
        self.notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::CallEnded(record) => Some((**record).clone()),
                _ => None,
            })
            .collect()
    }

    /// The record of the only call that ended.
    pub fn record(&self) -> CallRecord {
        let [record] = self.records().try_into().expect("one call ended");
        record
    }

    pub fn state(&self, name: &str) -> VolunteerState {
        let snapshot = self.router.snapshot(self.now);
        let who = person(name);
        let seen = snapshot
            .volunteers
            .iter()
            .find(|seen| seen.volunteer == who);
        seen.map_or(VolunteerState::Unreachable, |seen| seen.state)
    }

    /// What the only live caller's leg is doing.
    pub fn stage(&self) -> CallStage {
        let calls = self.router.snapshot(self.now).calls;
        assert_eq!(calls.len(), 1);
        calls[0].stage
    }
}

/// The devices dialled, and with which leg.
pub fn dialled(commands: &[Command]) -> BTreeMap<u64, LegId> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Dial { leg, device, .. } => Some((device.0, *leg)),
            _ => None,
        })
        .collect()
}

pub fn devices(commands: &[Command]) -> Vec<u64> {
    dialled(commands).into_keys().collect()
}

pub fn leg_to(commands: &[Command], device: u64) -> LegId {
    dialled(commands)[&device]
}

/// The legs told to end, and why.
pub fn hangups(commands: &[Command]) -> Vec<(LegId, HangupReason)> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Hangup { leg, reason } => Some((*leg, *reason)),
            _ => None,
        })
        .collect()
}

/// The prompts started, with the leg that hears them.
pub fn played(commands: &[Command]) -> Vec<(LegId, PromptKind, bool)> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Play {
                leg,
                prompt,
                repeat,
            } => Some((*leg, prompt.kind, *repeat)),
            _ => None,
        })
        .collect()
}
