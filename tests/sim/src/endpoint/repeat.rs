//! Requests that are repeated until they are answered (RFC 3261 17.1), over UDP.

use std::time::{Duration, Instant};

use bytes::Bytes;

pub(super) const T1: Duration = Duration::from_millis(500);
pub(super) const T2: Duration = Duration::from_secs(4);
/// 64·T1.
pub(super) const GIVE_UP: Duration = Duration::from_secs(32);

/// Our tag of the line that a request belongs to; registrations have none.
pub(super) type Tag = String;

/// A request that waits for its final response.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) branch: String,
    pub(super) method: &'static str,
    pub(super) line: Tag,
    pub(super) sequence: u32,
    bytes: Bytes,
    next: Option<Instant>,
    interval: Duration,
    until: Option<Instant>,
}

impl Pending {
    pub(super) fn new(
        branch: String,
        method: &'static str,
        line: Tag,
        sequence: u32,
        bytes: Bytes,
        now: Instant,
    ) -> Self {
        Self {
            branch,
            method,
            line,
            sequence,
            bytes,
            next: Some(now + T1),
            interval: T1,
            until: Some(now + GIVE_UP),
        }
    }

    /// A provisional response came: an INVITE now waits for as long as it takes.
    pub(super) fn proceed(&mut self) {
        if self.method == "INVITE" {
            self.next = None;
            self.until = None;
        }
    }

    /// The INVITE was cancelled: its answer must come in time (RFC 3261 9.1).
    pub(super) fn limit(&mut self, now: Instant) {
        self.until = Some(now + GIVE_UP);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.next.into_iter().chain(self.until).min()
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The request once more, if it is time.
    pub(super) fn repeat(&mut self, now: Instant) -> Option<Bytes> {
        if self.next? > now {
            return None;
        }
        self.interval *= 2;
        if self.method != "INVITE" {
            self.interval = self.interval.min(T2);
        }
        self.next = Some(now + self.interval);
        Some(self.bytes.clone())
    }
}

/// A final response to an INVITE that is repeated until its ACK (RFC 3261 13.3.1.4, 17.2.1).
#[derive(Clone, Debug)]
pub(super) struct Final {
    pub(super) bytes: Bytes,
    pub(super) interval: Duration,
    pub(super) until: Instant,
}

impl Final {
    pub(super) fn new(bytes: Bytes, now: Instant) -> Self {
        Self {
            bytes,
            interval: T1,
            until: now + GIVE_UP,
        }
    }
}
