//! `%` escapes in URIs (RFC 3261 section 19.1.2).

use std::borrow::Cow;

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

/// Bytes that need no escape in a user part.
pub(super) const fn is_user_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// Bytes taken in a user part or password: also `#`, `[`, `]`, `|`, `^` and the like, and
/// non-ASCII, which devices send.
pub(super) const fn is_user_byte_tolerant(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'@' | b'<' | b'>' | b'"' | b'%')
}

/// Bytes that need no escape in a parameter.
pub(super) const fn is_param_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

/// Bytes taken in a parameter: also `=`, `,` and non-ASCII, which devices send.
pub(super) const fn is_param_byte_tolerant(byte: u8) -> bool {
    is_param_byte(byte) || matches!(byte, b'=' | b',' | b'#' | b'|') || byte >= 0x80
}

/// Bytes taken in headers after `?`, separators included.
pub(super) const fn is_header_byte_tolerant(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$' | b'=' | b'&' | b';' | b',' | b'@'
        )
        || byte >= 0x80
}

/// Whether `text` consists of `allowed` bytes and whole escapes.
pub(super) fn is_escaped(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b'%' => hex_pair(bytes.next(), bytes.next()).is_some(),
            other => allowed(other),
        };
        if !good {
            return false;
        }
    }
    true
}

/// `text` with escapes resolved; what is not UTF-8 then becomes U+FFFD.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = Decoded::new(text).map(|(byte, _)| byte).collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether both are the same once decoded, without case.
pub(super) fn eq_decoded(a: &str, b: &str) -> bool {
    let bytes = |text| Decoded::new(text).map(|(byte, _)| byte.to_ascii_lowercase());
    bytes(a).eq(bytes(b))
}

/// Whether both are the same by RFC 3261 section 19.1.4: an escaped unreserved byte is the byte,
/// an escaped reserved one differs from it. With case.
pub(super) fn eq_escaped(a: &str, b: &str) -> bool {
    normal(a).eq(normal(b))
}

/// As [`eq_escaped`], without case.
pub(super) fn eq_escaped_ignore_case(a: &str, b: &str) -> bool {
    let lower = |text| normal(text).map(|(byte, escaped)| (byte.to_ascii_lowercase(), escaped));
    lower(a).eq(lower(b))
}

fn normal(text: &str) -> impl Iterator<Item = (u8, bool)> {
    Decoded::new(text).map(|(byte, escaped)| (byte, escaped && !is_unreserved(byte)))
}

/// Appends `text`, escaping all bytes that are not `allowed`.
pub(super) fn push_escaped(out: &mut String, text: &str, allowed: fn(u8) -> bool) {
    for byte in text.bytes() {
        if allowed(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Bytes of a text with escapes resolved, each with whether it was escaped. A `%` that starts no
/// escape is a byte like others.
struct Decoded<'a> {
    rest: &'a [u8],
}

impl<'a> Decoded<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
        }
    }
}

impl Iterator for Decoded<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<(u8, bool)> {
        if let [b'%', high, low, rest @ ..] = self.rest
            && let Some(byte) = hex_pair(Some(*high), Some(*low))
        {
            self.rest = rest;
            return Some((byte, true));
        }
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some((*byte, false))
    }
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(high?)? * 16 + digit(low?)?;
    u8::try_from(value).ok()
}
