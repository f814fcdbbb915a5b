//! RFC 3261 timer values, and a queue of deadlines without a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The base values from which all transaction timers follow (RFC 3261, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip; first retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// Longest time that a message stays in the network.
    pub t4: Duration,
}

/// Timer D is at least this long on unreliable transports, because the peer's T1 is unknown.
const MIN_TIMER_D: Duration = Duration::from_secs(32);

impl Timers {
    /// 500 ms, 4 s, 5 s.
    pub const RFC3261: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
    };

    /// 64·T1: timers B, F, H, J, L and M.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: how long an INVITE client absorbs repeated failures; zero when `reliable`.
    #[must_use]
    pub fn d(&self, reliable: bool) -> Duration {
        if reliable {
            Duration::ZERO
        } else {
            self.timeout().max(MIN_TIMER_D)
        }
    }

    /// Timers I and K: T4, or zero when `reliable`.
    #[must_use]
    pub fn linger(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: 64·T1, or zero when `reliable`.
    #[must_use]
    pub fn j(&self, reliable: bool) -> Duration {
        if reliable {
            Duration::ZERO
        } else {
            self.timeout()
        }
    }

    /// The interval after `interval`: twice as long, at most T2 (or T1, should that be longer).
    #[must_use]
    pub fn back_off(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2.max(self.t1))
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::RFC3261
    }
}

/// Deadlines by key: each key has at most one.
#[derive(Debug)]
pub(crate) struct TimerQueue<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K: Ord + Copy> TimerQueue<K> {
    pub(crate) fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }

    /// Sets, moves or (with `None`) removes the deadline of `key`.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        let old = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline at or before `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_gives_keys_in_time_order_and_forgets_moved_ones() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        queue.set(1, Some(start + Duration::from_secs(3)));
        queue.set(2, Some(start + Duration::from_secs(2)));
        queue.set(3, Some(start + Duration::from_secs(1)));
        queue.set(3, None);
        queue.set(1, Some(start + Duration::from_secs(1)));
        assert_eq!(queue.next(), Some(start + Duration::from_secs(1)));
        assert_eq!(queue.pop_due(start), None);
        let late = start + Duration::from_secs(9);
        assert_eq!(queue.pop_due(late), Some(1));
        assert_eq!(queue.pop_due(late), Some(2));
        assert_eq!(queue.pop_due(late), None);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn values_follow_table_4() {
        let timers = Timers::RFC3261;
        assert_eq!(timers.timeout(), Duration::from_secs(32));
        assert_eq!(timers.d(false), Duration::from_secs(32));
        assert_eq!(timers.d(true), Duration::ZERO);
        assert_eq!(timers.linger(false), Duration::from_secs(5));
        assert_eq!(timers.linger(true), Duration::ZERO);
        assert_eq!(timers.j(true), Duration::ZERO);
        assert_eq!(timers.back_off(Duration::from_secs(3)), timers.t2);
    }
}
