//! Typed header values.
//!
//! From, To, Route, Record-Route, Path, Service-Route, Refer-To, Referred-By, Diversion and the
//! elements of P-Asserted-Identity are all [`NameAddr`](crate::name_addr::NameAddr).

use std::fmt;

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::message::Method;
use crate::params::Params;
use crate::scan;
use crate::text::{Encode, Text, encode_display};

mod auth;
mod contact;
mod session;

pub use auth::{AuthParams, Challenge, Credentials};
pub use contact::ContactValue;
pub use session::{Replaces, SessionExpires};

/// Largest sequence number in CSeq (RFC 3261 section 8.1.1.5).
pub const MAX_CSEQ: u32 = (1 << 31) - 1;

/// CSeq (RFC 3261 section 20.16).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number, at most [`MAX_CSEQ`].
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl ParseValue for CSeq {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let value = text.as_str();
        let (number, method) = scan::split_at_space(value).ok_or(ValueError::Malformed("CSeq"))?;
        if !scan::all_digits(number) {
            return Err(ValueError::Malformed("CSeq"));
        }
        let number = scan::decimal(number)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number <= MAX_CSEQ)
            .ok_or(ValueError::OutOfRange("CSeq"))?;
        let method = Method::parse(&text.share(scan::trim(method)))?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Call-ID (RFC 3261 section 20.8), compared with case. It is random, so it may be logged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Text);

impl CallId {
    /// A Call-ID of our own.
    ///
    /// # Errors
    /// When it is empty or holds white space or control characters.
    pub fn new(id: &str) -> Result<Self, ValueError> {
        Self::parse(&Text::from(id))
    }

    /// The Call-ID as it stands in a message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl ParseValue for CallId {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let value = text.as_str();
        if value.is_empty() || value.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ValueError::Malformed("Call-ID"));
        }
        Ok(Self(text.clone()))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Max-Forwards (RFC 3261 section 20.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxForwards(pub u8);

impl MaxForwards {
    /// What a new request starts with (RFC 3261 section 8.1.1.6).
    pub const DEFAULT: Self = Self(70);
}

impl ParseValue for MaxForwards {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        scan::decimal(text.as_str())
            .and_then(|hops| u8::try_from(hops).ok())
            .map(Self)
            .ok_or(ValueError::OutOfRange("Max-Forwards"))
    }
}

impl fmt::Display for MaxForwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A duration in seconds: Expires, Min-Expires, the `expires` of a Contact (RFC 3261 section
/// 20.19). Numbers beyond the range count as its end, as RFC 4475 section 3.1.2.4 advises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expires(pub u32);

impl ParseValue for Expires {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let digits = text.as_str();
        if !scan::all_digits(digits) {
            return Err(ValueError::Malformed("seconds"));
        }
        Ok(Self(digits.parse().unwrap_or(u32::MAX)))
    }
}

impl fmt::Display for Expires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Retry-After (RFC 3261 section 20.33): seconds; comment and parameters are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter(pub u32);

impl ParseValue for RetryAfter {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let value = text.as_str();
        let end = value.find([' ', '\t', ';', '(']).unwrap_or(value.len());
        let seconds = value.get(..end).unwrap_or_default();
        Expires::parse(&text.share(seconds)).map(|seconds| Self(seconds.0))
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RAck (RFC 3262 section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq that is acknowledged.
    pub response_number: u32,
    /// The CSeq of the request that was answered.
    pub cseq: CSeq,
}

impl ParseValue for RAck {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let (number, cseq) =
            scan::split_at_space(text.as_str()).ok_or(ValueError::Malformed("RAck"))?;
        let response_number = scan::decimal(number)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or(ValueError::OutOfRange("RAck"))?;
        let cseq = CSeq::parse(&text.share(scan::trim(cseq)))?;
        Ok(Self {
            response_number,
            cseq,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.response_number, self.cseq)
    }
}

/// RSeq (RFC 3262 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RSeq(pub u32);

impl ParseValue for RSeq {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        scan::decimal(text.as_str())
            .and_then(|number| u32::try_from(number).ok())
            .map(Self)
            .ok_or(ValueError::OutOfRange("RSeq"))
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One element of Reason (RFC 3326).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or another protocol.
    pub protocol: Text,
    /// The cause in that protocol.
    pub cause: Option<u16>,
    /// Text for people.
    pub text: Option<String>,
}

impl Reason {
    /// What tells the losing phones of a ring group that another took the call.
    #[must_use]
    pub fn completed_elsewhere() -> Self {
        Self {
            protocol: Text::from_static("SIP"),
            cause: Some(200),
            text: Some("Call completed elsewhere".to_owned()),
        }
    }
}

impl ParseValue for Reason {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let (protocol, params) = word_and_params(text, "Reason")?;
        Ok(Self {
            protocol,
            cause: params.get("cause").and_then(|cause| cause.parse().ok()),
            text: params.unquoted("text").map(std::borrow::Cow::into_owned),
        })
    }
}

impl Encode for Reason {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol.encode(out);
        let mut params = Params::default();
        if let Some(cause) = self.cause {
            params = params.with("cause", &cause.to_string());
        }
        params.encode(out);
        if let Some(text) = &self.text {
            let mut quoted = String::from(";text=");
            crate::text::push_quoted(&mut quoted, text);
            quoted.encode(out);
        }
    }
}

/// Content-Type and the elements of Accept (RFC 3261 section 20.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    media_type: Text,
    params: Params,
}

impl ContentType {
    /// `application/sdp`
    pub const SDP: &str = "application/sdp";

    /// Type and subtype, as they were sent.
    #[must_use]
    pub fn media_type(&self) -> &str {
        self.media_type.as_str()
    }

    /// Whether it is this type and subtype, without case.
    #[must_use]
    pub fn is(&self, media_type: &str) -> bool {
        self.media_type().eq_ignore_ascii_case(media_type)
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }
}

impl ParseValue for ContentType {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let malformed = ValueError::Malformed("Content-Type");
        let value = text.as_str();
        let (media_type, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let media_type = scan::trim(media_type);
        let (kind, subtype) = media_type.split_once('/').ok_or(malformed)?;
        if !scan::is_token(scan::trim(kind)) || !scan::is_token(scan::trim(subtype)) {
            return Err(malformed);
        }
        let media_type = if media_type.contains([' ', '\t']) {
            Text::from(format!("{}/{}", scan::trim(kind), scan::trim(subtype)))
        } else {
            text.share(media_type)
        };
        Ok(Self {
            media_type,
            params: Params::parse(&text.share(params))?,
        })
    }
}

impl Encode for ContentType {
    fn encode(&self, out: &mut Vec<u8>) {
        self.media_type.encode(out);
        self.params.encode(out);
    }
}

/// An option tag, an event package or another single token: the elements of Supported, Require,
/// Allow and Privacy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Text);

impl Token {
    /// The token as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is `other`, without case.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(other)
    }
}

impl ParseValue for Token {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        if !scan::is_token(text.as_str()) {
            return Err(ValueError::Malformed("token"));
        }
        Ok(Self(text.clone()))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Privacy (RFC 3323, RFC 3325): what the caller asks to hide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privacy(Vec<Token>);

impl Privacy {
    /// Whether this value, for example `id` or `user`, is asked for.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.0.iter().any(|token| token.is(value))
    }

    /// Whether the caller's identity must not be shown: any value but `none`.
    #[must_use]
    pub fn hides_identity(&self) -> bool {
        self.0
            .iter()
            .any(|token| !token.is("none") && !token.is("critical"))
    }
}

impl ParseValue for Privacy {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        text.as_str()
            .split([';', ','])
            .map(|part| Token::parse(&text.share(scan::trim(part))))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(f, "{separator}{token}")?;
        }
        Ok(())
    }
}

impl Encode for CSeq {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        out.push(b' ');
        self.method.as_str().encode(out);
    }
}

impl Encode for CallId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Encode for MaxForwards {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

encode_display!(Expires, RetryAfter, RAck, RSeq, Token, Privacy);

/// A token followed by parameters.
fn word_and_params(text: &Text, what: &'static str) -> Result<(Text, Params), ValueError> {
    let value = text.as_str();
    let (word, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    let word = scan::trim(word);
    if !scan::is_token(word) {
        return Err(ValueError::Malformed(what));
    }
    Ok((text.share(word), Params::parse(&text.share(params))?))
}
