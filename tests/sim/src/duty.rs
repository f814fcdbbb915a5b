//! Who is on duty, worked out with integers and the European summer-time rule alone.
//!
//! Shares nothing with `routing::schedule`, which reads the time-zone database.

use std::collections::BTreeSet;

/// The zone of all hotlines here: one or two hours ahead of UTC.
pub const ZONE: &str = "Europe/Madrid";

const DAY_S: i64 = 86_400;
const WINTER_S: i64 = 3_600;
const SUMMER_S: i64 = 7_200;

/// A recurring shift.
#[derive(Clone, Debug)]
pub struct Shift {
    /// The weekdays on which it begins, Monday is 0.
    pub days: BTreeSet<i64>,
    /// Local minute of the day when it begins.
    pub from_min: i64,
    /// Local minute when it ends; at or before `from_min` means on the next day.
    pub to_min: i64,
    /// Who is on it, by their place in the list of volunteers.
    pub who: BTreeSet<usize>,
}

/// Everyone on duty at a moment, in nanoseconds since 1970.
#[must_use]
pub fn on_duty(shifts: &[Shift], wall_ns: i64) -> BTreeSet<usize> {
    let wall_s = wall_ns.div_euclid(1_000_000_000);
    let today = (wall_s + SUMMER_S).div_euclid(DAY_S);
    let runs = |shift: &&Shift| {
        (today - 2..=today).any(|day| {
            let overnight = i64::from(shift.to_min <= shift.from_min);
            let from = utc(day * DAY_S + shift.from_min * 60);
            let to = utc((day + overnight) * DAY_S + shift.to_min * 60);
            shift.days.contains(&weekday(day)) && from <= wall_s && wall_s < to
        })
    };
    let running = shifts.iter().filter(runs);
    running
        .flat_map(|shift| shift.who.iter().copied())
        .collect()
}

/// Days since 1970 of a date.
#[must_use]
pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let lengths = [
        31,
        28 + i64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let months = usize::try_from(month - 1).unwrap_or(0);
    let before: i64 = lengths.iter().take(months).sum();
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + before + day - 1
}

/// Monday is 0.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The moment of a local time; one that is skipped is the moment of the change, the first of two counts.
fn utc(local_s: i64) -> i64 {
    if is_summer(local_s - SUMMER_S) {
        local_s - SUMMER_S
    } else if is_summer(local_s - WINTER_S) {
        summer_of(local_s).0
    } else {
        local_s - WINTER_S
    }
}

fn is_summer(at: i64) -> bool {
    let (from, to) = summer_of(at);
    from <= at && at < to
}

/// Summer time: from the last Sunday of March to that of October, 01:00 UTC.
fn summer_of(at: i64) -> (i64, i64) {
    let day = at.div_euclid(DAY_S);
    let mut year = 1970 + day.div_euclid(366);
    while day_of(year + 1, 1, 1) <= day {
        year += 1;
    }
    let change = |month| {
        let last = day_of(year, month, 31);
        (last - (weekday(last) + 1) % 7) * DAY_S + 3_600
    };
    (change(3), change(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: i64, minute: i64) -> i64 {
        (day * DAY_S + hour * 3_600 + minute * 60) * 1_000_000_000
    }

    fn night() -> Shift {
        Shift {
            days: (0..7).collect(),
            from_min: 22 * 60,
            to_min: 150,
            who: BTreeSet::from([7]),
        }
    }

    #[test]
    fn a_night_shift_is_an_hour_shorter_or_longer_when_the_clocks_change() {
        let on = |wall| !on_duty(&[night()], wall).is_empty();
        // In 2026 the clocks change on 29 March and 25 October.
        let spring = day_of(2026, 3, 29);
        assert!(on(at(spring - 1, 21, 0)) && !on(at(spring - 1, 20, 59)));
        assert!(
            on(at(spring, 0, 59)) && !on(at(spring, 1, 0)),
            "half past two is skipped"
        );
        let autumn = day_of(2026, 10, 25);
        assert!(
            on(at(autumn, 0, 29)) && !on(at(autumn, 0, 30)),
            "the first half past two"
        );
        assert!(!on(at(autumn, 1, 15)));
    }

    #[test]
    fn weekdays_are_right() {
        assert_eq!(weekday(day_of(1970, 1, 1)), 3);
        assert_eq!(weekday(day_of(2024, 2, 29)), 3);
        assert_eq!(weekday(day_of(2026, 3, 29)), 6);
    }
}
