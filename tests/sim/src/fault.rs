//! Mistakes made on purpose between the parts, to see that the model notices them.
//!
//! No product code is touched: orders, facts and datagrams are dropped, repeated or altered on
//! their way from one part to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use media::control::{MediaCommand, MediaEvent, PortId};
use routing::{Command, DeviceId, Event, HangupReason, LegId, Notice, RouterConfig, TimerReason};

use crate::hotline::Hotline;
use crate::watch::Invariant;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The order that stops the other phones after an answer is dropped.
    LosersAreNotTold,
    /// CANCEL never leaves the box.
    CancelsAreNotSent,
    /// CANCEL leaves without its `Reason`.
    CancelsGiveNoReason,
    /// Whoever is connected also hears the pair before.
    PortsAreCrossed,
    /// An order joins a caller with another caller's volunteer.
    StrangersAreJoined,
    /// Ports are not parted when somebody presses hold.
    HoldDoesNotPart,
    /// The router never hears of a break.
    BreaksAreHidden,
    /// The router's wall clock is three hours ahead.
    ClockIsWrong,
    /// The router thinks that nobody wants time after a call.
    WrapUpIsSkipped,
    /// Whoever talks is dialled on their phone once more.
    BusyAreDialled,
    /// The end of waiting comes a fifth of a second late.
    WaitingLastsLonger,
    /// The end of waiting comes early, as the router believes in shorter patience.
    WaitingIsCutShort,
    /// The router never hears that a phone has registered.
    PhonesStayUnknown,
    /// The order to ring a phone is dropped.
    DialsAreLost,
    /// The router never hears that a phone's leg ended.
    EndsAreLost,
    /// A leg ends twice.
    EndsAreRepeated,
    /// The order that ends the volunteer's leg with the call is dropped.
    VolunteersAreLeftAlone,
    /// The record of a call is dropped.
    RecordsAreLost,
    /// The record of a call is written twice.
    RecordsAreRepeated,
    /// The order that refuses a caller is dropped.
    RefusalsAreLost,
    /// The caller's number stands where the hub's name should.
    NumbersAreShown,
    /// Ports are not closed.
    PortsStayOpen,
    /// Ports are not opened.
    PortsAreNotOpened,
    /// The exchange never hears that a port is closed.
    ClosingsAreNotTold,
    /// A BYE bears another call's Call-ID.
    CallIdsAreMixedUp,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::LosersAreNotTold,
        Self::CancelsAreNotSent,
        Self::CancelsGiveNoReason,
        Self::PortsAreCrossed,
        Self::StrangersAreJoined,
        Self::HoldDoesNotPart,
        Self::BreaksAreHidden,
        Self::ClockIsWrong,
        Self::WrapUpIsSkipped,
        Self::BusyAreDialled,
        Self::WaitingLastsLonger,
        Self::WaitingIsCutShort,
        Self::PhonesStayUnknown,
        Self::DialsAreLost,
        Self::EndsAreLost,
        Self::EndsAreRepeated,
        Self::VolunteersAreLeftAlone,
        Self::RecordsAreLost,
        Self::RecordsAreRepeated,
        Self::RefusalsAreLost,
        Self::NumbersAreShown,
        Self::PortsStayOpen,
        Self::PortsAreNotOpened,
        Self::ClosingsAreNotTold,
        Self::CallIdsAreMixedUp,
    ];

    /// The invariant that it breaks; one that another invariant may notice first names both.
    #[must_use]
    pub fn breaks(self) -> &'static [Invariant] {
        match self {
            Self::LosersAreNotTold | Self::CancelsAreNotSent | Self::CancelsGiveNoReason => {
                &[Invariant::LosersStop]
            }
            Self::PortsAreCrossed | Self::StrangersAreJoined => &[Invariant::OneToOne],
            Self::HoldDoesNotPart | Self::PortsAreNotOpened => &[Invariant::MediaMakesSense],
            Self::BreaksAreHidden | Self::WrapUpIsSkipped | Self::BusyAreDialled => {
                &[Invariant::OnlyTheFreeRing]
            }
            // A wrong clock keeps people from ringing just as it makes others ring.
            Self::ClockIsWrong => &[
                Invariant::OnlyTheFreeRing,
                Invariant::NobodyIsForgotten,
                Invariant::WaitingEndsInTime,
            ],
            Self::WaitingLastsLonger | Self::WaitingIsCutShort => &[Invariant::WaitingEndsInTime],
            // To the router it looks as if nobody were there.
            Self::PhonesStayUnknown => {
                &[Invariant::NobodyIsForgotten, Invariant::WaitingEndsInTime]
            }
            Self::DialsAreLost => &[Invariant::NobodyIsForgotten],
            Self::EndsAreLost => &[
                Invariant::CallersAreAccountedFor,
                Invariant::NobodyIsForgotten,
                Invariant::NothingIsLeft,
            ],
            Self::EndsAreRepeated | Self::VolunteersAreLeftAlone => &[Invariant::LegsEnd],
            Self::RecordsAreLost | Self::RecordsAreRepeated | Self::RefusalsAreLost => {
                &[Invariant::CallersAreAccountedFor, Invariant::NothingIsLeft]
            }
            Self::NumbersAreShown => &[Invariant::CallersStayPrivate],
            Self::ClosingsAreNotTold => &[Invariant::NothingIsLeft],
            Self::CallIdsAreMixedUp => &[Invariant::PeersUnderstand],
            Self::PortsStayOpen => &[Invariant::NothingIsLeft, Invariant::MediaMakesSense],
        }
    }
}

/// Makes one mistake wherever it can be made.
#[derive(Debug, Default)]
pub struct Injector {
    fault: Option<Fault>,
    dialled: BTreeMap<LegId, DeviceId>,
    bridged: Option<(LegId, LegId)>,
    connected: Option<(PortId, PortId)>,
    invented: u64,
}

impl Injector {
    /// One that makes `fault`, or none.
    #[must_use]
    pub fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// What the router is told of the hotline.
    #[must_use]
    pub fn config(&self, hotline: &Hotline) -> RouterConfig {
        let mut config = hotline.config();
        for volunteer in config.volunteers.values_mut() {
            volunteer.on_break &= self.fault != Some(Fault::BreaksAreHidden);
        }
        for hub in config.hubs.values_mut() {
            match self.fault {
                Some(Fault::WrapUpIsSkipped) => hub.wrap_up = Duration::ZERO,
                Some(Fault::WaitingIsCutShort) => hub.queue_timeout -= Duration::from_secs(1),
                _ => {}
            }
        }
        config
    }

    /// How far ahead the router's wall clock is.
    #[must_use]
    pub fn clock_error(&self) -> Duration {
        match self.fault {
            Some(Fault::ClockIsWrong) => Duration::from_secs(3 * 3600),
            _ => Duration::ZERO,
        }
    }

    /// How late the router is told that it is time.
    #[must_use]
    pub fn lateness(&self, reason: TimerReason) -> Duration {
        match (self.fault, reason) {
            (Some(Fault::WaitingLastsLonger), TimerReason::QueueTimeout) => {
                Duration::from_millis(200)
            }
            _ => Duration::ZERO,
        }
    }

    /// How often the model is told of an event.
    #[must_use]
    pub fn tellings(&self, event: &Event) -> usize {
        match (self.fault, event) {
            (Some(Fault::EndsAreRepeated), Event::LegEnded { .. }) => 2,
            _ => 1,
        }
    }

    /// Whether the router is told of an event.
    #[must_use]
    pub fn reaches_router(&self, event: &Event) -> bool {
        match (self.fault, event) {
            (Some(Fault::PhonesStayUnknown), Event::DeviceUp { .. }) => false,
            (Some(Fault::EndsAreLost), Event::LegEnded { leg, .. }) => {
                !self.dialled.contains_key(leg)
            }
            _ => true,
        }
    }

    /// How often a notice is passed on.
    #[must_use]
    pub fn copies(&self, notice: &Notice) -> usize {
        match (self.fault, notice) {
            (Some(Fault::RecordsAreLost), Notice::CallEnded(_)) => 0,
            (Some(Fault::RecordsAreRepeated), Notice::CallEnded(_)) => 2,
            _ => 1,
        }
    }

    /// The orders that arrive at the exchange in place of one.
    pub fn commands(&mut self, command: Command) -> Vec<Command> {
        if let Command::Dial { leg, device, .. } = &command {
            self.dialled.insert(*leg, *device);
        }
        let volunteers = |leg: &LegId| self.dialled.contains_key(leg);
        let Some(fault) = self.fault else {
            return vec![command];
        };
        match (fault, command) {
            (
                Fault::LosersAreNotTold,
                Command::Hangup {
                    reason: HangupReason::AnsweredElsewhere,
                    ..
                },
            )
            | (Fault::DialsAreLost, Command::Dial { .. })
            | (Fault::RefusalsAreLost, Command::Reject { .. }) => Vec::new(),
            (
                Fault::VolunteersAreLeftAlone,
                Command::Hangup {
                    leg,
                    reason: HangupReason::Normal,
                },
            ) if volunteers(&leg) => Vec::new(),
            (Fault::StrangersAreJoined, Command::Bridge { a, b }) => {
                let before = self.bridged.replace((a, b));
                let crossed = before.map(|(caller, _)| Command::Bridge { a: caller, b });
                std::iter::once(Command::Bridge { a, b })
                    .chain(crossed)
                    .collect()
            }
            (Fault::BusyAreDialled, Command::Bridge { a, b }) => self.dial_again(a, b),
            (
                Fault::NumbersAreShown,
                Command::Dial {
                    leg, device, hub, ..
                },
            ) => {
                let display = Hotline::caller(3);
                vec![Command::Dial {
                    leg,
                    device,
                    hub,
                    display,
                }]
            }
            (_, command) => vec![command],
        }
    }

    fn dial_again(&mut self, a: LegId, b: LegId) -> Vec<Command> {
        let mut commands = vec![Command::Bridge { a, b }];
        if let Some(device) = self.dialled.get(&b) {
            self.invented += 1;
            commands.push(Command::Dial {
                leg: LegId(0xffff_0000 + self.invented),
                device: *device,
                hub: routing::HubId::new("hub0"),
                display: String::new(),
            });
        }
        commands
    }

    /// The orders that arrive at the media engine in place of one.
    pub fn media(&mut self, command: MediaCommand) -> Vec<MediaCommand> {
        match (self.fault, command) {
            (Some(Fault::PortsStayOpen), MediaCommand::Close { .. })
            | (Some(Fault::PortsAreNotOpened), MediaCommand::Open { .. })
            | (Some(Fault::HoldDoesNotPart), MediaCommand::Disconnect { .. }) => Vec::new(),
            (Some(Fault::PortsAreCrossed), MediaCommand::Connect { from, to }) => {
                let mut commands = vec![MediaCommand::Connect { from, to }];
                match self.connected {
                    Some((a, b)) if a != to && b != from && a != from && b != to => {
                        commands.push(MediaCommand::Connect { from, to: b });
                    }
                    _ => {}
                }
                self.connected = Some((from, to));
                commands
            }
            (_, MediaCommand::Close { port }) => {
                let gone = |(a, b): &(PortId, PortId)| *a == port || *b == port;
                self.connected = self.connected.filter(|pair| !gone(pair));
                vec![MediaCommand::Close { port }]
            }
            (_, command) => vec![command],
        }
    }

    /// Whether the exchange is told of an event of the media engine.
    #[must_use]
    pub fn reaches_exchange(&self, event: &MediaEvent) -> bool {
        let closes = matches!(event, MediaEvent::Closed { .. });
        !closes || self.fault != Some(Fault::ClosingsAreNotTold)
    }

    /// A datagram of the exchange as it leaves the box, if it does.
    #[must_use]
    pub fn datagram(&self, payload: Bytes) -> Option<Bytes> {
        let is_cancel = payload.starts_with(b"CANCEL ");
        match self.fault {
            Some(Fault::CancelsAreNotSent) if is_cancel => None,
            Some(Fault::CancelsGiveNoReason) if is_cancel => {
                let text = String::from_utf8_lossy(&payload).replace("Reason:", "X-Reason:");
                Some(Bytes::from(text))
            }
            Some(Fault::CallIdsAreMixedUp) if payload.starts_with(b"BYE ") => {
                let text = String::from_utf8_lossy(&payload).replace("Call-ID: ", "Call-ID: x");
                Some(Bytes::from(text))
            }
            _ => Some(payload),
        }
    }
}
