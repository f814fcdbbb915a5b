//! Asking the peer of a quiet session whether it is still there.

mod ua_support;

use sip::header::HeaderName;
use sip::ua::{ConnectionId, SessionEnd, SessionId, UaEvent};
use ua_support::*;

fn probed(bench: &mut Bench, expected: SessionId) -> bool {
    match bench.event() {
        UaEvent::Probed { session, alive } => {
            assert_eq!(session, expected);
            alive
        }
        other => panic!("{other:?}"),
    }
}

/// Probes a phone that gives this answer.
fn probe_answered_with(status: &str) -> bool {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.probe(session, bench.now);
    let options = bench.sent_one();
    bench.receive(PHONE, &reply_text(&options, status, "", "", ""));
    let alive = probed(&mut bench, session);
    assert_eq!(
        bench.ua.counts().sessions,
        1,
        "the session is the embedder's"
    );
    bench.ua.hangup(session, None, bench.now);
    bench.assert_clean();
    alive
}

#[test]
fn a_probe_is_an_options_in_the_dialog() {
    let mut bench = Bench::new();
    let (session, invite) = answered_phone(&mut bench);
    bench.ua.probe(session, bench.now);
    let options = bench.sent_one();
    assert_eq!((options.method(), options.to), ("OPTIONS", addr(PHONE)));
    assert_eq!(options.request().uri().reveal(), CONTACT);
    assert_eq!(options.header(HeaderName::CSeq), "2 OPTIONS");
    assert_eq!(options.to_tag(), "p");
    for name in [HeaderName::CallId, HeaderName::From] {
        assert_eq!(options.header(name), invite.header(name));
    }
    assert_ne!(options.branch(), invite.branch());
    bench.receive(PHONE, &reply_text(&options, "100 Trying", "", "", ""));
    assert!(bench.events().is_empty(), "not yet an answer");
    bench.receive(PHONE, &reply_text(&options, "200 OK", "", "", ""));
    assert!(probed(&mut bench, session));
    // The next request counts on.
    bench.ua.hangup(session, None, bench.now);
    assert_eq!(bench.sent_one().header(HeaderName::CSeq), "3 BYE");
    bench.assert_clean();
}

#[test]
fn whoever_answers_is_alive_unless_it_knows_nothing_of_the_session() {
    for status in [
        "200 OK", "401 No", "405 No", "486 Busy", "500 No", "501 No", "603 No",
    ] {
        assert!(probe_answered_with(status), "{status}");
    }
    for status in ["481 Gone", "408 Late"] {
        assert!(!probe_answered_with(status), "{status}");
    }
}

#[test]
fn silence_is_loss() {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.probe(session, bench.now);
    let log = bench.advance(SECOND * 31);
    assert!(
        log.iter().all(|(_, line)| line.starts_with("OPTIONS")),
        "{log:?}"
    );
    assert!(bench.events().is_empty(), "timer F has not fired");
    bench.advance(SECOND);
    assert!(!probed(&mut bench, session));
    bench.ua.hangup(session, None, bench.now);
    bench.advance(SECOND * 32);
    assert_eq!(ended(&mut bench), SessionEnd::Local);
    bench.assert_clean();
}

#[test]
fn a_broken_connection_is_loss() {
    let mut bench = Bench::new();
    let id = ConnectionId(3);
    let remote = "198.51.100.1:40000";
    bench.open(id, remote);
    let tcp = |text: String| text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    bench.receive_stream(id, &tcp(invite_text("a", "c1", 1, Some(5000))));
    bench.sent();
    let UaEvent::Incoming { session, .. } = bench.event() else {
        panic!("no call");
    };
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.receive_stream(id, &tcp(in_dialog_text("ACK", "k", "c1", 1, &tag, "")));
    bench.events();
    bench.ua.probe(session, bench.now);
    assert_eq!(bench.sent_one().method(), "OPTIONS");
    bench.close(id);
    assert!(!probed(&mut bench, session));
}

#[test]
fn one_probe_at_a_time_and_only_in_answered_sessions() {
    let mut bench = Bench::new();
    let binding = bench.register("ana", PHONE);
    let (ringing, invite) = bench.call(binding);
    bench.ua.probe(ringing, bench.now);
    assert!(bench.sent().is_empty(), "our INVITE waits");
    bench.receive(PHONE, &reply_text(&invite, "486 Busy Here", "p", "", ""));
    bench.sent();
    bench.events();

    let offered = bench.incoming("a", "c1");
    bench.ua.probe(offered, bench.now);
    assert!(bench.sent().is_empty(), "their INVITE waits");
    bench.ua.answer(offered, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.ua.probe(offered, bench.now);
    assert!(bench.sent().is_empty(), "our 200 waits for its ACK");
    bench.receive(TRUNK, &in_dialog_text("ACK", "ack", "c1", 1, &tag, ""));
    bench.events();
    bench.ua.probe(offered, bench.now);
    bench.ua.probe(offered, bench.now);
    let first = bench.sent_one();
    assert_eq!((first.method(), first.to), ("OPTIONS", addr(TRUNK)));
    bench.receive(TRUNK, &reply_text(&first, "200 OK", "", "", ""));
    assert!(probed(&mut bench, offered));
    bench.ua.probe(offered, bench.now);
    assert_eq!(bench.sent_one().header(HeaderName::CSeq), "2 OPTIONS");

    bench.ua.hangup(offered, None, bench.now);
    bench.ua.probe(offered, bench.now);
    let bye = bench.sent_one();
    assert_eq!(bye.method(), "BYE");
    bench.receive(TRUNK, &reply_text(&bye, "200 OK", "", "", ""));
    assert_eq!(ended(&mut bench), SessionEnd::Local);
    bench.ua.probe(offered, bench.now);
    bench.advance(SECOND * 40);
    assert!(
        bench.events().is_empty(),
        "nothing is told of a session that is over"
    );
    bench.assert_clean();
}

#[test]
fn a_probe_does_not_stand_in_the_way_of_new_media() {
    let mut bench = Bench::new();
    let (session, _) = answered_phone(&mut bench);
    bench.ua.probe(session, bench.now);
    let options = bench.sent_one();
    bench.ua.reinvite(session, sdp(4002), bench.now);
    let reinvite = bench.sent_one();
    assert_eq!(reinvite.header(HeaderName::CSeq), "3 INVITE");
    bench.receive(
        PHONE,
        &reply_text(&reinvite, "200 OK", "", CONTACT, &sdp_text(7002)),
    );
    bench.receive(PHONE, &reply_text(&options, "200 OK", "", "", ""));
    let events = bench.events();
    assert!(
        matches!(
            events[..],
            [
                UaEvent::Reanswered { .. },
                UaEvent::Probed { alive: true, .. }
            ]
        ),
        "{events:?}"
    );
}
