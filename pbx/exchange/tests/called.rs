//! Which number was called, over a trunk that we register to.

mod support;

use exchange::{CalledNumbers, ExchangeConfig};
use routing::{Event, PhoneNumber, TrunkId};
use sip::ua::{Trunk, TrunkKind, TrunkPassword};
use support::raw::{header, invite};
use support::{HOTLINE, TRUNK, World, addr, config, secs};

const SECOND_LINE: &str = "+15550200";

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect("a number")
}

fn settings() -> ExchangeConfig {
    let mut settings = config(0);
    settings.ua.trunks = vec![Trunk {
        name: "carrier".to_owned(),
        kind: TrunkKind::Register {
            host: addr(TRUNK).ip().to_string(),
            port: addr(TRUNK).port(),
            tcp: false,
            user: "u4711".to_owned(),
            password: TrunkPassword("secret".to_owned()),
            expires: secs(600),
        },
    }];
    settings.called = CalledNumbers {
        known: [HOTLINE, SECOND_LINE].map(number).into(),
        assumed: [(TrunkId::new("carrier"), number(SECOND_LINE))].into(),
    };
    settings
}

/// A world that has registered, and the user part of its contact.
fn registered(settings: ExchangeConfig) -> (World, String) {
    let mut world = World::with(settings, 0);
    world.trunk().dead = true;
    world.pump();
    let register = world.first_to(addr(TRUNK), "REGISTER ");
    let contact = header(&register, "Contact").to_owned();
    let copied = ["Via", "From", "Call-ID", "CSeq", "Contact"];
    let line = |name: &str| format!("{name}: {}\r\n", header(&register, name));
    let lines: String = copied.into_iter().map(line).collect();
    let to = header(&register, "To");
    let ok = format!("SIP/2.0 200 OK\r\n{lines}To: {to};tag=r\r\nContent-Length: 0\r\n\r\n");
    world.say(addr(TRUNK), ok);
    let state = world
        .exchange
        .poll_trunk_state()
        .expect("news of the trunk");
    assert!(state.registered);
    let user = contact
        .trim_start_matches("<sip:")
        .split('@')
        .next()
        .expect("a user");
    (world, user.to_owned())
}

/// The number that the router hears of when the carrier calls so.
fn called(settings: ExchangeConfig, uri: Option<&str>, to: &str, more: &str) -> String {
    let (mut world, contact) = registered(settings);
    let user = uri.unwrap_or(&contact);
    let text = invite("call", more, "")
        .replace(
            &format!("INVITE sip:{HOTLINE}@"),
            &format!("INVITE sip:{user}@"),
        )
        .replace(&format!("To: <sip:{HOTLINE}@"), &format!("To: <sip:{to}@"));
    world.say(addr(TRUNK), text);
    let offered = world.events.iter().find_map(|event| match event {
        Event::CallOffered { called, trunk, .. } => {
            assert_eq!(trunk.as_ref(), Some(&TrunkId::new("carrier")));
            Some(called.reveal().to_owned())
        }
        _ => None,
    });
    offered.expect("an offered call")
}

#[test]
fn the_number_is_found_wherever_the_carrier_puts_it() {
    let party = format!("P-Called-Party-ID: <sip:{HOTLINE}@{TRUNK}>\r\n");
    assert_eq!(called(settings(), Some(HOTLINE), "u4711", ""), HOTLINE);
    assert_eq!(called(settings(), None, HOTLINE, ""), HOTLINE);
    assert_eq!(called(settings(), None, "u4711", &party), HOTLINE);
    assert_eq!(called(settings(), Some("u4711"), HOTLINE, ""), HOTLINE);
    assert_eq!(called(settings(), Some("u4711"), "15550199", ""), HOTLINE);
}

#[test]
fn a_trunk_without_a_called_number_has_its_own() {
    assert_eq!(called(settings(), None, "u4711", ""), SECOND_LINE);
    let mut alone = settings();
    alone.called.assumed.clear();
    assert_eq!(called(alone, None, "u4711", ""), "u4711");
}
