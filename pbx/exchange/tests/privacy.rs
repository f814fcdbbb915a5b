//! Who calls stays between the carrier and the exchange.

mod support;

use sip::sdp::SessionDescription;
use support::caller::{eventful_call, secrets};
use support::house::house;
use support::{TRUNK, addr, phone};

#[test]
fn no_phone_is_ever_sent_anything_of_the_caller() {
    let mut world = house(3);
    eventful_call(&mut world);
    let secrets = secrets(&world);
    let to_phones: Vec<String> = (1..=3).flat_map(|n| world.sent_to(phone(n))).collect();
    for method in ["INVITE ", "CANCEL ", "BYE ", "ACK ", "SIP/2.0 200"] {
        assert!(
            to_phones.iter().any(|text| text.starts_with(method)),
            "{method}"
        );
    }
    for text in &to_phones {
        let lower = text.to_lowercase();
        for secret in &secrets {
            assert!(!lower.contains(secret.as_str()), "{secret} in {text}");
        }
    }
    // The search itself finds what it looks for.
    let from_carrier = world.wire.iter().filter(|it| it.from == addr(TRUNK));
    let all: String = from_carrier.map(|it| it.text().to_lowercase()).collect();
    for secret in secrets.iter().filter(|secret| *secret != "carrier") {
        assert!(all.contains(secret.as_str()), "{secret}");
    }
}

#[test]
fn the_carrier_is_sent_nothing_of_the_volunteers() {
    let mut world = house(3);
    eventful_call(&mut world);
    for text in world.sent_to(addr(TRUNK)) {
        for secret in [
            "203.0.113.",
            "volunteer",
            "phone-session",
            "Night Line",
            "30000",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn our_descriptions_are_ours_alone() {
    let mut world = house(1);
    eventful_call(&mut world);
    let mut ids = Vec::new();
    for to in [addr(TRUNK), phone(1)] {
        for text in world.sent_to(to) {
            let Some((_, body)) = text.split_once("\r\n\r\n").filter(|it| !it.1.is_empty()) else {
                continue;
            };
            let sdp = SessionDescription::parse(body.as_bytes()).expect("our description");
            assert_eq!(
                (sdp.origin.username.as_str(), sdp.name.as_str()),
                ("-", "-")
            );
            assert!(sdp.attributes.is_empty());
            assert!(sdp.media.iter().all(|media| media.attributes.is_empty()));
            ids.push((to, sdp.origin.session_id));
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 2, "one id for each leg");
    assert_ne!(ids[0].1, ids[1].1, "legs cannot be matched by their ids");
}
