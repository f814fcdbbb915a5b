//! The rooms in which two devices of a person meet; in memory only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crypto::provisioning::{Room, RoomPass, RoomRefused};
use protocol::Code;
use store::UserId;
use tokio::sync::Notify;

use crate::limit::customer;
use crate::refusal::Refusal;

/// Rooms at once. Strangers open them: when there are so many, whoever has most rooms in which
/// nobody has joined loses the oldest, so that they keep out nobody who has one.
const MAX_ROOMS: usize = 5_000;
/// Rooms at once that devices of one person have joined: these do not give way.
const MAX_ROOMS_PER_PERSON: usize = 10;
/// Rooms at once that devices of one address have opened.
const MAX_ROOMS_PER_ADDRESS: usize = 10;
/// How long a device is kept waiting for a message before it asks again.
const READ_WAIT: Duration = Duration::from_secs(20);

/// All rooms.
pub(crate) struct Rooms {
    open: Mutex<BTreeMap<[u8; 16], Kept>>,
    /// Told of every message.
    posted: Notify,
}

struct Kept {
    room: Room,
    opened_by: u128,
    joined_by: Option<UserId>,
}

/// What a device gets that waits in a room.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) message: Option<Vec<u8>>,
    /// Whose device has joined.
    pub(crate) person: Option<UserId>,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        Self {
            open: Mutex::new(BTreeMap::new()),
            posted: Notify::new(),
        }
    }

    /// Opens a room for a new device at `address`.
    pub(crate) fn open(
        &self,
        id: [u8; 16],
        pass: RoomPass,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let opened_by = customer(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, kept| now_ms < kept.room.expires_at_ms());
        if open.contains_key(&id) {
            return Err(Refusal::conflict("there is such a room; start again"));
        }
        let of_address = open.values().filter(|kept| kept.opened_by == opened_by);
        if of_address.count() >= MAX_ROOMS_PER_ADDRESS {
            return Err(Refusal::too_many(READ_WAIT));
        }
        if open.len() >= MAX_ROOMS {
            make_place(&mut open)?;
        }
        let room = Room::open(pass, now_ms);
        let kept = Kept {
            room,
            opened_by,
            joined_by: None,
        };
        open.insert(id, kept);
        Ok(())
    }

    /// Lets the old device in, which is one of `person`.
    pub(crate) fn join(
        &self,
        id: [u8; 16],
        pass: RoomPass,
        person: UserId,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open_still = open
            .values()
            .filter(|kept| now_ms < kept.room.expires_at_ms());
        let joined = open_still.filter(|kept| kept.joined_by == Some(person));
        if joined.count() >= MAX_ROOMS_PER_PERSON {
            return Err(Refusal::too_many(READ_WAIT));
        }
        let kept = open.get_mut(&id).ok_or_else(Refusal::not_found)?;
        kept.room.join(pass, now_ms).map_err(refused)?;
        kept.joined_by = Some(person);
        Ok(())
    }

    /// Takes a message of one device for the other.
    pub(crate) fn post(
        &self,
        id: [u8; 16],
        pass: &RoomPass,
        message: Vec<u8>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.with(id, |kept| kept.room.post(pass, message, now_ms))?;
        self.posted.notify_waiters();
        Ok(())
    }

    /// The message at `place`; waits for it for a while.
    pub(crate) async fn read(
        &self,
        id: [u8; 16],
        pass: &RoomPass,
        place: usize,
        now_ms: u64,
    ) -> Result<Heard, Refusal> {
        let wait = async {
            loop {
                // Waited for before it is looked for: no message is missed between the two.
                let posted = self.posted.notified();
                let heard = self.with(id, |kept| {
                    let message = kept.room.read(pass, place, now_ms)?;
                    Ok(Heard {
                        message: message.map(<[u8]>::to_vec),
                        person: kept.joined_by,
                    })
                })?;
                if heard.message.is_some() {
                    return Ok(heard);
                }
                posted.await;
            }
        };
        tokio::time::timeout(READ_WAIT, wait)
            .await
            .unwrap_or_else(|_| Ok(Heard::default()))
    }

    fn with<T>(
        &self,
        id: [u8; 16],
        act: impl FnOnce(&mut Kept) -> Result<T, RoomRefused>,
    ) -> Result<T, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = open.get_mut(&id).ok_or_else(Refusal::not_found)?;
        act(kept).map_err(refused)
    }
}

/// Ends the oldest room of whoever has most of those in which nobody has joined.
fn make_place(open: &mut BTreeMap<[u8; 16], Kept>) -> Result<(), Refusal> {
    let alone = || open.iter().filter(|(_, kept)| kept.joined_by.is_none());
    let mut counts = BTreeMap::<u128, usize>::new();
    for (_, kept) in alone() {
        *counts.entry(kept.opened_by).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    let (most, _) = most.ok_or_else(|| Refusal::too_many(READ_WAIT))?;
    let of_most = alone().filter(|(_, kept)| kept.opened_by == most);
    let oldest = of_most.min_by_key(|(_, kept)| kept.room.expires_at_ms());
    if let Some(id) = oldest.map(|(id, _)| *id) {
        open.remove(&id);
    }
    Ok(())
}

fn refused(error: RoomRefused) -> Refusal {
    let code = match error {
        RoomRefused::Expired => Code::Spent,
        RoomRefused::Stranger => Code::NotAllowed,
        RoomRefused::Length => Code::Malformed,
        _ => Code::Conflict,
    };
    Refusal::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_690_000_000;
    const PERSON: UserId = UserId([9; 16]);

    fn pass(byte: u8) -> RoomPass {
        RoomPass::from_bytes([byte; 16])
    }

    #[test]
    fn an_address_cannot_take_all_rooms() {
        let rooms = Rooms::new();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for room in 0..10 {
            rooms.open([room; 16], pass(1), one, NOW_MS).unwrap();
        }
        let refused = rooms.open([10; 16], pass(1), one, NOW_MS).unwrap_err();
        assert_eq!(refused.status(), 429);
        rooms.open([11; 16], pass(1), other, NOW_MS).unwrap();
        let later_ms = NOW_MS + 5 * 60_000;
        rooms.open([10; 16], pass(1), one, later_ms).unwrap();
    }

    #[test]
    fn strangers_with_many_addresses_keep_nobody_out() {
        let rooms = Rooms::new();
        let id = |number: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            id
        };
        let address = |number: u64| {
            let customer = u128::from(number / 10) << 64;
            IpAddr::from((0x2001_0db8 << 96 | customer).to_be_bytes())
        };
        let open = |number, now_ms| rooms.open(id(number), pass(1), address(number), now_ms);
        let all = u64::try_from(MAX_ROOMS).unwrap();
        // The first has one room, as a new device does; each of the others has ten.
        open(0, NOW_MS).unwrap();
        (10..all + 9).for_each(|number| open(number, NOW_MS + number).unwrap());
        open(all + 10, NOW_MS + all + 10).unwrap();
        let later_ms = NOW_MS + all + 11;
        rooms.join(id(0), pass(2), PERSON, later_ms).unwrap();
        assert_eq!(rooms.open.lock().unwrap().len(), MAX_ROOMS);
    }

    #[test]
    fn a_person_is_in_few_rooms_at_once() {
        let rooms = Rooms::new();
        for room in 0..=10 {
            let address = IpAddr::from([192, 0, 2, room]);
            rooms.open([room; 16], pass(1), address, NOW_MS).unwrap();
        }
        let join = |room: u8, now_ms| rooms.join([room; 16], pass(2), PERSON, now_ms);
        (0..10).for_each(|room| join(room, NOW_MS).unwrap());
        assert_eq!(join(10, NOW_MS).unwrap_err().status(), 429);
    }

    #[tokio::test]
    async fn who_waits_hears_the_message_when_it_comes() {
        let rooms = Rooms::new();
        let id = [7; 16];
        rooms
            .open(id, pass(1), IpAddr::from([192, 0, 2, 1]), NOW_MS)
            .unwrap();
        rooms.join(id, pass(2), PERSON, NOW_MS).unwrap();
        let new_pass = pass(1);
        let waiting = rooms.read(id, &new_pass, 0, NOW_MS);
        let speaking = async {
            tokio::task::yield_now().await;
            rooms.post(id, &pass(2), b"commit".to_vec(), NOW_MS)
        };
        let (heard, said) = tokio::join!(waiting, speaking);
        said.unwrap();
        let heard = heard.unwrap();
        assert_eq!(heard.message.as_deref(), Some(&b"commit"[..]));
        assert_eq!(heard.person, Some(PERSON));
        let stranger = rooms.read(id, &pass(3), 0, NOW_MS).await.unwrap_err();
        assert_eq!(stranger.status(), 403);
    }
}
