//! Media descriptions (RFC 8866 section 5.14).

use std::fmt;
use std::net::IpAddr;

use super::Connection;

/// Which way media flows, seen by who wrote the description (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `sendrecv`
    SendRecv,
    /// `sendonly`
    SendOnly,
    /// `recvonly`
    RecvOnly,
    /// `inactive`
    Inactive,
}

impl Direction {
    /// The attribute that says so.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction named by an attribute.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::SendRecv,
            Self::SendOnly,
            Self::RecvOnly,
            Self::Inactive,
        ]
        .into_iter()
        .find(|direction| direction.as_str() == name)
    }

    /// The same flow seen by the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// `a=rtpmap:<payload type> <encoding>/<clock rate>[/<channels>]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpMap {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The encoding name, as it was sent; compare it without case.
    pub encoding: String,
    /// The clock rate in Hz.
    pub clock_rate_hz: u32,
    /// The number of channels, 1 by default.
    pub channels: u8,
}

impl RtpMap {
    /// Whether this is that encoding at that clock rate, without case.
    #[must_use]
    pub fn is(&self, encoding: &str, clock_rate_hz: u32) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding) && self.clock_rate_hz == clock_rate_hz
    }
}

/// An attribute that has no type of its own. `Debug` shows the name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// What follows the colon, if there is one.
    pub value: Option<String>,
}

impl Attribute {
    /// An attribute without a value.
    #[must_use]
    pub fn flag(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: None,
        }
    }

    /// An attribute with a value.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        }
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// `m=` with what belongs to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video`, `image` and others.
    pub kind: String,
    /// The port; 0 refuses the medium.
    pub port: u16,
    /// The profile: `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF` and others.
    pub profile: String,
    /// The formats: payload types of RTP profiles, else as they were sent.
    pub formats: Vec<String>,
    /// Its own `c=`.
    pub connection: Option<Connection>,
    /// Its own direction.
    pub direction: Option<Direction>,
    /// `a=rtpmap`, in order.
    pub rtpmaps: Vec<RtpMap>,
    /// `a=fmtp`: payload type and parameters, in order.
    pub fmtps: Vec<(u8, String)>,
    /// `a=ptime` in milliseconds.
    pub ptime_ms: Option<u32>,
    /// `a=rtcp`: the port of RTCP, and an address when given (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// `a=rtcp-mux` (RFC 5761).
    pub rtcp_mux: bool,
    /// All other attributes, in order.
    pub attributes: Vec<Attribute>,
}

impl MediaDescription {
    /// Audio over plain RTP without formats yet.
    #[must_use]
    pub fn audio(port: u16) -> Self {
        Self::new("audio", port, "RTP/AVP")
    }

    /// A description without formats yet.
    #[must_use]
    pub fn new(kind: &str, port: u16, profile: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            port,
            profile: profile.to_owned(),
            formats: Vec::new(),
            connection: None,
            direction: None,
            rtpmaps: Vec::new(),
            fmtps: Vec::new(),
            ptime_ms: None,
            rtcp: None,
            rtcp_mux: false,
            attributes: Vec::new(),
        }
    }

    /// This description with a format added: its rtpmap, and its fmtp when it has parameters.
    #[must_use]
    pub fn with_format(mut self, map: RtpMap, parameters: Option<&str>) -> Self {
        self.formats.push(map.payload_type.to_string());
        if let Some(parameters) = parameters {
            self.fmtps.push((map.payload_type, parameters.to_owned()));
        }
        self.rtpmaps.push(map);
        self
    }

    /// What refuses this medium in an answer: the same kind, profile and formats with port 0
    /// (RFC 3264 section 6).
    #[must_use]
    pub fn refusal(&self) -> Self {
        Self {
            formats: self.formats.clone(),
            ..Self::new(&self.kind, 0, &self.profile)
        }
    }

    /// The payload types offered, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|payload_type| *payload_type < 128)
    }

    /// The mapping of a payload type: its rtpmap, else the static assignment of RFC 3551.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        self.rtpmaps
            .iter()
            .find(|map| map.payload_type == payload_type)
            .cloned()
            .or_else(|| static_map(payload_type))
    }

    /// The format parameters of a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.fmtps
            .iter()
            .find(|(other, _)| *other == payload_type)
            .map(|(_, parameters)| parameters.as_str())
    }

    /// The value of another attribute, `""` when it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_deref().unwrap_or_default())
    }
}

/// The static audio assignments of RFC 3551 table 4 that telephones use.
fn static_map(payload_type: u8) -> Option<RtpMap> {
    let (encoding, clock_rate_hz) = match payload_type {
        0 => ("PCMU", 8000),
        3 => ("GSM", 8000),
        4 => ("G723", 8000),
        8 => ("PCMA", 8000),
        9 => ("G722", 8000),
        13 => ("CN", 8000),
        15 => ("G728", 8000),
        18 => ("G729", 8000),
        _ => return None,
    };
    Some(RtpMap {
        payload_type,
        encoding: encoding.to_owned(),
        clock_rate_hz,
        channels: 1,
    })
}

impl fmt::Debug for MediaDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaDescription")
            .field("kind", &self.kind)
            .field("profile", &self.profile)
            .field("formats", &self.formats)
            .field("direction", &self.direction)
            .field("refused", &(self.port == 0))
            .field("attributes", &self.attributes)
            .finish()
    }
}
