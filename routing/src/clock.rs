//! Wall-clock time from monotonic time and an anchor.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Maps instants to timestamps. Set anew by the shell whenever the machine's clock is corrected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    anchor: Instant,
    wall: Timestamp,
}

impl WallClock {
    pub(crate) fn new(wall: Timestamp, anchor: Instant) -> Self {
        Self { anchor, wall }
    }

    /// The wall-clock time at `now`; stands still at the ends of what a timestamp can hold.
    pub(crate) fn at(&self, now: Instant) -> Timestamp {
        let since = now.saturating_duration_since(self.anchor);
        let before = self.anchor.saturating_duration_since(now);
        let forward = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        let backward = SignedDuration::try_from(before).unwrap_or(SignedDuration::MAX);
        self.wall
            .saturating_add(forward)
            .and_then(|wall| wall.saturating_sub(backward))
            .unwrap_or(self.wall)
    }

    /// The instant at which the wall clock will show `wall`, at the earliest `now`.
    pub(crate) fn instant_of(&self, wall: Timestamp, now: Instant) -> Instant {
        let ahead = wall.duration_since(self.at(now));
        let ahead = Duration::try_from(ahead).unwrap_or(Duration::ZERO);
        now.checked_add(ahead).unwrap_or(now)
    }
}
