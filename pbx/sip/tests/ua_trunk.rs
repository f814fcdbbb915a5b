//! Registration with a carrier, played by a script.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{
    Origin, Transmit, TransportInput, Trunk, TrunkKind, TrunkPassword, UaConfig, UaEvent,
};
use ua_support::*;

fn with_trunk(host: &str, tcp: bool) -> UaConfig {
    let mut config = config();
    config.trunks = vec![Trunk {
        name: "carrier".into(),
        kind: TrunkKind::Register {
            host: host.into(),
            port: 5060,
            tcp,
            user: "hub1".into(),
            password: TrunkPassword("secret".into()),
            expires: Duration::from_secs(600),
        },
    }];
    config
}

fn state(bench: &mut Bench) -> (bool, Option<u16>) {
    match bench.event() {
        UaEvent::TrunkState {
            trunk,
            registered,
            status,
        } => {
            assert_eq!(trunk, "carrier");
            (registered, status)
        }
        other => panic!("{other:?}"),
    }
}

/// The carrier's 200 with the contact that the REGISTER named.
fn accept(bench: &mut Bench, register: &Sent, expires: u32) {
    let contact = own_contact(register);
    accept_with(
        bench,
        register,
        &format!("Contact: {contact};expires={expires}\r\n"),
    );
}

/// The carrier's 200 with these header lines.
fn accept_with(bench: &mut Bench, register: &Sent, lines: &str) {
    let text = reply_text(register, "200 OK", "s", "", "");
    bench.receive(
        TRUNK,
        &text.replace("Content-Length", &format!("{lines}Content-Length")),
    );
}

/// The contact that a REGISTER named, without parameters.
fn own_contact(register: &Sent) -> String {
    let contact = register.header(HeaderName::Contact);
    let uri = contact.split('>').next().expect("a URI");
    format!("{uri}>")
}

/// The user part of our contact, which only the carrier knows.
fn contact_user(register: &Sent) -> String {
    let contact = own_contact(register);
    let user = contact.trim_start_matches("<sip:").split('@').next();
    user.expect("a user").to_owned()
}

fn registered(expires: u32) -> (Bench, Sent) {
    let mut bench = Bench::with(with_trunk("198.51.100.1", false));
    let register = bench.sent_one();
    accept(&mut bench, &register, expires);
    assert_eq!(state(&mut bench), (true, Some(200)));
    (bench, register)
}

#[test]
fn a_registration_answers_the_strongest_challenge() {
    let mut bench = Bench::with(with_trunk("198.51.100.1", false));
    let first = bench.sent_one();
    assert_eq!(first.method(), "REGISTER");
    assert_eq!(first.to, addr(TRUNK));
    assert_eq!(first.header(HeaderName::Expires), "600");
    assert_eq!(first.header(HeaderName::Authorization), "");
    let challenge = reply_text(&first, "401 Unauthorized", "s", "", "").replace(
        "Content-Length",
        "WWW-Authenticate: Digest realm=\"c\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n\
         WWW-Authenticate: Digest realm=\"c\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\"\r\n\
         Content-Length",
    );
    bench.receive(TRUNK, &challenge);
    let second = bench.sent_one();
    let authorization = second.header(HeaderName::Authorization);
    assert!(
        authorization.contains("algorithm=SHA-256"),
        "{authorization}"
    );
    assert!(authorization.contains("nc=00000001"));
    assert_eq!(second.header(HeaderName::CSeq), "2 REGISTER");
    assert_eq!(
        second.header(HeaderName::CallId),
        first.header(HeaderName::CallId)
    );
    assert!(bench.events().is_empty(), "a challenge is no failure");
    accept(&mut bench, &second, 600);
    assert_eq!(state(&mut bench), (true, Some(200)));

    // The refresh counts on with the same nonce.
    let log = bench.advance(SECOND * 479);
    assert!(log.is_empty(), "{log:?}");
    let at = bench.now;
    while bench.now < at + SECOND * 62 {
        bench.now = bench.ua.poll_timeout().expect("a refresh");
        bench.ua.handle_timeout(bench.now);
        if let Some(refresh) = bench.sent().pop() {
            let authorization = refresh.header(HeaderName::Authorization);
            assert!(authorization.contains("nc=00000002"), "{authorization}");
            return;
        }
    }
    panic!("no refresh after 80 % to 90 % of the time");
}

#[test]
fn a_wrong_password_backs_off_longer_each_time() {
    let mut bench = Bench::with(with_trunk("198.51.100.1", false));
    let mut waits = Vec::new();
    for _ in 0..4 {
        let mut register = bench.sent_one();
        for _ in 0..2 {
            let challenge = reply_text(&register, "401 Unauthorized", "s", "", "").replace(
                "Content-Length",
                "WWW-Authenticate: Digest realm=\"c\", nonce=\"n1\", qop=\"auth\"\r\n\
                 Content-Length",
            );
            bench.receive(TRUNK, &challenge);
            if let Some(next) = bench.sent().pop() {
                register = next;
            }
        }
        assert_eq!(state(&mut bench), (false, Some(401)));
        let failed_at = bench.now;
        // Transactions end meanwhile; wait for the next REGISTER to leave.
        loop {
            let before = bench.ua.counts().transactions;
            bench.now = bench.ua.poll_timeout().expect("a retry");
            bench.ua.handle_timeout(bench.now);
            if bench.ua.counts().transactions > before {
                break;
            }
        }
        waits.push((bench.now - failed_at).as_secs_f64());
    }
    for (wait, bound) in waits.iter().zip([30.0, 60.0, 120.0, 240.0]) {
        assert!(*wait >= bound / 2.0 && *wait <= bound, "{waits:?}");
    }
}

#[test]
fn a_carrier_that_is_silent_is_tried_again() {
    let mut bench = Bench::with(with_trunk("198.51.100.1", false));
    assert_eq!(bench.sent_one().method(), "REGISTER");
    bench.advance(SECOND * 32);
    assert_eq!(state(&mut bench), (false, None));
    let log = bench.advance(SECOND * 30);
    assert!(log.iter().any(|(_, line)| line.starts_with("REGISTER")));
}

#[test]
fn names_are_resolved_and_all_addresses_tried() {
    let mut bench = Bench::with(with_trunk("sip.carrier.example", false));
    let transmits = bench.transmits();
    assert!(
        matches!(&transmits[..], [Transmit::Resolve { host, port: 5060 }] if host == "sip.carrier.example"),
        "{transmits:?}"
    );
    bench.ua.handle_input(
        TransportInput::Resolved {
            host: "sip.carrier.example".into(),
            addresses: vec![addr("198.51.100.8:5060"), addr(TRUNK)],
        },
        bench.now,
    );
    let first = bench.sent_one();
    assert_eq!(first.to, addr("198.51.100.8:5060"));
    assert_eq!(first.request().uri().reveal(), "sip:sip.carrier.example");
    bench.receive(
        "198.51.100.8:5060",
        &reply_text(&first, "503 Busy", "s", "", ""),
    );
    let second = bench.sent_one();
    assert_eq!(second.to, addr(TRUNK));
    accept(&mut bench, &second, 600);
    assert_eq!(state(&mut bench), (true, Some(200)));
}

#[test]
fn a_name_without_addresses_is_a_failure() {
    let mut bench = Bench::with(with_trunk("sip.carrier.example", false));
    bench.ua.handle_input(
        TransportInput::Resolved {
            host: "sip.carrier.example".into(),
            addresses: Vec::new(),
        },
        bench.now,
    );
    assert_eq!(state(&mut bench), (false, None));
}

#[test]
fn a_carrier_that_wants_longer_registrations_gets_them() {
    let mut bench = Bench::with(with_trunk("198.51.100.1", false));
    let first = bench.sent_one();
    let brief = reply_text(&first, "423 Interval Too Brief", "s", "", "")
        .replace("Content-Length", "Min-Expires: 1800\r\nContent-Length");
    bench.receive(TRUNK, &brief);
    assert_eq!(bench.sent_one().header(HeaderName::Expires), "1800");
}

#[test]
fn calls_for_our_contact_are_the_carriers() {
    let (mut bench, register) = registered(600);
    let user = contact_user(&register);
    let to_contact = invite_text("a", "c1", 1, Some(5000)).replace(
        "INVITE sip:+15550199@hotline.example",
        &format!("INVITE sip:{user}@192.0.2.1"),
    );
    for (from, text) in [
        ("198.51.100.77:5060", &to_contact),
        (TRUNK, &invite_text("b", "c2", 1, Some(5000))),
        (
            TRUNK,
            &to_contact
                .replace("c1", "c3")
                .replace("z9hG4bKa", "z9hG4bKc"),
        ),
    ] {
        bench.receive(from, text);
        assert_eq!(bench.sent_one().status(), 100);
        let UaEvent::Incoming { origin, called, .. } = bench.event() else {
            panic!("no call");
        };
        assert_eq!(origin, Origin::Trunk("carrier".into()));
        assert_eq!(called, "+15550199", "from To when our contact was called");
    }
    let stranger = invite_text("d", "c4", 1, Some(5000));
    bench.receive("198.51.100.77:5060", &stranger);
    assert_eq!(bench.sent_one().status(), 401);
}

/// What is told of the callee when the carrier's INVITE has this Request-URI user, this To and
/// these further lines.
fn called(uri_user: Option<&str>, to: &str, lines: &str) -> (String, Vec<String>) {
    let (mut bench, register) = registered(600);
    let user = uri_user.map_or_else(|| contact_user(&register), str::to_owned);
    let invite = invite_text("a", "c1", 1, Some(5000))
        .replace(
            "INVITE sip:+15550199@hotline.example",
            &format!("INVITE sip:{user}@192.0.2.1"),
        )
        .replace("To: <sip:+15550199@hotline.example>", &format!("To: {to}"))
        .replace("Content-Length", &format!("{lines}Content-Length"));
    bench.receive(TRUNK, &invite);
    bench.sent();
    match bench.event() {
        UaEvent::Incoming {
            called,
            called_else,
            ..
        } => (called, called_else),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_callee_is_found_wherever_a_carrier_names_it() {
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let contact = None;
    let number = "<sip:+15550199@carrier.example>";
    let party = "P-Called-Party-ID: <sip:+15550177@carrier.example>\r\n";
    assert_eq!(
        called(contact, number, ""),
        ("+15550199".into(), names(&["hub1"])),
        "To"
    );
    assert_eq!(
        called(contact, number, party),
        ("+15550177".into(), names(&["+15550199", "hub1"])),
        "P-Called-Party-ID says what was dialled before our contact took its place"
    );
    assert_eq!(
        called(contact, "<sip:carrier.example>", ""),
        ("hub1".into(), names(&[])),
        "nothing but the registration"
    );
    assert_eq!(
        called(
            contact,
            "<tel:+15550199>",
            "P-Called-Party-ID: nonsense\r\n"
        ),
        ("+15550199".into(), names(&["hub1"])),
        "an unreadable P-Called-Party-ID"
    );
    assert_eq!(
        called(Some("hub1"), number, ""),
        ("hub1".into(), names(&["+15550199"])),
        "the registered user in the Request-URI"
    );
    assert_eq!(
        called(Some("+15550188"), number, party),
        (
            "+15550188".into(),
            names(&["+15550177", "+15550199", "hub1"])
        ),
        "a number in the Request-URI comes first"
    );
}

#[test]
fn the_refresh_follows_our_own_contact_among_others() {
    let own = |register: &Sent| own_contact(register);
    for (lines, at_least, at_most) in [
        // Asterisk: one line for each contact, those of other phones and of an earlier life too.
        (
            "Contact: <sip:other@203.0.113.9:5060>;expires=3600\r\nContact: OWN;expires=100\r\n\
             Contact: <sip:0123456789ab@192.0.2.1:5060>;expires=15\r\n",
            80_u32,
            90,
        ),
        // Kamailio: one line for all, with q and instance, and a Path.
        (
            "Contact: <sip:other@203.0.113.9>;q=0.5;expires=20, OWN;q=1;expires=200;\
             received=\"sip:192.0.2.1:5060\"\r\nPath: <sip:edge.example;lr>\r\n",
            160,
            180,
        ),
        // Without a parameter the header counts, and without both what we asked for.
        ("Contact: OWN\r\nExpires: 100\r\n", 80, 90),
        ("Contact: <sip:other@203.0.113.9>;expires=20\r\n", 480, 540),
    ] {
        let mut bench = Bench::with(with_trunk("198.51.100.1", false));
        let register = bench.sent_one();
        accept_with(
            &mut bench,
            &register,
            &lines.replace("OWN", &own(&register)),
        );
        assert_eq!(state(&mut bench), (true, Some(200)));
        let log = bench.advance(SECOND * at_most);
        let refreshes: Vec<_> = log
            .iter()
            .filter(|(_, line)| line.starts_with("REGISTER"))
            .collect();
        assert!(!refreshes.is_empty(), "{lines}: no refresh");
        assert!(
            refreshes[0].0 >= u128::from(at_least) * 1000,
            "{lines}: too early, {refreshes:?}"
        );
    }
}

#[test]
fn a_register_is_what_registrars_expect() {
    let (_, register) = registered(600);
    assert_eq!(register.request().uri().reveal(), "sip:198.51.100.1");
    assert_eq!(register.header(HeaderName::To), "<sip:hub1@198.51.100.1>");
    assert!(
        register
            .header(HeaderName::From)
            .starts_with("<sip:hub1@198.51.100.1>;tag=")
    );
    assert_eq!(
        register.header(HeaderName::Supported),
        "path",
        "an edge proxy may put itself into the way (RFC 3327 5.1)"
    );
    assert_eq!(register.header(HeaderName::Route), "");
    assert_eq!(register.header(HeaderName::Require), "");
}

#[test]
fn keep_alives_hold_the_way_open() {
    let (mut bench, _) = registered(600);
    bench.now += SECOND * 25;
    bench.ua.handle_timeout(bench.now);
    let transmits = bench.transmits();
    assert!(
        matches!(&transmits[..], [Transmit::Datagram { remote, payload, .. }]
            if *remote == addr(TRUNK) && payload.as_ref() == b"\r\n\r\n"),
        "{transmits:?}"
    );
}

#[test]
fn shutting_down_ends_the_registration() {
    let (mut bench, _) = registered(600);
    bench.ua.shutdown(bench.now);
    let last = bench.sent_one();
    assert_eq!(last.header(HeaderName::Expires), "0");
    assert!(last.header(HeaderName::Contact).ends_with(";expires=0"));
    assert_eq!(state(&mut bench), (false, None));
    bench.receive(TRUNK, &reply_text(&last, "200 OK", "s", "", ""));
    assert!(bench.advance(SECOND * 3600).is_empty());
    assert_eq!(bench.ua.poll_timeout(), None);
}

#[test]
fn a_trunk_taken_out_of_the_settings_is_left_and_one_that_stays_is_not_disturbed() {
    let (mut bench, _) = registered(600);
    bench
        .ua
        .configure(with_trunk("198.51.100.1", false), bench.now);
    assert!(bench.sent().is_empty());
    bench
        .ua
        .configure(with_trunk("198.51.100.2", false), bench.now);
    let sent = bench.sent();
    let seen: Vec<(String, String)> = sent
        .iter()
        .map(|sent| (sent.to.to_string(), sent.header(HeaderName::Expires)))
        .collect();
    assert_eq!(
        seen,
        [
            (TRUNK.to_owned(), "0".to_owned()),
            ("198.51.100.2:5060".to_owned(), "600".to_owned())
        ]
    );
}

#[test]
fn a_broken_connection_is_dialled_again() {
    let mut bench = Bench::with(with_trunk("198.51.100.1", true));
    let transmits = bench.transmits();
    let [
        Transmit::Connect { connection, remote },
        Transmit::Stream { payload, .. },
    ] = &transmits[..]
    else {
        panic!("{transmits:?}");
    };
    assert_eq!(*remote, addr(TRUNK));
    let message = sip::message::Message::parse(payload.clone(), sip::message::Framing::Stream);
    let register = Sent {
        to: *remote,
        connection: Some(*connection),
        message: message.expect("a REGISTER"),
        bytes: payload.clone(),
    };
    let connection = *connection;
    bench.receive_stream(connection, &reply_text(&register, "200 OK", "s", "", ""));
    assert_eq!(state(&mut bench), (true, Some(200)));
    bench.advance(SECOND * 200);
    assert_eq!(
        bench.ua.counts().connections,
        1,
        "kept although little happens on it"
    );
    bench.close(connection);
    assert_eq!(state(&mut bench), (false, None));
    bench.now += SECOND * 4;
    bench.ua.handle_timeout(bench.now);
    assert!(matches!(bench.transmits()[0], Transmit::Connect { .. }));
}

#[test]
fn passwords_do_not_appear_in_debug_output() {
    let text = format!("{:?}", with_trunk("198.51.100.1", false));
    assert!(!text.contains("secret"));
}
