//! Phones that register and place calls: authentication, contacts, limits.

mod ua_support;

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{
    Account, MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN, MAX_BURST_PER_SOURCE, Origin, UaEvent,
};
use ua_support::*;

const URI: &str = "sip:hotline.example";
const EXPIRES: &str = "Expires: 600\r\n";

#[test]
fn a_challenge_offers_sha_256_before_md5() {
    let mut bench = Bench::new();
    bench.receive(PHONE, &register_text("ana", PHONE, 1, EXPIRES));
    let challenge = bench.sent_one();
    assert_eq!(challenge.status(), 401);
    let offers = challenge.headers(HeaderName::WwwAuthenticate);
    assert_eq!(offers.len(), 2);
    assert!(offers[0].contains("algorithm=SHA-256"), "{offers:?}");
    assert!(offers[1].contains("algorithm=MD5"), "{offers:?}");
    assert!(offers.iter().all(|offer| offer.contains("qop=\"auth\"")));
    assert!(offers.iter().all(|offer| !offer.contains("stale")));
    assert_eq!(
        bench.ua.counts().transactions,
        0,
        "a challenge keeps no state"
    );
    assert!(bench.events().is_empty());
}

#[test]
fn a_phone_that_knows_only_md5_gets_in() {
    let mut bench = Bench::new();
    let contact = "Contact: <sip:ana@203.0.113.7:5062>\r\n";
    bench.receive(PHONE, &register_text("ana", PHONE, 1, contact));
    let challenge = bench.sent_one();
    let text = challenge.text();
    let md5_only: String = text
        .split_inclusive("\r\n")
        .filter(|line| !line.contains("SHA-256"))
        .collect();
    let bytes = bytes::Bytes::from(md5_only);
    let message = sip::message::Message::parse(bytes.clone(), sip::message::Framing::Datagram);
    let old = Sent {
        message: message.expect("valid"),
        bytes,
        ..challenge
    };
    let authorization = answer(&old, "ana", "ana", "REGISTER", URI, 1);
    assert!(authorization.contains("MD5"));
    let more = format!("{contact}{authorization}");
    bench.receive(PHONE, &register_text("ana", PHONE, 2, &more));
    assert_eq!(bench.sent_one().status(), 200);
    assert_eq!(bench.ua.counts().bindings, 1);
}

#[test]
fn wrong_passwords_users_and_uris_are_refused_alike() {
    let cases = [
        ("ana", "ana", "wrong", URI),
        ("eve", "eve", "eve", URI),
        ("ana", "ben", "ben", URI),
        ("ana", "ana", "ana", "sip:elsewhere.example"),
    ];
    for (aor, user, password, uri) in cases {
        let mut bench = Bench::new();
        bench.receive(PHONE, &register_text(aor, PHONE, 1, EXPIRES));
        let challenge = bench.sent_one();
        let authorization = answer(&challenge, user, password, "REGISTER", uri, 1);
        bench.receive(PHONE, &register_text(aor, PHONE, 2, &authorization));
        assert_eq!(bench.sent_one().status(), 403, "{user} for {aor}");
        assert_eq!(bench.ua.counts().bindings, 0);
    }
}

#[test]
fn a_replayed_answer_is_challenged_anew() {
    let mut bench = Bench::new();
    bench.receive(PHONE, &register_text("ana", PHONE, 1, ""));
    let challenge = bench.sent_one();
    let contact = "Contact: <sip:ana@203.0.113.7:5062>\r\n";
    let authorization = answer(&challenge, "ana", "ana", "REGISTER", URI, 1);
    let more = format!("{contact}{authorization}");
    let good = register_text("ana", PHONE, 2, &more);
    bench.receive(PHONE, &good);
    assert_eq!(bench.sent_one().status(), 200);
    bench.receive(PHONE, &good);
    assert_eq!(
        bench.sent_one().status(),
        200,
        "a repetition of the same request"
    );
    assert_eq!(bench.events().len(), 1);
    let thief = "203.0.113.66:5060";
    bench.receive(thief, &register_text("ana", thief, 3, &more));
    let again = bench.sent_one();
    assert_eq!(again.status(), 401);
    assert!(
        again
            .header(HeaderName::WwwAuthenticate)
            .contains("stale=true")
    );
    assert!(bench.events().is_empty());
    // The next count of the same nonce is good.
    let authorization = answer(&challenge, "ana", "ana", "REGISTER", URI, 2);
    let more = format!("{contact}{authorization}");
    bench.receive(PHONE, &register_text("ana", PHONE, 4, &more));
    assert_eq!(bench.sent_one().status(), 200);
}

#[test]
fn an_old_nonce_is_stale_not_wrong() {
    let mut bench = Bench::new();
    bench.receive(PHONE, &register_text("ana", PHONE, 1, ""));
    let challenge = bench.sent_one();
    bench.advance(Duration::from_secs(301));
    let authorization = answer(&challenge, "ana", "ana", "REGISTER", URI, 1);
    bench.receive(PHONE, &register_text("ana", PHONE, 2, &authorization));
    let again = bench.sent_one();
    assert_eq!(again.status(), 401);
    assert!(
        again
            .header(HeaderName::WwwAuthenticate)
            .contains("stale=true")
    );
}

#[test]
fn contacts_are_listed_with_the_time_that_is_left() {
    let mut bench = Bench::new();
    bench.register("ana", PHONE);
    bench.advance(Duration::from_secs(100));
    let contact = "<sip:ana@203.0.113.8;x=1>;expires=300;+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    let response = bench.register_with("ana", "203.0.113.8:5060", contact, EXPIRES, 1);
    let contacts = response.headers(HeaderName::Contact);
    assert_eq!(contacts[0], "<sip:ana@203.0.113.7:5062>;expires=500");
    assert!(contacts[1].starts_with("<sip:ana@203.0.113.8;x=1>;expires=300"));
    assert!(contacts[1].contains("urn:uuid:1"), "{contacts:?}");
    bench.events();
    bench.advance(Duration::from_secs(300));
    assert!(matches!(bench.event(), UaEvent::BindingRemoved { .. }));
}

#[test]
fn lifetimes_and_stars_follow_the_rules() {
    let mut bench = Bench::new();
    bench.register("ana", PHONE);
    let brief = bench.register_with(
        "ana",
        PHONE,
        "<sip:ana@203.0.113.7:5062>",
        "Expires: 30\r\n",
        5,
    );
    assert_eq!(brief.status(), 423);
    assert_eq!(brief.header(HeaderName::MinExpires), "60");
    for (contact, more) in [
        ("*", "Expires: 600\r\n"),
        ("*, <sip:ana@203.0.113.7>", "Expires: 0\r\n"),
        ("*", ""),
        ("<tel:+15550100>", EXPIRES),
    ] {
        let mut bench = Bench::new();
        let response = bench.register_with("ana", PHONE, contact, more, 1);
        assert_eq!(response.status(), 400, "{contact}");
    }
    assert_eq!(bench.ua.counts().bindings, 1);
    let query = bench.register_with("ana", PHONE, "", "", 6);
    assert_eq!(query.headers(HeaderName::Contact).len(), 1);
    let gone = bench.register_with("ana", PHONE, "*", "Expires: 0\r\n", 7);
    assert_eq!(gone.status(), 200);
    assert!(gone.headers(HeaderName::Contact).is_empty());
    assert!(matches!(bench.event(), UaEvent::BindingRemoved { .. }));
}

/// Not every database takes them, and one registration must not hold up the records of calls.
#[test]
fn control_characters_never_reach_what_is_kept() {
    let mut bench = Bench::new();
    let contact = "<sip:ana@203.0.113.7:5062>";
    let agent = format!(
        "User-Agent: a\0b\u{1}\u{7f}\u{85}\tc{}\r\n",
        "ñ".repeat(600)
    );
    let more = format!("{EXPIRES}{agent}");
    let response = bench.register_with("ana", PHONE, contact, &more, 1);
    assert_eq!(response.status(), 200);
    let kept: Vec<_> = bench.ua.bindings().cloned().collect();
    let agent = kept[0].user_agent.as_deref().unwrap();
    assert!(agent.starts_with("abcññ"), "{agent:?}");
    assert_eq!(agent.chars().count(), 128);

    let instance = format!("{contact};+sip.instance=\"<urn:a\0b>\";reg-id=1");
    let named = "Path: \"a\0b\" <sip:192.0.2.9;lr>\r\n";
    for (contact, more) in [(instance.as_str(), EXPIRES), (contact, named)] {
        let mut bench = Bench::new();
        let response = bench.register_with("ana", PHONE, contact, more, 1);
        assert_eq!(response.status(), 400, "{contact:?} {more:?}");
        assert_eq!(bench.ua.counts().bindings, 0);
    }
}

#[test]
fn an_overtaken_register_is_refused() {
    let mut bench = Bench::new();
    let contact = "<sip:ana@203.0.113.7:5062>";
    let newer = bench.register_with("ana", PHONE, contact, EXPIRES, 9);
    assert_eq!(newer.status(), 200);
    let older = bench.register_with("ana", PHONE, contact, "Expires: 0\r\n", 3);
    assert_eq!(older.status(), 500);
    assert_eq!(bench.ua.counts().bindings, 1);
}

#[test]
fn an_account_that_is_gone_loses_its_phones() {
    let mut bench = Bench::new();
    bench.register("ana", PHONE);
    let ben = bench.register("ben", "203.0.113.8:5062");
    let mut config = config();
    config.accounts.remove(&Account("ana".into()));
    bench.ua.configure(config, bench.now);
    assert!(
        matches!(bench.event(), UaEvent::BindingRemoved { account, .. }
        if account == Account("ana".into()))
    );
    assert_eq!(
        bench.ua.bindings().map(|it| it.id).collect::<Vec<_>>(),
        [ben]
    );
}

#[test]
fn a_registered_phone_can_place_a_test_call() {
    let mut bench = Bench::new();
    let invite = |cseq: u32, more: &str| {
        invite_text(&format!("t{cseq}"), "t", cseq, Some(5000))
            .replace("sip:+15550100@carrier.example", "sip:ana@hotline.example")
            .replace("Max-Forwards", &format!("{more}Max-Forwards"))
    };
    bench.receive(PHONE, &invite(1, ""));
    let challenge = bench.sent_one();
    assert_eq!(challenge.status(), 401);
    let ack = invite(1, "").replace("INVITE", "ACK");
    bench.receive(PHONE, &ack);
    assert!(bench.sent().is_empty());
    let uri = "sip:+15550199@hotline.example";
    let authorization = answer(&challenge, "ana", "ana", "INVITE", uri, 1);
    bench.receive(PHONE, &invite(2, &authorization));
    assert_eq!(bench.sent_one().status(), 100);
    let UaEvent::Incoming { origin, .. } = bench.event() else {
        panic!("no call");
    };
    assert_eq!(origin, Origin::Account(Account("ana".into())));
    let forged = invite(3, &authorization).replace("sip:ana@", "sip:ben@");
    bench.receive(PHONE, &forged.replace("Call-ID: t", "Call-ID: u"));
    assert_eq!(bench.sent_one().status(), 403);
    assert!(bench.events().is_empty());
}

#[test]
fn strangers_are_limited_and_phones_and_trunks_are_not() {
    let mut bench = Bench::new();
    bench.register("ana", PHONE);
    let count = |bench: &mut Bench, from: &str| {
        for n in 0..500 {
            let options = in_dialog_text("OPTIONS", &format!("o{n}"), "o", 1, "x", "");
            bench.receive(from, &options.replace(";tag=x", ""));
        }
        bench.sent().len()
    };
    assert_eq!(
        count(&mut bench, "203.0.113.99:5060"),
        MAX_BURST_PER_SOURCE as usize
    );
    assert_eq!(count(&mut bench, PHONE), 500);
    assert_eq!(count(&mut bench, TRUNK), 500);
}

#[test]
fn guessing_passwords_is_cut_short() {
    let mut bench = Bench::new();
    let mut refusals = 0;
    for n in 0..30 {
        bench.receive(PHONE, &register_text("ana", PHONE, n * 2 + 1, ""));
        let Some(challenge) = bench.sent().pop() else {
            continue;
        };
        let authorization = answer(&challenge, "ana", "guess", "REGISTER", URI, 1);
        bench.receive(
            PHONE,
            &register_text("ana", PHONE, n * 2 + 2, &authorization),
        );
        refusals += bench.sent().len();
    }
    assert_eq!(refusals, MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN as usize);
}
