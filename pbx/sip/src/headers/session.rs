//! Session timers (RFC 4028) and Replaces (RFC 3891).

use std::fmt;

use super::{CallId, Expires};
use crate::error::ValueError;
use crate::header::ParseValue;
use crate::params::Params;
use crate::scan;
use crate::text::{Encode, Text, encode_display};

/// Session-Expires, and with no refresher Min-SE (RFC 4028 sections 4 and 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes: `Some(true)` the client of this transaction, `Some(false)` its server.
    pub client_refreshes: Option<bool>,
}

impl ParseValue for SessionExpires {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let value = text.as_str();
        let (seconds, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let seconds = Expires::parse(&text.share(scan::trim(seconds)))?.0;
        let params = Params::parse(&text.share(params))?;
        let client_refreshes = match params.get("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(true),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(false),
            _ => None,
        };
        Ok(Self {
            seconds,
            client_refreshes,
        })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.client_refreshes {
            Some(true) => ";refresher=uac",
            Some(false) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}

encode_display!(SessionExpires);

/// Replaces (RFC 3891 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID of the dialog to replace.
    pub call_id: CallId,
    /// The tag of the receiver of this header in that dialog.
    pub to_tag: Text,
    /// The tag of its peer in that dialog.
    pub from_tag: Text,
    /// Whether only an early dialog may be replaced.
    pub early_only: bool,
}

impl ParseValue for Replaces {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let value = text.as_str();
        let (call_id, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let params = Params::parse(&text.share(params))?;
        let tag = |name| {
            params
                .get(name)
                .filter(|tag| !tag.is_empty())
                .map(Text::from)
                .ok_or(ValueError::Malformed("Replaces"))
        };
        Ok(Self {
            call_id: CallId::parse(&text.share(scan::trim(call_id)))?,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.contains("early-only"),
        })
    }
}

impl Encode for Replaces {
    fn encode(&self, out: &mut Vec<u8>) {
        self.call_id.encode(out);
        let mut params = Params::default()
            .with("to-tag", self.to_tag.as_str())
            .with("from-tag", self.from_tag.as_str());
        if self.early_only {
            params = params.with_flag("early-only");
        }
        params.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_expires_round_trips() {
        let value = SessionExpires::parse(&Text::from("1800 ;refresher=UAC;x")).unwrap();
        assert_eq!(value.to_string(), "1800;refresher=uac");
    }

    #[test]
    fn replaces_needs_both_tags() {
        let value = "a@b;to-tag=1;from-tag=2;early-only";
        let replaces = Replaces::parse(&Text::from(value)).unwrap();
        assert_eq!(replaces.encoded(), value);
        assert!(Replaces::parse(&Text::from("a@b;to-tag=1")).is_err());
    }
}
