//! What a waiting caller hears, and for how long.

use routing::*;

use crate::desk::*;

fn answers(commands: &[Command]) -> usize {
    let answer = |command: &&Command| matches!(command, Command::Answer { .. });
    commands.iter().filter(answer).count()
}

#[test]
fn ringback_then_greeting_once_then_music() {
    let mut desk = Desk::open(config());
    let (caller, _) = desk.call();
    assert_eq!(desk.wait_ms(9_999), []);
    assert_eq!(desk.wait_ms(1), [Command::Answer { leg: caller }]);
    assert_eq!(
        played(&desk.answered(caller)),
        [(caller, PromptKind::Greeting, false)]
    );
    assert_eq!(
        played(&desk.played(caller, PromptKind::Greeting)),
        [(caller, PromptKind::HoldMusic, true)]
    );
    assert_eq!(desk.stage(), CallStage::Music);
}

#[test]
fn a_greeting_that_never_ends_gives_way_to_music() {
    let mut night = hub_with(&["ana"], &[]);
    night.queue_timeout = secs(300);
    let mut desk = Desk::open(config_with(night));
    let (caller, _) = desk.call();
    desk.wait(10);
    desk.answered(caller);
    assert_eq!(desk.wait_ms(119_999), []);
    assert_eq!(
        played(&desk.wait_ms(1)),
        [(caller, PromptKind::HoldMusic, true)]
    );
}

#[test]
fn with_everyone_busy_the_caller_is_answered_at_once_and_waits() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    desk.talk();
    let (caller, commands) = desk.call();
    assert_eq!(commands, [Command::Answer { leg: caller }]);
    assert_eq!(
        played(&desk.answered(caller)),
        [(caller, PromptKind::Greeting, false)]
    );
}

#[test]
fn when_every_phone_says_no_the_caller_is_answered_at_once() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    let (caller, commands) = desk.call();
    let commands = desk.ended(leg_to(&commands, ANA), LegEnd::Busy);
    assert_eq!(commands, [Command::Answer { leg: caller }]);
}

#[test]
fn nobody_waits_for_nobody() {
    let mut desk = Desk::without_phones(config());
    let (caller, commands) = desk.call();
    assert_eq!(commands, [Command::Answer { leg: caller }]);
    assert_eq!(
        played(&desk.answered(caller)),
        [(caller, PromptKind::VoicemailInvitation, false)]
    );
}

#[test]
fn a_phone_that_registers_anew_costs_no_waiting_caller_their_place() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    desk.talk();
    let (waiting, _) = desk.call();
    desk.answered(waiting);
    desk.down(ANA);
    assert_eq!(desk.wait(14), []);
    desk.up(ANA, "ana");
    assert_eq!(desk.wait(14), []);
    desk.down(ANA);
    assert_eq!(
        played(&desk.wait(15)),
        [(waiting, PromptKind::VoicemailInvitation, false)]
    );
}

#[test]
fn the_queue_timeout_is_exact_and_stops_the_phones() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let phones = dialled(&commands);
    desk.wait(10);
    desk.answered(caller);
    assert_eq!(desk.wait_ms(49_999), []);
    let commands = desk.wait_ms(1);
    let reason = HangupReason::NoLongerNeeded;
    assert_eq!(
        commands[..2],
        [
            Command::Hangup {
                leg: phones[&ANA],
                reason
            },
            Command::Hangup {
                leg: phones[&LUIS],
                reason
            },
        ]
    );
    assert_eq!(
        played(&commands),
        [(caller, PromptKind::VoicemailInvitation, false)]
    );
    assert_eq!(answers(&commands), 0);
}

#[test]
fn the_queue_timeout_also_finds_callers_in_ringback() {
    let mut night = hub_with(&["ana"], &[]);
    night.answer_after = secs(500);
    let mut desk = Desk::open(config_with(night));
    let (caller, _) = desk.call();
    let commands = desk.wait(60);
    assert_eq!(commands.last(), Some(&Command::Answer { leg: caller }));
    assert_eq!(
        played(&desk.answered(caller)),
        [(caller, PromptKind::VoicemailInvitation, false)]
    );
}

#[test]
fn one_caller_too_many_leaves_a_message() {
    let mut desk = Desk::open(config());
    for _ in 0..3 {
        desk.call();
    }
    let (fourth, commands) = desk.call();
    assert_eq!(commands, [Command::Answer { leg: fourth }]);
    let calls = desk.router.snapshot(desk.now).calls;
    assert_eq!(calls[3].stage, CallStage::Invitation);
    assert_eq!(calls[3].position, None);
}

#[test]
fn places_in_the_queue_are_told_when_they_change() {
    let mut desk = Desk::open(config());
    let (first, _) = desk.call();
    desk.call();
    desk.call();
    desk.hung_up(first);
    let places: Vec<_> = desk
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::CallQueued { call, position } => Some((call.0, *position)),
            _ => None,
        })
        .collect();
    assert_eq!(places, [(100, 1), (101, 2), (102, 3), (101, 1), (102, 2)]);
}

#[test]
fn each_hub_has_a_queue_of_its_own() {
    let mut desk = Desk::open(two_hubs());
    desk.call();
    let (_, commands) = desk.call_from(None, DAY);
    assert_eq!(devices(&commands), [EVA]);
    let calls = desk.router.snapshot(desk.now).calls;
    assert_eq!(calls[1].position, Some(1));
}

#[test]
fn a_caller_whose_answer_is_never_confirmed_is_given_up() {
    let mut desk = Desk::without_phones(config());
    let (caller, _) = desk.call();
    assert_eq!(desk.wait_ms(39_999), []);
    assert_eq!(hangups(&desk.wait_ms(1)), [(caller, HangupReason::Failed)]);
    let failed = Outcome::Failed(FailReason::SignallingLost);
    assert_eq!(desk.record().outcome, failed);
}

#[test]
fn a_waiting_caller_without_media_is_given_up_unless_they_hold() {
    let mut desk = Desk::open(config());
    let (caller, _) = desk.call();
    desk.wait(10);
    desk.answered(caller);
    desk.held(caller, true);
    assert_eq!(desk.event(Event::MediaLost { leg: caller }), []);
    desk.held(caller, false);
    let commands = desk.event(Event::MediaLost { leg: caller });
    assert_eq!(
        commands[0],
        Command::Hangup {
            leg: caller,
            reason: HangupReason::MediaLost
        }
    );
    assert_eq!(hangups(&commands).len(), 3);
    assert_eq!(
        desk.record().outcome,
        Outcome::Failed(FailReason::MediaLost)
    );
}
