//! What the box counts about itself. No number, name or address is a label.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use routing::{FailReason, Outcome, RejectReason};

/// How a call ended, as labels.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
    reason: &'static str,
}

/// All counters of the process.
pub struct Metrics {
    registry: Registry,
    calls: Family<OutcomeLabels, Counter>,
    wait_s: Histogram,
    talk_s: Histogram,
    pub(super) live_calls: Gauge<i64, AtomicI64>,
    pub(super) devices: Gauge<i64, AtomicI64>,
    pub(super) datagrams_in: Counter<u64, AtomicU64>,
    pub(super) datagrams_out: Counter<u64, AtomicU64>,
    pub(super) datagrams_dropped: Counter<u64, AtomicU64>,
    pub(super) media_busy: Counter<u64, AtomicU64>,
    pub(super) facts_waiting: Gauge<i64, AtomicI64>,
    pub(super) facts_left_out: Counter<u64, AtomicU64>,
    listening: AtomicBool,
    draining: AtomicBool,
    database_down: AtomicBool,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("centralita");
        let seconds =
            || Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 1800.0]);
        let this = Self {
            calls: Family::default(),
            wait_s: seconds(),
            talk_s: seconds(),
            live_calls: Gauge::default(),
            devices: Gauge::default(),
            datagrams_in: Counter::default(),
            datagrams_out: Counter::default(),
            datagrams_dropped: Counter::default(),
            media_busy: Counter::default(),
            facts_waiting: Gauge::default(),
            facts_left_out: Counter::default(),
            listening: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            database_down: AtomicBool::new(false),
            registry: Registry::default(),
        };
        registry.register("calls", "Calls ended, by outcome", this.calls.clone());
        registry.register("wait_seconds", "Time callers waited", this.wait_s.clone());
        registry.register("talk_seconds", "Time with a volunteer", this.talk_s.clone());
        registry.register("live_calls", "Calls live now", this.live_calls.clone());
        registry.register("devices", "Phones registered now", this.devices.clone());
        registry.register(
            "datagrams_in",
            "Signalling datagrams received",
            this.datagrams_in.clone(),
        );
        registry.register(
            "datagrams_out",
            "Signalling datagrams sent",
            this.datagrams_out.clone(),
        );
        registry.register(
            "datagrams_dropped",
            "Signalling datagrams that the kernel did not take",
            this.datagrams_dropped.clone(),
        );
        registry.register(
            "media_busy",
            "Orders that the media engine could not take",
            this.media_busy.clone(),
        );
        registry.register(
            "facts_waiting",
            "Facts that wait for the database",
            this.facts_waiting.clone(),
        );
        registry.register(
            "facts_left_out",
            "Parts of facts that the database never took",
            this.facts_left_out.clone(),
        );
        Self { registry, ..this }
    }

    /// Counts a call that ended.
    pub fn call_ended(&self, outcome: Outcome, wait: Duration, talk: Duration) {
        let (outcome, reason) = outcome_names(outcome);
        self.calls
            .get_or_create(&OutcomeLabels { outcome, reason })
            .inc();
        self.wait_s.observe(wait.as_secs_f64());
        if !talk.is_zero() {
            self.talk_s.observe(talk.as_secs_f64());
        }
    }

    /// No new calls are taken from now on.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether no new calls are taken.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether facts reach the database.
    pub fn set_database_ok(&self, ok: bool) {
        self.database_down.store(!ok, Ordering::Relaxed);
    }

    /// Whether facts reach the database.
    pub fn database_ok(&self) -> bool {
        !self.database_down.load(Ordering::Relaxed)
    }

    /// Notes that every address is listened on.
    pub fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Why new work should go elsewhere, if it should.
    pub fn not_ready(&self) -> Option<&'static str> {
        if !self.listening.load(Ordering::Relaxed) {
            Some("starting, calls are not yet listened for")
        } else if self.is_draining() {
            Some("draining, no new calls are taken")
        } else if !self.database_ok() {
            Some("the database takes no writes; calls go on, their records wait in memory")
        } else {
            None
        }
    }

    /// The OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The words for an outcome, in records, metrics and on screens.
pub fn outcome_names(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Answered => ("answered", ""),
        Outcome::Abandoned => ("abandoned", ""),
        Outcome::Voicemail => ("voicemail", ""),
        Outcome::Rejected(reason) => (
            "rejected",
            match reason {
                RejectReason::Banned => "banned",
                RejectReason::RateLimited => "rate_limited",
                RejectReason::UnknownNumber => "unknown_number",
                RejectReason::Unavailable => "unavailable",
            },
        ),
        Outcome::Failed(reason) => ("failed", fail_name(reason)),
    }
}

/// The name of a failure in metrics and records.
pub fn fail_name(reason: FailReason) -> &'static str {
    match reason {
        FailReason::SignallingLost => "signalling_lost",
        FailReason::MediaLost => "media_lost",
        FailReason::MediaFailed => "media_failed",
        FailReason::RecordingFailed => "recording_failed",
        FailReason::Crashed => "crashed",
    }
}
