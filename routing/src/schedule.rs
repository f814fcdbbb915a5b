//! Who is on duty at a given moment.

use std::collections::BTreeSet;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::id::VolunteerId;

/// A hub's shifts, in its own time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The IANA zone in which the shifts are meant.
    pub zone: TimeZone,
    /// The shifts. Empty means that no schedule is defined.
    pub shifts: Vec<Shift>,
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
