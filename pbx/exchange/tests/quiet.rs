//! Calls in which nobody has to say anything, and peers that vanish meanwhile.

mod support;

use std::time::Duration;

use exchange::PROBE_EVERY;
use routing::{Command, LegEnd, LegId};
use sip::ua::SessionEnd;
use support::house::house;
use support::{TRUNK, World, addr, config, ms, phone, secs};

const A: LegId = LegId(11);
/// How long a probe waits for an answer (RFC 3261 Timer F), and the way of the packets.
const PATIENCE: Duration = Duration::from_secs(33);

/// A caller and a phone that talk.
fn talk(mut world: World) -> (World, LegId) {
    let caller = world.answered_call();
    world.picked_up(A, 1);
    world.order(Command::Bridge { a: caller, b: A });
    (world, caller)
}

fn phone_changes(world: &mut World, from: &str, to: &str) {
    let now = world.now;
    world.phone(1).change(from, to, now);
    world.run(ms(100));
}

fn probes(world: &World, n: u64) -> usize {
    let sent = world.sent_to(phone(n));
    sent.iter().filter(|it| it.starts_with("OPTIONS ")).count()
}

#[test]
fn a_phone_that_dies_on_hold_is_noticed_within_a_minute() {
    for quiet in ["a=sendonly", "a=inactive", "a=recvonly"] {
        let (mut world, caller) = talk(World::new(1));
        phone_changes(&mut world, "a=sendrecv", quiet);
        world.run(secs(600));
        assert_eq!(world.ends(A), [], "{quiet}: it is there, and answers");
        assert_eq!(probes(&world, 1), 20, "{quiet}");
        world.phone(1).dead = true;
        world.run(PROBE_EVERY + PATIENCE);
        assert_eq!(world.ends(A), [LegEnd::SignallingLost], "{quiet}");
        assert_eq!(world.ends(caller), [], "the caller's fate is the router's");
        world.hang_up(caller, routing::HangupReason::Normal);
        world.assert_empty();
    }
}

#[test]
fn the_other_side_of_a_dead_one_is_released() {
    let ring = |world: &mut World| {
        let now = world.now;
        world.trunk().call(now);
        world.run(secs(1));
        let now = world.now;
        world.phone(1).pick_up(now);
        world.run(secs(1));
    };
    let mut world = house(1);
    ring(&mut world);
    let now = world.now;
    world.trunk().change("a=sendrecv", "a=sendonly", now);
    world.run(secs(1));
    world.trunk().dead = true;
    world.run(PROBE_EVERY + PATIENCE);
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteBye]);
}

#[test]
fn old_phones_that_refuse_to_be_asked_stay_on_hold() {
    for status in [405, 501, 404, 500] {
        let (mut world, _) = talk(World::new(1));
        world.phone(1).refuses_options = Some(status);
        phone_changes(&mut world, "a=sendrecv", "a=sendonly");
        world.run(secs(300));
        assert_eq!(world.ends(A), [], "{status}");
        assert_eq!(probes(&world, 1), 10, "{status}");
    }
}

#[test]
fn a_phone_that_knows_nothing_of_the_call_any_more_is_lost_at_once() {
    let (mut world, _) = talk(World::new(1));
    phone_changes(&mut world, "a=sendrecv", "a=sendonly");
    world.phone(1).refuses_options = Some(481);
    world.run(PROBE_EVERY + secs(1));
    assert_eq!(world.ends(A), [LegEnd::SignallingLost]);
}

#[test]
fn only_quiet_legs_are_asked() {
    let (mut world, _) = talk(World::new(1));
    world.run(secs(100));
    phone_changes(&mut world, "a=sendrecv", "a=sendonly");
    phone_changes(&mut world, "a=sendonly", "a=sendrecv");
    world.run(secs(100));
    assert_eq!(probes(&world, 1), 0);
    phone_changes(&mut world, "a=sendrecv", "a=sendonly");
    world.phone(1).dead = true;
    world.run(PROBE_EVERY + secs(10));
    assert!(probes(&world, 1) > 0, "repeated, without an answer");
    world.phone(1).dead = false;
    phone_changes(&mut world, "a=sendonly", "a=sendrecv");
    world.run(secs(100));
    assert_eq!(world.ends(A), [], "it is back");
}

#[test]
fn without_a_media_timeout_both_sides_are_asked() {
    let mut settings = config(1);
    settings.media_timeout = Duration::ZERO;
    let (mut world, caller) = talk(World::with(settings, 1));
    world.run(secs(61));
    assert_eq!(probes(&world, 1), 2);
    world.trunk().dead = true;
    world.run(PROBE_EVERY + PATIENCE);
    let sent = world.sent_to(addr(TRUNK));
    assert!(sent.iter().any(|text| text.starts_with("OPTIONS ")));
    assert_eq!(world.ends(caller), [LegEnd::SignallingLost]);
    assert_eq!(world.ends(A), []);
}

#[test]
fn a_ringing_phone_is_not_asked() {
    let mut world = World::new(1);
    world.dial(A, 1);
    world.run(secs(100));
    assert_eq!(probes(&world, 1), 0);
}
