//! Legs that may be silent for long, and whether somebody is still there.
//!
//! A peer that vanishes is noticed by its missing media. Where none is
//! expected, as on hold, it is asked now and then instead, so that nobody waits
//! for ever on the other side.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use routing::{Event, HangupReason, LegEnd, LegId};
use sip::ua::SessionId;

use crate::exchange::Exchange;
use crate::leg::Phase;
use crate::status::hangup_reason;

/// How often a quiet peer is asked. It is lost when it says nothing for 64·T1 (32 s).
pub const PROBE_EVERY: Duration = Duration::from_secs(30);

/// When which leg is asked next.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    due: BTreeSet<(Instant, LegId)>,
}

impl Probes {
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn forget(&mut self, id: LegId, at: Option<Instant>) {
        if let Some(at) = at {
            self.due.remove(&(at, id));
        }
    }

    fn pop(&mut self, now: Instant) -> Option<LegId> {
        self.next().filter(|at| *at <= now)?;
        self.due.pop_first().map(|(_, id)| id)
    }
}

impl Exchange {
    /// Begins or ends to ask for a leg, as its state wants.
    pub(crate) fn watch(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        let wanted = leg.quiet && matches!(leg.phase, Phase::Up);
        match (leg.probe_at, wanted) {
            (None, true) => {
                let at = now + PROBE_EVERY;
                leg.probe_at = Some(at);
                self.probes.due.insert((at, id));
            }
            (Some(_), false) => self.probes.forget(id, leg.probe_at.take()),
            _ => {}
        }
    }

    /// Asks for all legs whose time has come.
    pub(crate) fn probe_due(&mut self, now: Instant) {
        while let Some(id) = self.probes.pop(now) {
            let Some(leg) = self.legs.live(id) else {
                continue;
            };
            leg.probe_at = None;
            let session = leg.session;
            self.ua.probe(session, now);
            self.watch(id, now);
        }
    }

    /// What a probe led to. A leg that has media again by now is left to the media timeout.
    pub(crate) fn probed(&mut self, session: SessionId, alive: bool, now: Instant) {
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        if !alive && leg.quiet {
            tracing::warn!(leg = %id, "peer does not answer");
            self.lose_leg(id, now);
        }
    }

    /// Ends a leg whose peer is gone. The router is told at once rather than
    /// after the time that our BYE may wait for an answer.
    fn lose_leg(&mut self, id: LegId, now: Instant) {
        self.close_port(id);
        let Some(leg) = self.legs.remove(id) else {
            return;
        };
        self.probes.forget(id, leg.probe_at);
        let reason = hangup_reason(HangupReason::Failed);
        self.ua.hangup(leg.session, Some(reason), now);
        let end = LegEnd::SignallingLost;
        self.emit(Event::LegEnded { leg: id, end });
    }
}
