//! SIP messages: requests, responses, and how they are framed.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::error::{ParseError, Rejection, ValueError};
use crate::header::Headers;
use crate::text::Text;
use crate::uri::Uri;

mod framer;
mod method;
mod parse;
mod status;
mod validate;

pub use framer::{FramerError, StreamFramer, StreamItem};
pub use method::Method;
pub use status::{StatusClass, StatusCode};

/// Longest start line plus header section, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How the end of a message is known (RFC 3261 section 18.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One message per datagram or WebSocket frame: without Content-Length the body is the rest;
    /// bytes after the body are ignored.
    Datagram,
    /// Part of a byte stream: Content-Length must be there.
    Stream,
}

/// A SIP message.
#[derive(Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Frames and indexes one message, sharing `buffer`. Line ends before it are skipped.
    ///
    /// The start line and the header lines are checked here, header values when they are asked
    /// for, and what a server demands of a request by [`Request::validate`].
    ///
    /// # Errors
    /// When the message cannot be framed. The error keeps what could still be read, so that a
    /// request can be answered.
    pub fn parse(buffer: Bytes, framing: Framing) -> Result<Self, ParseError> {
        parse::message(buffer, framing)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Response(response) => response.fmt(f),
        }
    }
}

/// A request.
#[derive(Clone)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: Headers,
    body: Bytes,
    source: Option<SocketAddr>,
}

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body; empty when there is none.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Where the request came from, when it was said.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Notes where the request came from. Responses built for it then carry `received` and
    /// `rport` in their top Via (RFC 3261 section 18.2.1, RFC 3581 section 4).
    pub fn set_source(&mut self, source: SocketAddr) {
        self.source = Some(source);
    }

    /// Checks what every server must check before it acts on a request: the mandatory headers,
    /// their grammar and ranges, single headers standing once, the CSeq method, the URI scheme.
    ///
    /// # Errors
    /// The response to send: 400 or 416. `Require` (420), bodies (415) and the like are for the
    /// user agent.
    pub fn validate(&self) -> Result<(), Rejection> {
        validate::request(self)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// A response.
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    reason: Text,
    headers: Headers,
    body: Bytes,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase; may be empty.
    #[must_use]
    pub fn reason(&self) -> &Text {
        &self.reason
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body; empty when there is none.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Checks what a user agent client must check before it takes a response as its own: the
    /// mandatory headers, and exactly one Via (RFC 3261 section 8.1.3.3).
    ///
    /// # Errors
    /// Why the response must be dropped.
    pub fn validate(&self) -> Result<(), ValueError> {
        validate::response(self)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status.code())
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
