//! The two deadlines that every transaction has.

use std::time::{Duration, Instant};

/// When to repeat what was sent, and when to give up or to be forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Timers A, E and G: when next, and the interval that led there.
    repeat: Option<(Instant, Duration)>,
    /// Timers B, D, F, H, I, J, K, L and M, by state.
    deadline: Option<Instant>,
}

/// Which deadline has come.
pub(super) enum Due {
    Nothing,
    /// The interval that has passed; [`Clock::repeat_after`] sets the next.
    Repeat(Duration),
    End,
}

impl Clock {
    /// Repeats in `first` unless the transport is reliable, and ends in `end`.
    pub(super) fn start(now: Instant, reliable: bool, first: Duration, end: Duration) -> Self {
        Self {
            repeat: (!reliable).then_some((now + first, first)),
            deadline: Some(now + end),
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let repeat = self.repeat.map(|(at, _)| at);
        match (repeat, self.deadline) {
            (Some(repeat), Some(deadline)) => Some(repeat.min(deadline)),
            (repeat, deadline) => repeat.or(deadline),
        }
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        if self.deadline.is_some_and(|at| at <= now) {
            return Due::End;
        }
        match self.repeat {
            Some((at, interval)) if at <= now => Due::Repeat(interval),
            _ => Due::Nothing,
        }
    }

    pub(super) fn repeat_after(&mut self, interval: Duration, now: Instant) {
        self.repeat = Some((now + interval, interval));
    }

    pub(super) fn stop_repeating(&mut self) {
        self.repeat = None;
    }

    pub(super) fn end_in(&mut self, time: Duration, now: Instant) {
        self.deadline = Some(now + time);
    }

    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }
}
