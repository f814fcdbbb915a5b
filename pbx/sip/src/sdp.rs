//! Session descriptions (RFC 8866), as far as telephony uses them.
//!
//! The reader is tolerant: lines it has no use for are dropped at session level and kept at media
//! level only as [`Attribute`]s, LF alone ends a line, and missing `s=` or `t=` are forgiven. What
//! the exchange acts on is typed.

use std::fmt;
use std::net::IpAddr;

mod media;
mod parse;
mod write;

pub use media::{Attribute, Direction, MediaDescription, RtpMap};

/// Largest session description read, in bytes.
pub const MAX_SDP_BYTES: usize = 32 * 1024;
/// Most media descriptions.
pub const MAX_MEDIA: usize = 16;
/// Most formats of one media description.
pub const MAX_FORMATS: usize = 64;
/// Most attributes of one media description, or of the session.
pub const MAX_ATTRIBUTES: usize = 128;

/// Why a session description could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Larger than [`MAX_SDP_BYTES`], or more lines of a kind than the limits above.
    #[error("session description too large")]
    TooLarge,
    /// Not UTF-8 and not Latin-1 either, or without a version line.
    #[error("no session description")]
    NotSdp,
    /// A line outside its grammar; the letter says which.
    #[error("malformed {0}= line")]
    Line(char),
}

/// `o=`: who made the session and which version of it this is (RFC 8866 section 5.2).
///
/// `Debug` shows neither user nor address.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// The user name, `-` by default.
    pub username: String,
    /// The session id; some devices send more than 64 bits, so it stays text.
    pub session_id: String,
    /// The session version. RFC 3264 section 8: raised by one with each change. Values beyond the
    /// range count as its end.
    pub version: u64,
    /// The address, or a host name.
    pub address: String,
}

/// `c=`: where media goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    Ip(IpAddr),
    /// A host name, which is rare.
    Host(String),
}

impl Connection {
    /// The address, unless it is a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Host(_) => None,
        }
    }

    /// Whether it is the unspecified address, which old devices send to hold (RFC 3264 section
    /// 8.4).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|address| address.is_unspecified())
    }
}

/// A session description.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`
    pub origin: Origin,
    /// `s=`; `-` by default.
    pub name: String,
    /// `c=` of the session.
    pub connection: Option<Connection>,
    /// The direction of the session, for media without one.
    pub direction: Option<Direction>,
    /// Attributes of the session other than the direction, in order.
    pub attributes: Vec<Attribute>,
    /// Media descriptions, in order: an answer must keep this order (RFC 3264 section 6).
    pub media: Vec<MediaDescription>,
}

impl SessionDescription {
    /// A description of our own without media yet.
    #[must_use]
    pub fn new(session_id: u64, version: u64, address: IpAddr) -> Self {
        Self {
            origin: Origin {
                username: "-".to_owned(),
                session_id: session_id.to_string(),
                version,
                address: address.to_string(),
            },
            name: "-".to_owned(),
            connection: Some(Connection::Ip(address)),
            direction: None,
            attributes: Vec::new(),
            media: Vec::new(),
        }
    }

    /// Reads a description.
    ///
    /// # Errors
    /// When it is too large, has no `v=0`, `o=` or a connection for a used medium, or when a line
    /// that the exchange acts on is outside its grammar.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        parse::session(bytes)
    }

    /// The first audio description that is not refused (port 0).
    #[must_use]
    pub fn audio(&self) -> Option<&MediaDescription> {
        self.media
            .iter()
            .find(|media| media.kind == "audio" && media.port != 0)
    }

    /// Where media of `media` goes: its own connection, else that of the session.
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a MediaDescription) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// The direction of `media`: its own, else that of the session, else `sendrecv`.
    #[must_use]
    pub fn direction_of(&self, media: &MediaDescription) -> Direction {
        media
            .direction
            .or(self.direction)
            .unwrap_or(Direction::SendRecv)
    }
}

impl Connection {
    fn from_text(address: &str) -> Self {
        match address.parse() {
            Ok(address) => Self::Ip(address),
            Err(_) => Self::Host(address.to_owned()),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin(version {})", self.version)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip(IpAddr::V4(_)) => "IP4 …",
            Self::Ip(IpAddr::V6(_)) => "IP6 …",
            Self::Host(_) => "host …",
        })
    }
}

impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDescription")
            .field("origin", &self.origin)
            .field("direction", &self.direction)
            .field("media", &self.media)
            .finish()
    }
}
