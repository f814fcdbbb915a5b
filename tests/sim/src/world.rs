//! One hotline, its volunteers' phones, a carrier with callers, and everything that may go wrong.

mod carry;
mod deeds;
mod ending;
mod rings;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ::media::codec::Codec;
use ::media::control::{ClipId, PortId};
use exchange::{CalledNumbers, Exchange, ExchangeConfig};
use jiff::Timestamp;
use routing::{CallId, Command, LegId, Outcome, Prompt, PromptKind, Router};
use sip::digest::Algorithm;
use sip::timer::Timers;
use sip::ua::{Account as UaAccount, StoredHa1, Trunk, TrunkKind, UaConfig};
use telephony::{Input, Telephony};

use crate::duty;
use crate::endpoint::{Account, Endpoint, Manner};
use crate::fault::{Fault, Injector};
use crate::hotline::{Hotline, Plain};
use crate::media::Engine;
use crate::net::{Network, Weather};
use crate::rng::Rng;
use crate::watch::{Breach, Invariant, Verdict, Watch, breach};
use deeds::Deed;
use rings::Ring;

const EXCHANGE: &str = "192.0.2.1:5060";
const TRUNK: &str = "198.51.100.1:5060";
const REALM: &str = "hotline.example";
const PASSWORD: &str = "correct horse";
/// Deeds of one world take this long, in all.
const SHIFT: Duration = Duration::from_secs(45 * 60);
/// The longest that the last call may take after the hotline was closed.
const LAST_CALL: Duration = Duration::from_secs(3 * 3600);
/// Steps at one moment after which time stands still.
const MAX_STEPS_AT_ONCE: u32 = 20_000;
/// Lines of the trace that are kept.
const MAX_TRACE: usize = 200_000;

/// What a world went through.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Worlds.
    pub worlds: u64,
    /// Callers who reached the exchange.
    pub calls: u64,
    /// How they ended.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Datagrams that arrived.
    pub datagrams: u64,
    /// Phones that were dialled.
    pub dialled: u64,
    /// Phones picked up after they had been told to stop.
    pub crossed: u64,
    /// Steps after which everything was checked.
    pub checks: u64,
    /// Time on the virtual clock.
    pub simulated: Duration,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.calls += other.calls;
        self.datagrams += other.datagrams;
        self.dialled += other.dialled;
        self.crossed += other.crossed;
        self.checks += other.checks;
        self.simulated += other.simulated;
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
    }
}

/// What came of a world.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it went through.
    pub tally: Tally,
    /// What did not hold, with the time since the start.
    pub breach: Option<(Duration, Breach)>,
    /// What was said, when it was asked for: methods, statuses and ids only.
    pub trace: Vec<String>,
}

/// Lives one world from its seed, until all is over or something does not hold.
#[must_use]
pub fn run(seed: u64, fault: Option<Fault>, traced: bool) -> Report {
    let mut world = World::new(seed, fault, traced);
    let verdict = world.live();
    world.report(verdict)
}

/// One world.
pub struct World {
    start: Instant,
    now: Instant,
    rng: Rng,
    hotline: Hotline,
    exchange: Exchange,
    router: Router,
    engine: Engine,
    net: Network,
    gateway: Endpoint,
    phones: Vec<Endpoint>,
    spoken: Vec<BTreeSet<u16>>,
    ports: BTreeMap<LegId, PortId>,
    deeds: BTreeMap<(Instant, u64), Deed>,
    rings: BTreeMap<String, Ring>,
    reached: BTreeSet<String>,
    injector: Injector,
    watch: Watch,
    orders: Vec<Command>,
    /// The leg whose order is being carried out.
    order_of: LegId,
    tally: Tally,
    trace: Option<Vec<String>>,
    sequence: u64,
}

impl World {
    /// A world that follows from its seed.
    #[must_use]
    pub fn new(seed: u64, fault: Option<Fault>, traced: bool) -> Self {
        let now = Instant::now();
        let mut rng = Rng::new(seed);
        let wall_s = draw_wall_clock(&mut rng);
        let minute = (wall_s + 3600).rem_euclid(86_400) / 60;
        let hotline = Hotline::draw(&mut rng, minute);
        let perfect = rng.chance(200);
        let weather = if perfect {
            Weather::PERFECT
        } else {
            draw_weather(&mut rng)
        };
        let injector = Injector::new(fault);
        let manner = draw_manner(&mut rng);
        let failures = if perfect { 0 } else { rng.between(0, 4) };
        let phones = phones(&hotline, manner, &mut rng, now);
        let spoken = vec![BTreeSet::new(); phones.len() + 1];
        let watch = Watch::new(hotline.clone(), wall_s * 1_000_000_000, now);
        let mut router = Router::new(injector.config(&hotline), Box::new(Plain), CallId(1), now);
        let wall = timestamp(wall_s * 1_000_000_000, &injector);
        router.set_wall_clock(wall, now);
        let addresses = (address(TRUNK), address(EXCHANGE));
        let mut world = Self {
            start: now,
            now,
            exchange: Exchange::new(exchange_config(&hotline), Box::new(rng.fork()), now),
            router,
            engine: Engine::new(rng.fork(), failures),
            net: Network::new(weather, rng.fork()),
            gateway: Endpoint::new("gateway", addresses, None, manner, rng.fork(), now),
            phones,
            spoken,
            ports: BTreeMap::new(),
            deeds: BTreeMap::new(),
            rings: BTreeMap::new(),
            reached: BTreeSet::new(),
            injector,
            watch,
            hotline,
            orders: Vec::new(),
            order_of: LegId(0),
            tally: Tally::default(),
            trace: traced.then(Vec::new),
            sequence: 0,
            rng,
        };
        world.plan_deeds(perfect);
        world
    }

    fn live(&mut self) -> Verdict {
        self.turn(false)?;
        let end = self.start + SHIFT;
        self.run_until(end)?;
        self.close()
    }

    /// Lets time pass until `end`.
    fn run_until(&mut self, end: Instant) -> Verdict {
        while self.step(end)? {}
        self.now = self.now.max(end);
        Ok(())
    }

    /// Moves to the next moment at which something happens, and lets all of it happen; false when
    /// nothing does until `end`.
    fn step(&mut self, end: Instant) -> Result<bool, Breach> {
        let Some(next) = self.next_moment().filter(|next| *next <= end) else {
            return Ok(false);
        };
        self.now = self.now.max(next);
        let mut steps = 0;
        while self.happen()? {
            steps += 1;
            if steps > MAX_STEPS_AT_ONCE {
                return breach(Invariant::NothingIsLeft, "time stands still: a timer spins");
            }
        }
        Ok(true)
    }

    fn next_moment(&self) -> Option<Instant> {
        let phones = self.phones.iter().filter_map(Endpoint::poll_timeout);
        let deed = self.deeds.first_key_value().map(|((at, _), _)| *at);
        phones
            .chain(self.gateway.poll_timeout())
            .chain(deed)
            .chain(self.net.next_arrival())
            .chain(self.engine.next_timeout())
            .chain(self.exchange.poll_timeout())
            .chain(self.router_due())
            .chain(self.watch.poll_timeout())
            .min()
    }

    fn router_due(&self) -> Option<Instant> {
        let (at, reason) = self.router.poll_timeout()?;
        Some(at + self.injector.lateness(reason))
    }

    /// One thing that is due now; false when there is none.
    fn happen(&mut self) -> Result<bool, Breach> {
        let now = self.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(packet) = self.net.pop_due(now) {
            self.deliver(packet)?;
        } else if due(self.deeds.first_key_value().map(|((at, _), _)| *at)) {
            if let Some((_, deed)) = self.deeds.pop_first() {
                self.do_deed(deed)?;
            }
        } else if due(self.engine.next_timeout()) {
            if let Some(event) = self.engine.pop_due(now) {
                self.note_media(&event);
                if self.injector.reaches_exchange(&event) {
                    self.exchange.handle_input(Input::Media(event), now);
                }
                self.turn(false)?;
            }
        } else if let Some(place) = self.due_endpoint() {
            self.endpoint(place).handle_timeout(now);
            self.carry_endpoint(place);
        } else if due(self.exchange.poll_timeout()) {
            self.exchange.handle_timeout(now);
            self.turn(false)?;
        } else if due(self.router_due()) {
            self.turn(true)?;
        } else if due(self.watch.poll_timeout()) {
            self.watch.settled(false, now)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The gateway is 0, the phones follow.
    fn endpoint(&mut self, place: usize) -> &mut Endpoint {
        match place.checked_sub(1) {
            None => &mut self.gateway,
            Some(phone) => &mut self.phones[phone],
        }
    }

    fn due_endpoint(&self) -> Option<usize> {
        let everybody = std::iter::once(&self.gateway).chain(&self.phones);
        let due = |endpoint: &Endpoint| endpoint.poll_timeout().is_some_and(|at| at <= self.now);
        everybody.into_iter().position(due)
    }

    fn place_of(&self, address: SocketAddr) -> Option<usize> {
        let mut everybody = std::iter::once(&self.gateway).chain(&self.phones);
        everybody.position(|endpoint| endpoint.address() == address)
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        let at = self.now - self.start;
        if let Some(trace) = &mut self.trace
            && trace.len() < MAX_TRACE
        {
            trace.push(format!("{:>10.3}  {}", at.as_secs_f64(), line()));
        }
    }

    fn report(mut self, verdict: Verdict) -> Report {
        let at = self.now - self.start;
        let counters = self.router.snapshot(self.now).counters;
        self.tally.worlds = 1;
        self.tally.simulated = at;
        self.tally.calls = self.watch.offered();
        self.tally.outcomes = self.watch.outcomes().clone();
        self.tally.dialled = counters.dialled;
        self.tally.crossed = self.phones.iter().map(Endpoint::crossed).sum();
        Report {
            tally: self.tally,
            breach: verdict.err().map(|breach| (at, breach)),
            trace: self.trace.unwrap_or_default(),
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The `n`-th phone of the hotline, counted from 0.
fn phone_address(n: usize) -> SocketAddr {
    address(&format!("203.0.113.{}:5062", n + 1))
}

fn timestamp(wall_ns: i64, injector: &Injector) -> Timestamp {
    let wall = Timestamp::from_nanosecond(i128::from(wall_ns)).expect("within this century");
    wall + injector.clock_error()
}

/// Some day of 2026; often an hour before the clocks change.
fn draw_wall_clock(rng: &mut Rng) -> i64 {
    let second = |rng: &mut Rng, end: u64| i64::try_from(rng.below(end)).unwrap_or(0);
    let day = match rng.below(4) {
        0 => return duty::day_of(2026, 3, 29) * 86_400 + second(rng, 3600),
        1 => return duty::day_of(2026, 10, 25) * 86_400 + second(rng, 3600),
        _ => second(rng, 365),
    };
    (duty::day_of(2026, 1, 1) + day) * 86_400 + second(rng, 86_400)
}

fn draw_weather(rng: &mut Rng) -> Weather {
    Weather {
        loss: rng.between(0, 100),
        repeats: rng.between(0, 30),
        delay_ms: rng.between(1, 40),
        jitter_ms: rng.between(0, 160),
    }
}

fn draw_manner(rng: &mut Rng) -> Manner {
    let mut share = |most| rng.between(0, most);
    Manner {
        declines: share(200),
        busy: share(80),
        away: share(100),
        ignores: share(400),
        deaf: share(60),
        forks: share(60),
        stubborn: share(200),
        foreign: share(40),
        holds: share(300),
        slowness_s: 5 + share(40),
    }
}

fn phones(hotline: &Hotline, manner: Manner, rng: &mut Rng, now: Instant) -> Vec<Endpoint> {
    let accounts = hotline.volunteers.iter().flat_map(|it| it.phones.iter());
    let phone = |(n, user): (usize, &String)| {
        let account = Account {
            user: user.clone(),
            password: PASSWORD.to_owned(),
            realm: REALM.to_owned(),
        };
        let addresses = (phone_address(n), address(EXCHANGE));
        let name = format!("phone{n}");
        Endpoint::new(&name, addresses, Some(account), manner, rng.fork(), now)
    };
    accounts.enumerate().map(phone).collect()
}

fn exchange_config(hotline: &Hotline) -> ExchangeConfig {
    let exchange = address(EXCHANGE);
    let account = |user: &String| {
        let ha1 = |algorithm: Algorithm| algorithm.ha1(user, REALM, PASSWORD);
        let stored = StoredHa1 {
            md5_hex: ha1(Algorithm::Md5),
            sha256_hex: Some(ha1(Algorithm::Sha256)),
        };
        (UaAccount(user.clone()), stored)
    };
    let accounts = hotline.volunteers.iter().flat_map(|it| &it.phones);
    let clips = hotline.hubs.iter().flat_map(|hub| {
        PromptKind::ALL.into_iter().zip(1..).map(|(kind, clip)| {
            let hub = hub.id.clone();
            (Prompt { hub, kind }, ClipId(clip))
        })
    });
    ExchangeConfig {
        ua: UaConfig {
            realm: REALM.to_owned(),
            product: "Centralita".to_owned(),
            advertised: None,
            default_local: exchange,
            accounts: accounts.map(account).collect(),
            trunks: vec![Trunk {
                name: "carrier".to_owned(),
                kind: TrunkKind::Address {
                    peers: vec![address(TRUNK)],
                },
            }],
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            timers: Timers::RFC3261,
        },
        media_address: exchange.ip(),
        media_bind: exchange.ip(),
        rtp_ports: 20_000..=21_999,
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
        media_timeout: Duration::from_secs(30),
        longest_ring: hotline
            .hubs
            .iter()
            .map(|hub| hub.queue_timeout)
            .max()
            .unwrap_or_default(),
        called: CalledNumbers::default(),
        clips: clips.collect(),
        back_end: 0,
    }
}
