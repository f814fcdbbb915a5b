//! Digits in SIP INFO bodies: `application/dtmf-relay` and `application/dtmf`.
//!
//! Neither has an RFC; the former is Cisco's and has `Signal=` and `Duration=`
//! lines, the latter is the key alone. Devices mix the two, so both forms are
//! read under both names.

use std::time::Duration;

use thiserror::Error;

use super::Digit;

/// Longest body worth reading, bytes.
const MAX_BODY_BYTES: usize = 256;
/// Longest press believed, milliseconds.
const MAX_DURATION_MS: u64 = 10_000;

/// A key pressed by INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoDigit {
    /// The key.
    pub digit: Digit,
    /// How long it was held, if the body says.
    pub duration: Option<Duration>,
}

/// Why an INFO body is no digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InfoError {
    /// Some other content type: answer 415.
    #[error("the content type is not application/dtmf-relay or application/dtmf")]
    ContentType,
    /// No key 0-9, *, #, A-D in the body: answer 400.
    #[error("the body names no key")]
    NoDigit,
}

/// Reads the digit of an INFO request.
///
/// # Errors
/// [`InfoError::ContentType`] or [`InfoError::NoDigit`].
pub fn parse_info(content_type: &str, body: &[u8]) -> Result<InfoDigit, InfoError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let known = ["application/dtmf-relay", "application/dtmf"];
    if !known
        .iter()
        .any(|name| name.eq_ignore_ascii_case(media_type))
    {
        return Err(InfoError::ContentType);
    }
    let body = body.get(..MAX_BODY_BYTES).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| InfoError::NoDigit)?;
    if !text.contains('=') {
        let digit = parse_key(text.trim()).ok_or(InfoError::NoDigit)?;
        return Ok(InfoDigit {
            digit,
            duration: None,
        });
    }
    let digit = field(text, "signal")
        .and_then(parse_key)
        .ok_or(InfoError::NoDigit)?;
    let duration = field(text, "duration")
        .and_then(|value| value.parse().ok())
        .map(|ms: u64| Duration::from_millis(ms.min(MAX_DURATION_MS)));
    Ok(InfoDigit { digit, duration })
}

/// The value of a `name=value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// A key by itself or as an event code from 10 to 15.
fn parse_key(text: &str) -> Option<Digit> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(key), None) => Digit::new(key),
        (Some('1'), Some('0'..='5')) if text.len() == 2 => {
            Digit::from_event_code(text.parse().ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(content_type: &str, body: &str) -> Option<(char, Option<u128>)> {
        let info = parse_info(content_type, body.as_bytes()).ok()?;
        Some((
            info.digit.reveal(),
            info.duration.map(|held| held.as_millis()),
        ))
    }

    #[test]
    fn both_forms_are_read() {
        let relay = "application/dtmf-relay";
        assert_eq!(
            key(relay, "Signal=5\r\nDuration=160\r\n"),
            Some(('5', Some(160)))
        );
        assert_eq!(
            key(relay, "signal= *\nduration = 250"),
            Some(('*', Some(250)))
        );
        assert_eq!(key(relay, "Signal=11\r\n"), Some(('#', None)));
        assert_eq!(key("Application/DTMF; x=y", "d\r\n"), Some(('D', None)));
        assert_eq!(key(relay, "Signal=1\r\nDuration=x"), Some(('1', None)));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        assert_eq!(
            parse_info("application/sdp", b"5"),
            Err(InfoError::ContentType)
        );
        for body in [
            "",
            "Signal=",
            "Signal=E",
            "Signal=16",
            "55",
            "Duration=5",
            "=5",
            "é",
        ] {
            assert_eq!(
                parse_info("application/dtmf", body.as_bytes()),
                Err(InfoError::NoDigit),
                "{body:?}"
            );
        }
        assert_eq!(
            parse_info("application/dtmf", &[0xff; 4]),
            Err(InfoError::NoDigit)
        );
    }
}
