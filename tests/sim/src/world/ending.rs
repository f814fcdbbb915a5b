//! The hotline closes: the last calls end, the phones go, and nothing is left.

use std::time::Duration;

use routing::TimerReason;
use telephony::Telephony;

use super::{Deed, LAST_CALL, World};
use crate::watch::{Invariant, Verdict, breach};

/// Longer than any binding lives, any transaction lingers and any carrier waits.
const AFTERGLOW: Duration = Duration::from_secs(1300);
/// Someone who calls when it is too late.
const LATECOMER: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn close(&mut self) -> Verdict {
        self.watch.drained();
        self.watch.foresee(false, self.now);
        self.router.drain(self.now);
        self.after_router()?;
        self.turn(false)?;
        self.plan(self.now + LATECOMER, Deed::Call);
        self.run_until(self.now + 2 * LATECOMER)?;
        let end = self.now + LAST_CALL;
        while self.is_busy() {
            if !self.step(end)? {
                return self.still_busy();
            }
        }
        self.depart()
    }

    fn is_busy(&self) -> bool {
        self.watch.live_calls() > 0 || self.exchange.counts().legs > 0 || !self.router.is_idle()
    }

    fn still_busy(&self) -> Verdict {
        let calls = self.watch.live_calls();
        let legs = self.exchange.counts().legs;
        let idle = self.router.is_idle();
        let what =
            format!("{LAST_CALL:?} after closing: {calls} calls, {legs} legs, router idle: {idle}");
        breach(Invariant::CallersAreAccountedFor, what)
    }

    /// The network heals, everybody goes home.
    fn depart(&mut self) -> Verdict {
        self.net.heal();
        for place in 1..=self.phones.len() {
            let now = self.now;
            if self.endpoint(place).is_alive() {
                self.endpoint(place).unregister(now);
                self.carry_endpoint(place);
            }
        }
        let reboots = |deed: &Deed| matches!(deed, Deed::Reboot(_));
        self.deeds.retain(|_, deed| !reboots(deed));
        self.run_until(self.now + AFTERGLOW)?;
        self.check_nothing_left()
    }

    fn check_nothing_left(&self) -> Verdict {
        let left = |what: String| breach(Invariant::NothingIsLeft, what);
        let counts = self.exchange.counts();
        let ua = counts.ua;
        let held = [
            ("legs", counts.legs),
            ("ports", counts.ports),
            ("queued outputs", counts.queued_outputs),
            ("queued events", counts.queued_events),
            ("transactions", ua.transactions),
            ("sessions", ua.sessions),
            ("contacts", ua.bindings),
            ("open ports", self.engine.len()),
            ("calls of the model", self.watch.live_calls()),
        ];
        if let Some((what, count)) = held.iter().find(|(_, count)| *count > 0) {
            return left(format!("{count} {what}"));
        }
        if counts.dropped_events + counts.dropped_outputs > 0 {
            return left("something was dropped for want of room".into());
        }
        let mut others = std::iter::once(&self.gateway).chain(&self.phones);
        if let Some(other) = others.find(|other| other.live_lines() > 0) {
            return left(format!(
                "a call at {}: {}",
                other.address(),
                other.live_states()
            ));
        }
        if self.exchange.poll_timeout().is_some() {
            return left("a timer of the exchange".into());
        }
        match self.router.poll_timeout() {
            None | Some((_, TimerReason::ShiftChange)) => Ok(()),
            Some((_, reason)) => left(format!("a timer of the router: {reason:?}")),
        }
    }
}
