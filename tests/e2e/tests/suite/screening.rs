//! The controls at the door, switched while the box runs.

use e2e::hotline::Hotline;
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::Plan;
use e2e::voice::Voice;

const CALLER: &str = "+34911987654";
const OTHER: &str = "+34911222333";

/// Calls and hangs up as soon as the box has answered.
fn is_let_in(net: Net, from: &str) {
    let voice = Voice::start(net.trunk(), 0);
    let plan = Plan::caller("caller", net, CALLER)
        .set("from", from)
        .set("play", "");
    let plan = plan.set("audio_port", &voice.port()).set("hold_ms", "100");
    plan.start(net).succeeds();
}

fn is_refused(net: Net, number: &str, status: &str) {
    Plan::caller("caller_refused", net, number)
        .set("status", status)
        .start(net)
        .succeeds();
}

fn from(net: Net, number: &str) -> String {
    format!("<sip:{number}@{}>", net.trunk())
}

#[test]
fn bans_and_limits_take_effect_on_the_next_call() {
    let net = Net::new();
    let hotline = Hotline::new(net, &["ana"]);
    let server = Server::start(&hotline);
    is_let_in(net, &from(net, CALLER));

    server.say(&["ban", "night", CALLER]);
    is_refused(net, CALLER, "603");
    is_let_in(net, &from(net, OTHER));
    // Nobody is refused for keeping their number to themselves.
    is_let_in(net, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");

    let said = server.apply(
        &hotline
            .clone()
            .screening("ban_list = false\nrate_limit = false"),
    );
    println!("{said}");
    is_let_in(net, &from(net, CALLER));
    server.apply(&hotline);
    is_refused(net, CALLER, "603");
    server.say(&["unban", "night", CALLER]);
    is_let_in(net, &from(net, CALLER));

    server.apply(&hotline.clone().screening("max_calls = 2\nwindow_s = 600"));
    is_let_in(net, &from(net, OTHER));
    is_let_in(net, &from(net, OTHER));
    is_refused(net, OTHER, "486");
    is_let_in(net, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
    server.apply(&hotline);
    is_let_in(net, &from(net, OTHER));

    server.wait_idle();
    let calls = server.say(&["calls"]);
    println!("{calls}");
    assert_eq!(calls.matches("rejected (banned)").count(), 2);
    assert_eq!(calls.matches("rejected (rate limited)").count(), 1);
    let metrics = server.http("/metrics").unwrap().1;
    assert!(metrics.contains("banned"), "{metrics}");
}
