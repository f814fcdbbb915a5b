//! What the server keeps for a vault: a share, given out against the right code.

use std::fmt;

use super::auth::{AuthSecret, Verifier};
use super::error::{ShareRefused, VaultError};
use super::share::{Share, VaultId};
use super::stored::begin;

/// Wrong tries in a row that destroy the share.
pub const MAX_WRONG_TRIES: u8 = 10;

/// How long to wait after a wrong try, by the number of wrong tries so far.
const DELAYS_MS: [u64; MAX_WRONG_TRIES as usize] = [
    0,
    0,
    0,
    30_000,
    60_000,
    5 * 60_000,
    15 * 60_000,
    60 * 60_000,
    4 * 60 * 60_000,
    12 * 60 * 60_000,
];

const WHAT: &str = "server share";
const MAGIC: &[u8; 4] = b"HLSS";
const VERSION: u8 = 1;
const DESTROYED: u8 = 0;
const HELD: u8 = 1;
const HELD_AND_PROPOSED: u8 = 2;
const MAX_BYTES: usize =
    MAGIC.len() + 1 + VaultId::BYTES + 2 + 8 + 2 * (Share::BYTES + Verifier::BYTES);

/// The server's share of one vault, with its count of wrong tries.
///
/// A share that was given out cannot be taken back: with the vault and the
/// share, codes can be guessed without the server. So the share is not given to
/// whoever asks and counted afterwards; a proof of the code comes first.
///
/// Pure: the caller stores the state **before** it answers, wrong tries
/// included, and takes requests of a vault one after the other. A locked device
/// cannot log in yet: that it knows the vault's id, 128 random bits that only
/// the person's devices have, is what keeps strangers from using up the tries.
pub struct ServerShare {
    vault: VaultId,
    held: Option<Held>,
    wrong: u8,
    blocked_until_ms: u64,
}

struct Held {
    current: Slot,
    proposed: Option<Slot>,
}

struct Slot {
    share: Share,
    verifier: Verifier,
}

impl ServerShare {
    /// Keeps a share that a device made, given out against `auth`.
    pub fn new(vault: VaultId, share: Share, auth: &AuthSecret) -> Self {
        let current = Slot {
            share,
            verifier: auth.verifier(),
        };
        let proposed = None;
        Self {
            vault,
            held: Some(Held { current, proposed }),
            wrong: 0,
            blocked_until_ms: 0,
        }
    }

    /// The vault it belongs to.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// Whether too many tries were wrong.
    pub fn is_destroyed(&self) -> bool {
        self.held.is_none()
    }

    /// Wrong tries in a row so far.
    pub fn wrong_tries(&self) -> u8 {
        self.wrong
    }

    /// Gives the share out for the right proof. The caller stores this state
    /// before it answers, whatever the answer.
    ///
    /// # Errors
    /// [`ShareRefused`]. The tenth wrong try in a row destroys the share.
    pub fn request(&mut self, proof: &AuthSecret, now_ms: u64) -> Result<Share, ShareRefused> {
        let held = self.held.as_mut().ok_or(ShareRefused::Destroyed)?;
        let delay_ms = DELAYS_MS.get(usize::from(self.wrong)).copied();
        // A clock that was set back must not lock somebody out for longer.
        let longest_ms = now_ms.saturating_add(delay_ms.unwrap_or(0));
        self.blocked_until_ms = self.blocked_until_ms.min(longest_ms);
        if now_ms < self.blocked_until_ms {
            let until_ms = self.blocked_until_ms;
            return Err(ShareRefused::Wait { until_ms });
        }
        let current = held.current.verifier.matches(proof);
        let proposed = held.proposed.take_if(|slot| slot.verifier.matches(proof));
        if let Some(slot) = proposed {
            // The device has kept its new vault: the old one has had its day.
            held.current = slot;
        } else if !current {
            return Err(self.count_wrong(now_ms));
        }
        self.wrong = 0;
        self.blocked_until_ms = 0;
        Ok(held.current.share.clone())
    }

    /// Takes a new share or proof, or both, for a vault that was sealed anew.
    /// The current ones stay good until the new ones are first used, so that a
    /// device that lost power between the two is not locked out.
    ///
    /// The caller has checked a signature of the device itself, not only a login.
    ///
    /// # Errors
    /// [`ShareRefused::Destroyed`].
    pub fn propose(&mut self, share: Share, auth: &AuthSecret) -> Result<(), ShareRefused> {
        let held = self.held.as_mut().ok_or(ShareRefused::Destroyed)?;
        held.proposed = Some(Slot {
            share,
            verifier: auth.verifier(),
        });
        Ok(())
    }

    /// To store. Holds the share in the clear; to wipe it is the caller's part.
    pub fn encode(&self) -> Vec<u8> {
        let state = match &self.held {
            None => DESTROYED,
            Some(Held { proposed: None, .. }) => HELD,
            Some(_) => HELD_AND_PROPOSED,
        };
        // Never grows: no copy of a share stays behind.
        let mut out = Vec::with_capacity(MAX_BYTES);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.vault.as_bytes());
        out.extend([state, self.wrong]);
        out.extend_from_slice(&self.blocked_until_ms.to_be_bytes());
        let slots = self.held.iter();
        for slot in slots.flat_map(|held| [Some(&held.current), held.proposed.as_ref()]) {
            let Some(slot) = slot else { continue };
            out.extend_from_slice(slot.share.reveal());
            out.extend_from_slice(slot.verifier.as_bytes());
        }
        out
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`VaultError`] for anything but exactly one state that this build knows.
    pub fn decode(input: &[u8]) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { what: WHAT, why };
        let ended = |_| malformed("it is cut off");
        let mut cursor = begin(input, MAGIC, VERSION, WHAT)?;
        let vault = VaultId::from_bytes(cursor.array().map_err(ended)?);
        let state = cursor.u8().map_err(ended)?;
        let wrong = cursor.u8().map_err(ended)?;
        let blocked_until_ms = cursor.u64().map_err(ended)?;
        let mut slot = || -> Result<Slot, VaultError> {
            let share = Share::from_bytes(&cursor.array().map_err(ended)?);
            let verifier = Verifier::from_bytes(cursor.array().map_err(ended)?);
            Ok(Slot { share, verifier })
        };
        let held = match state {
            DESTROYED => None,
            HELD => Some(Held {
                current: slot()?,
                proposed: None,
            }),
            HELD_AND_PROPOSED => Some(Held {
                current: slot()?,
                proposed: Some(slot()?),
            }),
            _ => return Err(malformed("its state is unknown")),
        };
        if (wrong >= MAX_WRONG_TRIES) != held.is_none() || wrong > MAX_WRONG_TRIES {
            return Err(malformed("its count does not fit its state"));
        }
        if cursor.position() != input.len() {
            return Err(malformed("something follows it"));
        }
        Ok(Self {
            vault,
            held,
            wrong,
            blocked_until_ms,
        })
    }

    fn count_wrong(&mut self, now_ms: u64) -> ShareRefused {
        self.wrong += 1;
        if self.wrong >= MAX_WRONG_TRIES {
            self.held = None;
            self.blocked_until_ms = 0;
            return ShareRefused::Destroyed;
        }
        let delay_ms = DELAYS_MS.get(usize::from(self.wrong)).copied();
        self.blocked_until_ms = now_ms.saturating_add(delay_ms.unwrap_or(0));
        let left = MAX_WRONG_TRIES - self.wrong;
        ShareRefused::Wrong { left }
    }
}

impl fmt::Debug for ServerShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = if self.is_destroyed() {
            "destroyed"
        } else {
            "…"
        };
        write!(
            f,
            "ServerShare({kept} of {:?}, {} wrong)",
            self.vault, self.wrong
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_690_000_000;
    const DAY_MS: u64 = 86_400_000;

    fn auth(byte: u8) -> AuthSecret {
        AuthSecret::from_bytes(&[byte; 32])
    }

    fn kept() -> ServerShare {
        let vault = VaultId::from_bytes([9; 16]);
        ServerShare::new(vault, Share::from_bytes(&[1; 32]), &auth(1))
    }

    fn stored(share: &ServerShare) -> ServerShare {
        ServerShare::decode(&share.encode()).unwrap()
    }

    #[test]
    fn the_right_code_gets_the_share_and_clears_the_count() {
        let mut share = kept();
        for _ in 0..3 {
            let wrong = share.request(&auth(2), NOW_MS).unwrap_err();
            assert!(matches!(wrong, ShareRefused::Wrong { .. }));
        }
        let mut share = stored(&share);
        let later_ms = NOW_MS + 30_000;
        assert_eq!(
            share.request(&auth(1), later_ms).unwrap().reveal(),
            &[1; 32]
        );
        assert_eq!(share.wrong_tries(), 0);
    }

    #[test]
    fn the_tenth_wrong_try_destroys_the_share_across_restarts() {
        let mut share = kept();
        for wrong in 1..MAX_WRONG_TRIES {
            let at_ms = NOW_MS + u64::from(wrong) * DAY_MS;
            let left = MAX_WRONG_TRIES - wrong;
            let refused = share.request(&auth(2), at_ms).unwrap_err();
            assert_eq!(refused, ShareRefused::Wrong { left });
            share = stored(&share);
        }
        let at_ms = NOW_MS + 20 * DAY_MS;
        let refused = share.request(&auth(2), at_ms).unwrap_err();
        assert_eq!(refused, ShareRefused::Destroyed);
        let bytes = share.encode();
        assert!(!bytes.windows(32).any(|part| part == [1; 32]));
        let mut share = stored(&share);
        assert!(share.is_destroyed());
        let refused = share.request(&auth(1), at_ms + DAY_MS).unwrap_err();
        assert_eq!(refused, ShareRefused::Destroyed);
        assert!(
            share
                .propose(Share::from_bytes(&[3; 32]), &auth(3))
                .is_err()
        );
    }

    #[test]
    fn delays_grow_and_a_try_too_soon_is_not_counted() {
        let mut share = kept();
        let mut now_ms = NOW_MS;
        let mut waits_ms = Vec::new();
        for wrong in 1..MAX_WRONG_TRIES {
            share.request(&auth(2), now_ms).unwrap_err();
            if let Err(ShareRefused::Wait { until_ms }) = share.request(&auth(1), now_ms) {
                waits_ms.push(until_ms - now_ms);
                let early = share.request(&auth(1), until_ms - 1).unwrap_err();
                assert_eq!(early, ShareRefused::Wait { until_ms });
                now_ms = until_ms;
                assert_eq!(share.wrong_tries(), wrong);
            } else {
                // The right code went through: fail as often again.
                (0..wrong).for_each(|_| drop(share.request(&auth(2), now_ms)));
            }
        }
        assert_eq!(waits_ms.len(), 7);
        assert!(waits_ms.is_sorted() && waits_ms[0] == 30_000);
        assert!(share.request(&auth(1), now_ms).is_ok());
    }

    #[test]
    fn a_clock_set_back_does_not_lock_out_for_longer_than_the_delay() {
        let mut share = kept();
        for _ in 0..3 {
            share.request(&auth(2), NOW_MS).unwrap_err();
        }
        let before_ms = NOW_MS - 365 * DAY_MS;
        let refused = share.request(&auth(1), before_ms).unwrap_err();
        let until_ms = before_ms + 30_000;
        assert_eq!(refused, ShareRefused::Wait { until_ms });
        assert!(share.request(&auth(1), until_ms).is_ok());
    }

    #[test]
    fn old_and_new_vault_both_open_until_the_new_one_is_used() {
        let mut share = kept();
        share
            .propose(Share::from_bytes(&[2; 32]), &auth(2))
            .unwrap();
        let mut share = stored(&share);
        assert_eq!(share.request(&auth(1), NOW_MS).unwrap().reveal(), &[1; 32]);
        let mut share = stored(&share);
        assert_eq!(share.request(&auth(2), NOW_MS).unwrap().reveal(), &[2; 32]);
        let mut share = stored(&share);
        let refused = share.request(&auth(1), NOW_MS).unwrap_err();
        assert_eq!(refused, ShareRefused::Wrong { left: 9 });
    }

    #[test]
    fn every_cut_and_every_surplus_byte_is_refused() {
        let mut share = kept();
        share
            .propose(Share::from_bytes(&[2; 32]), &auth(2))
            .unwrap();
        let bytes = share.encode();
        assert_eq!(bytes.len(), MAX_BYTES);
        for length in 0..bytes.len() {
            assert!(ServerShare::decode(&bytes[..length]).is_err());
        }
        assert!(ServerShare::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
