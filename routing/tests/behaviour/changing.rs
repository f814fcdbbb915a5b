//! Changes while calls are live: shifts, breaks, phones, configuration, the clock.

use jiff::civil::time;
use routing::schedule::Shift;
use routing::*;

use crate::desk::*;

/// Ana until 14:00, Luis from then on, every day, UTC.
fn relay() -> RouterConfig {
    let mut config = config();
    let night = config.hubs.get_mut(&hub("night")).unwrap();
    let shift = |name, from, to| Shift {
        days: every_day(),
        from,
        to,
        volunteers: people(&[name]),
    };
    let change = time(14, 0, 0, 0);
    night.schedule.shifts = vec![
        shift("ana", time(6, 0, 0, 0), change),
        shift("luis", change, time(6, 0, 0, 0)),
    ];
    config
}

fn with_break(name: &str) -> RouterConfig {
    let mut config = config();
    config.volunteers.get_mut(&person(name)).unwrap().on_break = true;
    config
}

#[test]
fn at_the_change_of_shift_one_stops_ringing_and_the_other_begins() {
    let mut desk = Desk::open(relay());
    desk.wall("2026-03-04T13:59:58Z");
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA]);
    let ana = leg_to(&commands, ANA);
    assert_eq!(desk.wait_ms(1_999), []);
    let commands = desk.wait_ms(1);
    assert_eq!(hangups(&commands), [(ana, HangupReason::NotAvailable)]);
    assert_eq!(devices(&commands), [LUIS]);
}

#[test]
fn a_corrected_clock_counts_at_once() {
    let mut desk = Desk::open(relay());
    let (_, commands) = desk.call();
    assert_eq!(devices(&commands), [ANA]);
    let commands = desk.wall("2026-03-04T15:00:00Z");
    assert_eq!(devices(&commands), [LUIS]);
    let (_, reason) = desk.router.poll_timeout().unwrap();
    assert_eq!(reason, TimerReason::AnswerCaller);
}

#[test]
fn the_end_of_a_shift_does_not_end_a_conversation() {
    let mut desk = Desk::open(relay());
    let (caller, _) = desk.talk();
    assert_eq!(desk.wait(3 * 3600), []);
    desk.hung_up(caller);
    assert_eq!(desk.record().talk, secs(3 * 3600));
}

#[test]
fn a_break_stops_the_ringing_and_its_end_starts_it_again() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    let ana = leg_to(&commands, ANA);
    let commands = desk.configure(with_break("ana"));
    assert_eq!(
        commands,
        [Command::Hangup {
            leg: ana,
            reason: HangupReason::NotAvailable
        }]
    );
    assert_eq!(desk.state("ana"), VolunteerState::OnBreak);
    desk.finish(&commands);
    assert_eq!(devices(&desk.configure(config())), [ANA]);
}

#[test]
fn a_removed_volunteer_stops_ringing_but_may_finish_a_conversation() {
    let mut without_ana = config();
    without_ana.volunteers.remove(&person("ana"));
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    let ana = leg_to(&commands, ANA);
    let commands = desk.configure(without_ana.clone());
    assert_eq!(hangups(&commands), [(ana, HangupReason::NotAvailable)]);

    let mut desk = Desk::open(config());
    let (caller, _) = desk.talk();
    assert_eq!(desk.configure(without_ana), []);
    assert_eq!(desk.state("ana"), VolunteerState::InCall);
    desk.hung_up(caller);
    let gone = Notice::VolunteerChanged {
        volunteer: person("ana"),
        state: VolunteerState::Unreachable,
    };
    assert!(desk.notices.contains(&gone));
    assert_eq!(desk.record().outcome, Outcome::Answered);
}

#[test]
fn callers_of_a_removed_hub_go_on_and_new_ones_are_refused() {
    let mut desk = Desk::open(two_hubs());
    let (caller, commands) = desk.call_from(None, DAY);
    let eva = leg_to(&commands, EVA);
    let mut without_day = config();
    without_day.numbers.insert(number(DAY), hub("day"));
    assert_eq!(desk.configure(without_day), []);
    let (_, commands) = desk.call_from(None, DAY);
    let reason = RejectReason::UnknownNumber;
    assert!(matches!(commands[..], [Command::Reject { reason: why, .. }] if why == reason));
    let commands = desk.answered(eva);
    assert!(commands.contains(&Command::Bridge { a: caller, b: eva }));
    desk.hung_up(caller);
    assert_eq!(desk.records().pop().unwrap().hub, Some(hub("day")));
}

#[test]
fn a_phone_that_comes_up_again_is_rung_without_delay() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call();
    desk.ended(leg_to(&commands, ANA), LegEnd::Unreachable);
    desk.down(ANA);
    assert_eq!(devices(&desk.up(ANA, "ana")), [ANA]);
}

#[test]
fn a_phone_whose_registration_lapses_goes_on_ringing() {
    let mut desk = Desk::open(config());
    let (caller, commands) = desk.call();
    let ana = leg_to(&commands, ANA);
    assert_eq!(desk.down(ANA), []);
    let commands = desk.answered(ana);
    assert!(commands.contains(&Command::Bridge { a: caller, b: ana }));
}

#[test]
fn who_would_be_on_duty_can_be_asked_for_any_time() {
    let desk = Desk::open(relay());
    let at = |wall: &str| desk.router.on_duty(&hub("night"), wall.parse().unwrap());
    assert_eq!(at("2026-07-01T13:59:59Z"), people(&["ana"]));
    assert_eq!(at("2026-07-01T14:00:00Z"), people(&["luis"]));
    assert_eq!(
        desk.router.on_duty(&hub("nowhere"), NOON.parse().unwrap()),
        people(&[])
    );
}

#[test]
fn the_snapshot_shows_what_is_live() {
    let mut desk = Desk::open(config());
    desk.talk();
    desk.call();
    desk.wait(7);
    let snapshot = desk.router.snapshot(desk.now);
    assert_eq!(snapshot.at, "2026-03-04T12:00:07Z".parse().unwrap());
    let [first, second] = &snapshot.calls[..] else {
        panic!("two calls are live");
    };
    assert_eq!(first.stage, CallStage::Bridged);
    assert_eq!(first.volunteer, Some(person("ana")));
    assert_eq!(first.waited, secs(0));
    assert_eq!(second.stage, CallStage::Ringback);
    assert_eq!(second.ringing, people(&["luis"]));
    assert_eq!((second.position, second.waited), (Some(1), secs(7)));
    let ana = &snapshot.volunteers[0];
    assert_eq!(ana.state, VolunteerState::InCall);
    assert_eq!(ana.on_duty, [hub("night")].into());
    assert_eq!(ana.devices, [DeviceId(ANA)].into());
    assert_eq!(snapshot.counters.started, 2);
}

#[test]
fn times_without_end_do_no_harm() {
    let forever = std::time::Duration::MAX;
    let mut night = hub_with(&["ana"], &[]);
    night.answer_after = forever;
    night.queue_timeout = forever;
    night.wrap_up = forever;
    night.voicemail_max = forever;
    night.screening.rate_limit = Some(RateLimit {
        max_calls: 5,
        window: forever,
    });
    let mut desk = Desk::open(config_with(night));
    let (caller, commands) = desk.call_from(Some("+34600111222"), NIGHT);
    desk.answered(leg_to(&commands, ANA));
    desk.hung_up(caller);
    assert_eq!(desk.state("ana"), VolunteerState::WrapUp);
    desk.down(ANA);
    let (caller, _) = desk.call_from(Some("+34600111222"), NIGHT);
    desk.answered(caller);
    assert!(matches!(
        desk.played(caller, PromptKind::VoicemailInvitation)[..],
        [Command::Record { .. }]
    ));
}
