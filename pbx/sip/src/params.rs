//! Parameters: `;name=value` lists.

use std::borrow::Cow;
use std::fmt;

use crate::error::ValueError;
use crate::scan::{self, ByteSet};
use crate::text::{Encode, Text, push_quoted, unquote};

/// The parameters of a header value (RFC 3261 section 25.1, `generic-param`), kept as they were
/// sent and read on demand. Names are compared without case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Text);

impl Params {
    /// Reads what follows the value: nothing, or `;name[=value]` repeated.
    ///
    /// # Errors
    /// On an empty parameter, a name that is no token, or a value that is neither a token-like
    /// word nor one quoted-string.
    pub fn parse(text: &Text) -> Result<Self, ValueError> {
        let trimmed = scan::trim(text.as_str());
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let list = trimmed
            .strip_prefix(';')
            .ok_or(ValueError::Malformed("parameters"))?;
        for part in scan::split_params(list) {
            check(part)?;
        }
        Ok(Self(text.share(list)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the first parameter with this name: `""` when it has no value. A quoted value
    /// comes without its quotes, its escapes as they are; see [`unquoted`](Self::unquoted).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.raw(name)?;
        Some(scan::quoted_inner(value).unwrap_or(value))
    }

    /// The value of the first parameter with this name, escapes resolved.
    #[must_use]
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw(name).map(unquote)
    }

    /// Whether there is a parameter with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Names and raw values (`""` when there is none), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let list = if self.0.is_empty() {
            None
        } else {
            Some(scan::split_params(self.0.as_str()))
        };
        list.into_iter().flatten().map(name_and_value)
    }

    /// These parameters with `name` set to `value`, in place of any it had.
    ///
    /// A value that is no token-like word is quoted. A name that is no token leaves the parameters
    /// as they are.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        self.set(name, Some(value))
    }

    /// These parameters with `name` set, without a value.
    #[must_use]
    pub fn with_flag(&self, name: &str) -> Self {
        self.set(name, None)
    }

    /// These parameters without `name`.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut out = String::with_capacity(self.0.len());
        for (other, value) in self.iter() {
            if !other.eq_ignore_ascii_case(name) {
                push(&mut out, other, (!value.is_empty()).then_some(value));
            }
        }
        Self(Text::from(out))
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn set(&self, name: &str, value: Option<&str>) -> Self {
        if !scan::is_token(name) {
            return self.clone();
        }
        let kept = if self.contains(name) {
            self.without(name)
        } else {
            self.clone()
        };
        let length = kept.0.len() + name.len() + value.map_or(0, str::len);
        // Room for the separators and quotes, too.
        let mut out = String::with_capacity(length + 4);
        out.push_str(kept.0.as_str());
        match value {
            Some(value) if is_word(value) => push(&mut out, name, Some(value)),
            Some(value) => {
                let mut quoted = String::new();
                push_quoted(&mut quoted, value);
                push(&mut out, name, Some(&quoted));
            }
            None => push(&mut out, name, None),
        }
        Self(Text::from(out))
    }
}

impl Encode for Params {
    fn encode(&self, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            out.push(b';');
            self.0.encode(out);
        }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

fn push(out: &mut String, name: &str, value: Option<&str>) {
    if !out.is_empty() {
        out.push(';');
    }
    out.push_str(name);
    if let Some(value) = value {
        out.push('=');
        out.push_str(value);
    }
}

fn name_and_value(part: &str) -> (&str, &str) {
    match scan::split_at_byte(part, b'=') {
        Some((name, value)) => (scan::trim(name), scan::trim(value)),
        None => (part, ""),
    }
}

fn check(part: &str) -> Result<(), ValueError> {
    let (name, value) = name_and_value(part);
    let good_value = value.is_empty() || is_word(value) || scan::quoted_inner(value).is_some();
    if scan::is_token(name) && good_value {
        Ok(())
    } else {
        Err(ValueError::Malformed("parameter"))
    }
}

/// Whether `value` may stand without quotes: a token, a host or an IPv6 reference, or what
/// devices send beside these (`gen-value` plus `/`, `@`, `=`, `&`, `$`, `?` and non-ASCII).
fn is_word(value: &str) -> bool {
    static WORD: ByteSet = ByteSet::alphanumeric_and(b"-.!%*_+`'~:[]/@=&$?", scan::AND_NON_ASCII);
    !value.is_empty() && WORD.contains_all(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Result<Params, ValueError> {
        Params::parse(&Text::from(text))
    }

    #[test]
    fn values_are_found_in_any_case_and_with_spaces() {
        let params = params(r#" ; Tag = abc ; flag ;q="a;\"b" "#).unwrap();
        assert_eq!(params.get("tag"), Some("abc"));
        assert_eq!(params.get("FLAG"), Some(""));
        assert_eq!(params.unquoted("q").as_deref(), Some("a;\"b"));
        assert_eq!(params.get("other"), None);
    }

    #[test]
    fn empty_parameters_are_refused() {
        assert!(params(";;").is_err());
        assert!(params(";a;").is_err());
        assert!(params("a=b").is_err());
        assert!(params(";a=\"open").is_err());
        assert!(params("").unwrap().is_empty());
    }

    #[test]
    fn setting_replaces_and_quotes() {
        let params = params(";a=1;b").unwrap().with("A", "x y").with("c", "2");
        assert_eq!(params.encoded(), r#";b;A="x y";c=2"#);
        assert_eq!(params.without("a").encoded(), ";b;c=2");
        assert_eq!(params.with("bad name", "1"), params);
    }
}
