//! What every back end must do, whatever it speaks.
//!
//! A back end's tests implement [`World`] (the back end with a scripted caller
//! and a scripted phone on a virtual clock) and call [`check_all`]. Each check
//! gets a fresh world.

use std::time::{Duration, Instant};

use routing::{Command, DeviceId, Event, HangupReason, HubId, LegEnd, LegId, RejectReason};

use crate::Telephony;

/// Longer than any timer of any protocol.
const LONG: Duration = Duration::from_secs(600);
/// Long enough for messages to arrive.
const SHORT: Duration = Duration::from_secs(1);
/// A leg as the router would name it.
const DIALLED: LegId = LegId(0x77);

/// A back end with one caller and one phone.
pub trait World {
    /// The back end.
    fn back_end(&mut self) -> &mut dyn Telephony;
    /// The virtual clock.
    fn now(&self) -> Instant;
    /// Lets time pass, carrying what is sent to and fro; the events of that time, in order.
    fn run(&mut self, time: Duration) -> Vec<Event>;
    /// The caller dials the hotline.
    fn caller_calls(&mut self);
    /// The caller hangs up, whether answered or not.
    fn caller_hangs_up(&mut self);
    /// The phone, ready to be rung.
    fn device(&mut self) -> DeviceId;
    /// The ringing phone is picked up.
    fn device_picks_up(&mut self);
    /// The ringing phone declines.
    fn device_declines(&mut self);
    /// The phone in a call hangs up.
    fn device_hangs_up(&mut self);
    /// Media ports that are open.
    fn open_ports(&self) -> usize;
}

/// Runs all checks.
///
/// # Panics
/// When the back end does not do what the trait says.
pub fn check_all<W: World>(make: impl Fn() -> W) {
    let checks: [fn(&mut W); 9] = [
        refused_callers_end_once,
        answered_callers_end_once,
        a_caller_who_gives_up_ends_once,
        a_phone_that_answers_ends_once,
        a_phone_that_declines_ends_once,
        a_phone_told_to_stop_ends_once,
        a_device_that_is_unknown_ends_the_leg,
        orders_for_unknown_legs_do_nothing,
        reconciling_ends_what_only_one_side_knows,
    ];
    for check in checks {
        let mut world = make();
        check(&mut world);
        world.run(LONG);
        assert_eq!(world.open_ports(), 0, "every port is closed again");
    }
}

fn refused_callers_end_once<W: World>(world: &mut W) {
    for reason in [
        RejectReason::Banned,
        RejectReason::RateLimited,
        RejectReason::UnknownNumber,
        RejectReason::Unavailable,
    ] {
        let leg = offered(world);
        order(world, Command::Reject { leg, reason });
        // A second order must not lead to a second end.
        order(world, Command::Reject { leg, reason });
        assert_eq!(ends(&world.run(LONG), leg), [LegEnd::Ordered], "{reason:?}");
    }
}

fn answered_callers_end_once<W: World>(world: &mut W) {
    let leg = offered(world);
    order(world, Command::Ring { leg });
    order(world, Command::Answer { leg });
    let events = world.run(SHORT);
    assert_eq!(answers(&events, leg), 1, "the caller is up");
    order(world, hang_up(leg));
    order(world, hang_up(leg));
    assert_eq!(ends(&world.run(LONG), leg), [LegEnd::Ordered]);
}

fn a_caller_who_gives_up_ends_once<W: World>(world: &mut W) {
    let leg = offered(world);
    order(world, Command::Ring { leg });
    world.run(SHORT);
    world.caller_hangs_up();
    assert_eq!(ends(&world.run(SHORT), leg), [LegEnd::HungUp]);
    order(world, Command::Answer { leg });
    order(world, hang_up(leg));
    assert_eq!(ends(&world.run(LONG), leg), [], "nothing is left to end");
}

fn a_phone_that_answers_ends_once<W: World>(world: &mut W) {
    let events = dialled(world);
    let rings = Event::LegRinging { leg: DIALLED };
    let count = events.iter().filter(|event| **event == rings).count();
    assert_eq!(count, 1, "ringing is told once");
    world.device_picks_up();
    assert_eq!(answers(&world.run(SHORT), DIALLED), 1);
    world.device_hangs_up();
    assert_eq!(ends(&world.run(LONG), DIALLED), [LegEnd::HungUp]);
}

fn a_phone_that_declines_ends_once<W: World>(world: &mut W) {
    dialled(world);
    world.device_declines();
    assert_eq!(ends(&world.run(LONG), DIALLED), [LegEnd::Declined]);
}

fn a_phone_told_to_stop_ends_once<W: World>(world: &mut W) {
    let leg = DIALLED;
    let reason = HangupReason::AnsweredElsewhere;
    dialled(world);
    order(world, Command::Hangup { leg, reason });
    order(world, Command::Hangup { leg, reason });
    let events = world.run(LONG);
    assert_eq!(answers(&events, leg), 0);
    assert_eq!(ends(&events, leg), [LegEnd::Ordered]);
}

fn a_device_that_is_unknown_ends_the_leg<W: World>(world: &mut W) {
    order(world, dial(DeviceId(u64::MAX)));
    assert_eq!(ends(&world.run(LONG), DIALLED), [LegEnd::Unreachable]);
}

fn orders_for_unknown_legs_do_nothing<W: World>(world: &mut W) {
    let leg = LegId(0x99);
    for command in [
        Command::Ring { leg },
        Command::Answer { leg },
        hang_up(leg),
        Command::Bridge { a: leg, b: DIALLED },
        Command::Unbridge { a: leg, b: DIALLED },
        Command::StopPlaying { leg },
        Command::StopRecording { leg },
    ] {
        order(world, command);
    }
    let now = world.now();
    world.back_end().handle_timeout(now);
    assert_eq!(world.run(LONG), []);
}

fn reconciling_ends_what_only_one_side_knows<W: World>(world: &mut W) {
    let gone = LegId(0x55);
    let stray = offered(world);
    order(world, Command::Answer { leg: stray });
    world.run(SHORT);
    let now = world.now();
    world.back_end().reconcile(&[gone], now);
    let events = world.run(LONG);
    assert_eq!(ends(&events, gone), [LegEnd::SignallingLost]);
    assert_eq!(ends(&events, stray), [LegEnd::Ordered]);
}

fn offered<W: World>(world: &mut W) -> LegId {
    world.caller_calls();
    let events = world.run(SHORT);
    let offered = events.iter().find_map(|event| match event {
        Event::CallOffered { leg, .. } => Some(*leg),
        _ => None,
    });
    offered.expect("the caller is offered")
}

fn dialled<W: World>(world: &mut W) -> Vec<Event> {
    let device = world.device();
    order(world, dial(device));
    let events = world.run(SHORT);
    assert_eq!(ends(&events, DIALLED), [], "the phone rings");
    events
}

fn order<W: World>(world: &mut W, command: Command) {
    let now = world.now();
    world.back_end().handle_command(command, now);
}

fn dial(device: DeviceId) -> Command {
    Command::Dial {
        leg: DIALLED,
        device,
        hub: HubId::new("hub"),
        display: "Hotline".to_owned(),
    }
}

fn hang_up(leg: LegId) -> Command {
    let reason = HangupReason::Normal;
    Command::Hangup { leg, reason }
}

fn answers(events: &[Event], leg: LegId) -> usize {
    let answered = Event::LegAnswered { leg };
    events.iter().filter(|event| **event == answered).count()
}

fn ends(events: &[Event], of: LegId) -> Vec<LegEnd> {
    let end = |event: &Event| match event {
        Event::LegEnded { leg, end } if *leg == of => Some(*end),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}
