//! Keypad digits.

use media::codec::Codec;
use media::control::MediaCommand;
use media::dtmf::{Digit, TelephoneEvent};

use super::rig::{EVENTS, Rig};

/// Presses a key at a peer for 100 ms: five packets, then the end three times.
fn press(rig: &mut Rig, peer: usize, key: char) {
    rig.peers[peer].sends = false;
    let step = rig.peers[peer].format.codec.timestamp_step() as u16;
    for tick in 1..=7u16 {
        let event = TelephoneEvent {
            code: Digit::new(key).unwrap().event_code(),
            end: tick >= 5,
            volume: 10,
            duration: step * tick.min(5),
        };
        let datagram = rig.peers[peer].packet(EVENTS.1, &event.build());
        rig.send(peer, rig.peers[peer].address, &datagram).unwrap();
        rig.run(20);
    }
    let timestamp = &mut rig.peers[peer].timestamp;
    *timestamp = timestamp.wrapping_add(7 * u32::from(step));
    rig.peers[peer].sends = true;
    rig.run(100);
}

/// The keys a peer got as telephone events, one for each timestamp.
fn keys_got(rig: &Rig, peer: usize) -> String {
    let mut starts = Vec::new();
    for (header, payload) in &rig.peers[peer].got {
        if header.payload_type == EVENTS.0 {
            let event = TelephoneEvent::parse(payload).unwrap();
            let key = Digit::from_event_code(event.code).unwrap().reveal();
            if starts.last() != Some(&(header.timestamp, key)) {
                starts.push((header.timestamp, key));
            }
        }
    }
    starts.into_iter().map(|(_, key)| key).collect()
}

#[test]
fn a_caller_in_a_menu_is_heard_once_for_each_press() {
    for codec in Codec::ALL {
        let mut rig = Rig::new(&[codec]);
        rig.run(200);
        for key in "1159#".chars() {
            press(&mut rig, 0, key);
        }
        assert_eq!(rig.digits(0), "1159#", "{codec:?}");
        assert_eq!(rig.mixer.port(rig.peers[0].id).unwrap().stats().lost, 0);
    }
}

#[test]
fn keys_of_a_call_reach_the_other_side_and_us() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Opus]] {
        let mut rig = Rig::new(&codecs);
        rig.connect(0, 1);
        rig.run(400);
        press(&mut rig, 0, '4');
        press(&mut rig, 0, '4');
        rig.run(400);
        assert_eq!(rig.digits(0), "44", "{codecs:?}");
        assert_eq!(rig.digits(1), "");
        assert_eq!(keys_got(&rig, 1), "44", "{codecs:?}");
        rig.peers[1].assert_one_stream();
    }
}

#[test]
fn a_side_without_telephone_events_gets_none_and_misses_no_number() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Opus]] {
        let mut rig = Rig::new(&codecs);
        rig.peers[1].format.telephone_event = None;
        rig.configure(1);
        rig.connect(0, 1);
        rig.run(400);
        press(&mut rig, 0, '7');
        assert_eq!(rig.digits(0), "7");
        let audio = rig.peers[1].format.send_payload_type;
        assert!(
            rig.peers[1]
                .got
                .iter()
                .all(|(header, _)| header.payload_type == audio)
        );
        rig.peers[1].assert_one_stream();
    }
}

#[test]
fn keys_pressed_in_a_conference_stay_with_us() {
    let mut rig = Rig::new(&[Codec::Pcma; 3]);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        rig.connect(a, b);
    }
    rig.run(400);
    press(&mut rig, 0, '5');
    rig.run(400);
    assert_eq!(rig.digits(0), "5");
    assert_eq!(
        (keys_got(&rig, 1), keys_got(&rig, 2)),
        (String::new(), String::new())
    );
}

#[test]
fn ordered_keys_are_sent_while_the_call_goes_on() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[0].sing(Some(440.0));
    rig.connect(0, 1);
    rig.run(400);
    let port = rig.peers[1].id;
    for key in "90*".chars() {
        let digit = Digit::new(key).unwrap();
        rig.order(MediaCommand::SendDigit { port, digit });
    }
    rig.run(1_500);
    assert_eq!(keys_got(&rig, 1), "90*");
    assert!(rig.is_forwarding(0), "forwarding resumes after the keys");
    rig.peers[1].assert_one_stream();
    let pitch = rig.peers[1].pitch();
    assert!(
        pitch.is_some_and(|hz| (hz - 440.0).abs() < 10.0),
        "{pitch:?}"
    );
}
