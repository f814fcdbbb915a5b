//! A caller's re-INVITE and UPDATE: answered, refused, withdrawn, crossing ours.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{ReofferKind, UaEvent};
use ua_support::*;

#[test]
fn a_reoffer_is_answered_by_the_embedder() {
    let mut bench = Bench::new();
    let (session, tag) = answered_caller(&mut bench);
    let reinvite = in_dialog_text("INVITE", "re", "c1", 2, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &reinvite);
    assert_eq!(bench.sent_one().status(), 100);
    let UaEvent::Reoffer {
        kind: ReofferKind::Offer(offer),
        ..
    } = bench.event()
    else {
        panic!("no offer");
    };
    assert_eq!(offer.audio().expect("audio").port, 5004);
    bench.ua.accept_reoffer(session, sdp(6002), bench.now);
    let ok = bench.sent_one();
    assert_eq!(ok.status(), 200);
    assert!(ok.text().contains("m=audio 6002"));
    assert_eq!(bench.advance(Duration::from_millis(500)).len(), 1);
    bench.receive(TRUNK, &in_dialog_text("ACK", "re2", "c1", 2, &tag, ""));
    assert!(bench.advance(Duration::from_secs(10)).is_empty());
    assert!(bench.events().is_empty());
}

#[test]
fn an_offerless_reinvite_brings_our_offer_and_then_the_answer() {
    let mut bench = Bench::new();
    let (session, tag) = answered_caller(&mut bench);
    bench.receive(TRUNK, &in_dialog_text("INVITE", "re", "c1", 2, &tag, ""));
    bench.sent();
    assert!(matches!(
        bench.event(),
        UaEvent::Reoffer {
            kind: ReofferKind::WantsOffer,
            ..
        }
    ));
    bench.ua.accept_reoffer(session, sdp(6002), bench.now);
    bench.sent();
    let ack = in_dialog_text("ACK", "re2", "c1", 2, &tag, &sdp_text(5008));
    bench.receive(TRUNK, &ack);
    assert!(matches!(bench.event(), UaEvent::Reanswered { answer, .. }
        if answer.audio().expect("audio").port == 5008));
}

#[test]
fn update_is_a_reoffer_when_it_has_sdp() {
    let mut bench = Bench::new();
    let (session, tag) = answered_caller(&mut bench);
    bench.receive(TRUNK, &in_dialog_text("UPDATE", "u1", "c1", 2, &tag, ""));
    assert_eq!(bench.sent_one().status(), 200);
    assert!(bench.events().is_empty());
    let update = in_dialog_text("UPDATE", "u2", "c1", 3, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &update);
    assert!(bench.sent().is_empty());
    assert!(matches!(bench.event(), UaEvent::Reoffer { .. }));
    bench.ua.reject_reoffer(session, 488, bench.now);
    assert_eq!(bench.sent_one().status(), 488);
    assert_eq!(bench.ua.counts().sessions, 1);
}

#[test]
fn offers_that_cross_are_refused_as_the_rfcs_say() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.ring(session, bench.now);
    let tag = bench.sent_one().to_tag();
    // Before the first answer.
    let update = in_dialog_text("UPDATE", "u1", "c1", 2, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &update);
    let refused = bench.sent_one();
    assert_eq!(refused.status(), 500);
    let wait: u32 = refused
        .header(HeaderName::RetryAfter)
        .parse()
        .expect("seconds");
    assert!(wait <= 10);
    let reinvite = in_dialog_text("INVITE", "r1", "c1", 3, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &reinvite);
    assert_eq!(bench.sent_one().status(), 500);
    // While an earlier one waits for us.
    let (session, tag) = {
        bench = Bench::new();
        answered_caller(&mut bench)
    };
    for (method, branch, cseq, expected) in [
        ("INVITE", "r1", 2, 100),
        ("INVITE", "r2", 3, 500),
        ("UPDATE", "u1", 4, 500),
    ] {
        let text = in_dialog_text(method, branch, "c1", cseq, &tag, &sdp_text(5004));
        bench.receive(TRUNK, &text);
        assert_eq!(bench.sent_one().status(), expected);
    }
    bench.ua.accept_reoffer(session, sdp(6002), bench.now);
    assert_eq!(bench.sent_one().header(HeaderName::CSeq), "2 INVITE");
    // While ours is on its way.
    bench.receive(TRUNK, &in_dialog_text("ACK", "r3", "c1", 2, &tag, ""));
    bench.ua.reinvite(session, sdp(6004), bench.now);
    assert_eq!(bench.sent_one().method(), "INVITE");
    let text = in_dialog_text("INVITE", "r4", "c1", 5, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &text);
    assert_eq!(bench.sent_one().status(), 491);
}

#[test]
fn a_withdrawn_reinvite_leaves_the_call_as_it_was() {
    let mut bench = Bench::new();
    let (session, tag) = answered_caller(&mut bench);
    let reinvite = in_dialog_text("INVITE", "re", "c1", 2, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &reinvite);
    bench.sent();
    bench.events();
    bench.receive(TRUNK, &in_dialog_text("CANCEL", "re", "c1", 2, &tag, ""));
    let statuses: Vec<u16> = bench.sent().iter().map(Sent::status).collect();
    assert_eq!(statuses, [200, 487]);
    bench.ua.accept_reoffer(session, sdp(6002), bench.now);
    assert!(bench.sent().is_empty(), "too late");
    assert!(bench.events().is_empty());
    assert_eq!(bench.ua.counts().sessions, 1);
}

#[test]
fn after_our_hangup_the_peer_can_offer_nothing() {
    let mut bench = Bench::new();
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.ua.hangup(session, None, bench.now);
    // Its ACK got lost, and it goes on with a re-INVITE.
    let reinvite = in_dialog_text("INVITE", "re", "c1", 2, &tag, &sdp_text(5004));
    bench.receive(TRUNK, &reinvite);
    let sent = bench.sent();
    assert_eq!((sent[0].method(), sent[1].status()), ("BYE", 481));
    assert!(matches!(bench.event(), UaEvent::Acknowledged { .. }));
}
