//! Connections, and what follows from them: rates and paths.

use super::{MAX_SOURCES, Mixer, PHASES, Slot};
use crate::codec::Rate;
use crate::control::PortId;
use crate::dtmf::Digit;

impl Mixer {
    pub(super) fn connect(&mut self, from: PortId, to: PortId) {
        let (Some(from), Some(to)) = (self.place(from), self.place(to)) else {
            return;
        };
        let Some(listener) = self.slot(to).filter(|_| from != to) else {
            return;
        };
        if listener.sources.contains(&from) || listener.sources.len() == MAX_SOURCES {
            return;
        }
        listener.sources.push(from);
        if let Some(source) = self.slot(from) {
            source.listeners.push(to);
        }
        self.retune(to);
    }

    pub(super) fn disconnect(&mut self, from: PortId, to: PortId) {
        if let (Some(from), Some(to)) = (self.place(from), self.place(to)) {
            self.cut(from, to);
        }
    }

    /// Takes a port that is about to close out of the matrix.
    pub(super) fn disconnect_all(&mut self, place: usize) {
        let Some(slot) = self.slot(place) else {
            return;
        };
        let (sources, listeners) = (slot.sources.clone(), slot.listeners.clone());
        for source in sources {
            self.cut(source, place);
        }
        for listener in listeners {
            self.cut(place, listener);
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        if let Some(source) = self.slot(from) {
            source.listeners.retain(|&place| place != to);
        }
        if let Some(listener) = self.slot(to) {
            listener.sources.retain(|&place| place != from);
        }
        self.retune(from);
        self.retune(to);
    }

    /// Gives all ports that are connected with `place`, over any number of
    /// steps, one rate: the lowest of their codecs' best. A port alone, or
    /// all of whose kind are Opus, has no need of more than it can get: 16 kHz
    /// alone, 48 kHz among themselves.
    pub(super) fn retune(&mut self, place: usize) {
        let mut connected = vec![place];
        let mut seen = 0;
        while let Some(&at) = connected.get(seen) {
            seen += 1;
            let Some(slot) = self.slot(at) else {
                continue;
            };
            for next in slot.sources.iter().chain(&slot.listeners) {
                if !connected.contains(next) {
                    connected.push(*next);
                }
            }
        }
        let alone = (connected.len() == 1).then_some(Rate::Hz16000);
        let best = connected
            .iter()
            .filter_map(|&at| self.slots.get(at)?.as_ref()?.port.codec())
            .map(|codec| codec.best_rate())
            .chain(alone)
            .min();
        for &at in &connected {
            if let (Some(slot), Some(rate)) = (self.slot(at), best) {
                slot.port.set_rate(rate);
            }
        }
        for at in connected {
            self.choose_path(at);
        }
    }

    /// Decides whether a port's packets are forwarded, kept or dropped.
    pub(super) fn choose_path(&mut self, place: usize) {
        let forwards_to = self.forwarding_target(place);
        let Some(slot) = self.slot(place) else {
            return;
        };
        let before = std::mem::replace(&mut slot.forwards_to, forwards_to);
        let is_heard = !slot.listeners.is_empty() && forwards_to.is_none();
        let wanted = is_heard || slot.port.is_recording();
        slot.port.set_wanted(wanted);
        if let Some(listener) = before.filter(|_| before != forwards_to)
            && let Some(slot) = self.slot(listener)
        {
            slot.port.stop_forwarding();
        }
    }

    /// The listener that can have a port's packets as they are.
    fn forwarding_target(&self, place: usize) -> Option<usize> {
        let slot = |at: usize| self.slots.get(at)?.as_ref();
        let source = slot(place)?;
        let &[to] = &source.listeners[..] else {
            return None;
        };
        let listener = slot(to)?;
        let alone = listener.sources == [place];
        let understood = source.port.is_understood_by(&listener.port);
        let plain = source.port.can_be_forwarded() && listener.port.takes_forwarded();
        (alone && understood && plain).then_some(to)
    }

    /// Sends a key on to the other side of a call whose packets are decoded.
    /// In a conference nobody wants to hear it.
    pub(super) fn relay_digit(&mut self, place: usize, digit: Digit) {
        let target = |slot: &Slot| match (&slot.listeners[..], slot.forwards_to) {
            (&[listener], None) => Some(listener),
            _ => None,
        };
        let Some(listener) = self.slot(place).and_then(|slot| target(slot)) else {
            return;
        };
        if let Some(slot) = self.slot(listener).filter(|slot| slot.sources == [place]) {
            slot.port.send_digit(digit);
        }
    }
}

/// The frame of `samples` that the port in `place` has made within the tick
/// that ends with `phase`.
pub(super) fn frame_of(
    slots: &[Option<Slot>],
    place: usize,
    phase: u64,
    samples: usize,
) -> Option<&[i16]> {
    let slot = slots.get(place)?.as_ref()?;
    let is_fresh = slot.frame_made.is_some_and(|made| phase - made < PHASES);
    let frame = slot.port.heard().filter(|_| is_fresh)?;
    (frame.len() == samples).then_some(frame)
}
