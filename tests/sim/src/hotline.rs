//! A hotline drawn from a seed: hubs, shifts, volunteers, settings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use routing::schedule::{Day, Schedule, Shift as RoutingShift};
use routing::{
    AccountId, CallerHash, CallerHasher, HubConfig, HubId, PhoneNumber, RateLimit, RouterConfig,
    Screening, VolunteerConfig, VolunteerId,
};

use crate::duty::{Shift, ZONE};
use crate::endpoint::CALLER_NUMBER_MARK;
use crate::rng::Rng;

const DAYS: [Day; 7] = [
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
];
const SECOND: Duration = Duration::from_secs(1);

/// One hub, as the model sees it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its name.
    pub id: HubId,
    /// Its number.
    pub number: String,
    /// Its shifts.
    pub shifts: Vec<Shift>,
    /// Its fallback group.
    pub fallback: BTreeSet<usize>,
    /// See `HubConfig`.
    pub answer_after: Duration,
    /// See `HubConfig`.
    pub queue_timeout: Duration,
    /// See `HubConfig`.
    pub max_waiting: usize,
    /// See `HubConfig`.
    pub wrap_up: Duration,
    /// Banned numbers, when the ban list is on.
    pub bans: Option<BTreeSet<String>>,
    /// Calls and window, when the rate limit is on.
    pub rate_limit: Option<(u32, Duration)>,
}

/// One volunteer.
#[derive(Clone, Debug)]
pub struct Volunteer {
    /// Their name.
    pub id: VolunteerId,
    /// The phone account of each of their phones.
    pub phones: Vec<String>,
    /// Whether they declared a break.
    pub on_break: bool,
    /// Whether they are configured at all.
    pub known: bool,
}

/// The whole hotline.
#[derive(Clone, Debug)]
pub struct Hotline {
    /// The hubs.
    pub hubs: Vec<Hub>,
    /// The volunteers.
    pub volunteers: Vec<Volunteer>,
}

impl Hotline {
    /// Draws a hotline whose shifts change around `minute` of the local day.
    pub fn draw(rng: &mut Rng, minute: i64) -> Self {
        let people = rng.between(1, 7);
        let volunteers: Vec<Volunteer> = (0..people).map(|n| volunteer(n, rng)).collect();
        let hubs = match rng.chance(300) {
            true => 2,
            false => 1,
        };
        let hubs = (0..hubs)
            .map(|n| hub(n, volunteers.len(), minute, rng))
            .collect();
        Self { hubs, volunteers }
    }

    /// The number of a caller; a handful of people call again and again.
    #[must_use]
    pub fn caller(nth: u64) -> String {
        format!("+{CALLER_NUMBER_MARK}{nth:03}")
    }

    /// The volunteer to whom an account belongs.
    #[must_use]
    pub fn owner(&self, account: &AccountId) -> Option<usize> {
        let has = |it: &Volunteer| it.phones.iter().any(|phone| phone == account.as_str());
        self.volunteers.iter().position(has)
    }

    /// The place of a hub.
    #[must_use]
    pub fn hub(&self, id: &HubId) -> Option<usize> {
        self.hubs.iter().position(|hub| hub.id == *id)
    }

    /// The place of a volunteer.
    #[must_use]
    pub fn volunteer(&self, id: &VolunteerId) -> Option<usize> {
        self.volunteers.iter().position(|it| it.id == *id)
    }

    /// Changes something that an operator may change during a call.
    pub fn alter(&mut self, rng: &mut Rng) {
        let at = usize::try_from(rng.below(self.hubs.len() as u64)).unwrap_or(0);
        let people = self.volunteers.len() as u64;
        let who = usize::try_from(rng.below(people)).unwrap_or(0);
        let hub = &mut self.hubs[at];
        match rng.below(6) {
            0 => hub.queue_timeout = rng.secs(30, 120),
            1 => hub.wrap_up = rng.secs(0, 20),
            2 => self.volunteers[who].known = !self.volunteers[who].known,
            3 => hub.fallback = group(people, rng),
            4 => hub
                .shifts
                .iter_mut()
                .for_each(|shift| shift.who = group(people, rng)),
            _ => hub.max_waiting = usize::try_from(rng.between(1, 6)).unwrap_or(1),
        }
    }

    /// The same for the router.
    ///
    /// # Panics
    /// Never: what is drawn is valid.
    #[must_use]
    pub fn config(&self) -> RouterConfig {
        let number = |text: &str| PhoneNumber::parse(text).expect("a number");
        RouterConfig {
            hubs: self
                .hubs
                .iter()
                .map(|hub| (hub.id.clone(), self.hub_config(hub)))
                .collect(),
            numbers: self
                .hubs
                .iter()
                .map(|hub| (number(&hub.number), hub.id.clone()))
                .collect(),
            volunteers: self
                .volunteers
                .iter()
                .filter(|it| it.known)
                .map(|it| (it.id.clone(), volunteer_config(it)))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    fn names(&self, group: &BTreeSet<usize>) -> BTreeSet<VolunteerId> {
        group
            .iter()
            .map(|who| self.volunteers[*who].id.clone())
            .collect()
    }

    fn hub_config(&self, hub: &Hub) -> HubConfig {
        let shifts = hub.shifts.iter().map(|shift| RoutingShift {
            days: shift
                .days
                .iter()
                .filter_map(|day| DAYS.get(usize::try_from(*day).ok()?))
                .copied()
                .collect(),
            from: time(shift.from_min),
            to: time(shift.to_min),
            volunteers: self.names(&shift.who),
        });
        let hash = |number: &String| PhoneNumber::parse(number).map(|it| Plain.hash(&it));
        HubConfig {
            display: "Night Line".to_owned(),
            schedule: Schedule {
                zone: TimeZone::get(ZONE).expect("the zone is bundled"),
                shifts: shifts.collect(),
            },
            fallback: self.names(&hub.fallback),
            answer_after: hub.answer_after,
            queue_timeout: hub.queue_timeout,
            max_waiting: hub.max_waiting,
            voicemail_max: 60 * SECOND,
            voicemail_silence: 5 * SECOND,
            wrap_up: hub.wrap_up,
            screening: Screening {
                bans: hub
                    .bans
                    .as_ref()
                    .map(|bans| bans.iter().filter_map(hash).collect()),
                rate_limit: hub
                    .rate_limit
                    .map(|(max_calls, window)| RateLimit { max_calls, window }),
            },
        }
    }
}

/// Stands for the keyed hash: distinct numbers stay distinct, that is all.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl CallerHasher for Plain {
    fn hash(&self, number: &PhoneNumber) -> CallerHash {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(number.reveal().bytes()) {
            *to = from;
        }
        CallerHash(hash)
    }
}

fn volunteer(nth: u64, rng: &mut Rng) -> Volunteer {
    let account = format!("v{nth}");
    let phones = match rng.below(4) {
        // Two contacts of one account, or two accounts.
        0 => vec![account.clone(), account],
        1 => vec![account.clone(), format!("{account}b")],
        _ => vec![account],
    };
    Volunteer {
        id: VolunteerId::new(&format!("volunteer{nth}")),
        phones,
        on_break: rng.chance(100),
        known: true,
    }
}

fn volunteer_config(volunteer: &Volunteer) -> VolunteerConfig {
    VolunteerConfig {
        accounts: volunteer
            .phones
            .iter()
            .map(|it| AccountId::new(it))
            .collect(),
        on_break: volunteer.on_break,
    }
}

fn hub(nth: u64, people: usize, minute: i64, rng: &mut Rng) -> Hub {
    let people = people as u64;
    let shifts = match rng.chance(100) {
        true => Vec::new(),
        false => shifts(people, minute, rng),
    };
    let banned = BTreeSet::from([Hotline::caller(1), Hotline::caller(2)]);
    Hub {
        id: HubId::new(&format!("hub{nth}")),
        number: format!("+9155501{nth:02}"),
        shifts,
        fallback: group(people, rng),
        answer_after: rng.secs(3, 20),
        queue_timeout: rng.secs(30, 120),
        max_waiting: usize::try_from(rng.between(1, 6)).unwrap_or(1),
        wrap_up: match rng.chance(300) {
            true => Duration::ZERO,
            false => rng.secs(1, 30),
        },
        bans: rng.chance(700).then_some(banned),
        rate_limit: rng.chance(500).then_some((3, 600 * SECOND)),
    }
}

/// Two shifts that meet soon, and perhaps one around the clock.
fn shifts(people: u64, minute: i64, rng: &mut Rng) -> Vec<Shift> {
    let every_day: BTreeSet<i64> = (0..7).collect();
    let ahead = i64::try_from(rng.between(3, 40)).unwrap_or(10);
    let edge = (minute + ahead).rem_euclid(1440);
    let mut shift = |from_min, to_min| Shift {
        days: every_day.clone(),
        from_min,
        to_min,
        who: group(people, rng),
    };
    let mut shifts = vec![
        shift((edge - 300).rem_euclid(1440), edge),
        shift(edge, (edge + 300).rem_euclid(1440)),
    ];
    if rng.chance(300) {
        shifts.push(Shift {
            days: every_day,
            from_min: edge,
            to_min: edge,
            who: group(people, rng),
        });
    }
    shifts
}

/// Some of the volunteers, seldom none.
fn group(people: u64, rng: &mut Rng) -> BTreeSet<usize> {
    (0..people)
        .filter(|_| rng.chance(800))
        .filter_map(|who| usize::try_from(who).ok())
        .collect()
}

fn time(minute: i64) -> Time {
    let part = |value: i64| i8::try_from(value).unwrap_or(0);
    Time::constant(part(minute / 60), part(minute % 60), 0, 0)
}
