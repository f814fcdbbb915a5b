//! The controls at the door, applied before anything rings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use jiff::Timestamp;

use crate::command::RejectReason;
use crate::config::{RateLimit, Screening};
use crate::id::HubId;
use crate::limits::{MAX_CALLS_PER_WINDOW, MAX_TRACKED_CALLERS, later};
use crate::party::{CallerHash, CallerTag};

type Key = (HubId, CallerHash);

/// The sliding windows of callers who came through lately, per hub.
///
/// Only calls let through count, so that who keeps trying is heard again as the window slides.
#[derive(Default)]
pub(crate) struct Door {
    windows: BTreeMap<Key, Window>,
    by_expiry: BTreeSet<(Instant, Key)>,
    /// Windows dropped early for want of room.
    forgotten: u64,
}

struct Window {
    let_through: VecDeque<Instant>,
    expires: Instant,
}

impl Door {
    /// Decides on a caller, and counts them if they are let through. The wall clock shows `wall`.
    ///
    /// # Errors
    ///
    /// The reason to refuse them. Callers who withhold their number are never refused.
    pub(crate) fn screen(
        &mut self,
        hub: &HubId,
        screening: &Screening,
        caller: CallerTag,
        (now, wall): (Instant, Timestamp),
    ) -> Result<(), RejectReason> {
        self.forget_expired(now);
        let CallerTag::Known(hash) = caller else {
            return Ok(());
        };
        if screening
            .bans
            .as_ref()
            .is_some_and(|bans| bans.holds(hash, wall))
        {
            return Err(RejectReason::Banned);
        }
        let key = (hub.clone(), hash);
        match screening.rate_limit {
            Some(limit) => self.count(key, limit, now),
            None => {
                self.forget(&key);
                Ok(())
            }
        }
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Checks that the two views of the windows agree.
    pub(crate) fn check(&self) -> Result<(), String> {
        let agree = self.windows.len() == self.by_expiry.len()
            && self
                .windows
                .iter()
                .all(|(key, window)| self.by_expiry.contains(&(window.expires, key.clone())));
        if !agree || self.windows.len() > MAX_TRACKED_CALLERS {
            return Err("the windows of callers and their expiries disagree".into());
        }
        Ok(())
    }

    fn count(&mut self, key: Key, limit: RateLimit, now: Instant) -> Result<(), RejectReason> {
        let max_calls = usize::try_from(limit.max_calls)
            .unwrap_or(MAX_CALLS_PER_WINDOW)
            .min(MAX_CALLS_PER_WINDOW);
        let mut let_through = self.forget(&key).unwrap_or_default();
        let_through.retain(|at| later(*at, limit.window) > now);
        let allowed = let_through.len() < max_calls;
        if allowed {
            let_through.push_back(now);
        }
        if let Some(latest) = let_through.back() {
            let expires = later(*latest, limit.window);
            self.remember(
                key,
                Window {
                    let_through,
                    expires,
                },
            );
        }
        if allowed {
            Ok(())
        } else {
            Err(RejectReason::RateLimited)
        }
    }

    fn remember(&mut self, key: Key, window: Window) {
        if self.windows.len() >= MAX_TRACKED_CALLERS
            && let Some((_, oldest)) = self.by_expiry.pop_first()
        {
            self.windows.remove(&oldest);
            self.forgotten += 1;
        }
        self.by_expiry.insert((window.expires, key.clone()));
        self.windows.insert(key, window);
    }

    fn forget(&mut self, key: &Key) -> Option<VecDeque<Instant>> {
        let window = self.windows.remove(key)?;
        self.by_expiry.remove(&(window.expires, key.clone()));
        Some(window.let_through)
    }

    fn forget_expired(&mut self, now: Instant) {
        while let Some((expires, key)) = self.by_expiry.first().cloned() {
            if expires > now {
                return;
            }
            self.forget(&key);
        }
    }
}
