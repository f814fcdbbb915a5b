//! What a turn of the router costs: `cargo bench -p routing`.
//!
//! 201 hubs and 300 volunteers: a hundred with a phone each in one hub, the
//! others with a hub of their own, which is what a server's load test has.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the figures are all that this program is for, and its input is fixed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use routing::schedule::{Day, Schedule, Shift};
use routing::*;

/// Hubs with one volunteer each.
const SMALL_HUBS: u64 = 200;
/// Volunteers of the one large hub.
const LARGE_TEAM: u64 = 100;
/// Calls that go on meanwhile, in hubs of their own.
const LIVE_CALLS: u64 = 20;
const SMALL_CALLS: u64 = 20_000;
const LARGE_CALLS: u64 = 1_000;
const TALK_MS: u64 = 100;

struct SameHash;

impl CallerHasher for SameHash {
    fn hash(&self, _number: &PhoneNumber) -> CallerHash {
        CallerHash([7; 32])
    }
}

fn hub(volunteers: BTreeSet<VolunteerId>) -> HubConfig {
    use Day::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    let shift = Shift {
        days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun].into(),
        from: Time::midnight(),
        to: Time::midnight(),
        volunteers,
    };
    HubConfig {
        display: "Night line".into(),
        schedule: Schedule {
            zone: TimeZone::UTC,
            shifts: vec![shift],
        },
        fallback: BTreeSet::new(),
        answer_after: Duration::from_secs(10),
        queue_timeout: Duration::from_secs(60),
        max_waiting: 50,
        voicemail_max: Duration::from_secs(120),
        voicemail_silence: Duration::from_secs(8),
        wrap_up: Duration::from_secs(1),
        screening: Screening::default(),
    }
}

fn number(hub: u64) -> PhoneNumber {
    PhoneNumber::parse(&format!("+349001{hub:05}")).unwrap()
}

/// The hub of a volunteer; hub 0 is the large one.
fn hub_of(volunteer: u64) -> u64 {
    (volunteer + 1).saturating_sub(LARGE_TEAM)
}

fn config() -> RouterConfig {
    let mut teams: BTreeMap<u64, BTreeSet<VolunteerId>> = BTreeMap::new();
    let mut volunteers = BTreeMap::new();
    for nth in 0..LARGE_TEAM + SMALL_HUBS {
        let id = VolunteerId::new(&format!("volunteer-{nth:03}"));
        teams.entry(hub_of(nth)).or_default().insert(id.clone());
        let settings = VolunteerConfig {
            accounts: [AccountId::new(&format!("phone-{nth:03}"))].into(),
            on_break: false,
        };
        volunteers.insert(id, settings);
    }
    let name = |nth: &u64| HubId::new(&format!("hub-{nth:03}"));
    RouterConfig {
        numbers: teams.keys().map(|nth| (number(*nth), name(nth))).collect(),
        hubs: teams
            .into_iter()
            .map(|(nth, team)| (name(&nth), hub(team)))
            .collect(),
        volunteers,
    }
}

/// The time that one kind of turn took.
#[derive(Default)]
struct Cost {
    all: Duration,
    longest: Duration,
    turns: u32,
}

impl Cost {
    fn add(&mut self, took: Duration) {
        self.all += took;
        self.longest = self.longest.max(took);
        self.turns += 1;
    }

    fn show(&self, name: &str) {
        let mean = self.all / self.turns.max(1);
        println!(
            "  {name:<28} {mean:>10.2?}   longest {:>10.2?}",
            self.longest
        );
    }
}

struct Bench {
    router: Router,
    now: Instant,
    callers: u64,
    costs: BTreeMap<&'static str, Cost>,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut router = Router::new(config(), Box::new(SameHash), CallId(1), now);
        router.set_wall_clock("2026-03-04T12:00:00Z".parse().unwrap(), now);
        let mut bench = Self {
            router,
            now,
            callers: 0,
            costs: BTreeMap::new(),
        };
        for nth in 0..LARGE_TEAM + SMALL_HUBS {
            let device = DeviceId(nth);
            let account = AccountId::new(&format!("phone-{nth:03}"));
            bench.tell("register", Event::DeviceUp { device, account });
        }
        bench
    }

    /// One turn as the server has it: the event, all that comes of it, the next deadline.
    fn tell(&mut self, name: &'static str, event: Event) -> Vec<Command> {
        let now = self.now;
        self.turn(name, |router| router.handle_event(event, now))
    }

    fn turn(&mut self, name: &'static str, act: impl FnOnce(&mut Router)) -> Vec<Command> {
        let start = Instant::now();
        act(&mut self.router);
        let commands = std::iter::from_fn(|| self.router.poll_command()).collect();
        while std::hint::black_box(self.router.poll_notice()).is_some() {}
        std::hint::black_box(self.router.poll_timeout());
        self.costs.entry(name).or_default().add(start.elapsed());
        commands
    }

    fn offer(&mut self, name: &'static str, hub: u64) -> (LegId, Vec<LegId>) {
        self.callers += 1;
        let leg = LegId::incoming(0, self.callers);
        let event = Event::CallOffered {
            leg,
            trunk: Some(TrunkId::new("trunk")),
            caller: Some(PhoneNumber::parse("+34600111222").unwrap()),
            called: number(hub),
        };
        let commands = self.tell(name, event);
        let dialled = commands.iter().filter_map(|command| match command {
            Command::Dial { leg, .. } => Some(*leg),
            _ => None,
        });
        (leg, dialled.collect())
    }

    /// What was told to end reports that it has.
    fn finish(&mut self, name: &'static str, commands: &[Command]) {
        for command in commands {
            if let Command::Hangup { leg, .. } = command {
                let (leg, end) = (*leg, LegEnd::Ordered);
                self.tell(name, Event::LegEnded { leg, end });
            }
        }
    }

    /// Lets time pass, and wakes the router whenever it asked for it.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.router.poll_timeout()
            && at <= until
        {
            self.now = self.now.max(at);
            let now = self.now;
            self.turn("time passes", |router| router.handle_timeout(now));
        }
        self.now = until;
    }

    /// Offered, dialled, ringing, answered on both sides, talked, hung up.
    fn small_call(&mut self, hub: u64) {
        let (caller, phones) = self.offer("offered", hub);
        let [phone] = phones[..] else {
            panic!("one phone rings");
        };
        self.tell("ringing", Event::LegRinging { leg: phone });
        self.tell("picked up", Event::LegAnswered { leg: phone });
        self.tell("caller up", Event::LegAnswered { leg: caller });
        self.wait(Duration::from_millis(TALK_MS));
        let (leg, end) = (caller, LegEnd::HungUp);
        let commands = self.tell("caller hangs up", Event::LegEnded { leg, end });
        self.finish("phone's end", &commands);
    }

    fn large_call(&mut self) {
        let (caller, phones) = self.offer("100 phones dialled", 0);
        assert_eq!(phones.len() as u64, LARGE_TEAM);
        for leg in &phones {
            self.tell("one of 100 rings", Event::LegRinging { leg: *leg });
        }
        let phone = phones[phones.len() / 2];
        let commands = self.tell("99 phones stopped", Event::LegAnswered { leg: phone });
        self.finish("one of 99 ends", &commands);
        self.tell("caller up", Event::LegAnswered { leg: caller });
        let (leg, end) = (caller, LegEnd::HungUp);
        let commands = self.tell("caller hangs up", Event::LegEnded { leg, end });
        self.finish("phone's end", &commands);
        self.wait(Duration::from_secs(2));
    }

    fn report(&mut self, title: &str, calls: u64) {
        let costs = std::mem::take(&mut self.costs);
        let all: Duration = costs.values().map(|cost| cost.all).sum();
        let each = all.as_secs_f64() * 1e6 / calls as f64;
        println!("{title}: {each:.1} µs per call");
        for (name, cost) in costs {
            cost.show(name);
        }
    }
}

fn main() {
    let mut bench = Bench::new();
    bench.report("a phone registers", LARGE_TEAM + SMALL_HUBS);
    for hub in 0..LIVE_CALLS {
        let (caller, phones) = bench.offer("offered", SMALL_HUBS - hub);
        bench.tell("picked up", Event::LegAnswered { leg: phones[0] });
        bench.tell("caller up", Event::LegAnswered { leg: caller });
    }
    bench.costs.clear();
    for call in 0..SMALL_CALLS {
        bench.small_call(1 + call % (SMALL_HUBS - LIVE_CALLS));
    }
    bench.report("one phone per hub", SMALL_CALLS);
    bench.wait(Duration::from_secs(2));
    bench.costs.clear();
    for _ in 0..LARGE_CALLS {
        bench.large_call();
    }
    bench.report("a hundred phones in a hub", LARGE_CALLS);
}
