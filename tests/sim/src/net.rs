//! A network that loses, repeats, delays and reorders, and is cut now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::rng::Rng;

/// How bad a network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Datagrams lost, per mille.
    pub loss: u64,
    /// Datagrams that arrive twice, per mille.
    pub repeats: u64,
    /// Shortest time on the way, in milliseconds.
    pub delay_ms: u64,
    /// What chance may add to it, in milliseconds; more than the time between two datagrams reorders them.
    pub jitter_ms: u64,
}

impl Weather {
    /// Every datagram arrives once, in order, after 10 ms.
    pub const PERFECT: Self = Self {
        loss: 0,
        repeats: 0,
        delay_ms: 10,
        jitter_ms: 0,
    };
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// The payload.
    pub payload: Bytes,
}

/// What became of a datagram when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It will arrive, perhaps twice.
    Arrives,
    /// It was lost.
    Lost,
    /// One of the two is cut off.
    CutOff,
}

/// Everything between the exchange and the others.
#[derive(Debug)]
pub struct Network {
    weather: Weather,
    rng: Rng,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    sequence: u64,
    cut_off: BTreeSet<IpAddr>,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new(weather: Weather, rng: Rng) -> Self {
        Self {
            weather,
            rng,
            in_flight: BTreeMap::new(),
            sequence: 0,
            cut_off: BTreeSet::new(),
        }
    }

    /// Takes a datagram.
    pub fn send(&mut self, packet: Packet, now: Instant) -> Fate {
        if self.is_cut_off(packet.from.ip()) || self.is_cut_off(packet.to.ip()) {
            return Fate::CutOff;
        }
        if self.rng.chance(self.weather.loss) {
            return Fate::Lost;
        }
        if self.rng.chance(self.weather.repeats) {
            self.post(packet.clone(), now);
        }
        self.post(packet, now);
        Fate::Arrives
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next datagram that has arrived. One whose receiver was cut off meanwhile is gone.
    pub fn pop_due(&mut self, now: Instant) -> Option<Packet> {
        loop {
            let entry = self.in_flight.first_entry()?;
            if entry.key().0 > now {
                return None;
            }
            let packet = entry.remove();
            if !self.is_cut_off(packet.to.ip()) && !self.is_cut_off(packet.from.ip()) {
                return Some(packet);
            }
        }
    }

    /// Cuts a host off, or takes it back.
    pub fn set_cut_off(&mut self, host: IpAddr, cut_off: bool) {
        if cut_off {
            self.cut_off.insert(host);
        } else {
            self.cut_off.remove(&host);
        }
    }

    /// Whether a host is cut off.
    #[must_use]
    pub fn is_cut_off(&self, host: IpAddr) -> bool {
        self.cut_off.contains(&host)
    }

    /// The weather clears up and everybody is connected again.
    pub fn heal(&mut self) {
        self.weather = Weather::PERFECT;
        self.cut_off.clear();
    }

    fn post(&mut self, packet: Packet, now: Instant) {
        let jitter = self.rng.below(self.weather.jitter_ms + 1);
        let arrives = now + Duration::from_millis(self.weather.delay_ms + jitter);
        self.sequence += 1;
        self.in_flight.insert((arrives, self.sequence), packet);
    }
}
