//! Challenges and credentials (RFC 3261 section 20.7 and 20.44, RFC 7616, RFC 8760).

use std::borrow::Cow;
use std::fmt;

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::scan;
use crate::text::{Encode, Text, push_quoted, unquote};

/// An authentication scheme with its comma-separated parameters. `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthParams {
    scheme: Text,
    params: Text,
}

/// The value of WWW-Authenticate or Proxy-Authenticate, one per header line.
pub type Challenge = AuthParams;

/// The value of Authorization or Proxy-Authorization, one per header line.
pub type Credentials = AuthParams;

impl AuthParams {
    /// A scheme without parameters yet, for example `Digest`.
    #[must_use]
    pub fn new(scheme: &'static str) -> Self {
        Self {
            scheme: Text::from_static(scheme),
            params: Text::default(),
        }
    }

    /// This value with a parameter as a quoted-string added.
    #[must_use]
    pub fn with_quoted(self, name: &'static str, value: &str) -> Self {
        let mut quoted = String::new();
        push_quoted(&mut quoted, value);
        self.added(name, &quoted)
    }

    /// This value with a parameter as a token added. A value that is no token is quoted, so that it
    /// cannot add parameters of its own.
    #[must_use]
    pub fn with_token(self, name: &'static str, value: &str) -> Self {
        if scan::is_token(value) {
            self.added(name, value)
        } else {
            self.with_quoted(name, value)
        }
    }

    /// The scheme as it was sent.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// Whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme().eq_ignore_ascii_case("Digest")
    }

    /// The value of a parameter without quotes and escapes; names are compared without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| unquote(value))
    }

    /// The elements of a parameter that is a list, such as `qop`: `"auth,auth-int"`.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        self.get(name)
            .iter()
            .flat_map(|value| value.split(','))
            .map(|part| scan::trim(part).to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Names and raw values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        scan::split_list(self.params.as_str())
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (scan::trim(name), scan::trim(value)))
    }

    fn added(self, name: &'static str, value: &str) -> Self {
        let separator = if self.params.is_empty() { "" } else { ", " };
        let params = format!("{}{separator}{name}={value}", self.params.as_str());
        Self {
            scheme: self.scheme,
            params: Text::from(params),
        }
    }
}

impl ParseValue for AuthParams {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let malformed = ValueError::Malformed("authentication");
        let value = scan::trim(text.as_str());
        let end = value.find([' ', '\t']).unwrap_or(value.len());
        let (scheme, params) = value.split_at(end);
        if !scan::is_token(scheme) {
            return Err(malformed);
        }
        let params = scan::trim(params);
        let is_digest = scheme.eq_ignore_ascii_case("Digest");
        // Other schemes may have a grammar of their own: they are kept as they are.
        if is_digest {
            for part in scan::split_list(params).filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').ok_or(malformed)?;
                let value = scan::trim(value);
                let open_quote = value.starts_with('"') && scan::quoted_inner(value).is_none();
                if !scan::is_token(scan::trim(name)) || open_quote {
                    return Err(malformed);
                }
            }
        }
        Ok(Self {
            scheme: text.share(scheme),
            params: text.share(params),
        })
    }
}

impl Encode for AuthParams {
    fn encode(&self, out: &mut Vec<u8>) {
        self.scheme.encode(out);
        if !self.params.is_empty() {
            out.push(b' ');
            self.params.encode(out);
        }
    }
}

impl fmt::Debug for AuthParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
        write!(f, "{} {names:?}", self.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(text: &str) -> Result<AuthParams, ValueError> {
        AuthParams::parse(&Text::from(text))
    }

    #[test]
    fn quoted_commas_and_escapes_are_read() {
        let value = r#"Digest realm="a, \"b\"" , QOP = "auth, auth-int",algorithm=SHA-256"#;
        let challenge = auth(value).unwrap();
        assert_eq!(challenge.get("realm").as_deref(), Some("a, \"b\""));
        assert_eq!(challenge.list("qop"), ["auth", "auth-int"]);
        assert_eq!(challenge.get("algorithm").as_deref(), Some("SHA-256"));
    }

    #[test]
    fn building_round_trips_and_cannot_be_broken_out_of() {
        let built = AuthParams::new("Digest")
            .with_quoted("realm", "a\", stale=true")
            .with_token("algorithm", "MD5, x=y");
        let again = auth(built.encoded().as_str()).unwrap();
        assert_eq!(again, built);
        assert_eq!(again.get("stale"), None);
        assert_eq!(again.get("x"), None);
    }

    #[test]
    fn unknown_schemes_stay_raw_and_secrets_stay_hidden() {
        let other = auth("NoOneKnowsThisScheme opaque-data=here").unwrap();
        assert!(!other.is_digest());
        let debug = format!("{:?}", auth("Digest response=\"5ecret\"").unwrap());
        assert!(!debug.contains("5ecret"), "{debug}");
        assert!(auth("Digest realm=\"open").is_err());
    }
}
