//! Shifts across midnight, week ends and clock changes.

use jiff::Timestamp;
use jiff::civil::{Time, time};
use jiff::tz::TimeZone;
use routing::schedule::{Day, Schedule, Shift};

use crate::desk::{every_day, people};

struct Roster(Schedule);

impl Roster {
    fn new(zone: &str, shifts: &[(&[Day], Time, Time, &str)]) -> Self {
        let shifts = shifts
            .iter()
            .map(|(days, from, to, name)| Shift {
                days: days.iter().copied().collect(),
                from: *from,
                to: *to,
                volunteers: people(&[name]),
            })
            .collect();
        let zone = TimeZone::get(zone).unwrap();
        Self(Schedule { zone, shifts })
    }

    /// The names on duty at a zoned time or timestamp.
    fn at(&self, when: &str) -> Vec<String> {
        let on_duty = self.0.on_duty(instant(when));
        on_duty.iter().map(|who| who.as_str().to_owned()).collect()
    }

    fn next(&self, when: &str) -> Timestamp {
        self.0.next_change(instant(when)).unwrap()
    }
}

fn instant(when: &str) -> Timestamp {
    when.parse().unwrap_or_else(|_| {
        let zoned: jiff::Zoned = when.parse().unwrap();
        zoned.timestamp()
    })
}

fn clock(hour: i8, minute: i8) -> Time {
    time(hour, minute, 0, 0)
}

fn all_days() -> Vec<Day> {
    every_day().into_iter().collect()
}

#[test]
fn an_overnight_shift_belongs_to_the_day_on_which_it_begins() {
    let friday = Roster::new(
        "Europe/Madrid",
        &[(&[Day::Fri], clock(22, 0), clock(6, 0), "ana")],
    );
    // 2026-03-06 is a Friday.
    for (when, on_duty) in [
        ("2026-03-06T03:00[Europe/Madrid]", false),
        ("2026-03-06T21:59:59[Europe/Madrid]", false),
        ("2026-03-06T22:00[Europe/Madrid]", true),
        ("2026-03-07T00:00[Europe/Madrid]", true),
        ("2026-03-07T05:59:59.999[Europe/Madrid]", true),
        ("2026-03-07T06:00[Europe/Madrid]", false),
        ("2026-03-07T23:00[Europe/Madrid]", false),
    ] {
        assert_eq!(!friday.at(when).is_empty(), on_duty, "{when}");
    }
}

#[test]
fn sunday_night_reaches_into_monday() {
    let sunday = Roster::new(
        "America/New_York",
        &[(&[Day::Sun], clock(20, 0), clock(8, 0), "ana")],
    );
    // 2026-03-15 is a Sunday.
    assert_eq!(sunday.at("2026-03-16T07:59[America/New_York]"), ["ana"]);
    assert!(sunday.at("2026-03-16T08:00[America/New_York]").is_empty());
    assert!(sunday.at("2026-03-15T07:00[America/New_York]").is_empty());
}

#[test]
fn equal_times_are_a_whole_day() {
    let saturday = Roster::new(
        "Europe/Madrid",
        &[(&[Day::Sat], clock(9, 0), clock(9, 0), "ana")],
    );
    assert!(saturday.at("2026-03-07T08:59[Europe/Madrid]").is_empty());
    assert_eq!(saturday.at("2026-03-07T09:00[Europe/Madrid]"), ["ana"]);
    assert_eq!(saturday.at("2026-03-08T08:59[Europe/Madrid]"), ["ana"]);
    assert!(saturday.at("2026-03-08T09:00[Europe/Madrid]").is_empty());
    let next = saturday.next("2026-03-08T09:00[Europe/Madrid]");
    assert_eq!(next, instant("2026-03-14T09:00[Europe/Madrid]"));
}

#[test]
fn the_local_day_counts_not_that_of_greenwich() {
    let monday = Roster::new(
        "Australia/Lord_Howe",
        &[(&[Day::Mon], clock(0, 0), clock(6, 0), "ana")],
    );
    // Monday 01:00 there is still Sunday in Greenwich.
    assert_eq!(monday.at("2026-06-14T14:30:00Z"), ["ana"]);
    assert!(monday.at("2026-06-15T14:30:00Z").is_empty());
}

#[test]
fn overlapping_shifts_merge() {
    let days = [Day::Wed];
    let both = Roster::new(
        "UTC",
        &[
            (&days, clock(8, 0), clock(12, 0), "ana"),
            (&days, clock(10, 0), clock(14, 0), "luis"),
        ],
    );
    assert_eq!(both.at("2026-03-04T11:00:00Z"), ["ana", "luis"]);
    assert_eq!(
        both.next("2026-03-04T11:00:00Z"),
        instant("2026-03-04T12:00:00Z")
    );
}

#[test]
fn no_shifts_no_changes() {
    let nothing = Roster::new("UTC", &[]);
    assert!(nothing.at("2026-03-04T11:00:00Z").is_empty());
    assert_eq!(nothing.0.next_change(instant("2026-03-04T11:00:00Z")), None);
}

#[test]
fn a_night_shift_lasts_an_hour_less_or_more_when_clocks_change() {
    let nightly = Roster::new(
        "Europe/Madrid",
        &[(&all_days(), clock(22, 0), clock(6, 0), "ana")],
    );
    // Clocks go forward at 01:00Z on 2026-03-29 and back at 01:00Z on 2026-10-25.
    for (begin, end) in [
        ("2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
    ] {
        assert_eq!(nightly.next(begin), instant(end));
        assert_eq!(nightly.at(begin), ["ana"]);
        assert!(nightly.at(end).is_empty());
    }
}

#[test]
fn a_skipped_time_is_the_moment_of_the_change() {
    let days = all_days();
    for (zone, before, from, change, after) in [
        (
            "Europe/Madrid",
            clock(20, 0),
            clock(2, 30),
            "2026-03-29T01:00:00Z",
            clock(3, 15),
        ),
        (
            "America/New_York",
            clock(20, 0),
            clock(2, 30),
            "2026-03-08T07:00:00Z",
            clock(3, 15),
        ),
        // Half an hour is skipped, from 02:00 to 02:30.
        (
            "Australia/Lord_Howe",
            clock(20, 0),
            clock(2, 15),
            "2026-10-03T15:30:00Z",
            clock(2, 40),
        ),
    ] {
        let roster = Roster::new(
            zone,
            &[(&days, before, from, "ana"), (&days, from, after, "luis")],
        );
        let change = instant(change);
        let earlier = (change - jiff::SignedDuration::from_millis(1)).to_string();
        assert_eq!(roster.at(&earlier), ["ana"], "{zone}");
        assert_eq!(roster.at(&change.to_string()), ["luis"], "{zone}");
        assert_eq!(roster.next(&earlier), change, "{zone}");
    }
}

#[test]
fn a_time_that_comes_twice_is_the_first_of_the_two() {
    let days = all_days();
    for (zone, hand_over, change) in [
        // 02:30 summer time; the second 02:30 comes an hour later.
        ("Europe/Madrid", clock(2, 30), "2026-10-25T00:30:00Z"),
        ("America/New_York", clock(1, 30), "2026-11-01T05:30:00Z"),
        // 01:30 to 02:00 comes twice.
        ("Australia/Lord_Howe", clock(1, 45), "2026-04-04T14:45:00Z"),
    ] {
        let roster = Roster::new(
            zone,
            &[
                (&days, clock(20, 0), hand_over, "ana"),
                (&days, hand_over, clock(7, 0), "luis"),
            ],
        );
        let change = instant(change);
        let earlier = (change - jiff::SignedDuration::from_millis(1)).to_string();
        assert_eq!(roster.at(&earlier), ["ana"], "{zone}");
        for minutes in [0, 29, 31, 59, 61] {
            let at = change + jiff::SignedDuration::from_mins(minutes);
            assert_eq!(roster.at(&at.to_string()), ["luis"], "{zone} {minutes}");
        }
    }
}

#[test]
fn shifts_that_touch_leave_no_instant_of_the_year_uncovered() {
    let days = all_days();
    for zone in ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe"] {
        let roster = Roster::new(
            zone,
            &[
                (&days, clock(2, 30), clock(14, 0), "ana"),
                (&days, clock(14, 0), clock(1, 45), "eva"),
                (&days, clock(1, 45), clock(2, 30), "luis"),
            ],
        );
        let mut at = instant("2026-01-01T00:00:00Z");
        let end = instant("2027-01-01T00:00:00Z");
        let mut changes = 0;
        while at < end {
            let on_duty = roster.0.on_duty(at);
            assert_eq!(on_duty.len(), 1, "{zone} {at}: {on_duty:?}");
            let next = roster.0.next_change(at).unwrap();
            let just_before = next - jiff::SignedDuration::from_nanos(1);
            assert_eq!(roster.0.on_duty(just_before), on_duty, "{zone} {next}");
            assert_ne!(roster.0.on_duty(next), on_duty, "{zone} {next}");
            at = next;
            changes += 1;
        }
        // Three a day; the short one may vanish in spring, when its time is skipped.
        assert!(
            (3 * 365 - 1..=3 * 365 + 1).contains(&changes),
            "{zone} {changes}"
        );
    }
}
