//! Writing messages.
//!
//! Each builder writes into one buffer as it goes. No value can start a new header: CR and LF in a
//! value are written as spaces, and names are constants.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::error::ParseError;
use crate::header::{HeaderName, Headers};
use crate::message::{Framing, Message, Method, Request, Response, StatusCode};
use crate::name_addr::NameAddr;
use crate::text::Encode;
use crate::uri::Uri;

/// Room for most messages, so that the buffer seldom grows.
const USUAL_BYTES: usize = 1024;

/// Writes a message. Headers stand in the order of the calls, in responses after those that every
/// response copies from its request.
#[derive(Clone)]
pub struct Builder<Kind> {
    writer: Writer,
    kind: PhantomData<Kind>,
}

/// Writes a request.
pub type RequestBuilder = Builder<Request>;

/// Writes a response.
pub type ResponseBuilder = Builder<Response>;

impl RequestBuilder {
    /// Starts a request. Headers after `?` in the URI are left out (RFC 3261 section 19.1.5).
    #[must_use]
    pub fn new(method: &Method, uri: &Uri) -> Self {
        let mut writer = Writer::new();
        writer.value(method);
        writer.raw(b" ");
        if uri.has_headers() {
            writer.value(&uri.without_headers());
        } else {
            writer.value(uri);
        }
        writer.raw(b" SIP/2.0\r\n");
        Self::of(writer)
    }
}

impl ResponseBuilder {
    /// Starts a response with the usual reason phrase and what every response copies (RFC 3261
    /// section 8.2.6): Via, From, To, Call-ID, CSeq, and Record-Route where a dialog may come of it
    /// (section 12.1.1). The To tag is left as it is; see [`for_request_tagged`](Self::for_request_tagged).
    #[must_use]
    pub fn for_request(request: &Request, status: StatusCode) -> Self {
        Self::for_request_tagged(request, status, None)
    }

    /// As [`for_request`](Self::for_request), with `to_tag` added to To when it has no tag yet.
    #[must_use]
    pub fn for_request_tagged(request: &Request, status: StatusCode, to_tag: Option<&str>) -> Self {
        Self::with_reason(request, status, status.reason(), to_tag)
    }

    /// As [`for_request_tagged`](Self::for_request_tagged), with another reason phrase.
    #[must_use]
    pub fn with_reason(
        request: &Request,
        status: StatusCode,
        reason: &str,
        to_tag: Option<&str>,
    ) -> Self {
        let mut writer = Writer::response(status, reason);
        writer.vias(request);
        let headers = request.headers();
        let establishes = status.code() > 100 && status.code() < 300;
        if establishes && request.method().forms_dialog() {
            writer.copy(headers, HeaderName::RecordRoute);
        }
        writer.copied_identity(headers, to_tag);
        Self::of(writer)
    }

    /// The answer to a request that could not be framed, if there is one to give: with the status
    /// of the error and whatever of Via, From, To, Call-ID and CSeq could be read.
    #[must_use]
    pub fn for_error(error: &ParseError, to_tag: Option<&str>) -> Option<Self> {
        if !error.is_answerable() {
            return None;
        }
        let headers = error.headers()?;
        let mut writer = Writer::response(error.status(), &error.kind().to_string());
        writer.copy(headers, HeaderName::Via);
        writer.copied_identity(headers, to_tag);
        Some(Self::of(writer))
    }
}

impl<Kind> Builder<Kind> {
    fn of(writer: Writer) -> Self {
        let kind = PhantomData;
        Self { writer, kind }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &(impl Encode + ?Sized)) -> Self {
        self.writer.header(name.as_str(), value);
        self
    }

    /// Adds a header that [`HeaderName`] does not list.
    #[must_use]
    pub fn extension(mut self, name: &'static str, value: &(impl Encode + ?Sized)) -> Self {
        self.writer.header(name, value);
        self
    }

    /// Adds all lines with this name from another message, in order.
    #[must_use]
    pub fn copy(mut self, from: &Headers, name: HeaderName) -> Self {
        self.writer.copy(from, name);
        self
    }

    /// Ends the message without a body.
    #[must_use]
    pub fn build(self) -> Bytes {
        self.writer.finish(None)
    }

    /// Ends the message with a body.
    #[must_use]
    pub fn build_with_body(self, content_type: &str, body: &[u8]) -> Bytes {
        self.writer.finish(Some((content_type, body)))
    }
}

/// Reads back what a builder wrote, for those who keep their own requests as [`Request`].
///
/// # Errors
/// When the bytes are no well-formed request.
pub fn own_request(bytes: Bytes) -> Result<Request, ParseError> {
    match Message::parse(bytes, Framing::Stream)? {
        Message::Request(request) => Ok(request),
        Message::Response(_) => Err(ParseError::bare(crate::error::ParseErrorKind::StartLine)),
    }
}

/// Reads back what a builder wrote, for those who keep their own responses as [`Response`].
///
/// # Errors
/// When the bytes are no well-formed response.
pub fn own_response(bytes: Bytes) -> Result<Response, ParseError> {
    match Message::parse(bytes, Framing::Stream)? {
        Message::Response(response) => Ok(response),
        Message::Request(_) => Err(ParseError::bare(crate::error::ParseErrorKind::StartLine)),
    }
}

/// To with our tag.
struct Tagged<'a> {
    to: &'a NameAddr,
    tag: &'a str,
}

impl Encode for Tagged<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.to.encode(out);
        out.extend_from_slice(b";tag=");
        self.tag.encode(out);
    }
}

#[derive(Clone)]
struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn new() -> Self {
        Self {
            out: Vec::with_capacity(USUAL_BYTES),
        }
    }

    fn response(status: StatusCode, reason: &str) -> Self {
        let mut writer = Self::new();
        writer.raw(b"SIP/2.0 ");
        writer.value(&status);
        writer.raw(b" ");
        writer.value(reason);
        writer.raw(b"\r\n");
        writer
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn value(&mut self, value: &(impl Encode + ?Sized)) {
        let start = self.out.len();
        value.encode(&mut self.out);
        for byte in self.out.get_mut(start..).unwrap_or_default() {
            let ends_line = matches!(*byte, b'\r' | b'\n');
            *byte = if ends_line { b' ' } else { *byte };
        }
    }

    fn header(&mut self, name: &'static str, value: &(impl Encode + ?Sized)) {
        self.raw(name.as_bytes());
        self.raw(b": ");
        self.value(value);
        self.raw(b"\r\n");
    }

    fn copy(&mut self, from: &Headers, name: HeaderName) {
        for line in from.lines(name) {
            self.header(name.as_str(), &line);
        }
    }

    /// The Vias of a request, the topmost with the source noted.
    fn vias(&mut self, request: &Request) {
        let headers = request.headers();
        let (Some(source), Some(top)) = (request.source(), headers.known_top_via()) else {
            return self.copy(headers, HeaderName::Via);
        };
        self.header(HeaderName::Via.as_str(), &top.received_from(source));
        for via in headers.all(HeaderName::Via).skip(1) {
            self.header(HeaderName::Via.as_str(), &via);
        }
    }

    fn copied_identity(&mut self, headers: &Headers, to_tag: Option<&str>) {
        self.copy(headers, HeaderName::From);
        let untagged = headers.known_to().filter(|to| to.tag().is_none());
        match (to_tag, untagged) {
            (Some(tag), Some(to)) => self.header(HeaderName::To.as_str(), &Tagged { to, tag }),
            _ => self.copy(headers, HeaderName::To),
        }
        self.copy(headers, HeaderName::CallId);
        self.copy(headers, HeaderName::CSeq);
    }

    fn finish(mut self, body: Option<(&str, &[u8])>) -> Bytes {
        let (content_type, body) = body.unwrap_or_default();
        if !content_type.is_empty() {
            self.header(HeaderName::ContentType.as_str(), content_type);
        }
        self.header(HeaderName::ContentLength.as_str(), &body.len());
        self.raw(b"\r\n");
        self.raw(body);
        Bytes::from(self.out)
    }
}
