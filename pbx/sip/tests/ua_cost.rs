//! What a call costs. Run it alone and optimised:
//! `cargo test --release -p sip --test ua_cost -- --ignored --nocapture`.

mod ua_support;

use std::time::{Duration, Instant};

use sip::ua::{BindingId, OutgoingInvite, SessionId, UaEvent};
use ua_support::*;

const CALLS: u32 = 2_000;
/// Budget of a call with a caller's and a phone's leg in all parts of the process together.
const MAX_CPU_PER_CALL: Duration = Duration::from_micros(150);
/// Phones that one call rings at once.
const PHONES: usize = 100;
/// Budget for all INVITEs of one call in all parts of the process together.
const MAX_CPU_PER_FAN_OUT: Duration = Duration::from_millis(5);
const MAX_MEMORY_PER_CALL_BYTES: usize = 64 * 1024;

/// Time spent within the user agent; the script's own work is not counted.
#[derive(Default)]
struct Watch(Duration);

impl Watch {
    /// Never inlined, so that a profiler can be told to look here alone:
    /// `valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*Watch::time*'`.
    #[inline(never)]
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.0 += started.elapsed();
        result
    }
}

struct Legs {
    watch: Watch,
    caller: SessionId,
    call_id: String,
    tag: String,
    phone: SessionId,
}

/// A call from the trunk, answered by a phone.
fn begin(bench: &mut Bench, binding: BindingId, n: u32) -> Legs {
    let mut watch = Watch::default();
    let call_id = format!("cost{n}");
    let text = invite_text(&call_id, &call_id, 1, Some(5000));
    watch.time(|| bench.receive(TRUNK, &text));
    bench.sent();
    let UaEvent::Incoming {
        session: caller, ..
    } = bench.event()
    else {
        panic!("no call");
    };
    let invite = outgoing(binding);
    let phone = watch.time(|| {
        bench.ua.ring(caller, bench.now);
        bench.ua.invite(invite, bench.now)
    });
    let invite = bench.sent().remove(1);
    let ringing = reply_text(&invite, "180 Ringing", "p", CONTACT, "");
    let ok = reply_text(&invite, "200 OK", "p", CONTACT, &sdp_text(7000));
    let answer = sdp(4000);
    watch.time(|| {
        bench.receive(PHONE, &ringing);
        bench.receive(PHONE, &ok);
        bench.ua.answer(caller, answer, bench.now);
    });
    let tag = bench.sent()[1].to_tag();
    let ack = in_dialog_text("ACK", &format!("{call_id}a"), &call_id, 1, &tag, "");
    watch.time(|| bench.receive(TRUNK, &ack));
    assert_eq!(bench.events().len(), 3);
    Legs {
        watch,
        caller,
        call_id,
        tag,
        phone,
    }
}

fn end(bench: &mut Bench, legs: &mut Legs) {
    let branch = format!("{}b", legs.call_id);
    let bye = in_dialog_text("BYE", &branch, &legs.call_id, 2, &legs.tag, "");
    legs.watch.time(|| {
        bench.receive(TRUNK, &bye);
        bench.ua.hangup(legs.phone, None, bench.now);
    });
    let sent = bench.sent();
    let done = reply_text(&sent[1], "200 OK", "", "", "");
    legs.watch.time(|| bench.receive(PHONE, &done));
    let ends = bench.events();
    assert_eq!(ends.len(), 2);
    assert!(matches!(ends[0], UaEvent::Ended { session, .. } if session == legs.caller));
    // The timers of this call, and what they drop, belong to its cost.
    let later = bench.now + Duration::from_millis(40);
    bench.now = later;
    legs.watch.time(|| bench.ua.handle_timeout(later));
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

#[test]
#[ignore = "measures, and needs an optimised build"]
fn ringing_a_hundred_phones_stays_within_its_budget() {
    let mut bench = Bench::new();
    let bindings: Vec<BindingId> = (1..=10)
        .map(|n| bench.register("ana", &format!("203.0.113.{n}:5062")))
        .collect();
    let mut costs = Vec::new();
    for _ in 0..11 {
        let invites: Vec<OutgoingInvite> = bindings
            .iter()
            .cycle()
            .take(PHONES)
            .map(|binding| outgoing(*binding))
            .collect();
        let mut watch = Watch::default();
        watch.time(|| {
            for invite in invites {
                bench.ua.invite(invite, bench.now);
            }
        });
        assert_eq!(bench.sent().len(), PHONES);
        bench.advance(Duration::from_secs(33));
        assert_eq!(bench.events().len(), PHONES, "all given up");
        costs.push(watch.0);
    }
    costs.sort();
    let median = costs[costs.len() / 2];
    println!("{median:?} for {PHONES} INVITEs");
    assert!(median < MAX_CPU_PER_FAN_OUT, "{median:?}");
}

#[test]
#[ignore = "measures, and needs an optimised build"]
fn a_call_stays_within_its_budget() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let mut warm = begin(&mut bench, binding, 0);
    end(&mut bench, &mut warm);

    let memory = resident_bytes();
    let mut calls: Vec<Legs> = (1..=CALLS).map(|n| begin(&mut bench, binding, n)).collect();
    let per_call = resident_bytes().saturating_sub(memory) / CALLS as usize;
    for legs in &mut calls {
        end(&mut bench, legs);
    }
    let mut costs: Vec<Duration> = calls.iter().map(|legs| legs.watch.0).collect();
    costs.sort();
    let (median, ninth) = (costs[costs.len() / 2], costs[costs.len() * 9 / 10]);
    println!("{median:?} per call (nine of ten {ninth:?}), {per_call} bytes per live call");
    assert!(median < MAX_CPU_PER_CALL, "{median:?}");
    assert!(per_call < MAX_MEMORY_PER_CALL_BYTES, "{per_call}");
    bench.assert_clean();
}
