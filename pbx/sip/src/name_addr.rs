//! `name-addr` and `addr-spec` with parameters: From, To, Contact, Route and their kin.

use std::fmt;

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::params::Params;
use crate::scan;
use crate::text::{Encode, Sensitive, Text, push_quoted, unquote};
use crate::uri::Uri;

/// An address: an optional display name, a URI, parameters (RFC 3261 section 20.10).
///
/// `Debug` shows neither name nor user part.
#[derive(Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// As it was sent: tokens, or a quoted-string with its quotes.
    display: Text,
    uri: Uri,
    params: Params,
}

impl NameAddr {
    /// An address without a display name.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            display: Text::default(),
            uri,
            params: Params::default(),
        }
    }

    /// This address with a display name, quoted; none when empty.
    #[must_use]
    pub fn with_display_name(mut self, name: &str) -> Self {
        let mut display = String::new();
        if !name.is_empty() {
            push_quoted(&mut display, name);
        }
        self.display = Text::from(display);
        self
    }

    /// This address with another URI.
    #[must_use]
    pub fn with_uri(mut self, uri: Uri) -> Self {
        self.uri = uri;
        self
    }

    /// This address with the parameter `name` set.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params = self.params.with(name, value);
        self
    }

    /// This address with its tag set (RFC 3261 section 19.3).
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Self {
        self.with_param("tag", tag)
    }

    /// This address without its tag.
    #[must_use]
    pub fn without_tag(mut self) -> Self {
        self.params = self.params.without("tag");
        self
    }

    /// The display name, escapes resolved; `None` when there is none.
    #[must_use]
    pub fn display_name(&self) -> Option<Sensitive<'_>> {
        let name = unquote(self.display.as_str());
        (!name.is_empty()).then(|| Sensitive::new(name))
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The header parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

impl ParseValue for NameAddr {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let raw = text.as_str();
        let value = scan::trim(raw);
        let Some(open) = scan_open(value) else {
            return bare(text, value);
        };
        let malformed = ValueError::Malformed("address");
        let display = scan::trim(value.get(..open).unwrap_or_default());
        let tokens = || {
            display
                .bytes()
                .all(|byte| scan::is_token_byte(byte) || scan::is_space(byte) || byte >= 0x80)
        };
        if !tokens() && scan::quoted_inner(display).is_none() {
            return Err(malformed);
        }
        let rest = value.get(open + 1..).unwrap_or_default();
        let (uri, params) = scan::split_at_byte(rest, b'>').ok_or(malformed)?;
        Ok(Self {
            display: text.share(display),
            uri: Uri::parse(&text.share(uri))?,
            params: Params::parse(&text.share(params))?,
        })
    }
}

/// The offset of the `<` that opens the URI; a quoted display name before it may hold others.
fn scan_open(value: &str) -> Option<usize> {
    let start = match value.as_bytes().first() {
        Some(b'"') => scan::quoted_end(value.as_bytes(), 0).unwrap_or(0),
        _ => 0,
    };
    let rest = value.get(start..)?;
    scan::find(rest, b'<').map(|at| start + at)
}

/// Without angle brackets, parameters are of the header, and neither `?` nor `,` may stand in
/// the URI (RFC 3261 section 20).
fn bare(text: &Text, value: &str) -> Result<NameAddr, ValueError> {
    // The user part may hold semicolons only within angle brackets, too.
    let is_end = |byte| matches!(byte, b';' | b' ' | b'\t');
    let end = value.bytes().position(is_end).unwrap_or(value.len());
    let (uri, params) = value.split_at(end);
    if uri.contains(['?', ',']) {
        return Err(ValueError::Malformed("address"));
    }
    Ok(NameAddr {
        display: Text::default(),
        uri: Uri::parse(&text.share(uri))?,
        params: Params::parse(&text.share(params))?,
    })
}

impl std::str::FromStr for NameAddr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(&Text::from(text))
    }
}

impl Encode for NameAddr {
    fn encode(&self, out: &mut Vec<u8>) {
        if !self.display.is_empty() {
            self.display.encode(out);
            out.push(b' ');
        }
        out.push(b'<');
        self.uri.encode(out);
        out.push(b'>');
        self.params.encode(out);
    }
}

impl fmt::Debug for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.display.is_empty() { "" } else { "… " };
        write!(f, "{name}<{:?}>{:?}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<NameAddr, ValueError> {
        text.parse()
    }

    #[test]
    fn quoted_names_may_hold_anything() {
        let bell = address(r#""Bell, \"A\" <x>" <sip:a@b;lr>;tag=1"#).unwrap();
        assert_eq!(bell.display_name().unwrap().reveal(), r#"Bell, "A" <x>"#);
        assert_eq!(bell.tag(), Some("1"));
        assert!(bell.uri().is_loose_router());
        assert_eq!(bell.encoded(), r#""Bell, \"A\" <x>" <sip:a@b;lr>;tag=1"#);
    }

    #[test]
    fn without_brackets_parameters_are_of_the_header() {
        let bare = address("sip:a@b;tag=1 ;x").unwrap();
        assert_eq!(bare.tag(), Some("1"));
        assert_eq!(bare.uri().reveal(), "sip:a@b");
        assert!(address("sip:a@b?Route=c").is_err());
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            r#""open <sip:a@b>"#,
            "Bell, A <sip:a@b>",
            "< sip:a@b >",
            "<sip:a@b",
            "<sip:a@b>tag=1",
            "<sip:a@b>;;",
            "",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out_of_its_quotes() {
        let uri: Uri = "sip:a@b".parse().unwrap();
        let address = NameAddr::new(uri).with_display_name("x\" <sip:evil@c>\r\nVia: y");
        assert_eq!(address.encoded(), r#""x\" <sip:evil@c>  Via: y" <sip:a@b>"#);
    }

    #[test]
    fn debug_hides_name_and_user() {
        let address = address("\"Ana\" <sip:+15550100@example.org>;tag=7").unwrap();
        assert_eq!(format!("{address:?}"), "… <sip:…@example.org>[\"tag\"]");
    }
}
