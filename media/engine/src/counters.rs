//! What the engine has done, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of the engine since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Ports open now.
    pub ports: u64,
    /// Datagrams received, RTP and RTCP.
    pub received: u64,
    /// Datagrams among them that no port accepted.
    pub refused: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams the system would not send.
    pub send_failed: u64,
    /// Phases of the tick, 5 ms each.
    pub phases: u64,
    /// Phases that began more than 5 ms late.
    pub late_phases: u64,
    /// The latest a phase ever began.
    pub worst_lateness: Duration,
}

/// Written by the media thread, read by others.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    ports: AtomicU64,
    received: AtomicU64,
    refused: AtomicU64,
    sent: AtomicU64,
    send_failed: AtomicU64,
    phases: AtomicU64,
    late_phases: AtomicU64,
    worst_lateness_us: AtomicU64,
}

impl Counters {
    pub(crate) fn publish(&self, stats: &EngineStats) {
        let set = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        set(&self.ports, stats.ports);
        set(&self.received, stats.received);
        set(&self.refused, stats.refused);
        set(&self.sent, stats.sent);
        set(&self.send_failed, stats.send_failed);
        set(&self.phases, stats.phases);
        set(&self.late_phases, stats.late_phases);
        let worst_us = stats.worst_lateness.as_micros() as u64;
        set(&self.worst_lateness_us, worst_us);
    }

    pub(crate) fn read(&self) -> EngineStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EngineStats {
            ports: get(&self.ports),
            received: get(&self.received),
            refused: get(&self.refused),
            sent: get(&self.sent),
            send_failed: get(&self.send_failed),
            phases: get(&self.phases),
            late_phases: get(&self.late_phases),
            worst_lateness: Duration::from_micros(get(&self.worst_lateness_us)),
        }
    }
}
