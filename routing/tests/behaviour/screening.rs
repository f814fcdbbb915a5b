//! The controls at the door.

use routing::*;

use crate::desk::*;

const CALLER: &str = "+34600111222";

fn rejected(commands: &[Command]) -> Option<RejectReason> {
    match commands {
        [Command::Reject { reason, .. }] => Some(*reason),
        _ => None,
    }
}

fn config_screening(screening: Screening) -> RouterConfig {
    let mut night = hub_with(&["ana"], &[]);
    night.max_waiting = 100;
    night.screening = screening;
    config_with(night)
}

fn at_most(max_calls: u32) -> Screening {
    let window = secs(60);
    Screening {
        bans: None,
        rate_limit: Some(RateLimit { max_calls, window }),
    }
}

fn banning(caller: &str) -> Screening {
    Screening {
        bans: Some([PlainHasher.hash(&number(caller))].into_iter().collect()),
        rate_limit: None,
    }
}

#[test]
fn a_banned_caller_is_refused_before_anything_rings() {
    let mut desk = Desk::open(config_screening(banning(CALLER)));
    let (_, commands) = desk.call_from(Some(CALLER), NIGHT);
    assert_eq!(rejected(&commands), Some(RejectReason::Banned));
    let record = desk.record();
    assert_eq!(record.outcome, Outcome::Rejected(RejectReason::Banned));
    assert_eq!(record.hub, Some(hub("night")));
    assert!(record.rung.is_empty());
    assert!(desk.router.is_idle());
    let counted = desk.router.snapshot(desk.now).counters.ended;
    assert_eq!(counted[&Outcome::Rejected(RejectReason::Banned)], 1);
}

/// Without a new configuration: nobody sends one because time goes by.
#[test]
fn a_ban_with_an_end_ends() {
    let wall: jiff::Timestamp = NOON.parse().unwrap();
    let until = wall + secs(60);
    let caller = PlainHasher.hash(&number(CALLER));
    let screening = Screening {
        bans: Some([(caller, Some(until))].into_iter().collect()),
        rate_limit: None,
    };
    let mut desk = Desk::open(config_screening(screening));
    let refused = |desk: &mut Desk| rejected(&desk.call_from(Some(CALLER), NIGHT).1);
    assert_eq!(refused(&mut desk), Some(RejectReason::Banned));
    desk.wait_ms(59_999);
    assert_eq!(refused(&mut desk), Some(RejectReason::Banned));
    desk.wait_ms(1);
    assert_eq!(refused(&mut desk), None);
    // The clock is put back: it is as it was then.
    desk.wall(NOON);
    assert_eq!(refused(&mut desk), Some(RejectReason::Banned));
}

#[test]
fn toggles_work_with_the_next_call() {
    let mut desk = Desk::open(config_screening(Screening::default()));
    let refused = |desk: &mut Desk| rejected(&desk.call_from(Some(CALLER), NIGHT).1);
    assert_eq!(refused(&mut desk), None);
    desk.configure(config_screening(banning(CALLER)));
    assert_eq!(refused(&mut desk), Some(RejectReason::Banned));
    desk.configure(config_screening(at_most(0)));
    assert_eq!(refused(&mut desk), Some(RejectReason::RateLimited));
    desk.configure(config_screening(Screening::default()));
    assert_eq!(refused(&mut desk), None);
}

#[test]
fn the_window_slides_and_refused_calls_do_not_prolong_it() {
    let mut desk = Desk::open(config_screening(at_most(2)));
    let refused = |desk: &mut Desk| rejected(&desk.call_from(Some(CALLER), NIGHT).1);
    assert_eq!(refused(&mut desk), None);
    desk.wait(20);
    assert_eq!(refused(&mut desk), None);
    desk.wait_ms(39_999);
    assert_eq!(refused(&mut desk), Some(RejectReason::RateLimited));
    desk.wait_ms(1);
    assert_eq!(refused(&mut desk), None);
    assert_eq!(refused(&mut desk), Some(RejectReason::RateLimited));
    desk.wait(20);
    assert_eq!(refused(&mut desk), None);
}

#[test]
fn each_number_has_a_window_of_its_own_and_withheld_ones_none() {
    let mut desk = Desk::open(config_screening(at_most(1)));
    for caller in [Some(CALLER), Some("+34600333444"), None, None] {
        assert_eq!(rejected(&desk.call_from(caller, NIGHT).1), None);
    }
}

#[test]
fn a_flood_of_numbers_cannot_grow_the_table() {
    let mut desk = Desk::open(config_screening(at_most(1)));
    let tracked = limits::MAX_TRACKED_CALLERS;
    for caller in 0..=tracked {
        // Past the desk, which would check the whole table each time.
        let leg = LegId::incoming(1, u64::try_from(caller).unwrap());
        let offered = Event::CallOffered {
            leg,
            trunk: None,
            caller: Some(number(&format!("+{caller}"))),
            called: number(NIGHT),
        };
        desk.now += std::time::Duration::from_millis(1);
        desk.router.handle_event(offered, desk.now);
        let end = LegEnd::HungUp;
        desk.router
            .handle_event(Event::LegEnded { leg, end }, desk.now);
    }
    desk.turn(|_, _| ());
    let counters = desk.router.snapshot(desk.now).counters;
    assert_eq!(counters.forgotten_callers, 1);
    assert_eq!(rejected(&desk.call_from(Some("+0"), NIGHT).1), None);
    let last = format!("+{tracked}");
    let (_, commands) = desk.call_from(Some(&last), NIGHT);
    assert_eq!(rejected(&commands), Some(RejectReason::RateLimited));
}

#[test]
fn an_unknown_number_is_refused_and_recorded() {
    let mut desk = Desk::open(config());
    let (_, commands) = desk.call_from(None, "+999");
    assert_eq!(rejected(&commands), Some(RejectReason::UnknownNumber));
    assert_eq!(desk.record().hub, None);
}

#[test]
fn while_draining_new_calls_are_refused_and_live_ones_go_on() {
    let mut desk = Desk::open(config());
    let (caller, _) = desk.talk();
    desk.turn(|router, now| router.drain(now));
    assert_eq!(rejected(&desk.call().1), Some(RejectReason::Unavailable));
    assert!(!desk.router.is_idle());
    let commands = desk.hung_up(caller);
    desk.finish(&commands);
    assert!(desk.router.is_idle());
}

#[test]
fn a_full_box_refuses_the_next_caller() {
    let mut config = config_screening(Screening::default());
    config.volunteers.clear();
    let mut desk = Desk::without_phones(config);
    for _ in 0..limits::MAX_LIVE_CALLS {
        assert_eq!(rejected(&desk.call().1), None);
    }
    assert_eq!(rejected(&desk.call().1), Some(RejectReason::Unavailable));
}

#[test]
fn the_operator_decides_how_many_calls_are_taken_at_once() {
    let mut desk = Desk::open(config());
    desk.turn(|router, _| router.set_max_calls(1));
    let (first, commands) = desk.call();
    assert_eq!(rejected(&commands), None);
    assert_eq!(rejected(&desk.call().1), Some(RejectReason::Unavailable));
    desk.hung_up(first);
    assert_eq!(rejected(&desk.call().1), None);
}
