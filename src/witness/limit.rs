//! How many connections there may be, in all and from one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// At the same time. A log asks once for each change of somebody's keys.
pub(super) const MAX_CONNECTIONS: usize = 128;
/// From one address, other than this machine's own, where a proxy may speak
/// for everybody.
pub(super) const MAX_CONNECTIONS_PER_ADDRESS: usize = 8;

/// Counts open connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Door(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Door {
    /// Lets a connection in, until its place is dropped; or not.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = inside.values().sum();
        let limit = match address.is_loopback() {
            true => MAX_CONNECTIONS,
            false => MAX_CONNECTIONS_PER_ADDRESS,
        };
        let of_this = inside.get(&address).copied().unwrap_or(0);
        if total >= MAX_CONNECTIONS || of_this >= limit {
            return None;
        }
        inside.insert(address, of_this + 1);
        let door = self.clone();
        Some(Place { door, address })
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Place {
    door: Door,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.door.0.lock().unwrap_or_else(PoisonError::into_inner);
        match inside.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(inside.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_and_gives_them_back() {
        let door = Door::default();
        let stranger: IpAddr = "192.0.2.1".parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let places: Vec<_> = std::iter::from_fn(|| door.enter(stranger)).collect();
        assert_eq!(places.len(), MAX_CONNECTIONS_PER_ADDRESS);
        assert!(door.enter(other).is_some());
        let proxy: IpAddr = "127.0.0.1".parse().unwrap();
        let more: Vec<_> = std::iter::from_fn(|| door.enter(proxy)).collect();
        assert_eq!(places.len() + more.len(), MAX_CONNECTIONS);
        assert!(door.enter(other).is_none());
        drop((places, more));
        assert!(door.0.lock().unwrap().is_empty());
    }
}
