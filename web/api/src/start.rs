//! The start of this process, before which another one may have taken proofs.
//!
//! Nonces of proofs are remembered in memory. What was taken before the start could be replayed
//! after it for as long as its time is good: also a time after the start, where the device's clock
//! is ahead. So a proof of such a time is taken only with a token that this process gave out, which
//! nobody can have signed for before. Clients renew their tokens without a word to anybody.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crypto::identity::REQUEST_WINDOW_MS;
use store::SecretHash;

/// For how long after the start a proof from before it may still be good: its time is at most a
/// window ahead of the start, and good for a window more.
const IN_DOUBT: Duration = Duration::from_millis(2 * REQUEST_WINDOW_MS);

/// When this process began, and what it gave out since.
pub(crate) struct Start {
    at: Instant,
    /// The tokens, for as long as it matters.
    given_out: Mutex<BTreeSet<[u8; 32]>>,
}

impl Start {
    pub(crate) const fn new(at: Instant) -> Self {
        Self {
            at,
            given_out: Mutex::new(BTreeSet::new()),
        }
    }

    /// Notes new tokens.
    pub(crate) fn give_out(&self, tokens: [SecretHash; 2]) {
        let mut given_out = self.lock();
        match self.at.elapsed() <= IN_DOUBT {
            true => given_out.extend(tokens.map(|token| token.0)),
            false => given_out.clear(),
        }
    }

    /// Whether a process before this one may have taken a proof of `time_ms` with `token`.
    ///
    /// The start is counted back from `now_ms`: a clock that was wrong at the start, and is right
    /// now, changes nothing.
    pub(crate) fn may_follow(&self, token: SecretHash, time_ms: u64, now_ms: u64) -> bool {
        let up = self.at.elapsed();
        let up_ms = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
        let is_old = time_ms.saturating_add(up_ms) <= now_ms.saturating_add(REQUEST_WINDOW_MS);
        is_old && up <= IN_DOUBT && !self.lock().contains(&token.0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<[u8; 32]>> {
        self.given_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: SecretHash = SecretHash([1; 32]);
    const NEW: SecretHash = SecretHash([2; 32]);
    const NOW_MS: u64 = 100 * REQUEST_WINDOW_MS;

    fn started(ago: Duration) -> Start {
        Start::new(Instant::now().checked_sub(ago).unwrap())
    }

    #[test]
    fn only_new_tokens_have_no_past() {
        let start = started(Duration::from_secs(1));
        start.give_out([NEW, SecretHash([3; 32])]);
        for time_ms in [
            NOW_MS - REQUEST_WINDOW_MS,
            NOW_MS,
            NOW_MS + REQUEST_WINDOW_MS - 2_000,
        ] {
            assert!(start.may_follow(OLD, time_ms, NOW_MS), "{time_ms}");
            assert!(!start.may_follow(NEW, time_ms, NOW_MS), "{time_ms}");
        }
        // No process before the start can have taken that.
        assert!(!start.may_follow(OLD, NOW_MS + REQUEST_WINDOW_MS, NOW_MS));
    }

    #[test]
    fn there_is_doubt_for_as_long_as_an_old_proof_is_good() {
        let start = started(IN_DOUBT - Duration::from_secs(1));
        assert!(start.may_follow(OLD, NOW_MS - REQUEST_WINDOW_MS, NOW_MS));
        let start = started(IN_DOUBT + Duration::from_secs(1));
        assert!(!start.may_follow(OLD, NOW_MS - REQUEST_WINDOW_MS, NOW_MS));
        start.give_out([NEW, SecretHash([3; 32])]);
        assert!(start.lock().is_empty());
    }
}
