//! Text that shares the buffer of the message it came from.
//!
//! Header values are UTF-8 (RFC 3261 section 7.3.1), yet old devices send Latin-1. [`Text`] takes
//! both: anything that is not UTF-8 is read as Latin-1 and transcoded. The encoding is checked
//! once; all parts of a text share its buffer.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::scan;

/// A cheap-to-clone piece of UTF-8 text, usually a slice of a received message.
///
/// It may hold a telephone number or a name, so its `Debug` shows the length alone.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared {
        buffer: Arc<str>,
        start: u32,
        end: u32,
    },
}

impl Text {
    /// Text over a copy of `bytes`: as it is when it is UTF-8, else transcoded from Latin-1.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::from(text),
            Err(_) => Self::from(latin1(bytes)),
        }
    }

    /// Text over a constant.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// The text itself. Named so that a reviewer finds where numbers and names come out.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.as_str()
    }

    /// The text as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Static(text) => text.len(),
            Repr::Shared { start, end, .. } => (end - start) as usize,
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            // Every constructor keeps the range within the buffer and on whole characters, so the
            // fallback is never taken.
            Repr::Shared { buffer, start, end } => buffer
                .get(*start as usize..*end as usize)
                .unwrap_or_default(),
        }
    }

    /// `part`, which must be a slice of this text, sharing its buffer. Any other text is copied.
    pub(crate) fn share(&self, part: &str) -> Self {
        if part.is_empty() {
            return Self::default();
        }
        let whole = self.as_str();
        let offset = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
        match offset.filter(|offset| offset + part.len() <= whole.len()) {
            Some(offset) => self.range(offset..offset + part.len()),
            None => Self::from(part),
        }
    }

    /// The part at these bytes; empty when they are not a part of the text.
    pub(crate) fn range(&self, part: Range<usize>) -> Self {
        if part.is_empty() || self.as_str().get(part.clone()).is_none() {
            return Self::default();
        }
        match &self.0 {
            Repr::Static(text) => Self::from_static(text.get(part).unwrap_or_default()),
            // Within the text, so within the range of its offsets.
            Repr::Shared { buffer, start, .. } => Self(Repr::Shared {
                buffer: buffer.clone(),
                start: start + part.start as u32,
                end: start + part.end as u32,
            }),
        }
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Default for Text {
    fn default() -> Self {
        Self::from_static("")
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        // Longer text than 4 GiB, which no message holds, is nothing.
        match u32::try_from(text.len()) {
            Ok(end) if end > 0 => Self(Repr::Shared {
                buffer: Arc::from(text),
                start: 0,
                end,
            }),
            _ => Self::default(),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…({} bytes)", self.len())
    }
}

/// Something about a person: a number, a name, a user part. `Debug` prints `…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive<'a>(Cow<'a, str>);

impl<'a> Sensitive<'a> {
    pub(crate) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// What is hidden.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is hidden, owned where it had to be decoded.
    #[must_use]
    pub fn into_revealed(self) -> Cow<'a, str> {
        self.0
    }
}

impl fmt::Debug for Sensitive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A value that can be written into a message.
///
/// Implementations write the value alone: no name, no line end. The builders replace any CR or LF
/// in what they are given, so a value can never start a new header.
pub trait Encode {
    /// Appends the value to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The value as text. It may hold numbers and names: for the wire, never for a log.
    fn encoded(&self) -> Text {
        let mut out = Vec::new();
        self.encode(&mut out);
        Text::from_bytes(&out)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for Text {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

/// Implements [`Encode`] through `Display` for types that hide nothing.
macro_rules! encode_display {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::text::Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                use std::io::Write as _;
                // Writing to a vector cannot fail.
                let _ = write!(out, "{self}");
            }
        }
    )+};
}
pub(crate) use encode_display;

/// Implements [`Encode`] for unsigned numbers.
macro_rules! encode_number {
    ($($type:ty),+ $(,)?) => {$(
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                push_number(out, *self as u64);
            }
        }
    )+};
}

encode_number!(u8, u16, u32, u64, usize);

/// An address as it stands in text, IPv6 without brackets.
impl Encode for IpAddr {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => {
                for (at, octet) in address.octets().into_iter().enumerate() {
                    if at > 0 {
                        out.push(b'.');
                    }
                    if octet >= 100 {
                        out.push(b'0' + octet / 100);
                    }
                    if octet >= 10 {
                        out.push(b'0' + octet / 10 % 10);
                    }
                    out.push(b'0' + octet % 10);
                }
            }
            Self::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
        }
    }
}

/// Appends a number in decimal. Formatting machinery costs several times as much, and messages
/// are full of numbers.
fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            // A remainder of ten fits.
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends `text` as a quoted-string (RFC 3261 section 25.1), escaping `"` and `\`; line ends
/// become spaces.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\r' | '\n' => out.push(' '),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// The content of a quoted-string without its quotes, with escapes resolved; a token as it is.
pub(crate) fn unquote(raw: &str) -> Cow<'_, str> {
    let Some(inner) = scan::quoted_inner(raw) else {
        return Cow::Borrowed(raw);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_is_transcoded_and_utf8_is_shared() {
        assert_eq!(Text::from_bytes(b"Jos\xe9"), "José");
        let utf8 = Text::from_bytes("José, Ana".as_bytes());
        let part = utf8.share(utf8.as_str().get(7..).unwrap());
        assert_eq!(part, "Ana");
        assert_eq!(part.as_bytes().as_ptr(), utf8.as_bytes()[7..].as_ptr());
        assert_eq!(utf8.share("elsewhere"), "elsewhere");
        assert_eq!(utf8.range(4..5), "", "within a character");
    }

    #[test]
    fn numbers_and_addresses_are_written_as_display_does() {
        for number in [0, 9, 10, 65_535, u64::MAX] {
            assert_eq!(number.encoded(), number.to_string().as_str());
        }
        for address in ["0.0.0.0", "203.0.113.7", "2001:db8::1"] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(ip.encoded(), address);
        }
    }

    #[test]
    fn quoting_round_trips_and_never_breaks_the_line() {
        let mut out = String::new();
        push_quoted(&mut out, "a\"b\\c\r\nd");
        assert_eq!(out, r#""a\"b\\c  d""#);
        assert_eq!(unquote(&out), "a\"b\\c  d");
    }

    #[test]
    fn debug_hides_the_text() {
        assert_eq!(format!("{:?}", Text::from("+15550100")), "…(9 bytes)");
        assert_eq!(format!("{:?}", Sensitive::new("+15550100")), "…");
    }
}
