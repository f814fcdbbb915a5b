//! Limits and times that are not for the operator to choose.

use std::time::{Duration, Instant};

/// Most calls that are live at once; one more is refused as unavailable.
pub const MAX_LIVE_CALLS: usize = 1000;
/// Most devices that are known at once; further ones are not rung.
pub const MAX_DEVICES: usize = 10_000;
/// Most callers whose rate-limit windows are kept; the one that would expire first goes.
pub const MAX_TRACKED_CALLERS: usize = 10_000;
/// Most calls of one caller that a window counts.
pub const MAX_CALLS_PER_WINDOW: usize = 1000;

/// A phone that was busy or not picked up is rung again for the same caller after this time.
pub const RE_RING_AFTER_S: u64 = 5;
/// A phone that could not be reached is tried again for the same caller after this time.
pub const RE_RING_UNREACHABLE_AFTER_S: u64 = 10;
/// Volunteers who declined a caller are rung again after this time, if nobody else is left.
pub const RE_RING_AFTER_DECLINE_S: u64 = 20;
/// With more phones than may ring at once, one that rang this long makes room for the next.
pub const WAVE_S: u64 = 15;
/// A caller who already waits goes on waiting this long when the last volunteer
/// vanishes, so that a phone that registers anew costs nobody their place.
pub const NOBODY_LEFT_GRACE_S: u64 = 15;
/// Who is on duty is found anew after this time, even if no change was in sight:
/// a schedule looks ahead only so far.
pub(crate) const DUTY_TRUSTED_S: i64 = 3600;

/// The caller's leg must be up this long after it was answered.
pub const ANSWER_MAX_S: u64 = 40;
/// Music starts at the latest this long after the greeting did.
pub const GREETING_MAX_S: u64 = 120;
/// The message is recorded at the latest this long after the invitation began.
pub const INVITATION_MAX_S: u64 = 60;
/// The caller is released at the latest this long after the thanks began.
pub const THANKS_MAX_S: u64 = 30;
/// A recording is stopped when its own limit is overrun by this much.
pub const RECORDING_SLACK_S: u64 = 10;
/// A stopped recording must report its length within this time.
pub const RECORDING_CLOSE_S: u64 = 5;
/// A shorter recording is no message.
pub const MIN_MESSAGE_MS: u64 = 1000;

/// No deadline lies further ahead, whatever the configuration says.
const MAX_AHEAD_S: u64 = 30 * 24 * 3600;

/// The instant `wait` after `now`.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    now + wait.min(Duration::from_secs(MAX_AHEAD_S))
}

/// The instant `seconds` after `now`.
pub(crate) fn later_s(now: Instant, seconds: u64) -> Instant {
    later(now, Duration::from_secs(seconds))
}
