//! Phones register, and stay registered.

use std::time::Duration;

use e2e::baresip::{Baresip, Setup};
use e2e::hotline::{Hotline, NUMBER, password};
use e2e::net::Net;
use e2e::server::Server;
use e2e::sipp::{Plan, Sipp, registration};
use e2e::wire::{Phones, headers};

const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn phones_register_over_udp_and_tcp_and_ring() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana", "ben"]));
    let over_udp = Baresip::start(net, Setup::phone(net.phone(0), "ana", 600));
    let tcp = Setup {
        transport: "tcp",
        ..Setup::phone(net.phone(1), "ben", 900)
    };
    let mut over_tcp = Baresip::start(net, tcp);
    server.wait_phones(2);
    let mut caller = Baresip::start(net, Setup::caller(net, "+34911987654", 440));
    caller.dial(net, NUMBER);
    over_udp.wait("CALL_INCOMING", 1);
    over_tcp.wait("CALL_INCOMING", 1);
    over_tcp.answer();
    over_udp.wait("CALL_CLOSED", 1);
    over_tcp.wait_hears(440, 1.0);
    caller.wait_hears(900, 1.0);
    over_tcp.hang_up();
    caller.wait("CALL_CLOSED", 1);
    server.wait_idle();
    assert!(over_tcp.wire().contains("TCP "), "not over TCP");
}

#[test]
fn wrong_passwords_and_replayed_answers_are_refused() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]).offering_sha256());
    let mut phones = Phones::new();
    let ana = phones.plug_in(net, net.phone(0), "ana");

    phones.send(ana, &phones.register_request(ana, 1, ""));
    let challenge = phones.response(ana);
    assert!(challenge.starts_with("SIP/2.0 401 "), "{challenge}");
    assert!(challenge.contains("algorithm=MD5"), "{challenge}");
    let wrong = phones.authorization(ana, &challenge, 1, "not the password");
    phones.send(ana, &phones.register_request(ana, 2, &wrong));
    let refusal = phones.response(ana);
    assert!(refusal.starts_with("SIP/2.0 403 "), "{refusal}");
    server.wait_phones(0);

    let right = phones.authorization(ana, &challenge, 2, &password("ana"));
    phones.send(ana, &phones.register_request(ana, 3, &right));
    let accepted = phones.response(ana);
    assert!(
        accepted.starts_with("SIP/2.0 200 "),
        "SHA-256 with the right password: {accepted}"
    );
    server.wait_phones(1);

    // The same answer with the same nonce count, as somebody who listened would send it.
    phones.send(ana, &phones.register_request(ana, 4, &right));
    let replayed = phones.response(ana);
    assert!(
        replayed.starts_with("SIP/2.0 401 "),
        "a replayed answer: {replayed}"
    );
}

#[test]
fn registrations_end_when_asked_and_when_not_renewed() {
    let net = Net::new();
    let server = Server::start(&Hotline::new(net, &["ana"]));
    let ip = net.phone(0);
    registration(ip, "ana")
        .set("password", "wrong")
        .set("final", "403")
        .start(net)
        .succeeds();
    server.wait_phones(0);
    Sipp::register(net, ip, "ana");
    server.wait_phones(1);
    // RFC 3261 10.2.2: all of them at once.
    registration(ip, "ana")
        .set("contact", "*")
        .set("expires", "0")
        .start(net)
        .succeeds();
    server.wait_phones(0);
    // RFC 3261 10.3: too short is refused with 423.
    registration(ip, "ana")
        .set("expires", "5")
        .set("final", "423")
        .start(net)
        .succeeds();
    registration(ip, "ana")
        .set("expires", "60")
        .start(net)
        .succeeds();
    server.wait_phones(1);
    let at = std::time::Instant::now();
    e2e::eventually(
        "the registration to expire",
        Duration::from_secs(75),
        || {
            let status = server.status();
            (status["volunteers"][0]["phones"] == 0).then_some(())
        },
    );
    println!(
        "gone {:.1} s after a registration for 60 s",
        at.elapsed().as_secs_f64()
    );
    assert!(at.elapsed() > Duration::from_secs(55));
}

#[test]
fn a_phone_rings_after_the_server_died_and_came_back() {
    let net = Net::new();
    let mut server = Server::start(&Hotline::new(net, &["ana"]).offering_sha256());
    let mut phones = Phones::new();
    let ana = phones.plug_in(net, net.phone(0), "ana");
    phones.register(ana);
    server.wait_phones(1);
    // Kept by then; what follows is a power cut.
    std::thread::sleep(Duration::from_millis(500));
    server.kill();
    server.run();
    server.wait_phones(1);
    let _caller = Plan::caller("caller_gives_up", net, "+34911987654")
        .set("wait_ms", "500")
        .start(net);
    let invite = phones
        .next(WITHIN)
        .expect("a phone that did not register again rings");
    assert!(invite.is("INVITE"), "{}", invite.text);
    phones.send(
        ana,
        &phones.response_to(ana, &invite.text, "180 Ringing", false),
    );
}

#[test]
fn a_carrier_that_the_box_registers_to_brings_callers() {
    let net = Net::new();
    let carrier = net.phone(9);
    let mut registrar = Plan::new("carrier_registrar", carrier)
        .set("user", "our-account")
        .set("password", &password("our-account"))
        .start(net);
    let hotline = Hotline::new(net, &["ana"]).registered_trunk(carrier, "our-account");
    let server = Server::start(&hotline);
    registrar.succeeds();
    server.wait_status("the trunk to be registered", WITHIN, |status| {
        let mut trunks = status["trunks"].as_array()?.iter();
        let second = trunks.find(|trunk| trunk["name"] == "second")?;
        (second["state"] == "registered").then_some(())
    });
    let register = registrar.wait_message("a REGISTER", |m| m.text.contains("Authorization:"));
    let contact = headers(&register.text, "Contact").remove(0);
    let user = contact.split([':', '@']).nth(1).unwrap();
    // Carriers call the contact, and put the dialled number into To.
    let mut caller = Plan::caller("caller", net, "+34911987654")
        .at(carrier)
        .set("dial", user)
        .set("play", "")
        .set("hold_ms", "300")
        .start(net);
    caller.succeeds();
    server.wait_idle();
    let calls = server.say(&["calls"]);
    assert!(calls.contains("second"), "{calls}");
}
