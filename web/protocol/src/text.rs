//! Ids and bytes as JSON has them.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Not the text of an id, or of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither 32 hexadecimal digits nor base64url")
    }
}

impl std::error::Error for NotText {}

/// A random name of a person, a device, a hub or a record: 16 bytes, written as 32 lower-case
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = NotText;

    fn from_str(text: &str) -> Result<Self, NotText> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotText)?;
        bytes.try_into().map(Self).map_err(|_| NotText)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom("an id is 32 lower-case hexadecimal digits"))
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{32}$"))
            .description(Some("16 bytes in hexadecimal"))
            .into()
    }
}

impl ToSchema for Id {}

/// A place in a list by time, to turn its page: written as 48 lower-case hexadecimal digits,
/// which clients pass on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of what is there, in Unix microseconds.
    pub at_us: i64,
    /// Its name, since others may be of the same time.
    pub id: Id,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.at_us.to_be_bytes()))?;
        self.id.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = NotText;

    fn from_str(text: &str) -> Result<Self, NotText> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotText)?;
        let (at_us, id) = bytes.split_first_chunk().ok_or(NotText)?;
        Ok(Self {
            at_us: i64::from_be_bytes(*at_us),
            id: Id(id.try_into().map_err(|_| NotText)?),
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom("a place in a list is 48 lower-case hexadecimal digits"))
    }
}

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{48}$"))
            .description(Some("A place in a list, as an answer named it"))
            .into()
    }
}

impl ToSchema for Cursor {}

/// Bytes. Never printed: they may be a token or a proof.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Blob {
    /// As it is sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl FromStr for Blob {
    type Err = NotText;

    fn from_str(text: &str) -> Result<Self, NotText> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
        bytes.map(Self).map_err(|_| NotText)
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom("bytes are base64url without padding"))
    }
}

impl PartialSchema for Blob {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9_-]*$"))
            .description(Some("Bytes in base64url without padding"))
            .into()
    }
}

impl ToSchema for Blob {}

/// A code that lets somebody in, as people pass it on and type it. Never printed but by
/// [`EntryCode::reveal`]: whoever reads it in a log could come in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryCode(String);

impl EntryCode {
    /// Takes a code that was made or typed.
    pub fn new(code: impl Into<String>) -> Self {
        Self(code.into())
    }

    /// As it is written.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EntryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_bytes_survive_json() {
        let id = Id([0xab; 16]);
        let text = serde_json::to_string(&id).expect("an id is JSON");
        assert_eq!(text, format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(serde_json::from_str::<Id>(&text).expect("as written"), id);
        let blob = Blob(vec![0xfb, 0xff]);
        let text = serde_json::to_string(&blob).expect("bytes are JSON");
        assert_eq!(text, "\"-_8\"");
        assert_eq!(
            serde_json::from_str::<Blob>(&text).expect("as written"),
            blob
        );
    }

    #[test]
    fn a_code_is_text_in_json_and_nothing_in_a_log() {
        let code = EntryCode::new("ABCD-EFGH");
        let made = crate::InviteMade {
            invite: Id([7; 16]),
            code: code.clone(),
        };
        let asked = crate::InviteCode { code };
        let text = serde_json::to_string(&asked).expect("a code is JSON");
        assert_eq!(text, r#"{"code":"ABCD-EFGH"}"#);
        let read: crate::InviteCode = serde_json::from_str(&text).expect("as written");
        assert_eq!(read.code.reveal(), "ABCD-EFGH");
        for printed in [format!("{asked:?}"), format!("{made:#?}")] {
            assert!(!printed.contains("ABCD"), "{printed}");
        }
    }

    #[test]
    fn a_place_survives_its_text() {
        let place = Cursor {
            at_us: -2,
            id: Id([0xab; 16]),
        };
        let text = serde_json::to_string(&place).expect("a place is JSON");
        let expected = format!("\"{}fe{}\"", "ff".repeat(7), "ab".repeat(16));
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<Cursor>(&text).expect("as written"),
            place
        );
        for other in [
            "",
            "ff",
            &"ab".repeat(23),
            &"ab".repeat(25),
            &"AB".repeat(24),
        ] {
            assert!(other.parse::<Cursor>().is_err(), "{other}");
        }
    }

    #[test]
    fn there_is_one_text_for_an_id() {
        assert!("AB".repeat(16).parse::<Id>().is_err());
        assert!("ab".repeat(15).parse::<Id>().is_err());
        assert!("-_8=".parse::<Blob>().is_err());
        // The last digit's unused bits must be zero.
        assert!("-_9".parse::<Blob>().is_err());
    }
}
