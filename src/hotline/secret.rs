//! Values that check themselves when they are read back, and that do not show themselves.

use std::fmt;

use crypto::ReaderPublicKey;
use jiff::tz::TimeZone;
use routing::PhoneNumber;
use serde::{Deserialize, Serialize};

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for the few places that must use it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One of the hotline's own numbers. Unlike a caller's it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number(PhoneNumber);

impl Number {
    /// The number as the router compares it.
    #[must_use]
    pub fn phone_number(&self) -> &PhoneNumber {
        &self.0
    }
}

impl TryFrom<String> for Number {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_digit() || " +-./()*#".contains(c);
        PhoneNumber::parse(&text)
            .filter(|_| text.chars().all(allowed))
            .map(Self)
            .ok_or("not a telephone number")
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.0.reveal().to_owned()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reveal())
    }
}

/// A public key that messages are sealed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReaderKey(ReaderPublicKey);

impl ReaderKey {
    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &ReaderPublicKey {
        &self.0
    }
}

impl TryFrom<String> for ReaderKey {
    type Error = crypto::KeyTextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<ReaderKey> for String {
    fn from(key: ReaderKey) -> Self {
        key.0.to_string()
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Its rules.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl TryFrom<String> for Zone {
    type Error = jiff::Error;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let zone = TimeZone::get(&name)?;
        Ok(Self { name, zone })
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
