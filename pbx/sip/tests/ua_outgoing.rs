//! Calls to phones: ringing, answering, cancelling, forking, glare, NAT and TCP.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{OutgoingInvite, Reason, SessionEnd, SessionId, UaEvent};
use ua_support::*;

const ELSEWHERE: Reason = Reason {
    protocol: "SIP",
    cause: 200,
    text: "Call completed elsewhere",
};
#[test]
fn the_invite_says_nothing_of_a_caller() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    assert_eq!(invite.to, addr(PHONE));
    assert_eq!(invite.request().uri().reveal(), CONTACT);
    let from = invite.header(HeaderName::From);
    assert!(
        from.starts_with("\"Hotline\" <sip:hub@hotline.example>;tag="),
        "{from}"
    );
    assert_eq!(invite.header(HeaderName::To), "<sip:ana@hotline.example>");
    assert_eq!(invite.header(HeaderName::MaxForwards), "70");
    assert!(invite.header(HeaderName::Allow).contains("UPDATE"));
    assert_eq!(invite.header(HeaderName::Supported), "path");
    assert_eq!(invite.header(HeaderName::UserAgent), "Centralita");
    assert!(invite.header(HeaderName::Via).contains("192.0.2.1:5060"));
    assert!(!invite.text().contains("1555"));
}

#[test]
fn a_phone_rings_answers_and_hangs_up() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "100 Trying", "", "", ""));
    assert!(bench.events().is_empty());
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    assert!(matches!(
        bench.event(),
        UaEvent::Progress { status: 180, .. }
    ));
    let ok = reply_text(&invite, "200 OK", "p", CONTACT, &sdp_text(7000));
    bench.receive(PHONE, &ok);
    let ack = bench.sent_one();
    assert_eq!((ack.method(), ack.to), ("ACK", addr(PHONE)));
    assert_eq!(ack.header(HeaderName::CSeq), "1 ACK");
    assert_ne!(ack.branch(), invite.branch());
    assert!(matches!(bench.event(), UaEvent::Answered { answer, .. }
        if answer.audio().expect("audio").port == 7000));
    // Our ACK got lost.
    bench.advance(SECOND);
    bench.receive(PHONE, &ok);
    assert_eq!(bench.sent_one().bytes, ack.bytes);
    assert!(bench.events().is_empty());

    let bye = phone_request("BYE", "b", 1, &invite, "p", "");
    bench.receive(PHONE, &bye);
    assert_eq!(bench.sent_one().status(), 200);
    assert_eq!(ended(&mut bench), SessionEnd::RemoteBye);
    assert_eq!(bench.ua.counts().sessions, 0);
    let _ = session;
    bench.assert_clean();
}

#[test]
fn an_invite_that_nobody_answers_is_repeated_then_lost() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    bench.call(binding);
    let log = bench.advance(Duration::from_secs(32));
    let times: Vec<u128> = log.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(ended(&mut bench), SessionEnd::SignallingLost);
    bench.assert_clean();
}

#[test]
fn a_busy_phone_gets_its_ack_each_time() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    let busy = reply_text(&invite, "486 Busy Here", "p", "", "");
    bench.receive(PHONE, &busy);
    let ack = bench.sent_one();
    assert_eq!(ack.method(), "ACK");
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(ack.to_tag(), "p");
    assert_eq!(ended(&mut bench), SessionEnd::Refused(486));
    bench.receive(PHONE, &busy);
    assert_eq!(bench.sent_one().bytes, ack.bytes);
    bench.assert_clean();
}

#[test]
fn cancel_waits_for_a_provisional_and_uses_the_invites_branch() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    bench.ua.hangup(session, Some(ELSEWHERE), bench.now);
    assert!(bench.sent().is_empty());
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    let cancel = bench.sent_one();
    assert_eq!(cancel.method(), "CANCEL");
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!(cancel.header(HeaderName::CSeq), "1 CANCEL");
    assert_eq!(cancel.to, invite.to);
    assert_eq!(
        cancel.header(HeaderName::To),
        invite.header(HeaderName::To),
        "the INVITE's, without a tag"
    );
    assert_eq!(
        cancel.header(HeaderName::Reason),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    assert!(bench.sent().is_empty(), "one CANCEL is enough");
    bench.receive(PHONE, &reply_text(&cancel, "200 OK", "p", "", ""));
    assert!(bench.events().is_empty());
    let terminated = reply_text(&invite, "487 Request Terminated", "p", "", "");
    bench.receive(PHONE, &terminated);
    assert_eq!(bench.sent_one().method(), "ACK");
    assert_eq!(ended(&mut bench), SessionEnd::Refused(487));
    bench.assert_clean();
}

#[test]
fn a_lost_cancel_is_repeated() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.ua.hangup(session, None, bench.now);
    assert_eq!(bench.sent_one().method(), "CANCEL");
    let log = bench.advance(Duration::from_secs(4));
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|(_, line)| line.starts_with("CANCEL")));
    // A phone that never says 487 is given up 64*T1 after the CANCEL.
    bench.events();
    bench.advance(Duration::from_secs(28));
    assert_eq!(ended(&mut bench), SessionEnd::Local);
    bench.assert_clean();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.events();
    bench.ua.hangup(session, Some(ELSEWHERE), bench.now);
    assert_eq!(bench.sent_one().method(), "CANCEL");
    let ok = reply_text(&invite, "200 OK", "p", CONTACT, &sdp_text(7000));
    bench.receive(PHONE, &ok);
    let sent = bench.sent();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
    assert!(sent[1].header(HeaderName::Reason).contains("elsewhere"));
    assert_eq!(sent[1].header(HeaderName::CSeq), "2 BYE");
    assert!(bench.events().is_empty(), "not told as an answer");
    bench.receive(PHONE, &reply_text(&sent[1], "200 OK", "", "", ""));
    assert_eq!(ended(&mut bench), SessionEnd::Local);
    // The 200 again, after the session is gone.
    bench.receive(PHONE, &ok);
    assert_eq!(bench.sent_one().bytes, sent[0].bytes);
    bench.assert_clean();
}

#[test]
fn two_phones_that_answer_at_once_are_both_told_in_order() {
    let mut bench = Bench::new();
    let ana = bench.register("ana", PHONE);
    let ben = bench.register("ben", "203.0.113.8:5062");
    let (first, to_ana) = bench.call(ana);
    let (second, to_ben) = bench.call(ben);
    let body = sdp_text(7000);
    bench.receive(
        "203.0.113.8:5062",
        &reply_text(&to_ben, "200 OK", "b", "sip:ben@203.0.113.8:5062", &body),
    );
    bench.receive(PHONE, &reply_text(&to_ana, "200 OK", "a", CONTACT, &body));
    let order: Vec<SessionId> = bench
        .events()
        .iter()
        .map(|event| match event {
            UaEvent::Answered { session, .. } => *session,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [second, first]);
    bench.sent();
    bench.ua.hangup(first, Some(ELSEWHERE), bench.now);
    assert_eq!(bench.sent_one().method(), "BYE");
}

#[test]
fn of_several_forked_answers_the_first_wins_and_the_others_are_ended() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    for (tag, expected) in [
        ("p1", vec!["ACK"]),
        ("p2", vec!["ACK", "BYE"]),
        ("p3", vec!["ACK", "BYE"]),
    ] {
        let ok = reply_text(&invite, "200 OK", tag, CONTACT, &sdp_text(7000));
        bench.receive(PHONE, &ok);
        let sent = bench.sent();
        let methods: Vec<&str> = sent.iter().map(Sent::method).collect();
        assert_eq!(methods, expected, "{tag}");
        assert!(sent.iter().all(|sent| sent.to_tag() == tag));
        bench.receive(PHONE, &ok);
        assert_eq!(bench.sent_one().bytes, sent[0].bytes, "repeated 200");
        if let Some(bye) = sent.get(1) {
            bench.receive(PHONE, &reply_text(bye, "200 OK", "", "", ""));
        }
    }
    assert_eq!(bench.events().len(), 1, "one answer");
    bench.ua.hangup(session, None, bench.now);
    let bye = bench.sent_one();
    assert_eq!(bye.to_tag(), "p1");
    bench.assert_clean();
}

#[test]
fn a_200_without_sdp_takes_that_of_the_183_or_is_ended() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    let early = reply_text(&invite, "183 Progress", "p", CONTACT, &sdp_text(7002));
    bench.receive(PHONE, &early);
    bench.receive(PHONE, &reply_text(&invite, "200 OK", "p", CONTACT, ""));
    let events = bench.events();
    assert!(matches!(&events[1], UaEvent::Answered { answer, .. }
        if answer.audio().expect("audio").port == 7002));
    bench.sent();
    let (_, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "200 OK", "p", CONTACT, ""));
    let sent = bench.sent();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
    assert_eq!(ended(&mut bench), SessionEnd::Refused(488));
}

#[test]
fn an_update_while_ringing_meets_our_own_offer() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.receive(
        PHONE,
        &phone_request("UPDATE", "u1", 1, &invite, "p", &sdp_text(7000)),
    );
    assert_eq!(bench.sent_one().status(), 491);
    bench.receive(PHONE, &phone_request("UPDATE", "u2", 2, &invite, "p", ""));
    assert_eq!(bench.sent_one().status(), 200);
}

#[test]
fn our_reinvite_brings_a_new_answer() {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.reinvite(session, sdp(4002), bench.now);
    let reinvite = bench.sent_one();
    assert_eq!(reinvite.header(HeaderName::CSeq), "2 INVITE");
    // A second one waits for the first.
    bench.ua.reinvite(session, sdp(4004), bench.now);
    assert!(bench.sent().is_empty());
    let ok = reply_text(&reinvite, "200 OK", "", CONTACT, &sdp_text(7004));
    bench.receive(PHONE, &ok);
    let sent = bench.sent();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "INVITE"]);
    assert!(sent[1].text().contains("m=audio 4004"));
    assert!(matches!(bench.event(), UaEvent::Reanswered { answer, .. }
        if answer.audio().expect("audio").port == 7004));
    bench.receive(PHONE, &ok);
    assert_eq!(bench.sent_one().bytes, sent[0].bytes);
    bench.receive(PHONE, &reply_text(&sent[1], "488 No", "", "", ""));
    assert_eq!(bench.sent_one().method(), "ACK");
    assert!(matches!(
        bench.event(),
        UaEvent::ReofferFailed { status: 488, .. }
    ));
    assert_eq!(bench.ua.counts().sessions, 1);
}

#[test]
fn after_glare_we_wait_as_owner_of_the_call_id_and_try_again() {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.reinvite(session, sdp(4002), bench.now);
    let mut reinvite = bench.sent_one();
    for _ in 0..5 {
        let glare = reply_text(&reinvite, "491 Request Pending", "", "", "");
        bench.receive(PHONE, &glare);
        assert_eq!(bench.sent_one().method(), "ACK");
        let since = bench.now;
        assert!(bench.advance(Duration::from_millis(2099)).is_empty());
        bench.now = bench.ua.poll_timeout().expect("a retry");
        bench.ua.handle_timeout(bench.now);
        assert!(bench.now - since <= Duration::from_millis(4000));
        reinvite = bench.sent_one();
        assert!(reinvite.text().contains("m=audio 4002"));
    }
    let glare = reply_text(&reinvite, "491 Request Pending", "", "", "");
    bench.receive(PHONE, &glare);
    assert!(matches!(
        bench.event(),
        UaEvent::ReofferFailed { status: 491, .. }
    ));
}

#[test]
fn a_phone_that_forgot_the_call_ends_it() {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.reinvite(session, sdp(4002), bench.now);
    let reinvite = bench.sent_one();
    bench.receive(PHONE, &reply_text(&reinvite, "481 Gone", "", "", ""));
    let sent = bench.sent();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
    assert_eq!(ended(&mut bench), SessionEnd::SignallingLost);
    bench.assert_clean();
}

#[test]
fn a_phone_behind_nat_is_reached_where_it_is_seen() {
    let mut bench = Bench::new();
    let inner = "<sip:ana@192.168.1.5:5060>";
    let response = bench.register_with("ana", PHONE, inner, "Expires: 600\r\n", 1);
    assert!(
        response
            .header(HeaderName::Contact)
            .starts_with("<sip:ana@192.168.1.5:5060>")
    );
    let UaEvent::BindingUpserted(binding) = bench.event() else {
        panic!("no binding");
    };
    assert_eq!(
        binding.contact, "sip:ana@192.168.1.5:5060",
        "kept as written"
    );
    let (session, invite) = bench.call(binding.id);
    assert_eq!(invite.to, addr(PHONE));
    assert_eq!(invite.request().uri().reveal(), "sip:ana@192.168.1.5:5060");
    let inner = "sip:ana@192.168.1.5:5060";
    bench.receive(
        PHONE,
        &reply_text(&invite, "200 OK", "p", inner, &sdp_text(7000)),
    );
    assert_eq!(bench.sent_one().to, addr(PHONE), "the ACK");
    bench.ua.hangup(session, None, bench.now);
    let bye = bench.sent_one();
    assert_eq!(bye.to, addr(PHONE));
    assert_eq!(bye.request().uri().reveal(), inner);
}

#[test]
fn the_advertised_address_is_shown() {
    let mut config = config();
    config.advertised = Some([198, 51, 100, 200].into());
    let mut bench = Bench::with(config);
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    assert!(
        invite
            .header(HeaderName::Via)
            .contains("198.51.100.200:5060")
    );
    assert!(
        invite
            .header(HeaderName::Contact)
            .contains("@198.51.100.200:5060")
    );
}

#[test]
fn path_is_followed() {
    let mut bench = Bench::new();
    let more = "Expires: 600\r\nPath: <sip:edge.example;lr>\r\n";
    let response = bench.register_with("ana", PHONE, "<sip:ana@10.0.0.1>", more, 1);
    assert_eq!(response.header(HeaderName::Path), "<sip:edge.example;lr>");
    let UaEvent::BindingUpserted(binding) = bench.event() else {
        panic!("no binding");
    };
    let (_, invite) = bench.call(binding.id);
    assert_eq!(invite.header(HeaderName::Route), "<sip:edge.example;lr>");
    assert_eq!(invite.to, addr(PHONE));
}

#[test]
fn a_phone_that_is_gone_ends_the_call_at_once() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    bench.advance(Duration::from_secs(601));
    bench.events();
    let invite = outgoing(binding);
    bench.ua.invite(invite, bench.now);
    assert_eq!(ended(&mut bench), SessionEnd::SignallingLost);
    assert_eq!(bench.ua.counts().sessions, 0);
}

#[test]
fn a_phone_that_rings_for_ever_is_given_up() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (_, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.events();
    let log = bench.advance(Duration::from_secs(640));
    assert!(log[0].1.starts_with("CANCEL"), "{log:?}");
    let ends: Vec<UaEvent> = bench
        .events()
        .into_iter()
        .filter(|event| matches!(event, UaEvent::Ended { .. }))
        .collect();
    assert_eq!(ends.len(), 1);
    bench.assert_clean();
}

#[test]
fn a_phone_is_told_when_to_stop_ringing_by_itself() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    for (time, seconds) in [
        (None, ""),
        (Some(SECOND * 45), "45"),
        (Some(Duration::from_millis(300)), "1"),
    ] {
        let invite = OutgoingInvite {
            expires: time,
            ..outgoing(binding)
        };
        bench.ua.invite(invite, bench.now);
        let invite = bench.sent_one();
        assert_eq!(invite.header(HeaderName::Expires), seconds);
        // The phone keeps to it (RFC 3261 13.3.1).
        bench.receive(
            PHONE,
            &reply_text(&invite, "487 Request Terminated", "p", "", ""),
        );
        assert_eq!(bench.sent_one().method(), "ACK");
        assert_eq!(ended(&mut bench), SessionEnd::Refused(487));
    }
    bench.assert_clean();
}

#[test]
fn a_ringing_phone_that_falls_off_the_network_is_let_go() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.events();
    // From here on nothing arrives.
    bench.advance(SECOND * 20);
    bench.ua.hangup(session, None, bench.now);
    assert_eq!(bench.sent_one().method(), "CANCEL");
    let log = bench.advance(SECOND * 31);
    assert!(
        log.iter().all(|(_, line)| line.starts_with("CANCEL")),
        "{log:?}"
    );
    assert!(bench.events().is_empty(), "the phone may still answer");
    bench.advance(SECOND);
    assert_eq!(ended(&mut bench), SessionEnd::Local);
    let counts = bench.ua.counts();
    assert_eq!((counts.transactions, counts.sessions), (0, 0));
    // It comes back and knows of no CANCEL: whatever it says now is about nothing of ours.
    bench.receive(PHONE, &reply_text(&invite, "180 Ringing", "p", CONTACT, ""));
    bench.receive(
        PHONE,
        &reply_text(&invite, "487 Request Terminated", "p", "", ""),
    );
    assert!(bench.events().is_empty());
    bench.assert_clean();
}
