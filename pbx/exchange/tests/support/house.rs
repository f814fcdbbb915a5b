//! The world with a real router: one hub, and as many volunteers as phones.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use routing::schedule::Schedule;
use routing::{
    AccountId, CallId, CallRecord, CallerHash, CallerHasher, HubConfig, HubId, Notice, Outcome,
    PhoneNumber, Router, RouterConfig, Screening, VolunteerConfig, VolunteerId,
};

use super::{HOTLINE, World, secs};

struct NoHasher;

impl CallerHasher for NoHasher {
    fn hash(&self, _number: &PhoneNumber) -> CallerHash {
        CallerHash([7; 32])
    }
}

pub fn volunteer(n: u64) -> VolunteerId {
    VolunteerId::new(&format!("v{n}"))
}

/// A house whose volunteers are all free.
pub fn house(phones: u64) -> World {
    let hub = HubId::new("hub");
    let settings = HubConfig {
        display: "Night Line".to_owned(),
        schedule: Schedule {
            zone: TimeZone::UTC,
            shifts: Vec::new(),
        },
        fallback: (1..=phones).map(volunteer).collect(),
        answer_after: secs(15),
        queue_timeout: secs(60),
        max_waiting: 10,
        voicemail_max: secs(120),
        voicemail_silence: secs(6),
        wrap_up: secs(10),
        screening: Screening::default(),
    };
    let person = |n: u64| {
        let config = VolunteerConfig {
            accounts: [AccountId::new(&format!("volunteer{n}"))].into(),
            on_break: false,
        };
        (volunteer(n), config)
    };
    let number = PhoneNumber::parse(HOTLINE).expect("a number");
    let config = RouterConfig {
        hubs: BTreeMap::from([(hub.clone(), settings)]),
        numbers: BTreeMap::from([(number, hub)]),
        volunteers: (1..=phones).map(person).collect(),
    };
    let mut world = World::new(phones);
    let mut router = Router::new(config, Box::new(NoHasher), CallId(1), world.now);
    router.set_wall_clock(Timestamp::UNIX_EPOCH, world.now);
    world.router = Some(router);
    world.pump();
    world
}

impl World {
    /// The records of calls that are over.
    pub fn records(&self) -> Vec<&CallRecord> {
        self.notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::CallEnded(record) => Some(record.as_ref()),
                _ => None,
            })
            .collect()
    }

    /// How the only call ended, with nothing left of it anywhere.
    pub fn outcome(&mut self) -> Outcome {
        self.assert_empty();
        assert!(self.router.as_ref().is_some_and(Router::is_idle));
        let records = self.records();
        let [record] = records.as_slice() else {
            panic!("one call, one record: {records:?}");
        };
        record.outcome
    }
}
