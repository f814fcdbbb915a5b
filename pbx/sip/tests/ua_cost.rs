//! What a call costs. Run it alone and optimised:
//! `cargo test --release -p sip --test ua_cost -- --ignored --nocapture`.

mod ua_support;

use std::time::{Duration, Instant};

use sip::ua::{SessionId, UaEvent};
use ua_support::*;

const CONTACT: &str = "sip:ana@203.0.113.7:5062";
const CALLS: u32 = 2_000;
/// Budget of a call with a caller's and a phone's leg in all parts of the process together.
const MAX_CPU_PER_CALL: Duration = Duration::from_micros(150);
const MAX_MEMORY_PER_CALL_BYTES: usize = 64 * 1024;

struct Legs {
    caller: SessionId,
    call_id: String,
    tag: String,
    phone: SessionId,
}

/// A call from the trunk, answered by a phone.
fn begin(bench: &mut Bench, binding: sip::ua::BindingId, n: u32) -> Legs {
    let call_id = format!("cost{n}");
    bench.receive(TRUNK, &invite_text(&call_id, &call_id, 1, Some(5000)));
    bench.sent();
    let UaEvent::Incoming {
        session: caller, ..
    } = bench.event()
    else {
        panic!("no call");
    };
    bench.ua.ring(caller, bench.now);
    bench.sent();
    let (phone, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    let ok = reply_text(&invite, "200 OK", "p", CONTACT, &sdp_text(7000));
    bench.receive(PHONE, &ok);
    bench.ua.answer(caller, sdp(4000), bench.now);
    let sent = bench.sent();
    let tag = sent[1].to_tag();
    let ack = in_dialog_text("ACK", &format!("{call_id}a"), &call_id, 1, &tag, "");
    bench.receive(TRUNK, &ack);
    assert_eq!(bench.events().len(), 3);
    Legs {
        caller,
        call_id,
        tag,
        phone,
    }
}

fn end(bench: &mut Bench, legs: &Legs) {
    let branch = format!("{}b", legs.call_id);
    let bye = in_dialog_text("BYE", &branch, &legs.call_id, 2, &legs.tag, "");
    bench.receive(TRUNK, &bye);
    bench.ua.hangup(legs.phone, None, bench.now);
    let sent = bench.sent();
    bench.receive(PHONE, &reply_text(&sent[1], "200 OK", "", "", ""));
    let ends = bench.events();
    assert_eq!(ends.len(), 2);
    assert!(matches!(ends[0], UaEvent::Ended { session, .. } if session == legs.caller));
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
fn a_call_stays_within_its_budget() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let warm = begin(&mut bench, binding, 0);
    end(&mut bench, &warm);

    let memory = resident_bytes();
    let started = Instant::now();
    let live: Vec<Legs> = (1..=CALLS).map(|n| begin(&mut bench, binding, n)).collect();
    let begun = started.elapsed();
    let per_call = resident_bytes().saturating_sub(memory) / CALLS as usize;
    let started = Instant::now();
    for legs in &live {
        end(&mut bench, legs);
    }
    let cpu = (begun + started.elapsed()) / CALLS;
    println!("{cpu:?} per call (the script's own work included), {per_call} bytes per live call");
    assert!(cpu < MAX_CPU_PER_CALL, "{cpu:?}");
    assert!(per_call < MAX_MEMORY_PER_CALL_BYTES, "{per_call}");
    bench.assert_clean();
}
