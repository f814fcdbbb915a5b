//! The people on the line, as much as routing may know of them.

use std::fmt;

/// Most characters kept of a number; E.164 allows 15 digits.
pub const MAX_NUMBER_CHARS: usize = 32;

/// A telephone number as presented, reduced to `+` and digits (and `*`/`#`/letters for short codes).
///
/// Never printed: `Debug` shows only that there is one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes a number as a trunk or an operator writes it; separators go,
    /// `00` at the front becomes `+`. `None` when nothing dialable is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits: String = text
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '#'))
            .take(MAX_NUMBER_CHARS)
            .collect();
        if let Some(rest) = digits.strip_prefix("00") {
            digits = format!("+{rest}");
        }
        digits
            .chars()
            .any(|c| c.is_ascii_alphanumeric())
            .then_some(Self(digits))
    }

    /// The number in clear, for the few places that must use it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

/// Keyed hash of a caller's number; useless without the operator's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerHash(pub [u8; 32]);

impl fmt::Debug for CallerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerHash(…)")
    }
}

/// Turns numbers into keyed hashes. The shell implements it over `crypto`, so that routing holds no key.
pub trait CallerHasher: Send {
    /// Hashes one number.
    fn hash(&self, number: &PhoneNumber) -> CallerHash;
}

/// What is kept of a caller after screening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallerTag {
    /// The number was withheld.
    Anonymous,
    /// Its keyed hash.
    Known(CallerHash),
}

/// A key of the telephone keypad. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digit(char);

impl Digit {
    /// Accepts `0`-`9`, `*`, `#`, `A`-`D`.
    #[must_use]
    pub fn new(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(key))
    }

    /// The key, for the few places that must act on it.
    #[must_use]
    pub fn reveal(self) -> char {
        self.0
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(…)")
    }
}
