//! How deep the buffer has to be: a histogram of how late packets come.

use std::time::Instant;

use crate::rtp::timestamp_distance;

/// Least delay aimed at, milliseconds.
pub const TARGET_MIN_MS: u32 = 40;
/// Most delay aimed at, milliseconds.
pub const TARGET_MAX_MS: u32 = 120;

/// Width of a class of the histogram, milliseconds.
const CLASS_MS: u32 = 10;
/// Classes; the last holds everything later.
const CLASSES: usize = 16;
/// Weight of a packet when it comes, and how much weight is lost with each
/// further packet (a shift): half is gone after 90 packets, about two seconds.
const WEIGHT: u32 = 1 << 16;
const FADE_SHIFT: u32 = 7;
/// Part of the packets that shall come in time, in 1/256: 97 %.
const IN_TIME_256: u64 = 248;
/// Room beside the delay of the packets: the frame being played.
const MARGIN_MS: u32 = 20;
/// Packets over which the earliest transit is taken, twice.
const BASE_PACKETS: u32 = 250;

/// Learns the delay worth waiting for.
pub(super) struct Target {
    clock_hz: u32,
    classes: [u32; CLASSES],
    ms: u32,
    /// Where transit times are measured from.
    epoch: Option<(Instant, u32)>,
    /// The earliest transit of this window and of the one before, ticks.
    earliest: (i32, i32),
    packets: u32,
}

impl Target {
    pub(super) fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            classes: [0; CLASSES],
            ms: TARGET_MIN_MS,
            epoch: None,
            earliest: (i32::MAX, i32::MAX),
            packets: 0,
        }
    }

    pub(super) fn ms(&self) -> u32 {
        self.ms
    }

    pub(super) fn ticks(&self) -> u32 {
        self.clock_hz / 1000 * self.ms
    }

    /// Measures transit times anew, for a stream with other timestamps.
    pub(super) fn forget_base(&mut self) {
        self.epoch = None;
        self.earliest = (i32::MAX, i32::MAX);
        self.packets = 0;
    }

    /// Takes note of when a packet came.
    pub(super) fn measure(&mut self, timestamp: u32, now: Instant) {
        let (start, first) = *self.epoch.get_or_insert((now, timestamp));
        let micros = now.saturating_duration_since(start).as_micros() as u64;
        let ticks = micros.wrapping_mul(u64::from(self.clock_hz)) / 1_000_000;
        let transit = timestamp_distance(ticks as u32, timestamp.wrapping_sub(first));
        let base = self.earliest.0.min(self.earliest.1);
        let jumped = base != i32::MAX && transit.wrapping_sub(base).unsigned_abs() > self.clock_hz;
        if jumped {
            self.forget_base();
            return;
        }
        self.follow_base(transit);
        let base = self.earliest.0.min(self.earliest.1);
        let late_ms = transit.wrapping_sub(base).max(0) as u32 / (self.clock_hz / 1000);
        self.count(late_ms);
    }

    /// Keeps the earliest transit of the last one to two windows, so that a
    /// drift between the clocks does not look like delay.
    fn follow_base(&mut self, transit: i32) {
        self.packets += 1;
        if self.packets > BASE_PACKETS {
            self.earliest = (i32::MAX, self.earliest.0);
            self.packets = 1;
        }
        self.earliest.0 = self.earliest.0.min(transit);
    }

    fn count(&mut self, late_ms: u32) {
        for class in &mut self.classes {
            *class -= *class >> FADE_SHIFT;
        }
        let class = (late_ms / CLASS_MS) as usize;
        self.classes[class.min(CLASSES - 1)] += WEIGHT;
        let total: u64 = self.classes.iter().map(|&weight| u64::from(weight)).sum();
        let mut below = 0;
        let enough = self.classes.iter().position(|&weight| {
            below += u64::from(weight);
            below * 256 >= total * IN_TIME_256
        });
        let upper_ms = (enough.unwrap_or(CLASSES - 1) as u32 + 1) * CLASS_MS;
        self.ms = (upper_ms + MARGIN_MS).clamp(TARGET_MIN_MS, TARGET_MAX_MS);
    }
}
