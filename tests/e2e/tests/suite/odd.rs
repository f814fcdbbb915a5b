//! Phones and carriers that do not behave as one would like.

use std::time::Duration;

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};
use e2e::wire::{Phones, headers};

const CALLER: &str = "+34911987654";
const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn phones_that_refuse_leave_the_caller_to_the_others() {
    let net = Net::new();
    let refusals = [
        ("busy", "486 Busy Here"),
        ("away", "480 Temporarily Unavailable"),
        ("no", "603 Decline"),
    ];
    let server = Server::start(&Hotline::new(net, &["busy", "away", "no", "never", "yes"]));
    for (n, name) in (0_u8..).zip(["busy", "away", "no", "never"]) {
        Sipp::register(net, net.phone(n), name);
    }
    let mut willing = Baresip::start(net, Setup::phone(net.phone(4), "yes", 600));
    server.wait_phones(5);
    let mut refusing: Vec<Sipp> = (0_u8..)
        .zip(refusals)
        .map(|(n, (user, status))| {
            let plan = Plan::new("phone_refuses", net.phone(n)).set("user", user);
            plan.set("status", status).start(net)
        })
        .collect();
    let mut never = Plan::new("phone_rings", net.phone(3))
        .set("user", "never")
        .start(net);
    let mut caller = Baresip::start(net, Setup::caller(net, CALLER, 440));
    caller.dial(net, NUMBER);
    for phone in &mut refusing {
        phone.succeeds();
    }
    willing.wait("CALL_INCOMING", 1);
    assert_eq!(
        caller.count("CALL_ESTABLISHED"),
        0,
        "nobody has answered yet"
    );
    willing.answer();
    caller.wait("CALL_ESTABLISHED", 1);
    never.succeeds();
    caller.wait_hears(600, 1.0);
    caller.hang_up();
    server.wait_idle();
}

#[test]
fn a_phone_that_answers_twice_is_connected_once() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["fork"]).offering_sha256());
    let mut phones = Phones::new();
    let fork = phones.plug_in(net, net.phone(0), "fork");
    phones.register(fork);
    server.wait_phones(1);
    let mut caller = Plan::caller("caller", net, CALLER)
        .set("play", "")
        .set("hold_ms", "1500")
        .start(net);
    let invite = phones.next(WITHIN).expect("an INVITE").text;
    assert!(invite.starts_with("INVITE "));
    let first = phones.response_to(fork, &invite, "200 OK", true);
    let second = first.replace(";tag=wire-fork", ";tag=wire-other");
    // Both legs of a fork behind the phone answer, the first one twice.
    for answer in [&first, &second, &first] {
        phones.send(fork, answer);
    }
    let (mut acknowledged, mut released) = (Vec::new(), Vec::new());
    while released.len() < 2 {
        let arrived = phones.next(WITHIN).expect("two BYEs");
        let to = headers(&arrived.text, "To").remove(0);
        let tag = to.rsplit("tag=").next().unwrap().to_owned();
        if arrived.is("ACK") {
            acknowledged.push(tag);
        } else if arrived.is("BYE") {
            phones.send(
                fork,
                &phones.response_to(fork, &arrived.text, "200 OK", false),
            );
            released.push(tag);
        }
    }
    caller.succeeds();
    assert_eq!(
        released,
        ["wire-other", "wire-fork"],
        "the second answer is released at once"
    );
    let of = |tag: &str| acknowledged.iter().filter(|ack| *ack == tag).count();
    println!("ACKs: {acknowledged:?}");
    assert_eq!(of("wire-fork"), 2, "each 200 is acknowledged");
    assert_eq!(of("wire-other"), 1, "each 200 is acknowledged");
    server.wait_idle();
}

/// Lets a phone answer a carrier's call; the carrier's scenario must come to its end.
fn is_answered(scenario: &'static str) {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]));
    Sipp::register(net, net.phone(0), "ana");
    server.wait_phones(1);
    let mut phone = Plan::new("phone_answers", net.phone(0))
        .set("user", "ana")
        .set("wait_ms", "700")
        .set("audio_port", "6000")
        .start(net);
    let mut caller = Plan::caller(scenario, net, CALLER)
        .set("hold_ms", "700")
        .start(net);
    caller.succeeds();
    phone.succeeds();
    server.wait_idle();
    let calls = server.say(&["calls"]);
    assert!(calls.contains("answered"), "{calls}");
}

#[test]
fn a_carrier_that_sends_no_content_length() {
    is_answered("caller_without_length");
}

#[test]
fn a_carrier_that_makes_no_offer() {
    is_answered("caller_without_offer");
}

#[test]
fn a_carrier_that_repeats_its_invitation_while_it_rings() {
    is_answered("caller_reinvites_ringing");
}
