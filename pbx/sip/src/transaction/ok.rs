//! Repetition of a 2xx to INVITE until its ACK (RFC 3261 13.3.1.4).

use std::time::{Duration, Instant};

use crate::timer::Timers;

/// What to do when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OkAction {
    /// The timer was early.
    Nothing,
    /// Send the 2xx again.
    Repeat,
    /// 64·T1 have passed without an ACK: send BYE.
    GiveUp,
}

/// Repeats a 2xx end to end, whatever the transport.
#[derive(Clone, Debug)]
pub struct OkRetransmission {
    at: Instant,
    interval: Duration,
    give_up: Instant,
}

impl OkRetransmission {
    /// The 2xx has just been sent for the first time.
    #[must_use]
    pub fn new(timers: &Timers, now: Instant) -> Self {
        Self {
            at: now + timers.t1,
            interval: timers.t1,
            give_up: now + timers.timeout(),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.at.min(self.give_up)
    }

    /// Time has reached [`Self::next_timeout`].
    pub fn handle_timeout(&mut self, timers: &Timers, now: Instant) -> OkAction {
        if now >= self.give_up {
            return OkAction::GiveUp;
        }
        if now < self.at {
            return OkAction::Nothing;
        }
        self.interval = timers.back_off(self.interval);
        self.at = now + self.interval;
        OkAction::Repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_with_growing_intervals_and_gives_up_after_64_t1() {
        let timers = Timers::RFC3261;
        let start = Instant::now();
        let mut ok = OkRetransmission::new(&timers, start);
        let mut times = Vec::new();
        loop {
            let at = ok.next_timeout();
            let action = ok.handle_timeout(&timers, at);
            times.push((at - start).as_millis());
            if action == OkAction::GiveUp {
                break;
            }
            assert_eq!(action, OkAction::Repeat);
        }
        assert_eq!(
            times,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000
            ]
        );
    }
}
