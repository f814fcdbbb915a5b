//! Phones that are told to stop do stop.

use std::time::{Duration, Instant};

use routing::{Command, HangupReason, LegId};

use super::{Deed, World};
use crate::net::{Fate, Packet};
use crate::watch::{Invariant, Verdict, breach};

/// 64·T1, in which every request is answered or given up, and a margin for the way.
const PATIENCE: Duration = Duration::from_secs(34);
/// Copies of a CANCEL that are sent in that time when nothing comes back; fewer means that it is not repeated.
const MIN_COPIES: u32 = 8;

/// One INVITE to a phone.
pub(super) struct Ring {
    leg: LegId,
    place: usize,
    /// Why it was told to stop, and when.
    told: Option<(HangupReason, Instant)>,
    /// When the exchange first heard that it rings.
    heard: Option<Instant>,
    cancels: u32,
    cancel_arrived: bool,
    /// Whether the phone was cut off or switched off meanwhile.
    disturbed: bool,
    /// Whether the exchange gave it up by itself, for want of a media port.
    failed: bool,
}

impl World {
    /// An order on its way to the exchange.
    pub(super) fn note_order(&mut self, command: &Command) {
        let Command::Hangup { leg, reason } = command else {
            return;
        };
        let now = self.now;
        let ring = self.rings.iter_mut().find(|(_, ring)| ring.leg == *leg);
        if let Some((call_id, ring)) = ring
            && ring.told.is_none()
        {
            ring.told = Some((*reason, now));
            let call_id = call_id.clone();
            self.plan(now + PATIENCE, Deed::CheckRing(call_id));
        }
    }

    /// A datagram that leaves for the network.
    pub(super) fn note_sending(&mut self, packet: &Packet, fate: Fate) {
        let Some(place) = self.place_of(packet.to).filter(|place| *place > 0) else {
            return;
        };
        let is_invite = packet.payload.starts_with(b"INVITE ");
        let is_cancel = packet.payload.starts_with(b"CANCEL ");
        if !is_invite && !is_cancel {
            return;
        }
        let alive = self.endpoint(place).is_alive();
        let leg = self.order_of;
        let ring = self.rings.entry(call_id(packet)).or_insert(Ring {
            leg,
            place,
            told: None,
            heard: None,
            cancels: 0,
            cancel_arrived: false,
            disturbed: false,
            failed: false,
        });
        ring.disturbed |= fate == Fate::CutOff || !alive;
        ring.cancels += u32::from(is_cancel);
    }

    /// A datagram that reaches a phone.
    pub(super) fn note_delivery(&mut self, packet: &Packet) {
        if packet.payload.starts_with(b"CANCEL ")
            && let Some(ring) = self.rings.get_mut(&call_id(packet))
        {
            ring.cancel_arrived = true;
        }
    }

    /// A datagram that reaches the exchange.
    pub(super) fn note_arrival(&mut self, packet: &Packet) {
        let from_carrier = packet.from == self.gateway.address();
        if from_carrier && packet.payload.starts_with(b"INVITE ") {
            // One within a call has a tag in To.
            let text = String::from_utf8_lossy(&packet.payload);
            let to = text.lines().find(|line| line.starts_with("To:"));
            if to.is_some_and(|to| !to.contains(";tag=")) {
                self.reached.insert(call_id(packet));
            }
        } else if packet.payload.starts_with(b"SIP/2.0 1")
            && let Some(ring) = self.rings.get_mut(&call_id(packet))
        {
            ring.heard.get_or_insert(self.now);
        }
    }

    /// The exchange has no media port for a leg, and ends it.
    pub(super) fn note_failed(&mut self, leg: LegId) {
        for ring in self.rings.values_mut().filter(|ring| ring.leg == leg) {
            ring.failed = true;
        }
    }

    /// The phones at a place lost their power or their network for a while.
    pub(super) fn disturb(&mut self, place: usize) {
        for ring in self.rings.values_mut().filter(|ring| ring.place == place) {
            ring.disturbed = true;
        }
    }

    /// A CANCEL says why, so that no phone lists a missed call that somebody took.
    pub(super) fn check_cancel(&self, packet: &Packet) -> Verdict {
        if !packet.payload.starts_with(b"CANCEL ") {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&packet.payload);
        let reason = text.lines().find_map(|line| line.strip_prefix("Reason:"));
        let ring = self.rings.get(&call_id(packet));
        let told = ring.filter(|ring| !ring.failed).and_then(|ring| ring.told);
        let elsewhere = matches!(told, Some((HangupReason::AnsweredElsewhere, _)));
        match reason {
            Some(reason) if !elsewhere || reason.contains("cause=200") => Ok(()),
            _ => {
                let told = told.map(|(reason, _)| reason);
                let what = format!("a CANCEL for {told:?} says {reason:?}");
                breach(Invariant::LosersStop, what)
            }
        }
    }

    /// A phone that was told to stop has had time to do so.
    pub(super) fn check_ring(&mut self, id: &str) -> Verdict {
        let Some(ring) = self.rings.remove(id) else {
            return Ok(());
        };
        if !self.endpoint(ring.place).rings_for(id) || ring.disturbed {
            return Ok(());
        }
        // Before the phone's first word there is nothing to cancel (RFC 3261 9.1).
        let told = ring.told.map_or(self.now, |(_, at)| at);
        match ring.heard {
            None => return Ok(()),
            Some(heard) if heard > told && self.now < heard + PATIENCE => {
                self.plan(heard + PATIENCE, Deed::CheckRing(id.to_owned()));
                self.rings.insert(id.to_owned(), ring);
                return Ok(());
            }
            Some(_) => {}
        }
        if !ring.cancel_arrived && ring.cancels >= MIN_COPIES {
            // The network lost every one of them.
            return Ok(());
        }
        let what = format!("leg {} still rings after {PATIENCE:?}", ring.leg);
        breach(Invariant::LosersStop, what)
    }

    /// Forgets what is long past.
    pub(super) fn forget_rings(&mut self) {
        let legs = &self.ports;
        self.rings
            .retain(|_, ring| ring.told.is_some() || legs.contains_key(&ring.leg));
    }
}

fn call_id(packet: &Packet) -> String {
    let text = String::from_utf8_lossy(&packet.payload);
    let line = text.lines().find_map(|line| line.strip_prefix("Call-ID:"));
    line.unwrap_or_default().trim().to_owned()
}
