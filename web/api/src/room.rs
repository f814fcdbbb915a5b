//! Room in memory for bodies. A body is read before its signature can be verified, so whoever
//! shows a token, or opens connections, makes the server keep what nobody answers for yet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::UserId;

use crate::limit::customer;
use crate::refusal::Refusal;

/// Bodies of up to so many bytes need no room: the number of connections bounds them, and nobody
/// who fills the room keeps others from what is asked most.
const SMALL_BYTES: usize = 32 * 1024;
/// Of all requests that show a login, together.
const LOGGED_IN_MAX_BYTES: usize = 48 << 20;
/// Of all requests that show none.
const STRANGERS_MAX_BYTES: usize = 16 << 20;
/// Of one address; a shift behind one router is one address.
const ADDRESS_MAX_BYTES: usize = 16 << 20;
/// Of one account, from wherever its tokens are shown.
const ACCOUNT_MAX_BYTES: usize = 16 << 20;
/// Of one account at one address: the longest body, and some more. Whoever has a stolen token
/// elsewhere does not take all of its owner's room at once.
const ACCOUNT_AT_ADDRESS_MAX_BYTES: usize = 5 << 20;
/// When whoever finds no room may ask again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Who takes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taker {
    LoggedIn,
    Strangers,
    Address(u128),
    Account(UserId),
    AccountAt(UserId, u128),
}

impl Taker {
    const fn max_bytes(self) -> usize {
        match self {
            Self::LoggedIn => LOGGED_IN_MAX_BYTES,
            Self::Strangers => STRANGERS_MAX_BYTES,
            Self::Address(_) => ADDRESS_MAX_BYTES,
            Self::Account(_) => ACCOUNT_MAX_BYTES,
            Self::AccountAt(..) => ACCOUNT_AT_ADDRESS_MAX_BYTES,
        }
    }
}

/// The room that is taken.
#[derive(Default)]
pub(crate) struct BodyRoom(Mutex<BTreeMap<Taker, usize>>);

/// Room that is given back when dropped.
pub(crate) struct Held {
    room: Arc<BodyRoom>,
    takers: Vec<Taker>,
    bytes: usize,
}

impl BodyRoom {
    /// Room for a body of `bytes` bytes from `address`, whose token names `user`.
    ///
    /// # Errors
    /// A refusal to be tried again soon, where there is none.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        user: Option<UserId>,
        bytes: usize,
    ) -> Result<Held, Refusal> {
        let address = customer(address);
        let takers = match user {
            _ if bytes <= SMALL_BYTES => Vec::new(),
            None => vec![Taker::Strangers, Taker::Address(address)],
            Some(user) => vec![
                Taker::LoggedIn,
                Taker::Address(address),
                Taker::Account(user),
                Taker::AccountAt(user, address),
            ],
        };
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = |taker: &Taker| {
            let theirs = taken.get(taker).copied().unwrap_or_default();
            theirs.saturating_add(bytes) <= taker.max_bytes()
        };
        if !takers.iter().all(has_room) {
            return Err(Refusal::too_many(AGAIN_AFTER));
        }
        for taker in &takers {
            *taken.entry(*taker).or_default() += bytes;
        }
        Ok(Held {
            room: Arc::clone(self),
            takers,
            bytes,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.room.0.lock().unwrap_or_else(PoisonError::into_inner);
        for taker in &self.takers {
            if let Some(theirs) = taken.get_mut(taker) {
                *theirs -= self.bytes;
                if *theirs == 0 {
                    taken.remove(taker);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: UserId = UserId([1; 16]);
    const OTHER: UserId = UserId([2; 16]);
    const LARGE_BYTES: usize = 4 << 20;

    fn at(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    #[test]
    fn a_stolen_token_takes_neither_all_room_nor_that_of_its_owner_at_home() {
        let room = Arc::new(BodyRoom::default());
        let thief = room.take(at(1), Some(ONE), LARGE_BYTES).unwrap();
        let more = room.take(at(1), Some(ONE), LARGE_BYTES);
        assert_eq!(more.err().unwrap().status(), 429);
        room.take(at(2), Some(ONE), LARGE_BYTES).unwrap();
        let everywhere: Vec<_> = (10..=255)
            .filter_map(|host| room.take(at(host), Some(ONE), LARGE_BYTES).ok())
            .collect();
        assert_eq!((everywhere.len() + 1) * LARGE_BYTES, ACCOUNT_MAX_BYTES);
        room.take(at(2), Some(OTHER), LARGE_BYTES).unwrap();
        room.take(at(2), Some(ONE), SMALL_BYTES).unwrap();
        drop((thief, everywhere));
        assert!(room.0.lock().unwrap().is_empty());
    }

    #[test]
    fn strangers_leave_room_for_those_who_are_logged_in() {
        let room = Arc::new(BodyRoom::default());
        let bytes = crate::route::MAX_BODY_BYTES;
        let strangers: Vec<_> = (0..=255)
            .filter_map(|host| room.take(at(host), None, bytes).ok())
            .collect();
        assert_eq!(strangers.len() * bytes, STRANGERS_MAX_BYTES);
        room.take(at(1), Some(ONE), LARGE_BYTES).unwrap();
    }

    #[test]
    fn all_bodies_together_fit_a_small_box() {
        let room = Arc::new(BodyRoom::default());
        let user = |number: u8| Some(UserId([number; 16]));
        let held: Vec<_> = (0..=255)
            .filter_map(|number| room.take(at(number), user(number), LARGE_BYTES).ok())
            .collect();
        assert_eq!(held.len() * LARGE_BYTES, LOGGED_IN_MAX_BYTES);
        const { assert!(LOGGED_IN_MAX_BYTES + STRANGERS_MAX_BYTES <= 64 << 20) };
    }
}
