//! Calls from a trunk: what the caller's side sees on the wire.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{CallingParty, Origin, Reason, SessionEnd, UaEvent};
use ua_support::*;

const BUSY: Reason = Reason {
    protocol: "Q.850",
    cause: 17,
    text: "User busy",
};

#[test]
fn a_call_is_announced_answered_and_ended_by_the_caller() {
    let mut bench = Bench::new();
    bench.receive(TRUNK, &invite_text("a", "c1", 1, Some(5000)));
    let trying = bench.sent_one();
    assert_eq!(trying.status(), 100);
    assert_eq!(trying.to, addr(TRUNK));
    let UaEvent::Incoming {
        session,
        origin,
        calling,
        called,
        called_else,
        offer,
        remote,
    } = bench.event()
    else {
        panic!("no call");
    };
    assert_eq!(origin, Origin::Trunk("carrier".into()));
    assert_eq!(calling, CallingParty::User("+15550100".into()));
    assert!(
        called_else.is_empty(),
        "of other trunks only the Request-URI counts"
    );
    assert_eq!(called, "+15550199");
    assert_eq!(offer.expect("an offer").audio().expect("audio").port, 5000);
    assert_eq!(remote, addr(TRUNK));

    bench.ua.ring(session, bench.now);
    let ringing = bench.sent_one();
    assert_eq!(ringing.status(), 180);
    let tag = ringing.to_tag();
    assert!(!tag.is_empty());

    bench.ua.answer(session, sdp(6000), bench.now);
    let ok = bench.sent_one();
    assert_eq!((ok.status(), ok.to_tag()), (200, tag.clone()));
    assert!(ok.header(HeaderName::Contact).contains("192.0.2.1:5060"));
    bench.receive(TRUNK, &in_dialog_text("ACK", "ack", "c1", 1, &tag, ""));
    assert!(matches!(
        bench.event(),
        UaEvent::Acknowledged { answer: None, .. }
    ));

    bench.receive(TRUNK, &in_dialog_text("BYE", "bye", "c1", 2, &tag, ""));
    assert_eq!(bench.sent_one().status(), 200);
    assert!(matches!(
        bench.event(),
        UaEvent::Ended {
            end: SessionEnd::RemoteBye,
            ..
        }
    ));
    bench.assert_clean();
}

#[test]
fn repeated_requests_get_the_same_response_and_tell_nothing_twice() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    let again = invite_text("a", "c1", 1, Some(5000));
    bench.receive(TRUNK, &again);
    assert_eq!(bench.sent_one().status(), 100);
    bench.ua.ring(session, bench.now);
    let tag = bench.sent_one().to_tag();
    bench.receive(TRUNK, &again);
    assert_eq!(bench.sent_one().status(), 180);
    bench.ua.answer(session, sdp(6000), bench.now);
    assert_eq!(bench.sent_one().status(), 200);
    bench.receive(TRUNK, &again);
    assert!(bench.sent().is_empty(), "the 200 has a timer of its own");
    let ack = in_dialog_text("ACK", "ack", "c1", 1, &tag, "");
    bench.receive(TRUNK, &ack);
    bench.receive(TRUNK, &ack);
    assert_eq!(bench.events().len(), 1);
    let bye = in_dialog_text("BYE", "bye", "c1", 2, &tag, "");
    bench.receive(TRUNK, &bye);
    bench.receive(TRUNK, &bye);
    let statuses: Vec<u16> = bench.sent().iter().map(Sent::status).collect();
    assert_eq!(statuses, [200, 200]);
    assert_eq!(bench.events().len(), 1);
    bench.assert_clean();
}

#[test]
fn an_unacknowledged_200_is_repeated_then_followed_by_bye() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    bench.sent();
    let log = bench.advance(Duration::from_millis(31_999));
    let times: Vec<u128> = log.iter().map(|(at, _)| *at).collect();
    assert_eq!(
        times,
        [
            500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
        ]
    );
    assert!(log.iter().all(|(_, line)| line == "SIP/2.0 200 OK"));
    let log = bench.advance(Duration::from_millis(1));
    assert!(log[0].1.starts_with("BYE "), "{log:?}");
    assert!(matches!(
        bench.event(),
        UaEvent::Ended {
            end: SessionEnd::SignallingLost,
            ..
        }
    ));
    bench.assert_clean();
}

#[test]
fn a_late_ack_is_still_an_ack() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.advance(Duration::from_secs(31));
    bench.receive(TRUNK, &in_dialog_text("ACK", "ack", "c1", 1, &tag, ""));
    assert!(matches!(bench.event(), UaEvent::Acknowledged { .. }));
    assert!(bench.advance(Duration::from_secs(60)).is_empty());
    assert_eq!(bench.ua.counts().sessions, 1);
}

#[test]
fn an_ack_with_the_branch_of_the_invite_is_taken_too() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.receive(TRUNK, &in_dialog_text("ACK", "a", "c1", 1, &tag, ""));
    assert!(matches!(bench.event(), UaEvent::Acknowledged { .. }));
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.ua.hangup(session, Some(BUSY), bench.now);
    assert!(bench.sent().is_empty(), "no BYE before the ACK");
    bench.receive(TRUNK, &in_dialog_text("ACK", "ack", "c1", 1, &tag, ""));
    let bye = bench.sent_one();
    assert_eq!(bye.method(), "BYE");
    assert_eq!(
        bye.header(HeaderName::Reason),
        "Q.850;cause=17;text=\"User busy\""
    );
    bench.receive(TRUNK, &reply_text(&bye, "200 OK", "", "", ""));
    let last = bench.events().pop();
    assert!(matches!(
        last,
        Some(UaEvent::Ended {
            end: SessionEnd::Local,
            ..
        })
    ));
    bench.assert_clean();
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    let wait = Some(Duration::from_secs(30));
    bench.ua.reject(session, 486, Some(BUSY), wait, bench.now);
    let busy = bench.sent_one();
    assert_eq!(busy.status(), 486);
    assert_eq!(busy.header(HeaderName::RetryAfter), "30");
    assert!(busy.header(HeaderName::Reason).starts_with("Q.850"));
    assert!(matches!(
        bench.event(),
        UaEvent::Ended {
            end: SessionEnd::Local,
            ..
        }
    ));
    let log = bench.advance(Duration::from_secs(2));
    assert_eq!(log.len(), 2, "{log:?}");
    let ack = in_dialog_text("ACK", "a", "c1", 1, &busy.to_tag(), "");
    bench.receive(TRUNK, &ack);
    assert!(bench.advance(Duration::from_secs(4)).is_empty());
    assert_eq!(bench.ua.counts().transactions, 1, "timer I");
    bench.assert_clean();
}

#[test]
fn a_cancelled_call_ends_with_487() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.ring(session, bench.now);
    bench.sent();
    let cancel = invite_text("a", "c1", 1, None).replace("INVITE", "CANCEL");
    bench.receive(TRUNK, &cancel);
    let sent = bench.sent();
    let lines: Vec<String> = sent
        .iter()
        .map(|sent| format!("{} {}", sent.status(), sent.header(HeaderName::CSeq)))
        .collect();
    assert_eq!(lines, ["200 1 CANCEL", "487 1 INVITE"]);
    assert!(matches!(
        bench.event(),
        UaEvent::Ended {
            end: SessionEnd::RemoteCancel,
            ..
        }
    ));
    bench.receive(TRUNK, &cancel);
    assert_eq!(bench.sent_one().status(), 200);
    bench.assert_clean();
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    bench.sent();
    let cancel = invite_text("a", "c1", 1, None).replace("INVITE", "CANCEL");
    bench.receive(TRUNK, &cancel);
    assert_eq!(bench.sent_one().status(), 200);
    assert!(bench.events().is_empty());
    bench.receive(TRUNK, &cancel.replace("z9hG4bKa", "z9hG4bKother"));
    assert_eq!(bench.sent_one().status(), 481);
}

#[test]
fn an_offerless_invite_gets_our_offer_and_the_ack_brings_the_answer() {
    let mut bench = Bench::new();
    bench.receive(TRUNK, &invite_text("a", "c1", 1, None));
    bench.sent();
    let UaEvent::Incoming { session, offer, .. } = bench.event() else {
        panic!("no call");
    };
    assert!(offer.is_none());
    bench.ua.answer(session, sdp(6000), bench.now);
    let ok = bench.sent_one();
    assert!(ok.text().contains("m=audio 6000"));
    let ack = in_dialog_text("ACK", "ack", "c1", 1, &ok.to_tag(), &sdp_text(5002));
    bench.receive(TRUNK, &ack);
    let UaEvent::Acknowledged { answer, .. } = bench.event() else {
        panic!("no ACK");
    };
    assert_eq!(
        answer.expect("an answer").audio().expect("audio").port,
        5002
    );
}

#[test]
fn the_same_invite_over_two_paths_rings_once() {
    let mut bench = Bench::new();
    bench.incoming("a", "c1");
    bench.receive(TRUNK, &invite_text("b", "c1", 1, Some(5000)));
    assert_eq!(bench.sent_one().status(), 482);
    assert!(bench.events().is_empty());
}

#[test]
fn the_callers_number_is_taken_and_hidden_as_the_network_says() {
    let cases = [
        ("", "+15550100", "sip:+15550100@carrier.example"),
        (
            "P-Asserted-Identity: <sip:+15550111@carrier.example>\r\n",
            "+15550111",
            "sip:+15550100@carrier.example",
        ),
        (
            "P-Asserted-Identity: <sip:+15550111@carrier.example>\r\nPrivacy: id\r\n",
            "",
            "sip:+15550100@carrier.example",
        ),
        (
            "Privacy: user;header\r\n",
            "",
            "sip:+15550100@carrier.example",
        ),
        (
            "Privacy: none\r\n",
            "+15550100",
            "sip:+15550100@carrier.example",
        ),
        (
            "P-Asserted-Identity: <tel:+15550111>\r\n",
            "",
            "sip:anonymous@anonymous.invalid",
        ),
        ("", "", "sip:Restricted@carrier.example"),
        ("", "", "sip:carrier.example"),
    ];
    for (n, (header, expected, from)) in cases.into_iter().enumerate() {
        let mut bench = Bench::new();
        let text = invite_text("a", &format!("c{n}"), 1, Some(5000))
            .replace("sip:+15550100@carrier.example", from)
            .replace("Max-Forwards", &format!("{header}Max-Forwards"));
        bench.receive(TRUNK, &text);
        let UaEvent::Incoming { calling, .. } = bench.event() else {
            panic!("no call");
        };
        let expected = match expected {
            "" => CallingParty::Anonymous,
            user => CallingParty::User(user.to_owned()),
        };
        assert_eq!(calling, expected, "case {n}");
    }
}

#[test]
fn numbers_do_not_appear_in_debug_output() {
    let mut bench = Bench::new();
    bench.receive(TRUNK, &invite_text("a", "c1", 1, Some(5000)));
    let UaEvent::Incoming { calling, .. } = bench.event() else {
        panic!("no call");
    };
    assert_eq!(format!("{calling:?}"), "User(…)");
}

#[test]
fn requests_in_the_wrong_order_or_to_nobody_are_refused() {
    let mut bench = Bench::new();
    let (_, tag) = answered_caller(&mut bench);
    bench.receive(TRUNK, &in_dialog_text("INFO", "i1", "c1", 9, &tag, ""));
    assert_eq!(bench.sent_one().status(), 200);
    bench.receive(TRUNK, &in_dialog_text("BYE", "b1", "c1", 8, &tag, ""));
    assert_eq!(bench.sent_one().status(), 500);
    bench.receive(TRUNK, &in_dialog_text("BYE", "b2", "c1", 10, "nobody", ""));
    assert_eq!(bench.sent_one().status(), 481);
    bench.receive(TRUNK, &in_dialog_text("BYE", "b3", "other", 10, &tag, ""));
    assert_eq!(bench.sent_one().status(), 481);
    let stranger = in_dialog_text("BYE", "b4", "c1", 10, &tag, "").replace("=caller", "=thief");
    bench.receive(TRUNK, &stranger);
    assert_eq!(bench.sent_one().status(), 481);
    assert!(bench.events().is_empty());
    assert_eq!(bench.ua.counts().sessions, 1);
}

#[test]
fn methods_that_we_do_not_take_are_named() {
    let mut bench = Bench::new();
    let (_, tag) = answered_caller(&mut bench);
    for (n, (method, inside, outside)) in [
        ("OPTIONS", 200, 200),
        ("REFER", 405, 405),
        ("SUBSCRIBE", 405, 405),
        ("MESSAGE", 405, 405),
        ("PRACK", 481, 481),
        ("JUGGLE", 501, 501),
    ]
    .into_iter()
    .enumerate()
    {
        let n = n as u32;
        let text = in_dialog_text(method, &format!("i{n}"), "c1", 10 + n, &tag, "");
        bench.receive(TRUNK, &text);
        let response = bench.sent_one();
        assert_eq!(response.status(), inside, "{method}");
        if matches!(inside, 200 | 405 | 501) {
            assert!(response.header(HeaderName::Allow).contains("INVITE"));
        }
        let text =
            in_dialog_text(method, &format!("o{n}"), "c9", 10 + n, "x", "").replace(";tag=x", "");
        bench.receive(TRUNK, &text);
        assert_eq!(bench.sent_one().status(), outside, "{method}");
    }
}

#[test]
fn info_is_answered_and_told() {
    let mut bench = Bench::new();
    let (_, tag) = answered_caller(&mut bench);
    let info = in_dialog_text("INFO", "i1", "c1", 2, &tag, "Signal=5\r\n")
        .replace("application/sdp", "Application/DTMF-Relay;x=y");
    bench.receive(TRUNK, &info);
    assert_eq!(bench.sent_one().status(), 200);
    assert!(
        matches!(bench.event(), UaEvent::Info { content_type, body, .. }
        if content_type == "application/dtmf-relay" && body == "Signal=5\r\n")
    );
}

#[test]
fn what_cannot_be_understood_is_refused_and_acks_never_are() {
    let mut bench = Bench::new();
    let invite = invite_text("a", "c1", 1, Some(5000));
    let cases = [
        (
            invite.replace("Max-Forwards: 70", "Require: 100rel, foo"),
            420,
        ),
        (invite.replace("application/sdp", "text/plain"), 415),
        (
            invite.replace("Max-Forwards", "Content-Encoding: gzip\r\nMax-Forwards"),
            415,
        ),
        (invite.replace("v=0", "x=0"), 400),
        (invite.replace("INVITE sip:", "INVITE odd:"), 416),
        (invite.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), 400),
        (invite.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
        (invite.replace("Call-ID: c1\r\n", ""), 400),
    ];
    for (text, status) in cases {
        bench.receive(TRUNK, &text);
        let response = bench.sent_one();
        assert_eq!(response.status(), status, "{text}");
        if status == 420 {
            assert_eq!(response.header(HeaderName::Unsupported), "100rel, foo");
        }
        let ack = text.replace("INVITE", "ACK");
        bench.receive(TRUNK, &ack);
        assert!(bench.sent().is_empty(), "{ack}");
    }
    let no_via = invite.replace(
        "Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bKa\r\n",
        "",
    );
    bench.receive(TRUNK, &no_via);
    assert!(bench.sent().is_empty());
    assert!(bench.events().is_empty());
    assert_eq!(bench.ua.counts().transactions, 0);
}

#[test]
fn old_peers_without_branches_are_served() {
    let mut bench = Bench::new();
    let old = |text: String| text.replace(";rport;branch=z9hG4bKa", "");
    let invite = old(invite_text("a", "c1", 1, Some(5000)));
    bench.receive(TRUNK, &invite);
    bench.sent();
    let UaEvent::Incoming { session, .. } = bench.event() else {
        panic!("no call");
    };
    bench.receive(TRUNK, &invite);
    assert_eq!(bench.sent_one().status(), 100, "a repetition");
    bench.ua.reject(session, 486, None, None, bench.now);
    let tag = bench.sent_one().to_tag();
    let ack = old(invite_text("a", "c1", 1, None))
        .replace("INVITE sip", "ACK sip")
        .replace("CSeq: 1 INVITE", "CSeq: 1 ACK")
        .replace(
            "9@hotline.example>\r\n",
            &format!("9@hotline.example>;tag={tag}\r\n"),
        );
    bench.receive(TRUNK, &ack);
    assert!(
        bench.advance(Duration::from_secs(4)).is_empty(),
        "acknowledged"
    );
    bench.assert_clean();
}

#[test]
fn responses_go_where_via_and_rport_say() {
    let mut bench = Bench::new();
    let natted = "198.51.100.1:40000";
    let mut config = config();
    let sip::ua::TrunkKind::Address { peers } = &mut config.trunks[0].kind else {
        panic!("an address trunk");
    };
    peers[0].set_port(0);
    bench.ua.configure(config, bench.now);
    bench.receive(natted, &invite_text("a", "c1", 1, Some(5000)));
    let trying = bench.sent_one();
    assert_eq!(trying.to, addr(natted));
    let via = trying.header(HeaderName::Via);
    assert!(
        via.contains("received=198.51.100.1") && via.contains("rport=40000"),
        "{via}"
    );
    let plain = invite_text("b", "c2", 1, Some(5000)).replace(";rport", "");
    bench.receive(natted, &plain);
    assert_eq!(bench.sent_one().to, addr("198.51.100.1:5060"));
    let aimed = plain.replace("branch=z9hG4bKb", "maddr=192.0.2.99;branch=z9hG4bKc");
    bench.receive(natted, &aimed.replace("c2", "c3"));
    assert_eq!(bench.sent_one().to.ip(), addr(natted).ip(), "no reflection");
}

#[test]
fn record_routes_are_followed_loose_and_strict() {
    for (route, uri, routes) in [
        (
            "<sip:198.51.100.9;lr>",
            "sip:gw@198.51.100.1:5060",
            vec!["<sip:198.51.100.9;lr>"],
        ),
        (
            "<sip:198.51.100.9>",
            "sip:198.51.100.9",
            vec!["<sip:gw@198.51.100.1:5060>"],
        ),
    ] {
        let mut bench = Bench::new();
        let text = invite_text("a", "c1", 1, Some(5000)).replace(
            "Max-Forwards",
            &format!("Record-Route: {route}\r\nMax-Forwards"),
        );
        bench.receive(TRUNK, &text);
        bench.sent();
        let UaEvent::Incoming { session, .. } = bench.event() else {
            panic!("no call");
        };
        bench.ua.answer(session, sdp(6000), bench.now);
        let ok = bench.sent_one();
        assert_eq!(ok.header(HeaderName::RecordRoute), route);
        let ack = in_dialog_text("ACK", "ack", "c1", 1, &ok.to_tag(), "");
        bench.receive(TRUNK, &ack);
        bench.ua.hangup(session, None, bench.now);
        let bye = bench.sent_one();
        assert_eq!(bye.request().uri().reveal(), uri);
        assert_eq!(bye.headers(HeaderName::Route), routes);
        assert_eq!(bye.to, addr("198.51.100.9:5060"));
    }
}

#[test]
fn a_ringing_caller_hears_from_us_each_minute() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.ring(session, bench.now);
    bench.sent();
    let log = bench.advance(Duration::from_secs(130));
    let times: Vec<u128> = log.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [60_000, 120_000]);
}

#[test]
fn a_caller_who_hangs_up_while_we_do_is_no_trouble() {
    let mut bench = Bench::new();
    let (session, tag) = answered_caller(&mut bench);
    bench.ua.hangup(session, None, bench.now);
    let ours = bench.sent_one();
    bench.receive(TRUNK, &in_dialog_text("BYE", "b", "c1", 2, &tag, ""));
    assert_eq!(bench.sent_one().status(), 200);
    assert!(bench.events().is_empty());
    bench.receive(TRUNK, &reply_text(&ours, "481 Gone", "", "", ""));
    assert!(matches!(
        bench.event(),
        UaEvent::Ended {
            end: SessionEnd::Local,
            ..
        }
    ));
    bench.assert_clean();
}

#[test]
fn ipv6_peers_are_served() {
    let (trunk, ours) = ("[2001:db8::1]:5060", "[2001:db8::5]:5060");
    let mut config = config();
    config.default_local = addr(ours);
    config.trunks[0].kind = sip::ua::TrunkKind::Address {
        peers: vec![addr(trunk)],
    };
    let mut bench = Bench::with(config);
    let text = invite_text("a", "c1", 1, Some(5000)).replace("198.51.100.1:5060", trunk);
    bench.ua.handle_input(
        sip::ua::TransportInput::Datagram {
            local: addr(ours),
            remote: addr(trunk),
            payload: bytes::Bytes::from(text),
        },
        bench.now,
    );
    assert_eq!(bench.sent_one().to, addr(trunk));
    let UaEvent::Incoming { session, .. } = bench.event() else {
        panic!("no call");
    };
    bench.ua.answer(session, sdp(6000), bench.now);
    let contact = bench.sent_one().header(HeaderName::Contact);
    assert_eq!(contact, "<sip:line@[2001:db8::5]:5060>");
}
