//! A caller with a volunteer.

use routing::*;

use crate::desk::*;

#[test]
fn a_caller_who_hangs_up_ends_the_conversation() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let phones = dialled(&commands);
    desk.wait(3);
    desk.answered(phones[&ANA]);
    desk.answered(caller);
    desk.wait(90);
    assert_eq!(
        desk.hung_up(caller),
        [Command::Hangup {
            leg: phones[&ANA],
            reason: HangupReason::Normal
        }]
    );
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.answered_by, Some(person("ana")));
    assert_eq!((record.wait, record.talk), (secs(3), secs(90)));
    let rung: Vec<_> = record.rung.iter().map(|rung| rung.rang).collect();
    assert_eq!(rung, [secs(3), secs(3)]);
    assert_eq!(desk.state("ana"), VolunteerState::WrapUp);
    desk.wait(30);
    assert_eq!(desk.state("ana"), VolunteerState::Idle);
}

#[test]
fn a_volunteer_who_hangs_up_ends_the_conversation() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    let commands = desk.hung_up(ana);
    let reason = HangupReason::Normal;
    assert_eq!(
        commands,
        [Command::Hangup {
            leg: caller,
            reason
        }]
    );
    assert_eq!(desk.record().outcome, Outcome::Answered);
    assert_eq!(desk.ended(caller, LegEnd::Ordered), []);
    assert!(desk.router.is_idle());
    assert_eq!(desk.records().len(), 1);
}

#[test]
fn a_caller_outlives_the_volunteers_line() {
    for end in [
        LegEnd::SignallingLost,
        LegEnd::MediaFailed,
        LegEnd::Unreachable,
    ] {
        let mut desk = Desk::open(config());
        let (caller, ana) = desk.talk();
        desk.call();
        desk.wait(40);
        let commands = desk.ended(ana, end);
        assert_eq!(
            played(&commands),
            [(caller, PromptKind::HoldMusic, true)],
            "{end:?}"
        );
        assert_eq!(hangups(&commands), []);
        // Luis rings for the second caller; the first has their place before that one.
        let calls = desk.router.snapshot(desk.now).calls;
        assert_eq!(calls[0].position, Some(1));
        assert_eq!(calls[1].position, Some(2));
        assert_eq!(desk.state("ana"), VolunteerState::Ringing);
        assert_eq!(calls[0].ringing, people(&[]));
        assert!(desk.records().is_empty());
    }
}

#[test]
fn a_lost_volunteer_is_rung_again_and_the_caller_has_new_time_to_wait() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    let (caller, ana) = desk.talk();
    desk.wait(100);
    assert_eq!(devices(&desk.ended(ana, LegEnd::SignallingLost)), []);
    let commands = desk.wait(5);
    let again = leg_to(&commands, ANA);
    let commands = desk.wait_ms(54_999);
    assert_eq!(commands, []);
    let commands = desk.answered(again);
    assert_eq!(
        commands,
        [Command::Bridge {
            a: caller,
            b: again
        }]
    );
    desk.wait(20);
    desk.hung_up(caller);
    let record = desk.record();
    assert_eq!(record.talk, secs(120));
    assert_eq!(record.wait, secs(0));
    assert_eq!(record.outcome, Outcome::Answered);
}

#[test]
fn a_volunteer_without_media_is_released_and_the_caller_kept() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    let commands = desk.event(Event::MediaLost { leg: ana });
    assert_eq!(commands[0], Command::Unbridge { a: caller, b: ana });
    assert_eq!(played(&commands), [(caller, PromptKind::HoldMusic, true)]);
    assert_eq!(hangups(&commands), [(ana, HangupReason::MediaLost)]);
    assert_eq!(devices(&commands), [LUIS]);
}

#[test]
fn a_caller_without_media_ends_the_conversation_as_answered() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    let reason = HangupReason::MediaLost;
    assert_eq!(
        hangups(&desk.event(Event::MediaLost { leg: caller })),
        [(caller, reason), (ana, reason)]
    );
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.broke_off, Some(FailReason::MediaLost));
}

#[test]
fn the_record_names_everybody_who_spoke_with_the_caller() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    let commands = desk.event(Event::MediaLost { leg: ana });
    let luis = leg_to(&commands, LUIS);
    desk.answered(luis);
    desk.hung_up(caller);
    let record = desk.record();
    assert_eq!(record.answered_by, Some(person("ana")));
    let spoke = record.rung.iter().filter(|rung| rung.answered);
    assert_eq!(
        spoke.map(|rung| rung.volunteer.clone()).collect::<Vec<_>>(),
        [person("ana"), person("luis")]
    );
    assert_eq!(record.broke_off, None, "the caller hung up");
}

#[test]
fn who_is_put_on_hold_hears_music() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    for (holder, other) in [(ana, caller), (caller, ana)] {
        let commands = desk.held(holder, true);
        assert_eq!(commands[0], Command::Unbridge { a: caller, b: ana });
        assert_eq!(played(&commands), [(other, PromptKind::HoldMusic, true)]);
        assert_eq!(desk.stage(), CallStage::Held);
        assert_eq!(desk.held(holder, true), []);
        assert_eq!(desk.event(Event::MediaLost { leg: holder }), []);
        let commands = desk.held(holder, false);
        assert_eq!(commands, [Command::Bridge { a: caller, b: ana }]);
    }
}

#[test]
fn who_vanishes_while_on_hold_is_missed() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    desk.held(ana, true);
    let reason = HangupReason::MediaLost;
    assert_eq!(
        hangups(&desk.event(Event::MediaLost { leg: caller })),
        [(caller, reason), (ana, reason)]
    );

    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    desk.held(caller, true);
    let commands = desk.event(Event::MediaLost { leg: ana });
    assert_eq!(hangups(&commands), [(ana, reason)]);
    assert_eq!(devices(&commands), [LUIS]);
    assert_eq!(
        desk.router.snapshot(desk.now).calls.len(),
        1,
        "{caller} waits again"
    );
}

#[test]
fn two_who_hold_each_other_speak_again_only_when_both_are_back() {
    let mut desk = Desk::open(config());
    let (caller, ana) = desk.talk();
    desk.held(ana, true);
    let commands = desk.held(caller, true);
    assert_eq!(played(&commands), [(ana, PromptKind::HoldMusic, true)]);
    assert_eq!(commands.len(), 1);
    assert_eq!(
        desk.held(ana, false),
        [Command::StopPlaying { leg: caller }]
    );
    let commands = desk.held(caller, false);
    assert_eq!(commands, [Command::Bridge { a: caller, b: ana }]);
}

#[test]
fn a_caller_on_hold_is_connected_when_they_are_back() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let ana = leg_to(&commands, ANA);
    desk.wait(10);
    desk.answered(caller);
    desk.held(caller, true);
    let commands = desk.answered(ana);
    assert_eq!(played(&commands), [(ana, PromptKind::HoldMusic, true)]);
    let commands = desk.held(caller, false);
    assert_eq!(commands, [Command::Bridge { a: caller, b: ana }]);
}

#[test]
fn music_on_hold_waits_until_the_caller_can_hear_it() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let ana = leg_to(&commands, ANA);
    desk.answered(ana);
    let commands = desk.held(ana, true);
    assert_eq!(commands, [Command::Unbridge { a: caller, b: ana }]);
    assert_eq!(
        played(&desk.answered(caller)),
        [(caller, PromptKind::HoldMusic, true)]
    );
}

#[test]
fn every_change_of_a_volunteer_is_told_once() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    let (caller, _) = desk.talk();
    desk.hung_up(caller);
    desk.wait(30);
    let told: Vec<_> = desk
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::VolunteerChanged { volunteer, state } if *volunteer == person("ana") => {
                Some(*state)
            }
            _ => None,
        })
        .collect();
    use VolunteerState::{Idle, InCall, Ringing, WrapUp};
    assert_eq!(told, [Idle, Ringing, InCall, WrapUp, Idle]);
}
