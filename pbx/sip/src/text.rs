//! Text that shares the buffer of the message it came from.
//!
//! Header values are UTF-8 (RFC 3261 section 7.3.1), yet old devices send Latin-1. [`Text`] takes
//! both: UTF-8 is shared without a copy, anything else is read as Latin-1 and transcoded.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::scan;

/// A cheap-to-clone piece of UTF-8 text, usually a slice of a received message.
///
/// It may hold a telephone number or a name, so its `Debug` shows the length alone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Text over `bytes`: shared when it is UTF-8, else transcoded from Latin-1.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        if std::str::from_utf8(&bytes).is_ok() {
            return Self(bytes);
        }
        let latin1: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        Self(Bytes::from(latin1))
    }

    /// Text over a constant.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text itself. Named so that a reviewer finds where numbers and names come out.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.as_str()
    }

    /// The text as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        // Every constructor keeps the bytes UTF-8, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// `part`, which must be a slice of this text, sharing its buffer.
    pub(crate) fn share(&self, part: &str) -> Self {
        Self(self.0.slice_ref(part.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
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
        Text::from_bytes(Bytes::from(out))
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

encode_display!(u8, u16, u32, u64, usize);

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
        assert_eq!(Text::from_bytes(Bytes::from_static(b"Jos\xe9")), "José");
        let utf8 = Bytes::from("José");
        let text = Text::from_bytes(utf8.clone());
        assert_eq!(text.as_bytes().as_ptr(), utf8.as_ptr());
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
