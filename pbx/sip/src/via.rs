//! Via (RFC 3261 section 20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::params::Params;
use crate::scan;
use crate::text::{Encode, Text};
use crate::uri::{Host, parse_host_port};

/// How a branch starts that is unique in the sense of RFC 3261 section 8.1.1.7.
pub const BRANCH_COOKIE: &str = "z9hG4bK";

/// One Via element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    transport: Text,
    host: Host,
    port: Option<u16>,
    params: Params,
}

impl Via {
    /// A Via for an own request: `SIP/2.0/<transport> <host>[:<port>];branch=<branch>;rport`.
    #[must_use]
    pub fn new(transport: &str, host: Host, port: Option<u16>, branch: &str) -> Self {
        Self {
            transport: Text::from(transport),
            host,
            port,
            params: Params::default().with("branch", branch).with_flag("rport"),
        }
    }

    /// The transport, as it was sent: `UDP`, `TCP`, `TLS`, `WS`, `WSS` or another token.
    #[must_use]
    pub fn transport(&self) -> &str {
        self.transport.as_str()
    }

    /// The host of sent-by.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port of sent-by, if it was given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The sent-by in a normal form for transaction keys: lower-case host, port if given.
    #[must_use]
    pub fn sent_by(&self) -> String {
        let mut out = Vec::new();
        self.encode_sent_by(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Appends [`sent_by`](Self::sent_by).
    pub(crate) fn encode_sent_by(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.host.encode(out);
        out.get_mut(start..)
            .unwrap_or_default()
            .make_ascii_lowercase();
        if let Some(port) = self.port {
            out.push(b':');
            port.encode(out);
        }
    }

    /// The branch, if there is one.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params
            .get("branch")
            .filter(|branch| !branch.is_empty())
    }

    /// The branch, if it is unique in the sense of RFC 3261: the cookie and something after it.
    /// Without, the request must be matched as RFC 2543 did (RFC 3261 section 17.2.3).
    #[must_use]
    pub fn unique_branch(&self) -> Option<&str> {
        self.branch().filter(|branch| {
            branch.len() > BRANCH_COOKIE.len()
                && branch
                    .get(..BRANCH_COOKIE.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(BRANCH_COOKIE))
        })
    }

    /// Whether the sender asks for symmetric response routing (RFC 3581), by `rport` with or
    /// without a value.
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.contains("rport")
    }

    /// The value of `rport`, if it has one.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// The address in `received`, IPv6 with or without brackets (RFC 5118 section 4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let raw = self.params.get("received")?;
        raw.trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// The host in `maddr`.
    #[must_use]
    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr").filter(|maddr| !maddr.is_empty())
    }

    /// The value of `ttl`.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.params.get("ttl")?.parse().ok()
    }

    /// All parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// This Via as the server that received it from `source` keeps it: with `received` when the
    /// source differs from sent-by or `rport` was asked for, and with the value of `rport`
    /// (RFC 3261 section 18.2.1, RFC 3581 section 4).
    #[must_use]
    pub fn received_from(&self, source: SocketAddr) -> ReceivedVia<'_> {
        ReceivedVia { via: self, source }
    }

    fn encode_start(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"SIP/2.0/");
        self.transport.encode(out);
        out.push(b' ');
        self.host.encode(out);
        if let Some(port) = self.port {
            out.push(b':');
            port.encode(out);
        }
    }
}

impl ParseValue for Via {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let malformed = ValueError::Malformed("Via");
        let value = scan::trim(text.as_str());
        let (name, rest) = scan::split_at_byte(value, b'/').ok_or(malformed)?;
        let (version, rest) = scan::split_at_byte(rest, b'/').ok_or(malformed)?;
        if !scan::trim(name).eq_ignore_ascii_case("SIP") || scan::trim(version) != "2.0" {
            return Err(malformed);
        }
        let rest = scan::trim(rest);
        let (transport, rest) = scan::split_at_space(rest).ok_or(malformed)?;
        if !scan::is_token(transport) {
            return Err(malformed);
        }
        let (sent_by, params) = rest.split_at(scan::find(rest, b';').unwrap_or(rest.len()));
        let (host, port) = parse_host_port(&text.share(sent_by))?;
        Ok(Self {
            transport: text.share(transport),
            host,
            port,
            params: Params::parse(&text.share(params))?,
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in self.params.iter() {
            match value {
                "" => write!(f, ";{name}")?,
                _ => write!(f, ";{name}={value}")?,
            }
        }
        Ok(())
    }
}

impl Encode for Via {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_start(out);
        self.params.encode(out);
    }
}

/// A Via with its source noted, for responses.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedVia<'a> {
    via: &'a Via,
    source: SocketAddr,
}

impl Encode for ReceivedVia<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let wants_rport = self.via.wants_rport();
        let notes_address = wants_rport || self.via.host.ip() != Some(self.source.ip());
        self.via.encode_start(out);
        for (name, value) in self.via.params.iter() {
            let replaced = (notes_address && name.eq_ignore_ascii_case("received"))
                || (wants_rport && name.eq_ignore_ascii_case("rport"));
            if !replaced {
                push_param(out, name, value);
            }
        }
        if notes_address {
            out.extend_from_slice(b";received=");
            self.source.ip().encode(out);
        }
        if wants_rport {
            out.extend_from_slice(b";rport=");
            self.source.port().encode(out);
        }
    }
}

fn push_param(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b';');
    name.encode(out);
    if !value.is_empty() {
        out.push(b'=');
        value.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Result<Via, ValueError> {
        Via::parse(&Text::from(text))
    }

    #[test]
    fn spaces_are_taken_where_the_grammar_has_them() {
        let via =
            via("SIP  / 2.0  / TCP     spindle.example.com : 5070  ;\tbranch  =   z9hG4bK9ikj8")
                .unwrap();
        assert_eq!(via.transport(), "TCP");
        assert_eq!(via.sent_by(), "spindle.example.com:5070");
        assert_eq!(via.unique_branch(), Some("z9hG4bK9ikj8"));
    }

    #[test]
    fn the_source_is_noted_as_rfc_3581_says() {
        let source = "[2001:db8::9]:5062".parse().unwrap();
        let plain = via("SIP/2.0/UDP a.example;branch=z9hG4bK1").unwrap();
        assert_eq!(
            plain.received_from(source).encoded(),
            "SIP/2.0/UDP a.example;branch=z9hG4bK1;received=2001:db8::9"
        );
        let asked = via("SIP/2.0/UDP [2001:db8::9];rport;branch=z9hG4bK1").unwrap();
        let noted = Via::parse(&asked.received_from(source).encoded()).unwrap();
        assert_eq!(noted.rport(), Some(5062));
        assert_eq!(noted.received(), Some(source.ip()));
    }

    #[test]
    fn ipv6_in_received_is_read_with_and_without_brackets() {
        let bare = via("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3-1");
        let brackets = via("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]");
        assert!(bare.as_ref().unwrap().received().is_some());
        assert_eq!(bare.unwrap().received(), brackets.unwrap().received());
    }

    #[test]
    fn a_bare_cookie_is_no_unique_branch() {
        let via = via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK").unwrap();
        assert_eq!(via.unique_branch(), None);
        assert_eq!(via.branch(), Some("z9hG4bK"));
    }

    #[test]
    fn broken_values_are_refused() {
        for text in [
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/7.0/UDP a",
            "SIPx/2.0/UDP a",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP a:99999",
            "",
        ] {
            assert!(via(text).is_err(), "{text}");
        }
    }
}
