//! The table of legs: which session and which ports a leg has, and how far it is.

use std::collections::BTreeMap;
use std::time::Instant;

use media::control::{ClipId, PortFormat, PortId};
use routing::{LegEnd, LegId, PromptKind};
use sip::ua::SessionId;

use crate::digits::DigitFilter;
use crate::negotiation::{Agreed, Negotiation};

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A caller came in.
    Incoming,
    /// We dialled a phone.
    Outgoing,
}

/// How far a leg is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// A caller waits for our word; what its offer led to, `None` without an offer.
    Offered(Option<Agreed>),
    /// A phone is dialled.
    Dialled,
    /// The caller has been answered; its ACK is not here yet.
    Answered,
    /// Both sides know that the call is up.
    Up,
}

/// What a leg hears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Playing {
    pub(crate) clip: ClipId,
    pub(crate) kind: PromptKind,
    pub(crate) repeat: bool,
}

/// One party's path.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) session: SessionId,
    pub(crate) side: Side,
    pub(crate) phase: Phase,
    pub(crate) negotiation: Negotiation,
    /// Its media port, from its opening until we close it.
    pub(crate) port: Option<PortId>,
    /// What the port was told to speak last.
    pub(crate) format: Option<PortFormat>,
    /// Whether the party has put us on hold.
    pub(crate) held: bool,
    /// Whether its silence says nothing: the party holds us, is not to send, or
    /// there is no media timeout.
    pub(crate) quiet: bool,
    /// When the peer of a quiet leg is asked next whether it is there.
    pub(crate) probe_at: Option<Instant>,
    /// Whether a phone ever responded.
    pub(crate) sign_of_life: bool,
    /// Whether the router knows that it rings.
    pub(crate) ringing: bool,
    /// What plays. Started once the port can speak.
    pub(crate) playing: Option<Playing>,
    pub(crate) digits: DigitFilter,
    /// Why it ends, once that is decided. Orders for it are void from then on.
    pub(crate) end: Option<LegEnd>,
}

impl Leg {
    pub(crate) fn new(
        session: SessionId,
        side: Side,
        phase: Phase,
        negotiation: Negotiation,
    ) -> Self {
        Self {
            session,
            side,
            phase,
            negotiation,
            port: None,
            format: None,
            held: false,
            quiet: false,
            probe_at: None,
            sign_of_life: false,
            ringing: false,
            playing: None,
            digits: DigitFilter::default(),
            end: None,
        }
    }

    /// Whether orders still apply.
    pub(crate) fn is_live(&self) -> bool {
        self.end.is_none()
    }
}

/// All legs.
#[derive(Debug, Default)]
pub(crate) struct Legs {
    table: BTreeMap<LegId, Leg>,
    by_session: BTreeMap<SessionId, LegId>,
}

impl Legs {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn contains(&self, id: LegId) -> bool {
        self.table.contains_key(&id)
    }

    pub(crate) fn insert(&mut self, id: LegId, leg: Leg) {
        self.by_session.insert(leg.session, id);
        self.table.insert(id, leg);
    }

    pub(crate) fn get_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.table.get_mut(&id)
    }

    /// The leg, unless its end is decided.
    pub(crate) fn live(&mut self, id: LegId) -> Option<&mut Leg> {
        self.table.get_mut(&id).filter(|leg| leg.is_live())
    }

    pub(crate) fn of_session(&self, session: SessionId) -> Option<LegId> {
        self.by_session.get(&session).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = LegId> + '_ {
        self.table.keys().copied()
    }

    pub(crate) fn remove(&mut self, id: LegId) -> Option<Leg> {
        let leg = self.table.remove(&id)?;
        self.by_session.remove(&leg.session);
        Some(leg)
    }
}
