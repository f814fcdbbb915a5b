//! When sessions were last used: exactly in memory, roughly in the database.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::{SessionId, SessionRow};

use crate::shared::unix_ms;

/// A session's last use is written at most so often, in milliseconds.
const WRITE_EVERY_MS: u64 = 60_000;
/// Sessions that are kept before those at rest are forgotten.
const MAX_SESSIONS: usize = 100_000;

/// What a request means for its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It was idle for too long, and is to be ended.
    Idle,
    /// It goes on.
    Goes,
    /// It goes on, and that is to be written.
    Written,
}

#[derive(Clone, Copy)]
struct Seen {
    last_ms: u64,
    written_ms: u64,
}

/// The last request of each session.
pub(crate) struct Activity(Mutex<BTreeMap<SessionId, Seen>>);

impl Activity {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// A request of `session` at `now_ms`.
    pub(crate) fn note(&self, session: &SessionRow, now_ms: u64, idle_after: Duration) -> Use {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle_ms = as_ms(idle_after);
        if all.len() >= MAX_SESSIONS {
            all.retain(|_, seen| now_ms.saturating_sub(seen.last_ms) <= idle_ms);
        }
        let stored_ms = unix_ms(session.seen_at);
        let known = all.get(&session.id).copied().unwrap_or(Seen {
            last_ms: stored_ms,
            written_ms: stored_ms,
        });
        if now_ms.saturating_sub(known.last_ms.max(stored_ms)) > idle_ms {
            all.remove(&session.id);
            return Use::Idle;
        }
        let write = now_ms.saturating_sub(known.written_ms) >= WRITE_EVERY_MS;
        let seen = Seen {
            last_ms: known.last_ms.max(now_ms),
            written_ms: if write { now_ms } else { known.written_ms },
        };
        all.insert(session.id, seen);
        if write { Use::Written } else { Use::Goes }
    }

    /// Whether the session was used within `idle_after`; looking is no use.
    pub(crate) fn is_idle(&self, session: &SessionRow, now_ms: u64, idle_after: Duration) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known_ms = all.get(&session.id).map_or(0, |seen| seen.last_ms);
        let last_ms = known_ms.max(unix_ms(session.seen_at));
        now_ms.saturating_sub(last_ms) > as_ms(idle_after)
    }

    /// The session has ended.
    pub(crate) fn forget(&self, session: SessionId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&session);
    }
}

fn as_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::{DeviceId, SecretHash, UserId};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const HOUR_MS: u64 = 3_600_000;
    const NOON_MS: u64 = 1_763_690_000_000;

    fn session() -> SessionRow {
        let at = Timestamp::from_millisecond(NOON_MS.cast_signed()).unwrap();
        SessionRow {
            id: SessionId([1; 16]),
            user: UserId([2; 16]),
            device: DeviceId([3; 16]),
            sign_key: [4; 32],
            created_at: at,
            seen_at: at,
            access: SecretHash([5; 32]),
            access_expires_at: at,
            refresh: SecretHash([6; 32]),
            refresh_expires_at: at,
            view_key: None,
        }
    }

    #[test]
    fn a_session_lives_as_long_as_it_is_used() {
        let (activity, session) = (Activity::new(), session());
        for hour in 1..=5 {
            let at_ms = NOON_MS + hour * HOUR_MS;
            assert_eq!(activity.note(&session, at_ms, HOUR), Use::Written);
        }
        let late_ms = NOON_MS + 6 * HOUR_MS + 1;
        assert!(activity.is_idle(&session, late_ms, HOUR));
        assert_eq!(activity.note(&session, late_ms, HOUR), Use::Idle);
    }

    #[test]
    fn the_database_is_told_once_a_minute() {
        let (activity, session) = (Activity::new(), session());
        let uses: Vec<Use> = [1, 30_000, 60_000, 60_001, 119_999, 120_000]
            .map(|after_ms| activity.note(&session, NOON_MS + after_ms, HOUR))
            .into();
        let (goes, written) = (Use::Goes, Use::Written);
        assert_eq!(uses, [goes, goes, written, goes, goes, written]);
    }

    #[test]
    fn after_a_restart_the_database_counts() {
        let (activity, mut session) = (Activity::new(), session());
        assert_eq!(
            activity.note(&session, NOON_MS + HOUR_MS + 1, HOUR),
            Use::Idle
        );
        session.seen_at += jiff::SignedDuration::from_secs(1);
        assert_eq!(
            activity.note(&session, NOON_MS + HOUR_MS + 1, HOUR),
            Use::Written
        );
    }
}
