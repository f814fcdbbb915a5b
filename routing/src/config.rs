//! What the router must know of the hotline. Replaced as a whole while calls are live.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    pub bans: Option<BTreeSet<CallerHash>>,
    /// The rate limit; `None` when switched off.
    pub rate_limit: Option<RateLimit>,
}

/// At most so many calls of one number within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls let through within the window.
    pub max_calls: u32,
    /// The window.
    pub window: Duration,
}
