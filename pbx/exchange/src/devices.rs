//! Registered contacts as the router's devices, and news for the shell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use routing::{AccountId, DeviceId, Event, TrunkId};
use sip::ua::{Account, Binding, BindingId};

use crate::exchange::Exchange;

/// A change to persist. Only the last change of a contact is kept until it is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// Added or refreshed.
    Upserted(Box<Binding>),
    /// Gone.
    Removed {
        /// Which.
        id: BindingId,
        /// Whose.
        account: Account,
    },
}

/// How our registration at a trunk stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkState {
    /// The trunk.
    pub trunk: TrunkId,
    /// Whether it is registered now.
    pub registered: bool,
    /// The last final status, when there was one.
    pub status: Option<u16>,
}

/// What is known of contacts and trunks.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    /// Where each contact signals from.
    up: BTreeMap<BindingId, IpAddr>,
    changes: BTreeMap<BindingId, BindingChange>,
    trunks: BTreeMap<TrunkId, TrunkState>,
}

impl Devices {
    /// Where a device signals from; `None` when it is not registered.
    pub(crate) fn source(&self, device: DeviceId) -> Option<IpAddr> {
        self.up.get(&BindingId(device.0)).copied()
    }

    pub(crate) fn pop_change(&mut self) -> Option<BindingChange> {
        self.changes.pop_first().map(|(_, change)| change)
    }

    pub(crate) fn pop_trunk_state(&mut self) -> Option<TrunkState> {
        self.trunks.pop_first().map(|(_, state)| state)
    }
}

impl Exchange {
    pub(crate) fn binding_upserted(&mut self, binding: Binding) {
        let id = binding.id;
        self.device_up(id, binding.flow.remote().ip(), &binding.account);
        let change = BindingChange::Upserted(Box::new(binding));
        self.devices.changes.insert(id, change);
    }

    /// Contacts that were taken over are devices too. They need not be persisted again.
    pub(crate) fn take_restored(&mut self) {
        let restored: Vec<_> = self
            .ua
            .bindings()
            .map(|it| (it.id, it.flow.remote().ip(), it.account.clone()))
            .collect();
        for (id, source, account) in restored {
            self.device_up(id, source, &account);
        }
    }

    fn device_up(&mut self, id: BindingId, source: IpAddr, account: &Account) {
        if self.devices.up.insert(id, source).is_some() {
            return;
        }
        tracing::info!(device = id.0, "phone registered");
        self.emit(Event::DeviceUp {
            device: DeviceId(id.0),
            account: AccountId::new(&account.0),
        });
    }

    pub(crate) fn binding_removed(&mut self, id: BindingId, account: Account) {
        if self.devices.up.remove(&id).is_some() {
            tracing::info!(device = id.0, "phone gone");
            self.emit(Event::DeviceDown {
                device: DeviceId(id.0),
            });
        }
        let change = BindingChange::Removed { id, account };
        self.devices.changes.insert(id, change);
    }

    pub(crate) fn trunk_changed(&mut self, trunk: &str, registered: bool, status: Option<u16>) {
        if registered {
            tracing::info!(trunk, "trunk registered");
        } else {
            tracing::warn!(
                trunk,
                status,
                "trunk not registered: no calls come from there"
            );
        }
        let trunk = TrunkId::new(trunk);
        let state = TrunkState {
            trunk: trunk.clone(),
            registered,
            status,
        };
        self.devices.trunks.insert(trunk, state);
    }
}
