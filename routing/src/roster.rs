//! The configured people and hubs, their phones, and who is on duty now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{HubConfig, RouterConfig, VolunteerConfig};
use crate::id::{AccountId, DeviceId, HubId, VolunteerId};
use crate::limits::MAX_DEVICES;
use crate::party::PhoneNumber;

/// What is configured, joined with what is registered.
#[derive(Default)]
pub(crate) struct Roster {
    hubs: BTreeMap<HubId, Hub>,
    numbers: BTreeMap<PhoneNumber, HubId>,
    volunteers: BTreeMap<VolunteerId, VolunteerConfig>,
    devices: BTreeMap<DeviceId, AccountId>,
    by_account: BTreeMap<AccountId, BTreeSet<DeviceId>>,
    /// When somebody's duty begins or ends next.
    next_change: Option<Timestamp>,
}

struct Hub {
    settings: Arc<HubConfig>,
    on_duty: BTreeSet<VolunteerId>,
    /// Removed from the configuration, kept for calls that began before.
    retired: bool,
}

/// Those whom a hub's callers may reach now.
#[derive(Debug, Default)]
pub(crate) struct Team {
    /// Whose phones may go on ringing.
    pub(crate) allowed: BTreeSet<VolunteerId>,
    /// Reachable and not on break, though perhaps busy.
    pub(crate) available: BTreeSet<VolunteerId>,
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
                let on_duty = BTreeSet::new();
                let hub = Hub {
                    settings,
                    on_duty,
                    retired,
                };
                (id, hub)
            })
            .collect();
        self.numbers = config.numbers;
        self.volunteers = config.volunteers;
        self.refresh_duty(wall);
    }

    /// Finds anew who is on duty.
    pub(crate) fn refresh_duty(&mut self, wall: Timestamp) {
        for hub in self.hubs.values_mut() {
            hub.on_duty = hub.settings.schedule.on_duty(wall);
        }
        self.next_change = self
            .hubs
            .values()
            .filter_map(|hub| hub.settings.schedule.next_change(wall))
            .min();
    }

    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        self.next_change
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
        self.by_account.entry(account).or_default().insert(device);
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
        true
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

    /// The hubs in which somebody is on duty now.
    pub(crate) fn duties(&self, volunteer: &VolunteerId) -> BTreeSet<HubId> {
        self.hubs
            .iter()
            .filter(|(_, hub)| !hub.retired && hub.on_duty.contains(volunteer))
            .map(|(id, _)| id.clone())
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

    /// Those on duty, or the fallback group when none of them can be reached.
    pub(crate) fn team(&self, hub: &HubId) -> Team {
        let Some(hub) = self.hubs.get(hub) else {
            return Team::default();
        };
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
}
