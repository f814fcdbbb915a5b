//! Carriers made of other people's servers: one that stays in the path of the signalling alone,
//! and one that is an exchange itself.

use std::time::{Duration, Instant};

use e2e::asterisk::Asterisk;
use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER, password};
use e2e::kamailio::{GRANTED_S, Kamailio};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp};
use e2e::voice::Voice;
use e2e::wire::headers;

const ACCOUNT: &str = "our-account";
const CALLER: &str = "+34911987654";
const CALLER_HZ: u32 = 440;
const VOLUNTEER_HZ: u32 = 600;
const WITHIN: Duration = Duration::from_secs(20);

/// Waits until the trunk that is registered to is in this state.
fn wait_trunk(server: &Server, wanted: &str) -> String {
    server.wait_status(&format!("a trunk that is {wanted}"), WITHIN, |status| {
        let mut trunks = status["trunks"].as_array()?.iter();
        let state = trunks.find(|trunk| trunk["name"] == "second")?["state"].as_str()?;
        state.starts_with(wanted).then(|| state.to_owned())
    })
}

/// A caller at the proxy, who talks with `voice` and hangs up after `hold_ms`.
fn call_through(proxy: &Kamailio, net: Net, voice: &Voice, hold_ms: &str) -> Sipp {
    Plan::caller("caller", net, CALLER)
        .towards(proxy.sip())
        .set("audio_port", &voice.port())
        .set("play", "")
        .set("hold_ms", hold_ms)
        .start(net)
}

#[test]
fn a_proxy_that_the_box_registers_at_brings_callers() {
    let net = Net::new();
    let mut proxy = Kamailio::start(net.phone(9), ACCOUNT, &password(ACCOUNT));
    let hotline = Hotline::new(net, &["ana"]).registered_trunk(net.phone(9), ACCOUNT);
    let server = Server::start(&hotline);
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    proxy.wait_registered(1, WITHIN);
    wait_trunk(&server, "registered");
    server.wait_phones(1);

    for (call, who) in [(1, "volunteer"), (2, "caller")] {
        let voice = Voice::start(net.trunk(), CALLER_HZ);
        let hold_ms = if who == "caller" { "5000" } else { "60000" };
        let mut caller = call_through(&proxy, net, &voice, hold_ms);
        phone.wait("CALL_INCOMING", call);
        phone.answer();
        phone.wait("CALL_ESTABLISHED", call);
        let to_caller = voice.wait_hears(VOLUNTEER_HZ, 1.5);
        let before = phone.heard().seconds_of(CALLER_HZ);
        let to_volunteer = phone.wait_hears(CALLER_HZ, before + 1.0) - before;
        println!("the caller heard {to_caller:.1} s, the volunteer {to_volunteer:.1} s");
        if who == "volunteer" {
            phone.hang_up();
            let bye = caller.wait_received("BYE");
            assert_eq!(
                headers(&bye.text, "Via").len(),
                2,
                "not by the proxy: {}",
                bye.text
            );
        }
        caller.succeeds();
        phone.wait("CALL_CLOSED", call);
        server.wait_idle();
        assert_eq!(proxy.relayed("ACK"), call);
        assert_eq!(proxy.relayed("BYE"), call);
    }
    let calls = server.say(&["calls"]);
    assert_eq!(calls.matches("answered").count(), 2 + 1, "{calls}");
    assert!(calls.contains("second"), "{calls}");
}

#[test]
fn a_proxy_that_forgot_the_box_has_it_back_before_the_registration_would_have_ended() {
    let net = Net::new();
    let mut proxy = Kamailio::start(net.phone(9), ACCOUNT, &password(ACCOUNT));
    let hotline = Hotline::new(net, &["ana"]).registered_trunk(net.phone(9), ACCOUNT);
    let server = Server::start(&hotline);
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    proxy.wait_registered(1, WITHIN);
    let registered = Instant::now();
    server.wait_phones(1);

    proxy.restart();
    proxy.wait_registered(1, WITHIN);
    let back = registered.elapsed();
    println!(
        "registered again {:.1} s after the first time",
        back.as_secs_f64()
    );
    assert!(back < Duration::from_secs(GRANTED_S), "{back:?}");
    wait_trunk(&server, "registered");
    let voice = Voice::start(net.trunk(), CALLER_HZ);
    let mut caller = call_through(&proxy, net, &voice, "60000");
    phone.wait("CALL_INCOMING", 1);
    phone.answer();
    voice.wait_hears(VOLUNTEER_HZ, 1.0);
    phone.hang_up();
    caller.succeeds();
}

#[test]
fn a_wrong_password_for_a_carrier_is_told() {
    let net = Net::new();
    let _proxy = Kamailio::start(net.phone(9), ACCOUNT, "another password");
    let hotline = Hotline::new(net, &["ana"]).registered_trunk(net.phone(9), ACCOUNT);
    let server = Server::start(&hotline);
    let state = wait_trunk(&server, "not registered: ");
    println!("{state}");
    assert!(
        state.contains("refuses the user name or password"),
        "{state}"
    );
    assert!(server.say(&["status"]).contains(&state));
    let doctor = server.cli(&["doctor"]);
    assert!(!doctor.status.success());
    let findings = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let told = findings.lines().find(|line| line.contains("trunk second"));
    println!("{}", told.unwrap());
    for words in ["FAIL", "not registered, for", "password", "apply it"] {
        assert!(told.unwrap().contains(words), "{findings}");
    }
    let log = server.log();
    let warning = log.lines().find(|line| line.contains("not registered"));
    println!("{}", warning.unwrap());
    assert!(warning.unwrap().contains(" WARN "), "{log}");
    assert!(!log.contains(&password(ACCOUNT)), "{log}");
}

#[test]
fn an_asterisk_that_the_box_registers_at_brings_callers() {
    let net = Net::new();
    let Some(_carrier) = Asterisk::start(net, net.phone(9), ACCOUNT) else {
        return;
    };
    let hotline = Hotline::new(net, &["ana"]).registered_trunk(net.phone(9), ACCOUNT);
    let server = Server::start(&hotline);
    let mut phone = Baresip::start(net, Setup::phone(net.phone(0), "ana", VOLUNTEER_HZ));
    wait_trunk(&server, "registered");
    server.wait_phones(1);
    let mut caller = Baresip::start(net, Setup::caller(net, CALLER, CALLER_HZ));
    for (call, by_caller) in [(1, false), (2, true)] {
        caller.dial_at(net.phone(9), NUMBER);
        phone.wait("CALL_INCOMING", call);
        phone.answer();
        phone.wait("CALL_ESTABLISHED", call);
        let heard = (
            phone.heard().seconds_of(CALLER_HZ),
            caller.heard().seconds_of(VOLUNTEER_HZ),
        );
        let to_volunteer = phone.wait_hears(CALLER_HZ, heard.0 + 1.5) - heard.0;
        let to_caller = caller.wait_hears(VOLUNTEER_HZ, heard.1 + 1.5) - heard.1;
        println!("the caller heard {to_caller:.1} s, the volunteer {to_volunteer:.1} s");
        let (first, second) = if by_caller {
            (&mut caller, &phone)
        } else {
            (&mut phone, &caller)
        };
        first.hang_up();
        second.wait("CALL_CLOSED", call);
        server.wait_idle();
    }
    let calls = server.say(&["calls"]);
    assert_eq!(calls.matches("answered").count(), 2 + 1, "{calls}");
    assert!(calls.contains("second"), "{calls}");
}
