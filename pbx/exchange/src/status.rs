//! What SIP statuses and reasons mean to the router, and the other way round.

use std::time::Duration;

use routing::{HangupReason, LegEnd, RejectReason};
use sip::ua::{Reason, SessionEnd};

use crate::leg::Side;

/// When a caller over the rate limit may try again, as told to the carrier.
const RATE_LIMIT_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Short, because carriers send a box nothing at all for this long (RFC 3261 section 21.5.4).
const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(10);

/// No acceptable codec or media (RFC 3261 section 21.4.26).
pub(crate) const NOT_ACCEPTABLE_HERE: u16 = 488;
/// Not now, because of an offer that is still open (RFC 3261 section 21.4.27).
pub(crate) const REQUEST_PENDING: u16 = 491;
/// We cannot (RFC 3261 section 21.5.4).
pub(crate) const SERVICE_UNAVAILABLE: u16 = 503;

/// The final response to a caller who is refused.
///
/// - `Banned`: 603 Decline, which ends the caller's attempt everywhere (RFC 3261
///   section 21.6.2). 607 and 608 (RFC 8197, RFC 8688) would tell the caller
///   that there is a list.
/// - `RateLimited`: 486 Busy Here with `Retry-After`. A person hears the busy
///   tone and tries later; 480 would become an announcement that the hotline
///   does not exist any more at some carriers.
/// - `UnknownNumber`: 404.
/// - `Unavailable`: 503 with a short `Retry-After`, so that the carrier tries elsewhere.
pub(crate) fn rejection(reason: RejectReason) -> (u16, Option<Duration>) {
    match reason {
        RejectReason::Banned => (603, None),
        RejectReason::RateLimited => (486, Some(RATE_LIMIT_RETRY_AFTER)),
        RejectReason::UnknownNumber => (404, None),
        RejectReason::Unavailable => (SERVICE_UNAVAILABLE, Some(UNAVAILABLE_RETRY_AFTER)),
    }
}

/// The `Reason` header of our CANCEL or BYE (RFC 3326). With cause 200 a phone
/// does not list a missed call; the others are Q.850 causes.
pub(crate) fn hangup_reason(reason: HangupReason) -> Reason {
    let q850 = |cause, text| Reason {
        protocol: "Q.850",
        cause,
        text,
    };
    match reason {
        HangupReason::AnsweredElsewhere => Reason {
            protocol: "SIP",
            cause: 200,
            text: "Call completed elsewhere",
        },
        HangupReason::Normal | HangupReason::NoLongerNeeded | HangupReason::NotAvailable => {
            q850(16, "Normal call clearing")
        }
        HangupReason::MediaLost | HangupReason::Failed => q850(41, "Temporary failure"),
    }
}

/// Why a leg is over, from the end of its session. `sign_of_life` says whether
/// the peer ever responded.
pub(crate) fn leg_end(end: &SessionEnd, side: Side, sign_of_life: bool) -> LegEnd {
    match end {
        SessionEnd::RemoteBye | SessionEnd::RemoteCancel => LegEnd::HungUp,
        SessionEnd::Refused(status) => refusal(*status),
        SessionEnd::SignallingLost if side == Side::Outgoing && !sign_of_life => {
            LegEnd::Unreachable
        }
        SessionEnd::SignallingLost => LegEnd::SignallingLost,
        // Without an order of ours it is the user agent that gave up on a phone that only rings.
        SessionEnd::Local => LegEnd::NoAnswer,
    }
}

fn refusal(status: u16) -> LegEnd {
    match status {
        486 | 600 => LegEnd::Busy,
        603 | 607 => LegEnd::Declined,
        408 | 480 | 487 => LegEnd::NoAnswer,
        415 | 488 | 606 => LegEnd::MediaFailed,
        _ => LegEnd::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_person_or_the_phone_did() {
        let ends = [
            (486, LegEnd::Busy),
            (600, LegEnd::Busy),
            (603, LegEnd::Declined),
            (408, LegEnd::NoAnswer),
            (480, LegEnd::NoAnswer),
            (488, LegEnd::MediaFailed),
            (404, LegEnd::Unreachable),
            (503, LegEnd::Unreachable),
            (302, LegEnd::Unreachable),
        ];
        for (status, end) in ends {
            let refused = SessionEnd::Refused(status);
            assert_eq!(leg_end(&refused, Side::Outgoing, true), end, "{status}");
        }
    }

    #[test]
    fn a_phone_that_never_responded_is_unreachable() {
        let lost = SessionEnd::SignallingLost;
        assert_eq!(leg_end(&lost, Side::Outgoing, false), LegEnd::Unreachable);
        assert_eq!(leg_end(&lost, Side::Outgoing, true), LegEnd::SignallingLost);
        assert_eq!(
            leg_end(&lost, Side::Incoming, false),
            LegEnd::SignallingLost
        );
    }
}
