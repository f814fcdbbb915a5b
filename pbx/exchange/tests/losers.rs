//! Phones that lose: each is told once, at once, and why.

mod support;

use media::control::MediaEvent;
use routing::{Command, HangupReason, LegEnd, LegId};
use sip::ua::SessionEnd;
use support::raw::header;
use support::{World, device, ms, phone, secs};

const ELSEWHERE: &str = "Call completed elsewhere";

fn leg(n: u64) -> LegId {
    LegId(100 + n)
}

fn cancels(world: &World, n: u64) -> Vec<String> {
    let sent = world.sent_to(phone(n));
    sent.into_iter()
        .filter(|text| text.starts_with("CANCEL "))
        .collect()
}

/// Reports that the port of a dialled phone could not be opened after all.
fn fail_port(world: &mut World, n: u64) {
    let port = world.port_at(phone(n));
    world.engine.ports.remove(&port);
    world.media(MediaEvent::OpenFailed { port });
}

#[test]
fn a_phone_whose_port_failed_is_cancelled_before_anybody_wins() {
    let mut world = World::new(3);
    for n in 1..=3 {
        world.dial(leg(n), n);
    }
    world.run(ms(100));
    fail_port(&mut world, 3);
    let cancel = cancels(&world, 3);
    assert_eq!(cancel.len(), 1, "in the same turn");
    assert!(header(&cancel[0], "Reason").contains("cause=41"));

    let now = world.now;
    world.phone(1).pick_up(now);
    world.run(ms(12));
    for n in [2, 3] {
        world.hang_up(leg(n), HangupReason::AnsweredElsewhere);
    }
    assert_eq!(cancels(&world, 2).len(), 1, "in the same turn");
    world.run(secs(5));
    assert_eq!((cancels(&world, 2).len(), cancels(&world, 3).len()), (1, 1));
    assert!(header(&cancels(&world, 2)[0], "Reason").contains(ELSEWHERE));
    assert_eq!(world.phone(2).ends, [SessionEnd::RemoteCancel]);
    assert_eq!(world.phone(3).ends, [SessionEnd::RemoteCancel]);
    assert_eq!(world.ends(leg(2)), [LegEnd::Ordered]);
    assert_eq!(world.ends(leg(3)), [LegEnd::MediaFailed]);
}

#[test]
fn a_phone_that_has_not_said_anything_is_cancelled_when_it_does() {
    let mut world = World::new(1);
    world.dial(leg(1), 1);
    fail_port(&mut world, 1);
    assert!(cancels(&world, 1).is_empty(), "RFC 3261 section 9.1");
    world.run(ms(20));
    assert_eq!(cancels(&world, 1).len(), 1, "with its first word");
    world.run(secs(5));
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteCancel]);
    assert_eq!(world.ends(leg(1)), [LegEnd::MediaFailed]);
}

#[test]
fn a_phone_that_is_told_late_is_told_who_won() {
    let mut world = World::new(1);
    world.dial(leg(1), 1);
    fail_port(&mut world, 1);
    world.hang_up(leg(1), HangupReason::AnsweredElsewhere);
    assert!(cancels(&world, 1).is_empty(), "RFC 3261 section 9.1");
    world.run(secs(5));
    let cancel = cancels(&world, 1);
    assert_eq!(cancel.len(), 1);
    assert!(header(&cancel[0], "Reason").contains(ELSEWHERE));
    assert_eq!(world.phone(1).ends, [SessionEnd::RemoteCancel]);
    assert_eq!(world.ends(leg(1)), [LegEnd::MediaFailed]);
}

#[test]
fn a_hundred_losers_stop_in_one_turn() {
    let mut world = World::new(100);
    for n in 1..=100 {
        world.dial(leg(n), n);
    }
    world.run(secs(1));
    let now = world.now;
    for n in 2..=100 {
        let (leg, reason) = (leg(n), HangupReason::AnsweredElsewhere);
        let order = Command::Hangup { leg, reason };
        telephony::Telephony::handle_command(&mut world.exchange, order, now);
    }
    world.pump();
    for n in 2..=100 {
        let cancel = cancels(&world, n);
        assert_eq!(cancel.len(), 1, "{:?}", device(n));
        assert!(header(&cancel[0], "Reason").contains(ELSEWHERE));
    }
    assert_eq!(world.engine.ports.len(), 1, "and their ports close");
    world.run(secs(1));
    for n in 2..=100 {
        assert_eq!(world.ends(leg(n)), [LegEnd::Ordered]);
        assert_eq!(cancels(&world, n).len(), 1);
    }
}

#[test]
fn a_phone_that_we_lose_stops_ringing_by_itself() {
    let mut world = World::new(1);
    world.dial(leg(1), 1);
    world.run(ms(50));
    let invite = world.first_to(phone(1), "INVITE ");
    assert_eq!(
        header(&invite, "Expires"),
        "70",
        "the longest ring, and a little"
    );
}
