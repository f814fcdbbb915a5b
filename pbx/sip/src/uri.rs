//! URIs (RFC 3261 section 19.1, RFC 3966, RFC 5118).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::scan::{self, ByteSet};
use crate::text::{Encode, Sensitive, Text};

mod equal;
mod escape;

use escape::{decode, eq_decoded, push_escaped};

/// Longest URI, in bytes.
pub const MAX_URI_BYTES: usize = 16 * 1024;

/// The scheme of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other; the URI stays raw.
    Other(Text),
}

impl Scheme {
    /// The scheme in lower case, others as they were sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(text) => text.as_str(),
        }
    }
}

/// A host: a name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A domain name.
    Name(Text),
    /// An address.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host name, an IPv4 address or an IPv6 reference in brackets.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &Text) -> Result<Self, ValueError> {
        let host = text.as_str();
        let error = ValueError::Malformed("host");
        if let Some(inner) = host.strip_prefix('[') {
            let address = inner.strip_suffix(']').ok_or(error)?;
            return match address.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Self::Ip(IpAddr::V6(address))),
                Err(_) => Err(error),
            };
        }
        // Names seldom start with a digit: only then it may be an address.
        if host.starts_with(|first: char| first.is_ascii_digit())
            && let Ok(address) = host.parse()
        {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        static NAME: ByteSet = ByteSet::alphanumeric_and(b"-._", scan::ASCII_ONLY);
        if host.is_empty() || !NAME.contains_all(host) {
            return Err(error);
        }
        Ok(Self::Name(text.clone()))
    }

    /// The address, unless it is a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ip(address) => Some(*address),
        }
    }

    /// Whether both mean the same host: names without case, addresses by value.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.as_str().eq_ignore_ascii_case(b.as_str()),
            (a, b) => a == b,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

/// The host as it stands in a URI or Via: IPv6 in brackets. A host says nothing of a person.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.as_str()),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Encode for Host {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Name(name) => name.encode(out),
            Self::Ip(address @ IpAddr::V4(_)) => address.encode(out),
            Self::Ip(address @ IpAddr::V6(_)) => {
                out.push(b'[');
                address.encode(out);
                out.push(b']');
            }
        }
    }
}

/// Reads `host[:port]`, the port after white space too, as a Via may have it.
pub(crate) fn parse_host_port(text: &Text) -> Result<(Host, Option<u16>), ValueError> {
    let raw = scan::trim(text.as_str());
    let after_host = scan::find(raw, b']').map_or(0, |end| end + 1);
    let colon = raw
        .get(after_host..)
        .and_then(|rest| scan::find(rest, b':'))
        .map(|at| after_host + at);
    let (host, port) = match colon {
        Some(at) => (raw.get(..at), raw.get(at + 1..)),
        None => (Some(raw), None),
    };
    let host = Host::parse(&text.share(scan::trim(host.unwrap_or_default())))?;
    let port = match port.map(scan::trim) {
        None => None,
        Some(digits) => Some(
            scan::decimal(digits)
                .and_then(|port| u16::try_from(port).ok())
                .ok_or(ValueError::Malformed("port"))?,
        ),
    };
    Ok((host, port))
}

/// A URI. Its user part may be a telephone number: `Debug` shows scheme and host alone, and the
/// text comes out by [`reveal`](Self::reveal) or [`Encode`].
///
/// `==` compares the text; [`equivalent`](Self::equivalent) the meaning.
#[derive(Clone)]
pub struct Uri {
    raw: Text,
    scheme: Scheme,
    user: Option<Span>,
    password: Option<Span>,
    host: Option<Host>,
    port: Option<u16>,
    params: UriParams,
    headers: Option<Span>,
}

/// A part of the text of a URI, by offsets.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Uri {
    /// Reads a URI. An unknown scheme is kept raw.
    ///
    /// # Errors
    /// Without a scheme, with white space, angle brackets, quotes or control characters anywhere,
    /// or when a sip, sips or tel URI is outside its grammar.
    pub fn parse(text: &Text) -> Result<Self, ValueError> {
        let error = ValueError::Malformed("URI");
        let raw = text.as_str();
        if raw.len() > MAX_URI_BYTES {
            return Err(ValueError::OutOfRange("URI length"));
        }
        static ANYWHERE: ByteSet =
            ByteSet::alphanumeric_and(b"!#$%&'()*+,-./:;=?@[\\]^_`{|}~", scan::AND_NON_ASCII);
        if !ANYWHERE.contains_all(raw) {
            return Err(error);
        }
        let (scheme, rest) = scan::split_at_byte(raw, b':').ok_or(error)?;
        let mut uri = Self {
            raw: text.clone(),
            scheme: parse_scheme(text, scheme).ok_or(error)?,
            user: None,
            password: None,
            host: None,
            port: None,
            params: UriParams::default(),
            headers: None,
        };
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => uri.parse_sip(rest)?,
            Scheme::Tel => uri.parse_tel(rest)?,
            Scheme::Other(_) if rest.is_empty() => return Err(error),
            Scheme::Other(_) => {}
        }
        Ok(uri)
    }

    /// `sip:user@host:port`; the user is escaped where it must be.
    #[must_use]
    pub fn sip(user: Option<&str>, host: &Host, port: Option<u16>) -> Self {
        Self::build(Scheme::Sip, user, host, port)
    }

    /// `sips:user@host:port`; the user is escaped where it must be.
    #[must_use]
    pub fn sips(user: Option<&str>, host: &Host, port: Option<u16>) -> Self {
        Self::build(Scheme::Sips, user, host, port)
    }

    /// This URI with the parameter `name` set to `value` (no value when empty), both escaped where
    /// they must be.
    #[must_use]
    pub fn with_param(&self, name: &str, value: &str) -> Self {
        let mut params = String::new();
        for part in self.params.parts() {
            if !eq_decoded(split_pair(part).0, name) {
                params.push(';');
                params.push_str(part);
            }
        }
        params.push(';');
        push_escaped(&mut params, name, escape::is_param_byte);
        if !value.is_empty() {
            params.push('=');
            push_escaped(&mut params, value, escape::is_param_byte);
        }
        self.rebuilt(&params, self.headers_str())
    }

    /// This URI without parameters and headers: what a registrar compares (RFC 3261 section 10.3).
    #[must_use]
    pub fn without_params(&self) -> Self {
        self.rebuilt("", "")
    }

    /// This URI without headers, as it may stand in a Request-URI (RFC 3261 section 19.1.5).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        if !self.has_headers() {
            return self.clone();
        }
        let params = self.params.0.as_str();
        let separator = if params.is_empty() { "" } else { ";" };
        self.rebuilt(&format!("{separator}{params}"), "")
    }

    /// The whole URI. It may hold a number.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.raw.as_str()
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether the scheme is sip or sips.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part as it was sent; of a tel URI the number.
    #[must_use]
    pub fn user(&self) -> Option<Sensitive<'_>> {
        self.user_str().map(Sensitive::new)
    }

    /// The user part with `%` escapes resolved; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn user_decoded(&self) -> Option<Sensitive<'_>> {
        self.user_str().map(|user| Sensitive::new(decode(user)))
    }

    /// The password as it was sent. Never use it; it is there for comparison.
    #[must_use]
    pub fn password(&self) -> Option<Sensitive<'_>> {
        self.password_str().map(Sensitive::new)
    }

    /// The host of a sip or sips URI.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port of a sip or sips URI, if it was given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &UriParams {
        &self.params
    }

    /// The value of a parameter, `""` when it has none.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.param("transport")
    }

    /// Whether it carries `lr`: a loose router (RFC 3261 section 19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.contains("lr")
    }

    /// Whether it carries headers after `?`.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        !self.headers_str().is_empty()
    }

    /// The headers after `?`, names and values with escapes resolved.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.headers_str()
            .split('&')
            .filter(|part| !part.is_empty())
            .map(split_pair)
            .map(|(name, value)| (decode(name), decode(value)))
    }

    /// Whether both mean the same resource (RFC 3261 section 19.1.4; tel URIs RFC 3966 section 4).
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        equal::equivalent(self, other)
    }

    fn user_str(&self) -> Option<&str> {
        self.user.map(|span| self.part(span))
    }

    fn password_str(&self) -> Option<&str> {
        self.password.map(|span| self.part(span))
    }

    fn headers_str(&self) -> &str {
        self.headers.map_or("", |span| self.part(span))
    }

    fn part(&self, span: Span) -> &str {
        self.raw
            .as_str()
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Where `part`, whose end is `tail` bytes before the end of the text, stands.
    fn span(&self, part: &str, tail: usize) -> Option<Span> {
        let end = self.raw.len().checked_sub(tail)?;
        let start = end.checked_sub(part.len())?;
        Some(Span {
            start: u32::try_from(start).ok()?,
            end: u32::try_from(end).ok()?,
        })
    }

    fn parse_sip(&mut self, rest: &str) -> Result<(), ValueError> {
        let hostpart = match scan::split_at_byte(rest, b'@') {
            Some((userinfo, hostpart)) => {
                let (user, password) = match scan::split_at_byte(userinfo, b':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (userinfo, None),
                };
                let good = |text| escape::is_escaped(text, escape::is_user_byte_tolerant);
                if user.is_empty() || !good(user) || !password.is_none_or(good) {
                    return Err(ValueError::Malformed("user part"));
                }
                let after = hostpart.len() + 1;
                let after_user = after + password.map_or(0, |password| password.len() + 1);
                self.user = self.span(user, after_user);
                self.password = password.and_then(|password| self.span(password, after));
                hostpart
            }
            None => rest,
        };
        let (before_headers, headers) = split_once_or_empty(hostpart, b'?');
        let (host, params) = split_once_or_empty(before_headers, b';');
        let (host, port) = parse_host_port(&self.raw.share(host))?;
        self.host = Some(host);
        self.port = port;
        self.params = UriParams::parse(self.raw.share(params))?;
        if !escape::is_escaped(headers, escape::is_header_byte_tolerant) {
            return Err(ValueError::Malformed("URI headers"));
        }
        self.headers = self.span(headers, 0);
        Ok(())
    }

    fn parse_tel(&mut self, rest: &str) -> Result<(), ValueError> {
        let (number, params) = split_once_or_empty(rest, b';');
        let digits = number.strip_prefix('+').unwrap_or(number);
        let is_number_byte =
            |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#' | b'-' | b'.' | b'(' | b')');
        if digits.is_empty() || !digits.bytes().all(is_number_byte) {
            return Err(ValueError::Malformed("telephone number"));
        }
        self.user = self.span(number, rest.len() - number.len());
        self.params = UriParams::parse(self.raw.share(params))?;
        Ok(())
    }

    fn build(scheme: Scheme, user: Option<&str>, host: &Host, port: Option<u16>) -> Self {
        let usual = 64;
        let mut raw = String::with_capacity(usual + user.map_or(0, str::len));
        raw.push_str(scheme.as_str());
        raw.push(':');
        let user_start = raw.len();
        if let Some(user) = user {
            push_escaped(&mut raw, user, escape::is_user_byte);
        }
        let user_end = raw.len();
        if user.is_some() {
            raw.push('@');
        }
        raw.push_str(host.encoded().as_str());
        if let Some(port) = port {
            raw.push(':');
            raw.push_str(port.encoded().as_str());
        }
        let mut uri = Self {
            raw: Text::from(raw),
            scheme,
            user: None,
            password: None,
            host: Some(host.clone()),
            port,
            params: UriParams::default(),
            headers: None,
        };
        if user.is_some() {
            let tail = uri.raw.len() - user_end;
            let user = uri.raw.as_str().get(user_start..user_end);
            uri.user = user.and_then(|user| uri.span(user, tail));
        }
        uri
    }

    fn rebuilt(&self, params: &str, headers: &str) -> Self {
        if matches!(self.scheme, Scheme::Other(_)) {
            return self.clone();
        }
        let raw = self.raw.as_str();
        // Parameters start after the user part, which may hold semicolons of its own.
        let from = raw.find('@').map_or(0, |at| at + 1);
        let tail = raw.get(from..).unwrap_or_default();
        let end = from + tail.find([';', '?']).unwrap_or(tail.len());
        let mut text = raw.get(..end).unwrap_or_default().to_owned();
        text.push_str(params);
        if !headers.is_empty() {
            text.push('?');
            text.push_str(headers);
        }
        // What was valid stays valid with escaped parameters.
        Self::parse(&Text::from(text)).unwrap_or_else(|_| self.clone())
    }
}

impl ParseValue for Uri {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl std::str::FromStr for Uri {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(&Text::from(text))
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Uri {}

impl Encode for Uri {
    fn encode(&self, out: &mut Vec<u8>) {
        self.raw.encode(out);
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.user.is_some() { "…@" } else { "" };
        let host = self.host.as_ref().map(Host::to_string).unwrap_or_default();
        write!(f, "{}:{user}{host}", self.scheme.as_str())
    }
}

/// The parameters of a URI. Names and values may be escaped; names are compared decoded and
/// without case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UriParams(Text);

impl UriParams {
    fn parse(text: Text) -> Result<Self, ValueError> {
        let params = Self(text);
        for part in params.parts() {
            let (name, _) = split_pair(part);
            if name.is_empty() || !escape::is_escaped(part, escape::is_param_byte_tolerant) {
                return Err(ValueError::Malformed("URI parameter"));
            }
        }
        Ok(params)
    }

    /// The value of the first parameter with this name as it was sent, `""` when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| eq_decoded(other, name))
            .map(|(_, value)| value)
    }

    /// Whether there is a parameter with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values as they were sent, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts().map(split_pair)
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let text = self.0.as_str();
        (!text.is_empty())
            .then(|| text.split(';'))
            .into_iter()
            .flatten()
    }
}

impl fmt::Debug for UriParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

fn parse_scheme(text: &Text, scheme: &str) -> Option<Scheme> {
    if scheme.eq_ignore_ascii_case("sip") {
        return Some(Scheme::Sip);
    }
    if scheme.eq_ignore_ascii_case("sips") {
        return Some(Scheme::Sips);
    }
    if scheme.eq_ignore_ascii_case("tel") {
        return Some(Scheme::Tel);
    }
    let mut bytes = scheme.bytes();
    let good = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    good.then(|| Scheme::Other(text.share(scheme)))
}

fn split_pair(part: &str) -> (&str, &str) {
    scan::split_at_byte(part, b'=').unwrap_or((part, ""))
}

fn split_once_or_empty(text: &str, at: u8) -> (&str, &str) {
    scan::split_at_byte(text, at).unwrap_or((text, text.get(text.len()..).unwrap_or_default()))
}
