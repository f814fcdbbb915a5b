//! When two URIs mean the same.

use super::escape::{eq_decoded, eq_escaped, eq_escaped_ignore_case};
use super::{Scheme, Uri};

/// URI parameters that make a difference when only one side has them (RFC 3261 section 19.1.4).
const DECISIVE_PARAMS: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

pub(super) fn equivalent(a: &Uri, b: &Uri) -> bool {
    // Also what the rules below cannot compare, such as a parameter given twice.
    if a.raw == b.raw {
        return true;
    }
    if a.scheme != b.scheme {
        return false;
    }
    match a.scheme {
        Scheme::Sip | Scheme::Sips => sip(a, b),
        Scheme::Tel => tel(a, b),
        Scheme::Other(_) => false,
    }
}

fn sip(a: &Uri, b: &Uri) -> bool {
    let same_host = match (&a.host, &b.host) {
        (Some(a), Some(b)) => a.equivalent(b),
        _ => false,
    };
    same_host
        && a.port == b.port
        && same_escaped(a.user_str(), b.user_str())
        && same_escaped(a.password_str(), b.password_str())
        && params_agree(a, b)
        && params_agree(b, a)
        && headers_agree(a, b)
        && headers_agree(b, a)
}

fn same_escaped(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => eq_escaped(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Every parameter of `a` either stands in `b` with the same value, or is missing there and one
/// that does not decide.
fn params_agree(a: &Uri, b: &Uri) -> bool {
    a.params
        .iter()
        .all(|(name, value)| match b.params.get(name) {
            Some(other) => eq_escaped_ignore_case(value, other),
            None => !DECISIVE_PARAMS
                .iter()
                .any(|decisive| eq_decoded(name, decisive)),
        })
}

fn headers_agree(a: &Uri, b: &Uri) -> bool {
    a.headers().all(|(name, value)| {
        b.headers()
            .any(|(other, theirs)| name.eq_ignore_ascii_case(&other) && value == theirs)
    })
}

/// Visual separators do not count; every parameter does (RFC 3966 section 4).
fn tel(a: &Uri, b: &Uri) -> bool {
    let digits = |uri: &Uri| -> Vec<u8> {
        uri.user_str()
            .unwrap_or_default()
            .bytes()
            .filter(|byte| !matches!(byte, b'-' | b'.' | b'(' | b')'))
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    let agree = |a: &Uri, b: &Uri| {
        a.params.iter().all(|(name, value)| {
            b.params
                .get(name)
                .is_some_and(|other| eq_escaped_ignore_case(value, other))
        })
    };
    digits(a) == digits(b) && agree(a, b) && agree(b, a)
}
