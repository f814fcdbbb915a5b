//! What the router and the exchange need of a hotline.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crypto::ReaderPublicKey;
use exchange::CalledNumbers;
use routing::config::{HubConfig, RateLimit, RouterConfig, Screening, VolunteerConfig};
use routing::schedule::{Day, Schedule};
use routing::{AccountId, CallerHash, HubId, PromptKind, TrunkId, VolunteerId};
use sip::timer::Timers;
use sip::ua::{Account, StoredHa1, TrunkKind, TrunkPassword, UaConfig};
use store::{BanRow, BreakRow};

use super::model::{Hotline, Hub, PromptSource, Shift, Transport, Trunk, Weekday};

/// Shortest registration granted to a phone: one a minute is traffic enough.
pub const MIN_REGISTRATION: Duration = Duration::from_secs(60);
/// Longest registration granted to a phone: after an hour of silence it counts as gone.
pub const MAX_REGISTRATION: Duration = Duration::from_secs(3_600);

/// One prompt that has to be ready before calls come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptPlan {
    /// The hub.
    pub hub: String,
    /// Which of its prompts.
    pub kind: PromptKind,
    /// The hub's language.
    pub language: String,
    /// Where it comes from.
    pub source: PromptSource,
}

impl Hotline {
    /// What the router must know. `bans` are those in force now, some of them until a time;
    /// `breaks` the declared ones.
    #[must_use]
    pub fn to_router_config(&self, bans: &[BanRow], breaks: &[BreakRow]) -> RouterConfig {
        let hubs = self.hubs.iter().map(|(id, hub)| {
            let bans = bans.iter().filter(|ban| ban.hub == *id);
            (HubId::new(id), self.hub_config(id, hub, bans))
        });
        let numbers = self.hubs.iter().flat_map(|(id, hub)| {
            let numbers = hub.numbers.iter();
            numbers.map(|number| (number.phone_number().clone(), HubId::new(id)))
        });
        let volunteers = self.volunteers.iter().map(|(id, volunteer)| {
            let config = VolunteerConfig {
                accounts: volunteer
                    .phones
                    .keys()
                    .map(|user| AccountId::new(user))
                    .collect(),
                on_break: breaks.iter().any(|row| row.volunteer == *id),
            };
            (VolunteerId::new(id), config)
        });
        RouterConfig {
            hubs: hubs.collect(),
            numbers: numbers.collect(),
            volunteers: volunteers.collect(),
        }
    }

    /// How the exchange finds the called number among the names in an INVITE.
    #[must_use]
    pub fn to_called_numbers(&self) -> CalledNumbers {
        let all = self.hubs.values().flat_map(|hub| &hub.numbers);
        let known: BTreeSet<_> = all.map(|number| number.phone_number().clone()).collect();
        let only = known.iter().next().filter(|_| known.len() == 1);
        let assumed = self.trunks.iter().filter_map(|(name, trunk)| {
            let Trunk::Register { number, .. } = trunk else {
                return None;
            };
            let number = number.as_ref().map(|number| number.phone_number());
            Some((TrunkId::new(name), number.or(only)?.clone()))
        });
        CalledNumbers {
            assumed: assumed.collect(),
            known,
        }
    }

    /// What the SIP user agent must know. `product` is the value of `User-Agent`.
    #[must_use]
    pub fn to_ua_config(&self, product: &str) -> UaConfig {
        let phones = self.volunteers.values().flat_map(|v| &v.phones);
        let accounts = phones.map(|(user, digest)| {
            let secrets = StoredHa1 {
                md5_hex: digest.md5.reveal().to_owned(),
                sha256_hex: digest
                    .sha256
                    .as_ref()
                    .map(|sha256| sha256.reveal().to_owned()),
            };
            (Account(user.clone()), secrets)
        });
        UaConfig {
            realm: self.network.realm.clone(),
            product: product.to_owned(),
            advertised: self.network.advertised,
            default_local: self.network.default_local(),
            accounts: accounts.collect(),
            trunks: self.trunks.iter().map(ua_trunk).collect(),
            min_expires: MIN_REGISTRATION,
            max_expires: MAX_REGISTRATION,
            timers: Timers::default(),
        }
    }

    /// Whose keys each hub's messages are sealed to.
    #[must_use]
    pub fn readers(&self) -> BTreeMap<HubId, Vec<ReaderPublicKey>> {
        let keys = |hub: &Hub| {
            let keys = hub.voicemail_keys.iter();
            keys.map(|key| *key.public_key()).collect()
        };
        self.hubs
            .iter()
            .map(|(id, hub)| (HubId::new(id), keys(hub)))
            .collect()
    }

    /// Every prompt of every hub.
    #[must_use]
    pub fn prompt_plans(&self) -> Vec<PromptPlan> {
        let plan = |id: &String, hub: &Hub, kind: PromptKind| PromptPlan {
            hub: id.clone(),
            kind,
            language: hub.language.clone(),
            source: hub.prompts.source(kind).clone(),
        };
        self.hubs
            .iter()
            .flat_map(|(id, hub)| PromptKind::ALL.map(|kind| plan(id, hub, kind)))
            .collect()
    }

    fn hub_config<'b>(
        &self,
        id: &str,
        hub: &Hub,
        bans: impl Iterator<Item = &'b BanRow>,
    ) -> HubConfig {
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let shifts = self.shifts.iter().filter(|shift| shift.hub == id);
        HubConfig {
            display: hub.name.clone(),
            schedule: Schedule {
                zone: hub.time_zone.time_zone().clone(),
                shifts: shifts.map(|shift| self.router_shift(shift)).collect(),
            },
            fallback: self.members(&hub.fallback),
            answer_after: seconds(hub.answer_after_s),
            queue_timeout: seconds(hub.queue_timeout_s),
            max_waiting: hub.max_waiting as usize,
            voicemail_max: seconds(hub.voicemail_max_s),
            voicemail_silence: seconds(hub.voicemail_silence_s),
            wrap_up: seconds(hub.wrap_up_s),
            screening: Screening {
                bans: hub.screening.ban_list.then(|| {
                    bans.map(|ban| (CallerHash(ban.caller.0), ban.expires_at))
                        .collect()
                }),
                rate_limit: hub.screening.rate_limit.map(|limit| RateLimit {
                    max_calls: limit.max_calls,
                    window: seconds(limit.window_s),
                }),
            },
        }
    }

    fn router_shift(&self, shift: &Shift) -> routing::schedule::Shift {
        let mut volunteers = self.members(&shift.volunteers);
        volunteers.extend(self.members(&shift.groups));
        routing::schedule::Shift {
            days: shift.days.iter().map(|day| router_day(*day)).collect(),
            from: shift.from,
            to: shift.to,
            volunteers,
        }
    }

    /// The volunteers whom names of volunteers and groups mean.
    fn members(&self, names: &BTreeSet<String>) -> BTreeSet<VolunteerId> {
        let mut members = BTreeSet::new();
        for name in names {
            match self.groups.get(name) {
                Some(group) => members.extend(group.iter().map(|id| VolunteerId::new(id))),
                None => {
                    members.insert(VolunteerId::new(name));
                }
            }
        }
        members
    }
}

fn router_day(day: Weekday) -> Day {
    match day {
        Weekday::Mon => Day::Mon,
        Weekday::Tue => Day::Tue,
        Weekday::Wed => Day::Wed,
        Weekday::Thu => Day::Thu,
        Weekday::Fri => Day::Fri,
        Weekday::Sat => Day::Sat,
        Weekday::Sun => Day::Sun,
    }
}

fn ua_trunk((name, trunk): (&String, &Trunk)) -> sip::ua::Trunk {
    let kind = match trunk {
        Trunk::Address { peers } => TrunkKind::Address {
            peers: peers.iter().copied().map(unmapped).collect(),
        },
        Trunk::Register {
            host,
            port,
            transport,
            user,
            password,
            expires_s,
            number: _,
        } => TrunkKind::Register {
            host: host.clone(),
            port: *port,
            tcp: *transport == Transport::Tcp,
            user: user.clone(),
            password: TrunkPassword(password.reveal().to_owned()),
            expires: Duration::from_secs(u64::from(*expires_s)),
        },
    };
    sip::ua::Trunk {
        name: name.clone(),
        kind,
    }
}

/// An IPv4 address in IPv6 clothes is compared as what it is.
fn unmapped(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
