//! Directions, and peers that are gone.

use media::codec::Codec;
use media::control::{Direction, MediaCommand, MediaEvent};
use media::port::Refused;

use super::rig::Rig;

fn singing_pair(codecs: &[Codec]) -> Rig {
    let mut rig = Rig::new(codecs);
    for (peer, hz) in rig.peers.iter_mut().zip([440.0, 1_000.0]) {
        peer.sing(Some(hz));
    }
    rig.connect(0, 1);
    rig.run(600);
    rig
}

#[test]
fn directions_are_honoured_forwarded_or_not() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Opus]] {
        for direction in [
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ] {
            let mut rig = singing_pair(&codecs);
            rig.peers[1].format.direction = direction;
            rig.configure(1);
            let sent_before = rig.peers[1].got.len();
            rig.run(1_000);
            let sent = rig.peers[1].got.len() - sent_before;
            assert_eq!(
                sent > 45,
                direction.sends(),
                "{codecs:?} {direction:?}: {sent}"
            );
            assert!(
                direction.sends() || sent == 0,
                "{codecs:?} {direction:?}: {sent}"
            );
            let hears = rig.peers[0].pitch().is_some();
            assert_eq!(hears, direction.receives(), "{codecs:?} {direction:?}");
            // The other side always gets a stream.
            rig.peers[0].assert_one_stream();
            assert!(rig.peers[0].got.len() > 60, "{codecs:?} {direction:?}");
        }
    }
}

#[test]
fn a_resumed_call_goes_on_in_the_same_stream_with_a_marker() {
    let mut rig = singing_pair(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[1].format.direction = Direction::Inactive;
    rig.configure(1);
    rig.run(1_000);
    rig.peers[1].format.direction = Direction::SendRecv;
    rig.configure(1);
    let before = rig.peers[1].got.len();
    rig.run(600);
    let (last, first) = (rig.peers[1].got[before - 1].0, rig.peers[1].got[before].0);
    assert_eq!(first.sequence, last.sequence.wrapping_add(1));
    assert!(first.marker, "sound after silence");
    let pause = first.timestamp.wrapping_sub(last.timestamp);
    assert!(
        (7_600..=8_800).contains(&pause),
        "one second is {pause} ticks"
    );
    assert!(!rig.peers[1].got[before + 1].0.marker);
    let pitch = rig.peers[1].pitch();
    assert!(
        pitch.is_some_and(|hz| (hz - 440.0).abs() < 10.0),
        "{pitch:?}"
    );
}

#[test]
fn a_held_port_hears_nothing_and_takes_no_offence() {
    let mut rig = singing_pair(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[0].format.direction = Direction::SendOnly;
    rig.configure(0);
    assert_eq!(rig.send_next(0), Err(Refused::Direction));
    assert_eq!(rig.mixer.port(rig.peers[0].id).unwrap().stats().refused, 0);
}

#[test]
fn lost_media_is_told_once_until_it_comes_back() {
    let mut rig = singing_pair(&[Codec::Pcma, Codec::Pcma]);
    let lost = MediaEvent::MediaLost {
        port: rig.peers[0].id,
    };
    rig.peers[0].sends = false;
    rig.run(1_900);
    assert_eq!(rig.happened(), []);
    rig.run(5_000);
    assert_eq!(rig.happened(), std::slice::from_ref(&lost));
    rig.peers[0].sends = true;
    rig.run(500);
    rig.peers[0].sends = false;
    rig.run(3_000);
    assert_eq!(rig.happened(), [lost.clone(), lost]);
}

#[test]
fn a_peer_on_hold_is_not_lost_and_gets_its_time_when_it_resumes() {
    let mut rig = singing_pair(&[Codec::Pcma, Codec::Pcma]);
    rig.peers[0].sends = false;
    rig.peers[0].format.direction = Direction::SendOnly;
    rig.configure(0);
    rig.run(10_000);
    rig.peers[0].format.direction = Direction::SendRecv;
    rig.configure(0);
    rig.run(1_900);
    assert_eq!(rig.happened(), []);
    rig.run(300);
    assert_eq!(rig.happened().len(), 1);
}

#[test]
fn closing_tells_the_counters_and_leaves_the_others_alone() {
    let mut rig = singing_pair(&[Codec::Pcma, Codec::Pcma]);
    let port = rig.peers[0].id;
    rig.order(MediaCommand::Close { port });
    let Some(MediaEvent::Closed { stats, .. }) = rig.happened().pop() else {
        panic!("no end");
    };
    assert_eq!(stats.received, 30);
    assert!((27..=31).contains(&stats.sent), "{stats:?}");
    assert_eq!((stats.lost, stats.refused), (0, 0));
    let before = rig.peers[1].got.len();
    rig.run(500);
    let after = rig.peers[1].got.len() - before;
    assert!((23..=26).contains(&after), "silence goes on: {after}");
    rig.peers[1].assert_one_stream();
}
