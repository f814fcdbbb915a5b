//! Whole calls: carrier, exchange, router and phones.

mod support;

use media::control::{MediaEvent, RecordingStop};
use routing::{LegEnd, Outcome};
use sip::ua::SessionEnd;
use support::house::{house, volunteer};
use support::raw::header;
use support::{World, addr, ms, phone, secs};

const ELSEWHERE: &str = "Call completed elsewhere";

fn ring_all(phones: u64) -> World {
    let mut world = house(phones);
    let now = world.now;
    world.trunk().call(now);
    world.run(secs(1));
    for n in 1..=phones {
        assert_eq!(world.phone(n).rung, 1, "phone {n} rings");
    }
    world.first_to(addr(support::TRUNK), "SIP/2.0 180");
    world
}

#[test]
fn the_first_pickup_wins_and_the_others_stop() {
    let mut world = ring_all(3);
    let now = world.now;
    world.phone(2).pick_up(now);
    world.run(secs(1));
    assert_eq!((world.trunk().up, world.phone(2).up), (1, 1));
    for n in [1, 3] {
        let cancel = world.first_to(phone(n), "CANCEL ");
        assert!(header(&cancel, "Reason").contains(ELSEWHERE));
        assert_eq!(world.phone(n).ends, [SessionEnd::RemoteCancel]);
    }
    let (outside, inside) = (world.trunk_port(), world.port_at(phone(2)));
    assert!(world.engine.port(outside).hears.contains(&inside));
    assert!(world.engine.port(inside).hears.contains(&outside));
    assert_eq!(world.engine.ports.len(), 2, "the losers' ports are closed");

    world.run(secs(30));
    let now = world.now;
    world.trunk().hang_up(now);
    assert_eq!(world.outcome(), Outcome::Answered);
    assert_eq!(world.phone(2).ends, [SessionEnd::RemoteBye]);
    assert_eq!(world.records()[0].answered_by, Some(volunteer(2)));
}

#[test]
fn the_volunteer_may_hang_up_first() {
    let mut world = ring_all(1);
    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(secs(10));
    let now = world.now;
    world.phone(1).hang_up(now);
    assert_eq!(world.outcome(), Outcome::Answered);
    assert_eq!(world.trunk().ends, [SessionEnd::RemoteBye]);
}

#[test]
fn pickups_that_cross_leave_one_volunteer_with_the_caller() {
    // From both in the same moment to one after the other's CANCEL is under way.
    for delay in 0..30 {
        let mut world = ring_all(2);
        let now = world.now;
        world.phone(1).pick_up(now);
        world.run(ms(delay));
        let now = world.now;
        if world.phone(2).session.is_some() {
            world.phone(2).pick_up(now);
        }
        world.run(secs(1));
        assert_eq!(world.phone(1).ends, [], "delay {delay}");
        assert_eq!(world.phone(2).ends.len(), 1, "the late phone is free again");
        assert_eq!(world.engine.ports.len(), 2);
        if world.phone(2).up == 1 {
            let bye = world.first_to(phone(2), "BYE ");
            assert!(delay < 20, "{bye}");
        }
        let now = world.now;
        world.trunk().hang_up(now);
        assert_eq!(world.outcome(), Outcome::Answered);
    }
}

#[test]
fn a_caller_who_gives_up_silences_every_phone() {
    let mut world = ring_all(3);
    let now = world.now;
    world.trunk().hang_up(now);
    world.run(ms(100));
    for n in 1..=3 {
        assert_eq!(world.phone(n).ends, [SessionEnd::RemoteCancel]);
        let cancel = world.first_to(phone(n), "CANCEL ");
        assert!(!cancel.contains(ELSEWHERE), "a call that was missed");
    }
    assert_eq!(world.outcome(), Outcome::Abandoned);
}

#[test]
fn nobody_picks_up_and_the_caller_leaves_a_message() {
    let mut world = ring_all(2);
    let play_out = |world: &mut World| {
        let port = world.trunk_port();
        let clip = world.engine.port(port).clip;
        if let Some((clip, false)) = clip {
            world.media(MediaEvent::PlayFinished { port, clip });
        }
        world
            .engine
            .ports
            .get(&port)
            .and_then(|port| port.recording)
    };
    let recording = (0..200)
        .find_map(|_| {
            world.run(secs(1));
            let up = world.engine.ports.values().any(|port| port.clip.is_some());
            if up { play_out(&mut world) } else { None }
        })
        .expect("a recording begins");
    let waited = world.now - world.start;
    assert!(waited >= secs(60) && waited < secs(120), "{waited:?}");
    for n in 1..=2 {
        assert_eq!(world.phone(n).session, None, "phones are quiet");
    }
    let port = world.trunk_port();
    world.engine.ports.get_mut(&port).unwrap().recording = None;
    world.media(MediaEvent::RecordingEnded {
        port,
        recording,
        stop: RecordingStop::Silence,
        length: secs(42),
    });
    play_out(&mut world);
    assert_eq!(world.outcome(), Outcome::Voicemail);
    assert_eq!(world.trunk().ends, [SessionEnd::RemoteBye]);
    assert_eq!(
        world.records()[0].voicemail.map(|(_, length)| length),
        Some(secs(42))
    );
}

#[test]
fn a_message_cut_off_by_hanging_up_is_kept() {
    let mut world = house(0);
    let now = world.now;
    world.trunk().call(now);
    for _ in 0..120 {
        world.run(secs(1));
        if world
            .engine
            .ports
            .values()
            .any(|port| port.recording.is_some())
        {
            break;
        }
        let first = world.engine.ports.iter().next();
        if let Some((port, Some((clip, _)))) = first.map(|(port, it)| (*port, it.clip)) {
            world.media(MediaEvent::PlayFinished { port, clip });
        }
    }
    let now = world.now;
    world.trunk().hang_up(now);
    assert_eq!(world.outcome(), Outcome::Voicemail);
}

#[test]
fn hold_by_the_volunteer_gives_the_caller_music() {
    let mut world = ring_all(1);
    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(secs(1));
    let outside = world.trunk_port();
    assert_eq!(world.engine.port(outside).clip, None);
    let now = world.now;
    world.phone(1).change("a=sendrecv", "a=sendonly", now);
    world.run(secs(1));
    assert!(
        world
            .engine
            .port(outside)
            .clip
            .is_some_and(|(_, repeat)| repeat)
    );
    let now = world.now;
    world.phone(1).change("a=sendonly", "a=sendrecv", now);
    world.run(secs(1));
    let inside = world.port_at(phone(1));
    assert_eq!(world.engine.port(outside).clip, None);
    assert!(world.engine.port(outside).hears.contains(&inside));
    let now = world.now;
    world.trunk().hang_up(now);
    assert_eq!(world.outcome(), Outcome::Answered);
}

#[test]
fn hold_by_the_caller_is_no_loss() {
    let mut world = ring_all(1);
    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(secs(1));
    let now = world.now;
    world.trunk().change("a=sendrecv", "a=inactive", now);
    world.run(secs(300));
    assert_eq!(world.phone(1).ends, [], "nobody is cut off");
    let now = world.now;
    world.trunk().change("a=inactive", "a=sendrecv", now);
    world.run(secs(1));
    assert!(world.engine.format(world.trunk_port()).direction.sends());
}

#[test]
fn a_carrier_that_dies_frees_the_volunteer() {
    let mut world = ring_all(1);
    world.trunk().dead = true;
    let now = world.now;
    world.phone(1).pick_up(now);
    // The caller was answered because of the pickup, and never acknowledges.
    world.run(secs(60));
    assert_eq!(world.phone(1).session, None);
    let caller = world.offered_since(0).unwrap();
    assert_eq!(world.ends(caller), [LegEnd::SignallingLost]);
    world.run(secs(60));
    assert_eq!(world.exchange.counts().legs, 0);
}
