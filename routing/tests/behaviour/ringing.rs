//! Who is rung, and who is not.

use routing::*;

use crate::desk::*;

#[test]
fn everyone_on_duty_rings_at_once_on_all_their_phones() {
    let mut desk = Desk::open(config());
    desk.up(11, "ana");
    let (caller, commands) = desk.call();
    assert_eq!(commands[0], Command::Ring { leg: caller });
    assert_eq!(devices(&commands), [ANA, LUIS, 11]);
    assert_eq!(commands.len(), 4);
    let shown = commands.iter().all(|command| match command {
        Command::Dial {
            hub: on_behalf,
            display,
            ..
        } => *on_behalf == hub("night") && display == "Night line",
        _ => true,
    });
    assert!(shown);
}

#[test]
fn first_pickup_wins_and_all_others_stop_in_the_same_turn() {
    let mut desk = Desk::open(config());
    desk.up(11, "ana");
    let (caller, commands) = desk.call();
    let phones = dialled(&commands);
    let commands = desk.answered(phones[&LUIS]);
    let elsewhere = HangupReason::AnsweredElsewhere;
    assert_eq!(
        commands,
        [
            Command::Answer { leg: caller },
            Command::Bridge {
                a: caller,
                b: phones[&LUIS]
            },
            Command::Hangup {
                leg: phones[&ANA],
                reason: elsewhere
            },
            Command::Hangup {
                leg: phones[&11],
                reason: elsewhere
            },
        ]
    );
    assert_eq!(desk.state("luis"), VolunteerState::InCall);
    assert_eq!(desk.state("ana"), VolunteerState::Idle);
}

#[test]
fn a_late_pickup_is_told_the_same_and_changes_nothing() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    let phones = dialled(&commands);
    desk.answered(phones[&LUIS]);
    let commands = desk.answered(phones[&ANA]);
    let reason = HangupReason::AnsweredElsewhere;
    assert_eq!(
        commands,
        [Command::Hangup {
            leg: phones[&ANA],
            reason
        }]
    );
    assert_eq!(desk.ended(phones[&ANA], LegEnd::HungUp), []);
    assert_eq!(desk.stage(), CallStage::Bridged);
}

#[test]
fn a_caller_who_hangs_up_stops_every_phone_in_the_same_turn() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let phones = dialled(&commands);
    desk.wait(4);
    let reason = HangupReason::NoLongerNeeded;
    assert_eq!(
        hangups(&desk.hung_up(caller)),
        [(phones[&ANA], reason), (phones[&LUIS], reason)]
    );
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Abandoned);
    assert_eq!(record.wait, secs(4));
    assert_eq!(record.until_ring, Some(secs(0)));
    assert_eq!(record.talk, secs(0));
    let rung: Vec<_> = record.rung.iter().map(|rung| rung.rang).collect();
    assert_eq!(rung, [secs(4), secs(4)]);
}

#[test]
fn the_fallback_group_rings_when_nobody_on_duty_can() {
    let mut nobody_scheduled = config();
    let night = nobody_scheduled.hubs.get_mut(&hub("night")).unwrap();
    night.schedule.shifts.clear();
    let (_, commands) = Desk::open(nobody_scheduled).call();
    assert_eq!(devices(&commands), [EVA]);

    let mut on_break = config();
    for name in ["ana", "luis"] {
        on_break.volunteers.get_mut(&person(name)).unwrap().on_break = true;
    }
    let (_, commands) = Desk::open(on_break).call();
    assert_eq!(devices(&commands), [EVA]);

    let mut desk = Desk::open(config());
    desk.down(ANA);
    desk.down(LUIS);
    assert_eq!(devices(&desk.call().1), [EVA]);
}

#[test]
fn the_fallback_group_is_left_alone_while_those_on_duty_are_merely_busy() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &["eva"])));
    desk.talk();
    let (caller, commands) = desk.call();
    assert_eq!(commands, [Command::Answer { leg: caller }]);
}

#[test]
fn who_is_in_wrap_up_is_not_rung_until_it_is_over() {
    let mut desk = Desk::open(config_with(hub_with(&["ana"], &[])));
    let (caller, _) = desk.talk();
    let commands = desk.hung_up(caller);
    desk.finish(&commands);
    assert_eq!(desk.state("ana"), VolunteerState::WrapUp);
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), []);
    assert_eq!(devices(&desk.wait_ms(29_999)), []);
    assert_eq!(devices(&desk.wait_ms(1)), [ANA]);
}

#[test]
fn the_oldest_caller_first_gets_whoever_is_free() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA, LUIS]);
    let phones = dialled(&commands);
    let (second, commands) = desk.call();
    assert_eq!(commands, [Command::Answer { leg: second }]);
    // Who declined the first caller is free for the second.
    let commands = desk.ended(phones[&ANA], LegEnd::Declined);
    assert_eq!(devices(&commands), [ANA]);
    let ringing: Vec<_> = desk.router.snapshot(desk.now).calls;
    assert_eq!(ringing[0].ringing, people(&["luis"]));
    assert_eq!(ringing[1].ringing, people(&["ana"]));
    // The losers of the first call ring for the second as soon as their phones are quiet.
    let commands = desk.answered(phones[&LUIS]);
    assert_eq!(hangups(&commands), []);
}

#[test]
fn a_loser_of_one_call_is_offered_the_next_once_the_phone_is_quiet() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    let phones = dialled(&commands);
    desk.call();
    assert_eq!(devices(&desk.answered(phones[&ANA])), []);
    let commands = desk.ended(phones[&LUIS], LegEnd::Ordered);
    assert_eq!(devices(&commands), [LUIS]);
}

#[test]
fn phones_that_did_not_take_the_call_are_tried_again_but_never_in_a_loop() {
    for (end, after) in [
        (LegEnd::Busy, 5),
        (LegEnd::NoAnswer, 5),
        (LegEnd::Unreachable, 10),
    ] {
        let mut desk = Desk::open(config());
        let (_, commands) = desk.call();
        let leg = leg_to(&commands, ANA);
        assert_eq!(devices(&desk.ended(leg, end)), []);
        assert_eq!(devices(&desk.wait_ms(after * 1000 - 1)), []);
        assert_eq!(devices(&desk.wait_ms(1)), [ANA], "{end:?}");
    }
}

#[test]
fn declining_silences_all_phones_of_the_person_for_this_call() {
    let mut desk = Desk::open(config());
    desk.up(11, "ana");
    let (_, commands) = desk.call();
    let phones = dialled(&commands);
    let commands = desk.ended(phones[&ANA], LegEnd::Declined);
    assert_eq!(
        hangups(&commands),
        [(phones[&11], HangupReason::NotAvailable)]
    );
    desk.finish(&commands);
    assert_eq!(devices(&desk.wait(30)), []);
    // Nor when something else makes the router look who is free.
    assert_eq!(devices(&desk.down(EVA)), []);
}

#[test]
fn when_all_have_declined_they_are_asked_again_later() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    let phones = dialled(&commands);
    desk.ended(phones[&ANA], LegEnd::Declined);
    desk.wait(2);
    desk.ended(phones[&LUIS], LegEnd::Declined);
    assert_eq!(devices(&desk.wait_ms(17_999)), []);
    assert_eq!(devices(&desk.wait_ms(1)), [ANA]);
    assert_eq!(devices(&desk.wait(2)), [LUIS]);
}

#[test]
fn who_comes_up_during_the_ringing_joins_it() {
    let mut desk = Desk::open(config());
    desk.down(LUIS);
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA]);
    assert_eq!(devices(&desk.up(LUIS, "luis")), [LUIS]);
    assert_eq!(devices(&desk.up(11, "ana")), [11]);
}

#[test]
fn waves_ring_the_longest_idle_first_and_pass_the_call_on() {
    let mut desk = Desk::open(config_with(hub_with(&["ana", "eva", "luis"], &[])));
    desk.turn(|router, _| router.set_max_parallel_legs(Some(2)));
    let (first, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA, EVA]);
    let commands = desk.hung_up(first);
    desk.finish(&commands);
    desk.wait(1);
    // Luis was not rung yet, so that it is his turn now.
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA, LUIS]);
    let commands = desk.wait_ms(14_999);
    assert_eq!(hangups(&commands), []);
    let commands = desk.wait_ms(1);
    assert_eq!(hangups(&commands).len(), 1);
    assert_eq!(devices(&desk.finish(&commands)), [EVA]);
}

#[test]
fn a_shared_phone_that_rings_for_one_hub_is_no_room_for_the_other() {
    let mut config = two_hubs();
    for hub in config.hubs.values_mut() {
        hub.answer_after = secs(30);
    }
    let night = config.hubs.get_mut(&hub("night")).unwrap();
    night.schedule = around_the_clock(&["ana", "luis"]);
    // Luis is on duty for the one hub, Eva for the other, at one phone.
    let luis = config.volunteers.get_mut(&person("luis")).unwrap();
    luis.accounts = [AccountId::new("eva")].into();
    let mut desk = Desk::open(config);
    desk.turn(|router, _| router.set_max_parallel_legs(Some(1)));
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA]);
    let next = desk.router.poll_timeout();
    assert_eq!(next, Some((desk.now + secs(15), TimerReason::NextWave)));
    let (_, commands) = desk.call_from(None, DAY);
    assert_eq!(devices(&commands), [EVA]);
    desk.event(Event::DeviceDown {
        device: DeviceId(99),
    });
    let next = desk.router.poll_timeout();
    assert_eq!(next, Some((desk.now + secs(30), TimerReason::AnswerCaller)));
}

#[test]
fn a_phone_shared_by_two_rings_once() {
    let mut config = config();
    let luis = config.volunteers.get_mut(&person("luis")).unwrap();
    luis.accounts = [AccountId::new("ana")].into();
    let (_, commands) = Desk::open(config).call();
    assert_eq!(devices(&commands), [ANA]);
}
