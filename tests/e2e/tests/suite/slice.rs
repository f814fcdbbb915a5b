//! The whole way of a call: in by the trunk, every phone rings, one has the caller.

use std::time::Duration;

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER, SHOWN};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};

const CALLER: &str = "+34911987654";
/// The part of the number that any way of writing it contains.
const CALLER_DIGITS: &str = "911987654";
const CALLER_HZ: u32 = 440;
const VOICES_HZ: [u32; 3] = [600, 900, 1_200];
const ELSEWHERE: &str = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"";

#[test]
fn the_first_to_pick_up_has_the_caller_and_the_others_stop() {
    let net = Net::new();
    let names = ["ana", "ben", "chris", "dora"];
    let server = Server::start(&Hotline::new(net, &names));
    let mut phones: Vec<Baresip> = (0..3_u8)
        .map(|n| {
            let (name, hz) = (names[usize::from(n)], VOICES_HZ[usize::from(n)]);
            Baresip::start(net, Setup::phone(net.phone(n), name, hz))
        })
        .collect();
    let mut caller = Baresip::start(net, Setup::caller(net, CALLER, CALLER_HZ));
    Sipp::register(net, net.phone(3), "dora");
    server.wait_phones(4);
    let mut rings = Plan::new("phone_rings", net.phone(3))
        .set("user", "dora")
        .start(net);

    caller.dial(net, NUMBER);
    for phone in &phones {
        phone.wait("CALL_INCOMING", 1);
    }
    rings.wait_received("INVITE");
    phones[1].answer();
    phones[1].wait("CALL_ESTABLISHED", 1);
    caller.wait("CALL_ESTABLISHED", 1);
    phones[0].wait("CALL_CLOSED", 1);
    phones[2].wait("CALL_CLOSED", 1);
    rings.succeeds();

    let volunteer_heard = phones[1].wait_hears(CALLER_HZ, 2.0);
    let caller_heard = caller.wait_hears(VOICES_HZ[1], 2.0);
    println!(
        "the winner heard the caller for {volunteer_heard:.1} s, the caller the winner for {caller_heard:.1} s"
    );
    caller.hang_up();
    phones[1].wait("CALL_CLOSED", 1);
    server.wait_idle();

    for loser in [0, 2] {
        assert_eq!(phones[loser].count("CALL_ESTABLISHED"), 0);
        assert!(
            phones[loser].wire().contains(ELSEWHERE),
            "no reason at phone {loser}"
        );
        assert!(phones[loser].heard().seconds_of(CALLER_HZ) < 0.1);
    }
    let cancel = rings.wait_received("CANCEL");
    assert!(cancel.text.contains(ELSEWHERE), "{}", cancel.text);
    for other in [VOICES_HZ[0], VOICES_HZ[2]] {
        assert!(caller.heard().seconds_of(other) < 0.1, "a loser was heard");
    }
    for phone in &phones {
        assert_tells_no_number(&phone.wire());
    }
    assert_tells_no_number(&rings.wire());
    let calls = server.say(&["calls"]);
    assert!(
        calls.contains("answered") && calls.contains("ben"),
        "{calls}"
    );
    assert_trail_tells(&server, ["call-answered", "call-ended"]);
}

/// Of the one call that there was, and of it alone.
fn assert_trail_tells(server: &Server, kinds: [&str; 2]) {
    let trail = server.say(&["audit", "list", "--hub", "night"]);
    let of_calls = trail.lines().filter_map(|line| line.split_once("call "));
    let of_calls: Vec<(&str, &str)> = of_calls.collect();
    let [(first, call), (second, same)] = of_calls[..] else {
        panic!("two entries for a call:\n{trail}");
    };
    assert_eq!(call, same, "{trail}");
    for (entry, kind) in [first, second].into_iter().zip(kinds) {
        assert!(entry.contains(&format!(" {kind} ")), "{kind}:\n{trail}");
    }
    server.say(&["audit", "verify"]);
}

fn assert_tells_no_number(wire: &str) {
    assert!(wire.contains(SHOWN), "the hotline's name is not shown");
    assert!(
        !wire.contains(CALLER_DIGITS),
        "the caller's number is in:\n{wire}"
    );
}

#[test]
fn a_carrier_that_is_not_ours_brings_a_caller_too() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]));
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOICES_HZ[0]));
    server.wait_phones(1);
    let sound = server.folder().join("caller.ulaw");
    e2e::audio::make_tone(&sound, CALLER_HZ, 1.0);
    let play = "<action><exec rtp_stream=\"caller.ulaw,-1,0,PCMU/8000\"/></action>";
    let mut caller = Plan::caller("caller", net, CALLER)
        .set("audio_port", "[rtpstream_audio_port]")
        .set("play", play)
        .set("hold_ms", "4000")
        .files_in(server.folder().path())
        .start(net);
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    let heard = phone.wait_hears(CALLER_HZ, 2.0);
    caller.succeeds();
    phone.wait_within("CALL_CLOSED", 1, Duration::from_secs(10));
    println!("the volunteer heard SIPp's caller for {heard:.1} s");
    assert_tells_no_number(&phone.wire());
}
