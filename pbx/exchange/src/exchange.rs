//! The exchange itself: its parts, its life and the trait it serves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use media::codec::Codec;
use media::control::MediaCommand;
use routing::{Command, Event, HangupReason, LegEnd, LegId};
use sip::entropy::Entropy;
use sip::ua::{Binding, ConnectionId, Transmit, TransportInput, UaCounts, UserAgent};
use telephony::{Capabilities, Input, Output, StreamId, Telephony};

use crate::config::{ExchangeConfig, MAX_QUEUED_EVENTS};
use crate::devices::{BindingChange, Devices, TrunkState};
use crate::leg::Legs;
use crate::ports::PortPool;
use crate::probe::Probes;
use crate::status::hangup_reason;

/// The native telephony back end.
pub struct Exchange {
    pub(crate) config: ExchangeConfig,
    pub(crate) codecs: Arc<[Codec]>,
    pub(crate) ua: UserAgent,
    pub(crate) legs: Legs,
    pub(crate) ports: PortPool,
    pub(crate) probes: Probes,
    pub(crate) devices: Devices,
    pub(crate) media: VecDeque<MediaCommand>,
    pub(crate) session_ids: SessionIds,
    /// The number of the last incoming leg.
    pub(crate) incoming: u64,
    pub(crate) dropped_outputs: u64,
    dropped_events: u64,
    events: VecDeque<Event>,
}

/// What the exchange holds, for metrics and leak tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Legs that have not ended.
    pub legs: usize,
    /// Media ports, those that are being closed included.
    pub ports: usize,
    /// Orders to the media engine that wait to be polled.
    pub queued_outputs: usize,
    /// Events that wait to be polled.
    pub queued_events: usize,
    /// Media orders that found no room; each ended its leg.
    pub dropped_outputs: u64,
    /// Digits and hold changes that found no room.
    pub dropped_events: u64,
    /// The SIP side. Finished transactions linger there for 32 s.
    pub ua: UaCounts,
}

/// Makes `o=` session ids that say nothing about how many calls there are.
#[derive(Debug)]
pub(crate) struct SessionIds {
    state: u64,
}

impl Exchange {
    /// An exchange without calls, which begins to register at its trunks.
    #[must_use]
    pub fn new(config: ExchangeConfig, mut entropy: Box<dyn Entropy>, now: Instant) -> Self {
        let session_ids = SessionIds::new(entropy.as_mut());
        let first_port = (u64::from(config.back_end) + 1) << 56 | 1;
        let mut exchange = Self {
            codecs: config.codecs.as_slice().into(),
            ua: UserAgent::new(config.ua.clone(), entropy, now),
            legs: Legs::default(),
            ports: PortPool::new(config.rtp_ports.clone(), first_port),
            probes: Probes::default(),
            devices: Devices::default(),
            media: VecDeque::new(),
            session_ids,
            incoming: 0,
            dropped_outputs: 0,
            dropped_events: 0,
            events: VecDeque::new(),
            config,
        };
        exchange.settle(now);
        exchange
    }

    /// Replaces the settings. Live calls go on as they are; contacts of
    /// accounts that are gone are forgotten. The number among the back ends stays.
    pub fn configure(&mut self, config: ExchangeConfig, now: Instant) {
        self.codecs = config.codecs.as_slice().into();
        self.ports.set_range(config.rtp_ports.clone());
        self.ua.configure(config.ua.clone(), now);
        let back_end = self.config.back_end;
        self.config = ExchangeConfig { back_end, ..config };
        self.settle(now);
    }

    /// Takes over the contacts that an earlier process knew. Each that can still
    /// be rung becomes a device; the others are reported as removed.
    pub fn restore_bindings(&mut self, bindings: Vec<Binding>, now: Instant) {
        self.ua.restore_bindings(bindings);
        self.take_restored();
        self.settle(now);
    }

    /// The next change of a contact, to be persisted.
    pub fn poll_binding(&mut self) -> Option<BindingChange> {
        self.devices.pop_change()
    }

    /// The next change of a trunk's registration.
    pub fn poll_trunk_state(&mut self) -> Option<TrunkState> {
        self.devices.pop_trunk_state()
    }

    /// Ends all legs and the registrations at trunks. Poll until the counts are
    /// zero, or for as long as there is patience.
    pub fn shutdown(&mut self, now: Instant) {
        for leg in self.legs.ids().collect::<Vec<_>>() {
            let reason = hangup_reason(HangupReason::Normal);
            self.end_leg(leg, LegEnd::Ordered, Some(reason), now);
        }
        self.ua.shutdown(now);
        self.settle(now);
    }

    /// What is held at the moment.
    #[must_use]
    pub fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            legs: self.legs.len(),
            ports: self.ports.len(),
            queued_outputs: self.media.len(),
            queued_events: self.events.len(),
            dropped_outputs: self.dropped_outputs,
            dropped_events: self.dropped_events,
            ua: self.ua.counts(),
        }
    }

    /// Tells the router something that it must know.
    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Tells the router something that a peer can repeat at will.
    pub(crate) fn emit_bounded(&mut self, event: Event) {
        if self.events.len() < MAX_QUEUED_EVENTS {
            self.events.push_back(event);
        } else {
            self.dropped_events += 1;
        }
    }

    /// Acts on everything that the user agent has to tell.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some(event) = self.ua.poll_event() {
            self.handle_ua_event(event, now);
        }
    }
}

impl Telephony for Exchange {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            early_media: false,
            max_parallel_legs: None,
            recording: true,
            supervision: false,
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        self.carry_out(command, now);
        self.settle(now);
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        if let Some(input) = self.take_media(input, now).and_then(transport_input) {
            self.ua.handle_input(input, now);
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ua.handle_timeout(now);
        self.settle(now);
        self.probe_due(now);
        self.settle(now);
    }

    fn reconcile(&mut self, known: &[LegId], now: Instant) {
        let ours: Vec<LegId> = self.legs.ids().collect();
        for leg in ours.into_iter().filter(|leg| !known.contains(leg)) {
            tracing::warn!(%leg, "leg without a call ended");
            let reason = hangup_reason(HangupReason::Failed);
            self.end_leg(leg, LegEnd::Ordered, Some(reason), now);
        }
        for &leg in known.iter().filter(|leg| !self.legs.contains(**leg)) {
            self.events.push_back(Event::LegEnded {
                leg,
                end: LegEnd::SignallingLost,
            });
        }
        self.settle(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Media orders come first, so that a port is open before the peer learns its number.
    fn poll_output(&mut self) -> Option<Output> {
        match self.media.pop_front() {
            Some(command) => Some(Output::Media(command)),
            None => self.ua.poll_transmit().map(output),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let own = self.probes.next();
        self.ua.poll_timeout().into_iter().chain(own).min()
    }
}

impl SessionIds {
    fn new(entropy: &mut dyn Entropy) -> Self {
        let mut seed = [0; 8];
        entropy.fill(&mut seed);
        Self {
            state: u64::from_le_bytes(seed),
        }
    }

    /// The next id, of 62 bits, which every device can hold. The mixing is
    /// Vigna's SplitMix64: a bijection, so that ids do not repeat.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 2
    }
}

fn transport_input(input: Input) -> Option<TransportInput> {
    Some(match input {
        Input::Datagram {
            local,
            remote,
            payload,
        } => TransportInput::Datagram {
            local,
            remote,
            payload,
        },
        Input::StreamOpened {
            stream,
            local,
            remote,
        } => TransportInput::Opened {
            connection: ConnectionId(stream.0),
            local,
            remote,
        },
        Input::StreamData { stream, payload } => TransportInput::Received {
            connection: ConnectionId(stream.0),
            payload,
        },
        Input::StreamClosed { stream } => TransportInput::Closed {
            connection: ConnectionId(stream.0),
        },
        Input::Resolved { host, addresses } => TransportInput::Resolved { host, addresses },
        // Inputs of other kinds of back ends.
        _ => return None,
    })
}

fn output(transmit: Transmit) -> Output {
    match transmit {
        Transmit::Datagram {
            local,
            remote,
            payload,
        } => Output::Datagram {
            local,
            remote,
            payload,
        },
        Transmit::Connect { connection, remote } => Output::StreamConnect {
            stream: StreamId(connection.0),
            remote,
        },
        Transmit::Stream {
            connection,
            payload,
        } => Output::StreamData {
            stream: StreamId(connection.0),
            payload,
        },
        Transmit::Close { connection } => Output::StreamClose {
            stream: StreamId(connection.0),
        },
        Transmit::Resolve { host, port } => Output::Resolve { host, port },
    }
}
