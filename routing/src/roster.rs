//! The configured people and hubs, their phones, and who is on duty now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::config::{HubConfig, RouterConfig, VolunteerConfig};
use crate::id::{AccountId, DeviceId, HubId, VolunteerId};
use crate::limits::{DUTY_TRUSTED_S, MAX_DEVICES};
use crate::party::PhoneNumber;

/// What is configured, joined with what is registered.
#[derive(Default)]
pub(crate) struct Roster {
    hubs: BTreeMap<HubId, Hub>,
    numbers: BTreeMap<PhoneNumber, HubId>,
    volunteers: BTreeMap<VolunteerId, VolunteerConfig>,
    /// Whose accounts they are; several may share one.
    owners: BTreeMap<AccountId, BTreeSet<VolunteerId>>,
    /// The hubs in which somebody is on duty or in the fallback group.
    posts: BTreeMap<VolunteerId, BTreeSet<HubId>>,
    devices: BTreeMap<DeviceId, AccountId>,
    by_account: BTreeMap<AccountId, BTreeSet<DeviceId>>,
    /// When it was found who is on duty.
    duty_found_at: Option<Timestamp>,
    /// When somebody's duty begins or ends next.
    next_change: Option<Timestamp>,
    changes: Changes,
}

struct Hub {
    settings: Arc<HubConfig>,
    on_duty: BTreeSet<VolunteerId>,
    /// Removed from the configuration, kept for calls that began before.
    retired: bool,
    team: Team,
}

/// Those whom a hub's callers may reach now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Team {
    /// Whose phones may go on ringing.
    pub(crate) allowed: BTreeSet<VolunteerId>,
    /// Reachable and not on break, though perhaps busy.
    pub(crate) available: BTreeSet<VolunteerId>,
}

/// What changed since it was last asked for.
#[derive(Default)]
pub(crate) struct Changes {
    /// Volunteers some phone of whom came, went or is free again.
    pub(crate) phones: BTreeSet<VolunteerId>,
    /// Hubs with another team.
    pub(crate) teams: BTreeSet<HubId>,
}

impl Roster {
    /// Takes a configuration over, and keeps removed hubs that are `in_use`.
    pub(crate) fn configure(
        &mut self,
        config: RouterConfig,
        in_use: BTreeMap<HubId, Arc<HubConfig>>,
        wall: Timestamp,
    ) {
        let retired = in_use
            .into_iter()
            .map(|(id, settings)| (id, settings, true));
        let current = config
            .hubs
            .into_iter()
            .map(|(id, settings)| (id, Arc::new(settings), false));
        self.hubs = retired
            .chain(current)
            .map(|(id, settings, retired)| {
                let hub = Hub {
                    settings,
                    on_duty: BTreeSet::new(),
                    retired,
                    team: Team::default(),
                };
                (id, hub)
            })
            .collect();
        self.numbers = config.numbers;
        self.volunteers = config.volunteers;
        self.owners.clear();
        for (volunteer, settings) in &self.volunteers {
            for account in &settings.accounts {
                let owners = self.owners.entry(account.clone()).or_default();
                owners.insert(volunteer.clone());
            }
        }
        self.find_duty(wall);
        self.changes.phones.extend(self.volunteers.keys().cloned());
        self.changes.teams.extend(self.hubs.keys().cloned());
    }

    /// Finds anew who is on duty, if that may be another than when it was last found.
    pub(crate) fn refresh_duty(&mut self, wall: Timestamp) {
        let same = self.duty_found_at.is_some_and(|found| {
            let trusted = found.saturating_add(SignedDuration::from_secs(DUTY_TRUSTED_S));
            let trusted = trusted.unwrap_or(found);
            found <= wall && wall < self.next_change.map_or(trusted, |next| next.min(trusted))
        });
        if !same {
            self.find_duty(wall);
        }
    }

    fn find_duty(&mut self, wall: Timestamp) {
        for hub in self.hubs.values_mut() {
            hub.on_duty = hub.settings.schedule.on_duty(wall);
        }
        self.duty_found_at = Some(wall);
        self.next_change = self
            .hubs
            .values()
            .filter_map(|hub| hub.settings.schedule.next_change(wall))
            .min();
        self.posts = self.posts_anew();
        let hubs: Vec<HubId> = self.hubs.keys().cloned().collect();
        for hub in hubs {
            self.restaff(&hub);
        }
    }

    fn posts_anew(&self) -> BTreeMap<VolunteerId, BTreeSet<HubId>> {
        let mut posts: BTreeMap<VolunteerId, BTreeSet<HubId>> = BTreeMap::new();
        for (id, hub) in &self.hubs {
            for volunteer in hub.on_duty.iter().chain(&hub.settings.fallback) {
                let posts = posts.entry(volunteer.clone()).or_default();
                posts.insert(id.clone());
            }
        }
        posts
    }

    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        self.next_change
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Returns whether the device was unknown until now.
    pub(crate) fn device_up(&mut self, device: DeviceId, account: AccountId) -> bool {
        if self.devices.get(&device) == Some(&account) {
            return false;
        }
        let known = self.device_down(device);
        if self.devices.len() >= MAX_DEVICES {
            return false;
        }
        self.devices.insert(device, account.clone());
        let devices = self.by_account.entry(account.clone()).or_default();
        devices.insert(device);
        self.phones_changed(&account);
        !known
    }

    /// Returns whether the device was known.
    pub(crate) fn device_down(&mut self, device: DeviceId) -> bool {
        let Some(account) = self.devices.remove(&device) else {
            return false;
        };
        if let Some(devices) = self.by_account.get_mut(&account) {
            devices.remove(&device);
            if devices.is_empty() {
                self.by_account.remove(&account);
            }
        }
        self.phones_changed(&account);
        true
    }

    /// A phone came or went: those whom it makes reachable or not are in other teams.
    fn phones_changed(&mut self, account: &AccountId) {
        let Some(owners) = self.owners.get(account) else {
            return;
        };
        self.changes.phones.extend(owners.iter().cloned());
        let hubs = owners.iter().flat_map(|owner| self.posts(owner)).cloned();
        let hubs: BTreeSet<HubId> = hubs.collect();
        for hub in hubs {
            self.restaff(&hub);
        }
    }

    /// A phone that had a leg has none any more.
    pub(crate) fn phone_freed(&mut self, device: DeviceId) {
        let owners: Vec<VolunteerId> = self.owners_of(device).cloned().collect();
        self.changes.phones.extend(owners);
    }

    /// Whose phone it is.
    pub(crate) fn owners_of(&self, device: DeviceId) -> impl Iterator<Item = &VolunteerId> {
        let account = self.devices.get(&device);
        let owners = account.and_then(|account| self.owners.get(account));
        owners.into_iter().flatten()
    }

    /// The hub of a dialled number.
    pub(crate) fn hub_of(&self, called: &PhoneNumber) -> Option<(HubId, Arc<HubConfig>)> {
        let id = self.numbers.get(called)?;
        let settings = self.settings(id)?;
        Some((id.clone(), settings))
    }

    /// The settings of a hub that is configured now.
    pub(crate) fn settings(&self, hub: &HubId) -> Option<Arc<HubConfig>> {
        let hub = self.hubs.get(hub).filter(|hub| !hub.retired)?;
        Some(Arc::clone(&hub.settings))
    }

    /// The hubs whose callers may reach somebody now, by duty or fallback.
    pub(crate) fn posts(&self, volunteer: &VolunteerId) -> impl Iterator<Item = &HubId> {
        self.posts.get(volunteer).into_iter().flatten()
    }

    /// The hubs in which somebody is on duty now.
    pub(crate) fn duties(&self, volunteer: &VolunteerId) -> BTreeSet<HubId> {
        self.posts(volunteer)
            .filter(|id| {
                let hub = self.hubs.get(id).filter(|hub| !hub.retired);
                hub.is_some_and(|hub| hub.on_duty.contains(volunteer))
            })
            .cloned()
            .collect()
    }

    pub(crate) fn volunteers(&self) -> impl Iterator<Item = &VolunteerId> {
        self.volunteers.keys()
    }

    pub(crate) fn knows(&self, volunteer: &VolunteerId) -> bool {
        self.volunteers.contains_key(volunteer)
    }

    pub(crate) fn on_break(&self, volunteer: &VolunteerId) -> bool {
        self.volunteers
            .get(volunteer)
            .is_some_and(|volunteer| volunteer.on_break)
    }

    pub(crate) fn reachable(&self, volunteer: &VolunteerId) -> bool {
        self.phones(volunteer).next().is_some()
    }

    /// The phones of a volunteer that can be rung.
    pub(crate) fn phones(&self, volunteer: &VolunteerId) -> impl Iterator<Item = DeviceId> + '_ {
        self.volunteers
            .get(volunteer)
            .into_iter()
            .flat_map(|volunteer| &volunteer.accounts)
            .filter_map(|account| self.by_account.get(account))
            .flatten()
            .copied()
    }

    pub(crate) fn team(&self, hub: &HubId) -> Option<&Team> {
        self.hubs.get(hub).map(|hub| &hub.team)
    }

    /// Finds anew who is in a hub's team.
    fn restaff(&mut self, id: &HubId) {
        let Some(hub) = self.hubs.get(id) else {
            return;
        };
        let team = self.team_anew(hub);
        if let Some(hub) = self.hubs.get_mut(id)
            && hub.team != team
        {
            hub.team = team;
            self.changes.teams.insert(id.clone());
        }
    }

    /// Those on duty, or the fallback group when none of them can be reached.
    fn team_anew(&self, hub: &Hub) -> Team {
        let mut allowed = self.attending(&hub.on_duty);
        let mut available = self.reachable_of(&allowed);
        if available.is_empty() {
            let fallback = self.attending(&hub.settings.fallback);
            available = self.reachable_of(&fallback);
            allowed.extend(fallback);
        }
        Team { allowed, available }
    }

    fn attending(&self, group: &BTreeSet<VolunteerId>) -> BTreeSet<VolunteerId> {
        group
            .iter()
            .filter(|volunteer| self.knows(volunteer) && !self.on_break(volunteer))
            .cloned()
            .collect()
    }

    fn reachable_of(&self, group: &BTreeSet<VolunteerId>) -> BTreeSet<VolunteerId> {
        group
            .iter()
            .filter(|volunteer| self.reachable(volunteer))
            .cloned()
            .collect()
    }

    /// Checks that what is kept of teams, posts and phones is what would be found anew.
    pub(crate) fn check(&self, wall: Timestamp) -> Result<(), String> {
        for (id, hub) in &self.hubs {
            let shown = hub.settings.schedule.on_duty(wall);
            if self.next_change.is_none_or(|next| wall < next) && hub.on_duty != shown {
                return Err(format!("others are on duty in {id} than noted"));
            }
            if hub.team != self.team_anew(hub) {
                return Err(format!("the team of {id} is another than noted"));
            }
        }
        if self.posts != self.posts_anew() {
            return Err("the posts are others than noted".into());
        }
        let registered: BTreeMap<DeviceId, AccountId> = self
            .by_account
            .iter()
            .flat_map(|(account, devices)| devices.iter().map(|id| (*id, account.clone())))
            .collect();
        if registered != self.devices {
            return Err("the two views of the devices disagree".into());
        }
        Ok(())
    }
}
