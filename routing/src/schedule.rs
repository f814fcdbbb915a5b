//! Who is on duty at a given moment.
//!
//! A shift that begins on a day is an interval between two instants, found by
//! reading its local times in the hub's zone. A local time that a clock change
//! skips is the moment of the change; one that comes twice is the first of the
//! two. Shifts that touch on paper thus touch on every day of the year.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

use crate::id::VolunteerId;

/// A hub's shifts, in its own time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The IANA zone in which the shifts are meant.
    pub zone: TimeZone,
    /// The shifts. Empty means that no schedule is defined.
    pub shifts: Vec<Shift>,
}

/// Days before today on which a shift that still runs can have begun; one to
/// spare for zones that skip a day when they cross the date line.
const DAYS_BACK: i32 = 2;
/// Days ahead within which every recurring shift begins once; one to spare as above.
const DAYS_AHEAD: i32 = 8;

impl Schedule {
    /// Everyone whose shift runs at `at`. The first instant of a shift belongs to it, the last does not.
    #[must_use]
    pub fn on_duty(&self, at: Timestamp) -> BTreeSet<VolunteerId> {
        self.shifts
            .iter()
            .filter(|shift| {
                self.spans(shift, at, 0)
                    .any(|(from, to)| from <= at && at < to)
            })
            .flat_map(|shift| shift.volunteers.iter().cloned())
            .collect()
    }

    /// The first instant after `after` at which a shift begins or ends; `None` without shifts.
    #[must_use]
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        self.shifts
            .iter()
            .flat_map(|shift| self.spans(shift, after, DAYS_AHEAD))
            .flat_map(|(from, to)| [from, to])
            .filter(|edge| *edge > after)
            .min()
    }

    /// The non-empty intervals of a shift that begin from `DAYS_BACK` days before `around` to `days_ahead` after it.
    fn spans<'a>(
        &'a self,
        shift: &'a Shift,
        around: Timestamp,
        days_ahead: i32,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
        let today = self.zone.to_datetime(around).date();
        (-DAYS_BACK..=days_ahead).filter_map(move |offset| {
            let day = today.checked_add(Span::new().days(offset)).ok()?;
            self.span_on(shift, day)
        })
    }

    fn span_on(&self, shift: &Shift, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !shift.days.contains(&Day::from(day.weekday())) {
            return None;
        }
        let last_day = if shift.to <= shift.from {
            day.tomorrow().ok()?
        } else {
            day
        };
        let from = self.instant(day.to_datetime(shift.from))?;
        let to = self.instant(last_day.to_datetime(shift.to))?;
        (from < to).then_some((from, to))
    }

    /// The instant of a local time; `None` only at the ends of what a timestamp can hold.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let earlier = ambiguous.earlier().ok()?;
        if !skipped {
            return Some(earlier);
        }
        let change = self.zone.following(earlier).next()?;
        Some(change.timestamp())
    }
}

/// A recurring shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The days on which it begins.
    pub days: BTreeSet<Day>,
    /// When it begins, local time.
    pub from: Time,
    /// When it ends, local time; at or before `from` means on the next day.
    pub to: Time,
    /// Who is on it.
    pub volunteers: BTreeSet<VolunteerId>,
}

/// A weekday with an order, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}
