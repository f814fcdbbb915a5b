//! What counts once: login challenges that were answered, proofs of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crypto::identity::REQUEST_WINDOW_MS;

/// Most answered challenges of one device that are remembered. Only what a device has signed that
/// may log in is one, so there are so many of each at most.
const MAX_ANSWERED_PER_DEVICE: usize = 200;
/// Most proofs that are remembered: what all accounts together can send in the window.
const MAX_PROOFS: usize = 1_000_000;
/// A proof may be as far in the future as in the past.
const REMEMBERED_MS: u64 = 2 * REQUEST_WINDOW_MS;

/// Values with the time until which they count, oldest forgotten first.
struct Expiring<const N: usize> {
    until: BTreeMap<[u8; N], u64>,
    by_time: BTreeSet<(u64, [u8; N])>,
}

impl<const N: usize> Expiring<N> {
    const fn new() -> Self {
        Self {
            until: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some(&(until, value)) = self.by_time.first()
            && until <= now_ms
        {
            self.by_time.pop_first();
            self.until.remove(&value);
        }
    }

    fn insert(&mut self, value: [u8; N], until_ms: u64) -> bool {
        if self.until.contains_key(&value) {
            return false;
        }
        self.until.insert(value, until_ms);
        self.by_time.insert((until_ms, value));
        true
    }
}

/// Challenges that were answered: the device, and the nonce.
pub(crate) struct Answered(Mutex<Expiring<48>>);

impl Answered {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Expiring::new()))
    }

    /// Notes a challenge that `device` answered and that is good until `until_ms`; `false` when it
    /// was answered before, or when no more of the device can be remembered.
    pub(crate) fn first_time(
        &self,
        device: [u8; 16],
        nonce: [u8; 32],
        now_ms: u64,
        until_ms: u64,
    ) -> bool {
        let value = |nonce: [u8; 32]| {
            let mut value = [0; 48];
            value[..16].copy_from_slice(&device);
            value[16..].copy_from_slice(&nonce);
            value
        };
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.forget_old(now_ms);
        let all = value([0; 32])..=value([0xff; 32]);
        answered.until.range(all).count() < MAX_ANSWERED_PER_DEVICE
            && answered.insert(value(nonce), until_ms)
    }
}

/// Proofs that were accepted.
pub(crate) struct SeenOnce(Mutex<Expiring<16>>);

impl SeenOnce {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Expiring::new()))
    }

    /// Notes a proof; `false` when it was seen before, or when no more can be remembered.
    pub(crate) fn first_time(&self, nonce: [u8; 16], now_ms: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_old(now_ms);
        seen.until.len() < MAX_PROOFS && seen.insert(nonce, now_ms + REMEMBERED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: [u8; 16] = [7; 16];

    #[test]
    fn a_challenge_is_answered_once() {
        let answered = Answered::new();
        assert!(answered.first_time(DEVICE, [1; 32], 0, 60));
        assert!(!answered.first_time(DEVICE, [1; 32], 59, 60));
        assert!(answered.first_time(DEVICE, [2; 32], 59, 119));
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_verifies() {
        let seen = SeenOnce::new();
        assert!(seen.first_time([1; 16], 0));
        assert!(!seen.first_time([1; 16], REMEMBERED_MS - 1));
        assert!(seen.first_time([1; 16], REMEMBERED_MS));
    }

    #[test]
    fn a_device_that_answers_without_end_keeps_out_itself_alone() {
        let answered = Answered::new();
        let nonce = |count: usize| {
            let mut nonce = [0; 32];
            nonce[..8].copy_from_slice(&count.to_be_bytes());
            nonce
        };
        for count in 0..MAX_ANSWERED_PER_DEVICE {
            assert!(answered.first_time(DEVICE, nonce(count), 0, 60));
        }
        let more = nonce(MAX_ANSWERED_PER_DEVICE);
        assert!(!answered.first_time(DEVICE, more, 0, 60));
        assert!(answered.first_time([8; 16], more, 0, 60));
        assert!(answered.first_time(DEVICE, more, 60, 120));
    }
}
