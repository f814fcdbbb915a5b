//! What the router must know of the hotline. Replaced as a whole while calls are live.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::id::{AccountId, HubId, VolunteerId};
use crate::party::{CallerHash, PhoneNumber};
use crate::schedule::Schedule;

/// Everything that can be configured. A new one takes effect with the next event.
#[derive(Clone, Debug, Default)]
pub struct RouterConfig {
    /// The hubs.
    pub hubs: BTreeMap<HubId, HubConfig>,
    /// Which hub a dialled number belongs to.
    pub numbers: BTreeMap<PhoneNumber, HubId>,
    /// The volunteers, of all hubs.
    pub volunteers: BTreeMap<VolunteerId, VolunteerConfig>,
}

/// One hub.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// What volunteers' phones show.
    pub display: String,
    /// Who is on duty when.
    pub schedule: Schedule,
    /// Who is rung when nobody is on duty or no schedule exists.
    pub fallback: BTreeSet<VolunteerId>,
    /// How long a caller hears ringback while phones ring, before being answered with the greeting.
    /// With nobody to ring, the caller is answered at once.
    pub answer_after: Duration,
    /// How long a caller waits, from the INVITE, before voicemail (30-300 s, CALL-12).
    pub queue_timeout: Duration,
    /// Most callers that wait at once; one more goes to voicemail.
    pub max_waiting: usize,
    /// Longest message (30-300 s, VM-02).
    pub voicemail_max: Duration,
    /// Silence that ends a message.
    pub voicemail_silence: Duration,
    /// Time after a call in which a volunteer is not rung.
    pub wrap_up: Duration,
    /// The controls at the door.
    pub screening: Screening,
}

/// One volunteer.
#[derive(Clone, Debug, Default)]
pub struct VolunteerConfig {
    /// The phone accounts whose devices ring for them.
    pub accounts: BTreeSet<AccountId>,
    /// Whether they have declared a break.
    pub on_break: bool,
}

/// What happens before anything rings (SPAM-02, SPAM-03, SPAM-05). Withheld numbers are never refused.
#[derive(Clone, Debug, Default)]
pub struct Screening {
    /// The ban list; `None` when switched off.
    pub bans: Option<Bans>,
    /// The rate limit; `None` when switched off.
    pub rate_limit: Option<RateLimit>,
}

/// Banned numbers, each until a time or until the next configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bans(BTreeMap<CallerHash, Option<Timestamp>>);

impl Bans {
    /// Whether the number is banned when the wall clock shows `wall`.
    #[must_use]
    pub fn holds(&self, caller: CallerHash, wall: Timestamp) -> bool {
        let until = self.0.get(&caller);
        until.is_some_and(|until| until.is_none_or(|until| wall < until))
    }
}

impl FromIterator<(CallerHash, Option<Timestamp>)> for Bans {
    fn from_iter<I: IntoIterator<Item = (CallerHash, Option<Timestamp>)>>(bans: I) -> Self {
        Self(bans.into_iter().collect())
    }
}

impl FromIterator<CallerHash> for Bans {
    fn from_iter<I: IntoIterator<Item = CallerHash>>(callers: I) -> Self {
        callers.into_iter().map(|caller| (caller, None)).collect()
    }
}

/// At most so many calls of one number within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls let through within the window.
    pub max_calls: u32,
    /// The window.
    pub window: Duration,
}
