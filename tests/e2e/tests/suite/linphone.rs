//! Volunteers with another telephone.

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER, SHOWN};
use e2e::linphone::Linphone;
use e2e::net::Net;
use e2e::netns::Namespace;
use e2e::server::Server;

const CALLER: &str = "+34911987654";
/// The part of the number that any way of writing it contains.
const CALLER_DIGITS: &str = "911987654";
const CALLER_HZ: u32 = 440;
const VOLUNTEER_HZ: u32 = 600;

#[test]
fn linphone_rings_is_picked_up_and_stops_ringing_when_it_loses() {
    let Some(place) = Namespace::new() else {
        return;
    };
    let net = Net::new().with_server(place.outside());
    let hotline = Hotline::new(net, &["ana", "ben"]).offering_sha256();
    let server = Server::start(&hotline);
    let mut winner = Linphone::start(&place, net, 5060, "ana", VOLUNTEER_HZ);
    let mut loser = Linphone::start(&place, net, 5062, "ben", 900);
    server.wait_phones(2);
    let mut caller = Baresip::start(net, Setup::caller(net, CALLER, CALLER_HZ));
    caller.dial(net, NUMBER);
    winner.wait_says("Receiving new incoming call", 1);
    loser.wait_says("Receiving new incoming call", 1);
    winner.order("answer");
    caller.wait("CALL_ESTABLISHED", 1);
    loser.wait_says("ended", 1);
    loser.order("call-logs");
    loser.wait_says("Status: answered elsewhere", 1);
    let to_caller = caller.wait_hears(VOLUNTEER_HZ, 2.0);
    caller.hang_up();
    winner.wait_says("ended", 1);
    server.wait_idle();
    let to_volunteer = winner.heard().seconds_of(CALLER_HZ);
    println!("linphone heard {to_volunteer:.1} s of the caller, the caller {to_caller:.1} s of it");
    assert!(to_volunteer >= 1.5, "{}", winner.heard());
    assert_eq!(loser.count("connected"), 0);

    // Picked up by itself, and put down there.
    winner.order("autoanswer enable");
    caller.dial(net, NUMBER);
    caller.wait("CALL_ESTABLISHED", 2);
    loser.wait_says("ended", 2);
    caller.wait_hears(VOLUNTEER_HZ, to_caller + 1.0);
    winner.order("terminate");
    caller.wait("CALL_CLOSED", 2);
    server.wait_idle();
    for phone in [&winner, &loser] {
        let wire = phone.wire();
        assert!(wire.contains(SHOWN), "the hotline's name is not shown");
        assert!(!wire.contains(CALLER_DIGITS), "the number is in:\n{wire}");
    }
}
