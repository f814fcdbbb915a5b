//! Several user agents on a network that loses, repeats and reorders.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::ua::{Transmit, TransportInput, UaConfig, UaEvent, UserAgent};

use super::Rng;

/// What the network does to datagrams, in percent.
#[derive(Clone, Copy, Default)]
pub struct Weather {
    pub loss: u64,
    pub repeat: u64,
    /// Longest extra delay.
    pub jitter_ms: usize,
}

pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub nodes: Vec<Node>,
    pub weather: Weather,
    pub rng: Rng,
    wire: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    /// Drops the datagrams with these running numbers, and counts from zero.
    pub drop_numbers: Vec<u64>,
}

pub struct Node {
    pub address: SocketAddr,
    pub ua: UserAgent,
    pub events: VecDeque<UaEvent>,
}

struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    payload: Bytes,
}

const DELAY: Duration = Duration::from_millis(10);

impl World {
    pub fn new(seed: u64, configs: Vec<UaConfig>) -> Self {
        let now = Instant::now();
        let nodes = configs
            .into_iter()
            .zip(1..)
            .map(|(config, n)| Node {
                address: config.default_local,
                ua: UserAgent::new(config, Box::new(Rng(seed * 1000 + n)), now),
                events: VecDeque::new(),
            })
            .collect();
        Self {
            now,
            start: now,
            nodes,
            weather: Weather::default(),
            rng: Rng(seed),
            wire: BTreeMap::new(),
            sent: 0,
            drop_numbers: Vec::new(),
        }
    }

    /// How many datagrams have been sent since the last call of `forget_numbers`.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    pub fn forget_numbers(&mut self) {
        self.sent = 0;
    }

    fn collect(&mut self) {
        for node in 0..self.nodes.len() {
            while let Some(event) = self.nodes[node].ua.poll_event() {
                self.nodes[node].events.push_back(event);
            }
            while let Some(transmit) = self.nodes[node].ua.poll_transmit() {
                if let Transmit::Datagram {
                    local,
                    remote,
                    payload,
                } = transmit
                {
                    self.post(local, remote, payload);
                }
            }
        }
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        self.sent += 1;
        if self.drop_numbers.contains(&self.sent) || self.rng.chance(self.weather.loss) {
            return;
        }
        let copies = if self.rng.chance(self.weather.repeat) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let jitter = self.rng.below(self.weather.jitter_ms + 1) as u64;
            let at = self.now + DELAY + Duration::from_millis(jitter);
            let packet = Packet {
                from,
                to,
                payload: payload.clone(),
            };
            let number = self.rng.next();
            self.wire.insert((at, number), packet);
        }
    }

    /// Does the next thing that happens at or before `end`; `false` when there is none.
    pub fn step(&mut self, end: Instant) -> bool {
        self.collect();
        let packet = self.wire.first_key_value().map(|((at, _), _)| *at);
        let timer = self
            .nodes
            .iter()
            .filter_map(|node| node.ua.poll_timeout())
            .min();
        let Some(at) = [packet, timer]
            .into_iter()
            .flatten()
            .min()
            .filter(|at| *at <= end)
        else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(at);
        if packet == Some(at)
            && let Some((_, packet)) = self.wire.pop_first()
        {
            if let Some(node) = self.nodes.iter_mut().find(|node| node.address == packet.to) {
                let input = TransportInput::Datagram {
                    local: packet.to,
                    remote: packet.from,
                    payload: packet.payload,
                };
                node.ua.handle_input(input, self.now);
            }
        } else {
            for node in &mut self.nodes {
                node.ua.handle_timeout(self.now);
            }
        }
        self.collect();
        true
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Runs until `node` tells something that `wanted` picks; `None` after `time`.
    pub fn wait<T>(
        &mut self,
        node: usize,
        time: Duration,
        mut wanted: impl FnMut(&UaEvent) -> Option<T>,
    ) -> Option<T> {
        let end = self.now + time;
        loop {
            self.collect();
            while let Some(event) = self.nodes[node].events.pop_front() {
                if let Some(found) = wanted(&event) {
                    return Some(found);
                }
            }
            if !self.step(end) {
                return None;
            }
        }
    }
}
