//! Contact (RFC 3261 section 20.10, RFC 5626).

use std::borrow::Cow;

use super::Expires;
use crate::error::ValueError;
use crate::header::ParseValue;
use crate::name_addr::NameAddr;
use crate::text::{Encode, Text};

/// One Contact element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactValue {
    /// `*`: all bindings, to be removed (RFC 3261 section 10.2.2).
    Star,
    /// An address.
    Address(NameAddr),
}

impl ContactValue {
    /// The address, unless it is `*`.
    #[must_use]
    pub fn address(&self) -> Option<&NameAddr> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The `expires` parameter in seconds. A malformed one counts as 3600 (RFC 3261 section
    /// 10.2.1.1), one beyond the range as its end.
    #[must_use]
    pub fn expires(&self) -> Option<Expires> {
        let raw = self.param("expires")?;
        Some(Expires::parse(&Text::from(raw)).unwrap_or(Expires(3600)))
    }

    /// The `q` parameter in thousandths, 0 to 1000; 1000 when absent or malformed.
    #[must_use]
    pub fn q_thousandths(&self) -> u16 {
        self.param("q").and_then(parse_q).unwrap_or(1000)
    }

    /// The `+sip.instance` parameter: the URN of the device, without angle brackets (RFC 5626
    /// section 4.1).
    #[must_use]
    pub fn instance(&self) -> Option<Cow<'_, str>> {
        let params = self.address()?.params();
        let urn = match params.unquoted("+sip.instance")? {
            Cow::Borrowed(text) => Cow::Borrowed(strip_angles(text)),
            Cow::Owned(text) => Cow::Owned(strip_angles(&text).to_owned()),
        };
        (!urn.is_empty()).then_some(urn)
    }

    /// The `reg-id` parameter (RFC 5626 section 4.2), at least 1.
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        self.param("reg-id")?.parse().ok().filter(|id| *id > 0)
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.address()?.params().get(name)
    }
}

impl ParseValue for ContactValue {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        if text.as_str() == "*" {
            return Ok(Self::Star);
        }
        NameAddr::parse(text).map(Self::Address)
    }
}

impl Encode for ContactValue {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Star => out.push(b'*'),
            Self::Address(address) => address.encode(out),
        }
    }
}

fn strip_angles(text: &str) -> &str {
    let text = text.strip_prefix('<').unwrap_or(text);
    text.strip_suffix('>').unwrap_or(text)
}

/// `0[.ddd]` or `1[.000]` in thousandths.
fn parse_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = whole.parse().ok()?;
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    let q = whole.checked_mul(1000)?.checked_add(thousandths)?;
    (q <= 1000).then_some(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(text: &str) -> ContactValue {
        ContactValue::parse(&Text::from(text)).unwrap()
    }

    #[test]
    fn parameters_of_a_binding_are_read() {
        let contact =
            contact("<sip:a@b>;q=0.33;expires=60;reg-id=1;+sip.instance=\"<urn:uuid:00-1>\"");
        assert_eq!(contact.q_thousandths(), 330);
        assert_eq!(contact.expires(), Some(Expires(60)));
        assert_eq!(contact.reg_id(), Some(1));
        assert_eq!(contact.instance().as_deref(), Some("urn:uuid:00-1"));
    }

    #[test]
    fn odd_numbers_have_a_meaning() {
        assert_eq!(
            contact("<sip:a@b>;expires=280297596632815").expires(),
            Some(Expires(u32::MAX))
        );
        assert_eq!(
            contact("<sip:a@b>;expires=x").expires(),
            Some(Expires(3600))
        );
        assert_eq!(contact("<sip:a@b>;q=7").q_thousandths(), 1000);
        assert_eq!(contact("*"), ContactValue::Star);
    }
}
