//! A world for the exchange: a carrier and phones on a network in memory, a
//! media engine that only keeps books, and a virtual clock.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod caller;
pub mod engine;
pub mod house;
pub mod peer;
pub mod raw;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use exchange::{CalledNumbers, Exchange, ExchangeConfig};
use media::codec::Codec;
use media::control::{ClipId, MediaEvent, PortId};
use routing::{
    Command, DeviceId, Event, HangupReason, HubId, LegEnd, LegId, Notice, Prompt, PromptKind,
    Router,
};
use sip::entropy::Entropy;
use sip::timer::Timers;
use sip::ua::{
    Account, Binding, BindingId, Flow, StoredHa1, Trunk, TrunkKind, UaConfig, UserAgent,
};
use telephony::{Input, Output, Telephony};

use engine::Engine;
use peer::Peer;

pub const EXCHANGE: &str = "192.0.2.1:5060";
pub const TRUNK: &str = "198.51.100.1:5060";
pub const REALM: &str = "hotline.example";
/// The number of the hotline.
pub const HOTLINE: &str = "+15550199";
/// One way through the network.
pub const LATENCY: Duration = Duration::from_millis(10);

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Where the `n`-th phone is, counted from 1.
pub fn phone(n: u64) -> SocketAddr {
    addr(&format!("203.0.113.{n}:5062"))
}

/// The `n`-th phone as the router knows it.
pub fn device(n: u64) -> DeviceId {
    DeviceId(n)
}

/// SplitMix64: enough for tests, the same on every machine.
pub struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

pub fn ua_config(local: SocketAddr, trunk: SocketAddr, phones: u64) -> UaConfig {
    let account = |n: u64| {
        let user = format!("volunteer{n}");
        let ha1 = |algorithm: sip::digest::Algorithm| algorithm.ha1(&user, REALM, "secret");
        let stored = StoredHa1 {
            md5_hex: ha1(sip::digest::Algorithm::Md5),
            sha256_hex: Some(ha1(sip::digest::Algorithm::Sha256)),
        };
        (Account(user), stored)
    };
    UaConfig {
        realm: REALM.to_owned(),
        product: "Centralita".to_owned(),
        advertised: None,
        default_local: local,
        accounts: (1..=phones).map(account).collect(),
        trunks: vec![Trunk {
            name: "carrier".to_owned(),
            kind: TrunkKind::Address { peers: vec![trunk] },
        }],
        min_expires: secs(60),
        max_expires: secs(3600),
        timers: Timers::RFC3261,
    }
}

pub fn config(phones: u64) -> ExchangeConfig {
    let exchange = addr(EXCHANGE);
    let clips = PromptKind::ALL
        .iter()
        .zip(1..)
        .map(|(kind, clip)| (prompt(*kind), ClipId(clip)))
        .collect();
    ExchangeConfig {
        ua: ua_config(exchange, addr(TRUNK), phones),
        media_address: exchange.ip(),
        media_bind: exchange.ip(),
        rtp_ports: 20_000..=29_999,
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
        media_timeout: secs(30),
        longest_ring: secs(60),
        called: CalledNumbers::default(),
        clips,
        back_end: 0,
    }
}

pub fn prompt(kind: PromptKind) -> Prompt {
    Prompt {
        hub: HubId::new("hub"),
        kind,
    }
}

/// The contact that the `n`-th phone registered with an earlier process.
pub fn binding(n: u64, now: Instant) -> Binding {
    let remote = phone(n);
    Binding {
        id: BindingId(n),
        account: Account(format!("volunteer{n}")),
        contact: format!("sip:line@{remote}"),
        instance: None,
        reg_id: None,
        path: Vec::new(),
        flow: Flow::Udp {
            local: addr(EXCHANGE),
            remote,
        },
        call_id: format!("register-{n}"),
        cseq: 1,
        expires_at: now + secs(3600),
        user_agent: None,
    }
}

/// A datagram that was sent.
#[derive(Clone)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Bytes,
}

impl Packet {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub exchange: Exchange,
    pub engine: Engine,
    pub peers: BTreeMap<SocketAddr, Peer>,
    /// Without a router the tests give the orders.
    pub router: Option<Router>,
    pub notices: Vec<Notice>,
    /// Everything that the exchange told, in order.
    pub events: Vec<Event>,
    /// Everything that was sent, in order.
    pub wire: Vec<Packet>,
    pub keep_wire: bool,
    /// One in so many packets is lost; 0 for none.
    pub loses_one_in: u64,
    dice: Seeded,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    sequence: u64,
}

impl World {
    /// A carrier and so many registered phones.
    pub fn new(phones: u64) -> Self {
        Self::with(config(phones), phones)
    }

    pub fn with(config: ExchangeConfig, phones: u64) -> Self {
        let now = Instant::now();
        let mut exchange = Exchange::new(config, Box::new(Seeded(1)), now);
        exchange.restore_bindings((1..=phones).map(|n| binding(n, now)).collect(), now);
        let mut peers = BTreeMap::new();
        peers.insert(addr(TRUNK), Peer::trunk(now));
        for n in 1..=phones {
            peers.insert(phone(n), Peer::phone(n, now));
        }
        Self {
            now,
            start: now,
            exchange,
            engine: Engine::default(),
            peers,
            router: None,
            notices: Vec::new(),
            events: Vec::new(),
            wire: Vec::new(),
            keep_wire: true,
            loses_one_in: 0,
            dice: Seeded(5),
            in_flight: BTreeMap::new(),
            sequence: 0,
        }
    }

    pub fn trunk(&mut self) -> &mut Peer {
        self.peers.get_mut(&addr(TRUNK)).expect("the carrier")
    }

    pub fn phone(&mut self, n: u64) -> &mut Peer {
        self.peers.get_mut(&phone(n)).expect("that phone")
    }

    /// An order, as the router would give it.
    pub fn order(&mut self, command: Command) {
        self.exchange.handle_command(command, self.now);
        self.pump();
    }

    pub fn dial(&mut self, leg: LegId, n: u64) {
        self.order(Command::Dial {
            leg,
            device: device(n),
            hub: HubId::new("hub"),
            display: "Night Line".to_owned(),
        });
    }

    pub fn hang_up(&mut self, leg: LegId, reason: HangupReason) {
        self.order(Command::Hangup { leg, reason });
    }

    /// Something that the media engine reports.
    pub fn media(&mut self, event: MediaEvent) {
        self.exchange.handle_input(Input::Media(event), self.now);
        self.pump();
    }

    /// The caller dials the hotline and is offered.
    pub fn call(&mut self) -> LegId {
        let before = self.events.len();
        let now = self.now;
        self.trunk().call(now);
        self.run(ms(50));
        self.offered_since(before).expect("an offered call")
    }

    pub fn offered_since(&self, before: usize) -> Option<LegId> {
        self.events[before..].iter().find_map(|event| match event {
            Event::CallOffered { leg, .. } => Some(*leg),
            _ => None,
        })
    }

    /// A caller who has been answered.
    pub fn answered_call(&mut self) -> LegId {
        let leg = self.call();
        self.order(Command::Answer { leg });
        self.run(ms(50));
        assert!(self.was(&Event::LegAnswered { leg }), "the caller is up");
        leg
    }

    /// A phone that has been picked up.
    pub fn picked_up(&mut self, leg: LegId, n: u64) {
        self.dial(leg, n);
        self.run(ms(50));
        let now = self.now;
        self.phone(n).pick_up(now);
        self.run(ms(50));
        assert!(self.was(&Event::LegAnswered { leg }), "the phone is up");
    }

    pub fn was(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    /// How this leg ended: one end for a leg that is over.
    pub fn ends(&self, of: LegId) -> Vec<LegEnd> {
        let end = |event: &Event| match event {
            Event::LegEnded { leg, end } if *leg == of => Some(*end),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// What stays after everything is over: nothing.
    pub fn assert_empty(&mut self) {
        self.run(secs(60));
        let counts = self.exchange.counts();
        assert_eq!((counts.legs, counts.ports), (0, 0));
        assert_eq!((counts.queued_outputs, counts.queued_events), (0, 0));
        assert_eq!((counts.ua.sessions, counts.ua.transactions), (0, 0));
        assert!(self.engine.ports.is_empty());
    }

    /// What the exchange sent to a peer, as text.
    pub fn sent_to(&self, to: SocketAddr) -> Vec<String> {
        let from = addr(EXCHANGE);
        let packets = self.wire.iter().filter(|it| it.from == from && it.to == to);
        packets.map(Packet::text).collect()
    }

    /// The first message to a peer that starts like this.
    pub fn first_to(&self, to: SocketAddr, start: &str) -> String {
        let sent = self
            .sent_to(to)
            .into_iter()
            .find(|text| text.starts_with(start));
        sent.unwrap_or_else(|| panic!("no {start} to {to}"))
    }

    /// The last message to a peer that starts like this.
    pub fn last_to(&self, to: SocketAddr, start: &str) -> String {
        let mut sent = self.sent_to(to).into_iter();
        let found = sent.rfind(|text| text.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start} to {to}"))
    }

    /// The leg's media port, found by the number in its last description to `to`.
    pub fn port_at(&self, to: SocketAddr) -> PortId {
        let texts = self.sent_to(to);
        let line = texts
            .iter()
            .rev()
            .find_map(|text| text.lines().find(|line| line.starts_with("m=audio ")));
        let number: u16 = line
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|number| number.parse().ok())
            .expect("a description");
        self.engine.at(number).expect("an open port")
    }

    pub fn trunk_port(&self) -> PortId {
        self.port_at(addr(TRUNK))
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.pump();
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.deliver();
            self.exchange.handle_timeout(self.now);
            for peer in self.peers.values_mut() {
                peer.ua.handle_timeout(self.now);
            }
            if let Some(router) = &mut self.router {
                router.handle_timeout(self.now);
            }
            self.pump();
        }
        self.now = end;
    }

    /// A datagram from anywhere to anywhere.
    pub fn send(&mut self, packet: Packet) {
        if self.keep_wire {
            self.wire.push(packet.clone());
        }
        if self.is_lost() {
            return;
        }
        self.sequence += 1;
        self.in_flight
            .insert((self.now + LATENCY, self.sequence), packet);
    }

    fn is_lost(&mut self) -> bool {
        let mut raw = [0; 8];
        self.dice.fill(&mut raw);
        u64::from_le_bytes(raw).checked_rem(self.loses_one_in) == Some(0)
    }

    fn next_moment(&self) -> Option<Instant> {
        let peers = self
            .peers
            .values()
            .filter_map(|peer| peer.ua.poll_timeout());
        let router = self.router.as_ref().and_then(Router::poll_timeout);
        let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
        peers
            .chain(arrival)
            .chain(router.map(|(at, _)| at))
            .chain(self.exchange.poll_timeout())
            .min()
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.in_flight.first_entry() {
            if entry.key().0 > self.now {
                return;
            }
            let packet = entry.remove();
            if packet.to == addr(EXCHANGE) {
                let input = Input::Datagram {
                    local: packet.to,
                    remote: packet.from,
                    payload: packet.payload,
                };
                self.exchange.handle_input(input, self.now);
            } else if let Some(peer) = self.peers.get_mut(&packet.to) {
                peer.receive(packet, self.now);
            }
            self.pump();
        }
    }

    /// Carries everything that is ready until nobody has anything to say.
    pub fn pump(&mut self) {
        loop {
            let mut quiet = true;
            let mut events = VecDeque::new();
            while let Some(event) = self.exchange.poll_event() {
                quiet = false;
                self.events.push(event.clone());
                events.push_back(event);
            }
            if let Some(router) = &mut self.router {
                for event in events {
                    router.handle_event(event, self.now);
                }
                while let Some(command) = router.poll_command() {
                    quiet = false;
                    self.exchange.handle_command(command, self.now);
                }
                self.notices
                    .extend(std::iter::from_fn(|| router.poll_notice()));
                router.check_invariants().expect("a consistent router");
            }
            quiet &= !self.carry_outputs();
            quiet &= !self.carry_peers();
            if quiet {
                return;
            }
        }
    }

    fn carry_outputs(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.exchange.poll_output() {
            any = true;
            match output {
                Output::Datagram {
                    local,
                    remote,
                    payload,
                } => self.send(Packet {
                    from: local,
                    to: remote,
                    payload,
                }),
                Output::Media(command) => {
                    for event in self.engine.handle(command) {
                        self.exchange.handle_input(Input::Media(event), self.now);
                    }
                }
                other => panic!("no streams here: {other:?}"),
            }
        }
        any
    }

    fn carry_peers(&mut self) -> bool {
        let mut packets = Vec::new();
        let mut any = false;
        for peer in self.peers.values_mut() {
            any |= peer.settle(self.now);
            packets.append(&mut peer.sent());
        }
        any |= !packets.is_empty();
        packets.into_iter().for_each(|packet| self.send(packet));
        any
    }
}

/// The account under which a peer knows the exchange.
pub const PEER_ACCOUNT: &str = "exchange";

/// A user agent for the other side, which takes calls from the exchange.
pub fn peer_agent(local: SocketAddr, seed: u64, now: Instant) -> UserAgent {
    let mut config = ua_config(local, addr(EXCHANGE), 1);
    let secret = config.accounts.pop_first().map(|(_, secret)| secret);
    let account = Account(PEER_ACCOUNT.to_owned());
    config
        .accounts
        .extend(secret.map(|secret| (account, secret)));
    config.product = "Telephone".to_owned();
    UserAgent::new(config, Box::new(Seeded(seed)), now)
}
