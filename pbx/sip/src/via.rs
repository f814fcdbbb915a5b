//! Via (RFC 3261 section 20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::error::ValueError;
use crate::header::ParseValue;
use crate::params::Params;
use crate::scan;
use crate::text::{Text, encode_display};
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
        let host = self.host.to_string().to_ascii_lowercase();
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
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
    pub fn received_from(&self, source: SocketAddr) -> Self {
        let mut via = self.clone();
        let wants_rport = self.wants_rport();
        if wants_rport || self.host.ip() != Some(source.ip()) {
            via.params = via.params.with("received", &source.ip().to_string());
        }
        if wants_rport {
            via.params = via.params.with("rport", &source.port().to_string());
        }
        via
    }
}

impl ParseValue for Via {
    fn parse(text: &Text) -> Result<Self, ValueError> {
        let malformed = ValueError::Malformed("Via");
        let value = scan::trim(text.as_str());
        let (name, rest) = value.split_once('/').ok_or(malformed)?;
        let (version, rest) = rest.split_once('/').ok_or(malformed)?;
        if !scan::trim(name).eq_ignore_ascii_case("SIP") || scan::trim(version) != "2.0" {
            return Err(malformed);
        }
        let rest = scan::trim(rest);
        let space = rest.find([' ', '\t']).ok_or(malformed)?;
        let (transport, rest) = rest.split_at(space);
        if !scan::is_token(transport) {
            return Err(malformed);
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
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

encode_display!(Via);

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
            plain.received_from(source).to_string(),
            "SIP/2.0/UDP a.example;branch=z9hG4bK1;received=2001:db8::9"
        );
        let asked = via("SIP/2.0/UDP [2001:db8::9];rport;branch=z9hG4bK1").unwrap();
        let noted = asked.received_from(source);
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
