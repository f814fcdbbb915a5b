//! Limits per source address, applied before anything costly happens.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Messages per second that a stranger may send.
pub const MAX_REQUESTS_PER_SOURCE_PER_S: u32 = 50;
/// Messages that a stranger may send at once after a pause.
pub const MAX_BURST_PER_SOURCE: u32 = 100;
/// Wrong credentials per minute before a source is ignored.
pub const MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN: u32 = 10;
/// Sources that are counted one by one; all others share one allowance.
pub const MAX_SOURCES: usize = 4096;

const FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// The table is searched for idle sources at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// One message in the unit of the bucket: a thousandth.
const TOKEN: u64 = 1000;

/// Token buckets by source, bounded.
#[derive(Debug)]
pub(crate) struct SourceLimiter {
    sources: BTreeMap<Source, Entry>,
    overflow: Bucket,
    swept_at: Instant,
}

/// An IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    V4([u8; 4]),
    V6([u16; 4]),
}

#[derive(Debug)]
struct Entry {
    bucket: Bucket,
    failures: u32,
    failures_since: Instant,
}

#[derive(Debug)]
struct Bucket {
    /// Thousandths of a message.
    tokens: u64,
    at: Instant,
}

impl SourceLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            sources: BTreeMap::new(),
            overflow: Bucket::full(now),
            swept_at: now,
        }
    }

    /// Whether one more message from `address` may be looked at.
    pub(crate) fn allow(&mut self, address: IpAddr, now: Instant) -> bool {
        match self.entry(Source::of(address), now) {
            Some(entry) => !entry.is_blocked(now) && entry.bucket.take(now),
            None => self.overflow.take(now),
        }
    }

    /// `address` sent wrong credentials.
    pub(crate) fn auth_failed(&mut self, address: IpAddr, now: Instant) {
        if let Some(entry) = self.entry(Source::of(address), now) {
            if now.saturating_duration_since(entry.failures_since) >= FAILURE_WINDOW {
                entry.failures = 0;
                entry.failures_since = now;
            }
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    fn entry(&mut self, source: Source, now: Instant) -> Option<&mut Entry> {
        if self.sources.len() >= MAX_SOURCES && !self.sources.contains_key(&source) {
            self.sweep(now);
            if self.sources.len() >= MAX_SOURCES {
                return None;
            }
        }
        Some(self.sources.entry(source).or_insert_with(|| Entry {
            bucket: Bucket::full(now),
            failures: 0,
            failures_since: now,
        }))
    }

    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        self.sources
            .retain(|_, entry| !entry.bucket.is_full(now) || entry.is_blocked(now));
    }
}

impl Entry {
    fn is_blocked(&self, now: Instant) -> bool {
        self.failures >= MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN
            && now.saturating_duration_since(self.failures_since) < FAILURE_WINDOW
    }
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self {
            tokens: u64::from(MAX_BURST_PER_SOURCE) * TOKEN,
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        self.tokens = self.available(now);
        self.at = self.at.max(now);
        let enough = self.tokens >= TOKEN;
        if enough {
            self.tokens -= TOKEN;
        }
        enough
    }

    fn is_full(&self, now: Instant) -> bool {
        self.available(now) >= u64::from(MAX_BURST_PER_SOURCE) * TOKEN
    }

    fn available(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.at).as_millis();
        let earned = u64::try_from(elapsed)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(MAX_REQUESTS_PER_SOURCE_PER_S));
        self.tokens
            .saturating_add(earned)
            .min(u64::from(MAX_BURST_PER_SOURCE) * TOKEN)
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limiter: &mut SourceLimiter, address: IpAddr, now: Instant, tries: u32) -> u32 {
        (0..tries)
            .map(|_| u32::from(limiter.allow(address, now)))
            .sum()
    }

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let start = Instant::now();
        let mut limiter = SourceLimiter::new(start);
        let stranger: IpAddr = [192, 0, 2, 1].into();
        let other: IpAddr = [192, 0, 2, 2].into();
        assert_eq!(
            allowed(&mut limiter, stranger, start, 500),
            MAX_BURST_PER_SOURCE
        );
        assert_eq!(allowed(&mut limiter, other, start, 5), 5);
        let later = start + Duration::from_secs(1);
        assert_eq!(
            allowed(&mut limiter, stranger, later, 500),
            MAX_REQUESTS_PER_SOURCE_PER_S
        );
    }

    #[test]
    fn neighbours_in_one_ipv6_subnet_share_an_allowance() {
        let start = Instant::now();
        let mut limiter = SourceLimiter::new(start);
        let total: u32 = (0..500u16)
            .map(|n| {
                let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
                u32::from(limiter.allow(address, start))
            })
            .sum();
        assert_eq!(total, MAX_BURST_PER_SOURCE);
    }

    #[test]
    fn guessing_passwords_silences_a_source_for_a_minute() {
        let start = Instant::now();
        let mut limiter = SourceLimiter::new(start);
        let guesser: IpAddr = [192, 0, 2, 1].into();
        for _ in 0..MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN {
            assert!(limiter.allow(guesser, start));
            limiter.auth_failed(guesser, start);
        }
        assert!(!limiter.allow(guesser, start + Duration::from_secs(59)));
        assert!(limiter.allow(guesser, start + Duration::from_secs(60)));
    }

    #[test]
    fn table_is_bounded_and_idle_sources_make_room() {
        let start = Instant::now();
        let mut limiter = SourceLimiter::new(start);
        for n in 0..(MAX_SOURCES as u32 + 1000) {
            limiter.allow(IpAddr::V4(n.into()), start);
        }
        assert_eq!(limiter.sources.len(), MAX_SOURCES);
        let later = start + Duration::from_secs(10);
        assert!(limiter.allow(IpAddr::V4(u32::MAX.into()), later));
        assert_eq!(limiter.sources.len(), 1);
    }
}
