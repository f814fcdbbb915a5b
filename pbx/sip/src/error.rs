//! What can be wrong with a message, and what to answer.

use std::fmt;

use crate::header::{HeaderName, Headers};
use crate::message::{Method, StatusCode};

/// Why a single value could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A header that must be there is not.
    #[error("missing {0}")]
    Missing(HeaderName),
    /// A header has a value outside its grammar.
    #[error("malformed {0}")]
    Header(HeaderName),
    /// A header that may stand once stands several times.
    #[error("repeated {0}")]
    Repeated(HeaderName),
    /// A value outside its grammar; which one is said by its type.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A number outside its range.
    #[error("{0} out of range")]
    OutOfRange(&'static str),
}

impl ValueError {
    /// The same error, naming the header in which it was found.
    #[must_use]
    pub fn within(self, name: HeaderName) -> Self {
        match self {
            Self::Malformed(_) | Self::OutOfRange(_) => Self::Header(name),
            other => other,
        }
    }
}

/// What is wrong with the frame of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// Nothing but line ends.
    #[error("empty message")]
    Empty,
    /// The header section does not end.
    #[error("incomplete header section")]
    Incomplete,
    /// The first line is neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// The Request-URI is not a URI.
    #[error("malformed Request-URI")]
    RequestUri,
    /// A SIP version other than 2.0.
    #[error("unsupported version")]
    Version,
    /// A status code outside 100 to 699.
    #[error("malformed status code")]
    StatusCode,
    /// A header line without a name and a colon.
    #[error("malformed header line")]
    HeaderLine,
    /// More than [`MAX_HEADERS`](crate::header::MAX_HEADERS) header lines.
    #[error("too many headers")]
    TooManyHeaders,
    /// The header section exceeds [`MAX_HEADER_BYTES`](crate::message::MAX_HEADER_BYTES).
    #[error("header section too large")]
    HeadersTooLarge,
    /// Content-Length is no number, negative, or given twice with two values.
    #[error("malformed Content-Length")]
    ContentLength,
    /// A stream message without Content-Length (RFC 3261 section 18.3).
    #[error("missing Content-Length")]
    MissingContentLength,
    /// Fewer body bytes than Content-Length says.
    #[error("body shorter than Content-Length")]
    BodyTooShort,
    /// The body exceeds [`MAX_BODY_BYTES`](crate::message::MAX_BODY_BYTES).
    #[error("body too large")]
    BodyTooLarge,
}

/// A message that could not be framed, with what was still readable.
///
/// [`ResponseBuilder::for_error`](crate::build::ResponseBuilder::for_error) makes the answer.
#[derive(Clone, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    kind: ParseErrorKind,
    salvage: Option<Box<Salvage>>,
}

/// What could still be read of a malformed message.
#[derive(Clone)]
pub(crate) struct Salvage {
    /// The method if it was a request, `None` for a response.
    pub(crate) method: Option<Method>,
    pub(crate) headers: Headers,
}

impl ParseError {
    pub(crate) fn bare(kind: ParseErrorKind) -> Self {
        Self {
            kind,
            salvage: None,
        }
    }

    pub(crate) fn with(kind: ParseErrorKind, method: Option<Method>, headers: Headers) -> Self {
        Self {
            kind,
            salvage: Some(Box::new(Salvage { method, headers })),
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Whether the message was a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.method().is_some()
    }

    /// The method, if it was a request whose method could be read.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.salvage.as_ref().and_then(|s| s.method.as_ref())
    }

    /// The headers that could be read: raw Via, From, To, Call-ID and CSeq are among them when
    /// they were there.
    #[must_use]
    pub fn headers(&self) -> Option<&Headers> {
        self.salvage.as_ref().map(|s| &s.headers)
    }

    /// The status to answer a request with: 505 for the version, 513 for size, else 400.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            ParseErrorKind::HeadersTooLarge
            | ParseErrorKind::TooManyHeaders
            | ParseErrorKind::BodyTooLarge => StatusCode::MESSAGE_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether an answer can and may be sent: a request other than ACK, with a Via.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        self.method().is_some_and(|method| *method != Method::Ack)
            && self
                .headers()
                .is_some_and(|headers| headers.get(HeaderName::Via).is_some())
    }
}

impl fmt::Debug for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParseError")
            .field("kind", &self.kind)
            .field("method", &self.method())
            .field("headers", &self.headers().map(Headers::len))
            .finish()
    }
}

impl PartialEq for ParseError {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.method() == other.method()
    }
}

/// A request that was framed but must be refused (RFC 3261 sections 8.2 and 16.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Rejection {
    /// The status to answer with.
    pub status: StatusCode,
    /// The reason phrase, saying what is wrong without repeating any value.
    pub reason: String,
}

impl Rejection {
    /// 400 with the error as its reason.
    #[must_use]
    pub fn bad_request(error: ValueError) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: error.to_string(),
        }
    }
}
