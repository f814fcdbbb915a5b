//! Writing responses.

use std::time::{Duration, Instant};

use super::request::{ALLOW, SDP_TYPE, SUPPORTED};
use super::servers::{ReplyPath, ServerId};
use super::{Reason, UserAgent};
use crate::build::ResponseBuilder;
use crate::error::ParseError;
use crate::header::HeaderName;
use crate::headers::RetryAfter;
use crate::message::{Request, StatusCode};
use crate::text::Encode as _;

/// `Retry-After` when we are full.
const BUSY_RETRY_AFTER_S: u32 = 5;

impl UserAgent {
    /// A response in a transaction or to a request in a dialog; To keeps or gets `tag`.
    pub(super) fn response(
        &self,
        request: &Request,
        status: u16,
        tag: Option<&str>,
    ) -> ResponseBuilder {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let builder = ResponseBuilder::for_request_tagged(request, status, tag);
        if status == StatusCode::TRYING {
            return builder;
        }
        builder.header(HeaderName::Server, self.config.product.as_str())
    }

    /// The beginning of a response outside any transaction, with the To tag
    /// that each repetition of the request gets (RFC 3261 8.2.7).
    pub(super) fn stateless(&self, request: &Request, status: u16) -> ResponseBuilder {
        let headers = request.headers();
        let call_id = headers.get(HeaderName::CallId);
        let via = headers.get(HeaderName::Via);
        let tag = self.ids.stateless_tag(
            call_id.map(|it| it.as_bytes()).unwrap_or_default(),
            via.map(|it| it.as_bytes()).unwrap_or_default(),
        );
        self.response(request, status, Some(&tag))
    }

    pub(super) fn reply_stateless(
        &mut self,
        request: &Request,
        path: &ReplyPath,
        status: u16,
        now: Instant,
    ) {
        let response = self.stateless(request, status).build();
        self.send_reply(path, response, now);
    }

    /// 405 or 501, with what we do take.
    pub(super) fn reply_not_allowed(
        &mut self,
        request: &Request,
        path: &ReplyPath,
        status: u16,
        now: Instant,
    ) {
        let response = self.stateless(request, status);
        let response = response.header(HeaderName::Allow, ALLOW).build();
        self.send_reply(path, response, now);
    }

    /// 503: come back in a moment.
    pub(super) fn reply_busy(&mut self, request: &Request, path: &ReplyPath, now: Instant) {
        let response = self
            .stateless(request, 503)
            .header(HeaderName::RetryAfter, &RetryAfter(BUSY_RETRY_AFTER_S))
            .build();
        self.send_reply(path, response, now);
    }

    /// 420 with the extensions that we do not know.
    pub(super) fn reply_bad_extension(
        &mut self,
        request: &Request,
        path: &ReplyPath,
        unknown: &str,
        now: Instant,
    ) {
        let response = self
            .stateless(request, 420)
            .header(HeaderName::Unsupported, unknown)
            .build();
        self.send_reply(path, response, now);
    }

    /// 415: only SDP.
    pub(super) fn reply_bad_body(&mut self, request: &Request, path: &ReplyPath, now: Instant) {
        let response = self
            .stateless(request, 415)
            .header(HeaderName::Accept, SDP_TYPE)
            .header(HeaderName::AcceptEncoding, "identity")
            .build();
        self.send_reply(path, response, now);
    }

    /// 200 to OPTIONS (RFC 3261 11.2).
    pub(super) fn options_response(&self, request: &Request) -> ResponseBuilder {
        self.stateless(request, 200)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Accept, SDP_TYPE)
            .header(HeaderName::Supported, SUPPORTED)
    }

    /// The answer to what could not be framed, if there is a Via to send it by.
    pub(super) fn reply_malformed(&mut self, error: &ParseError, flow: super::Flow, now: Instant) {
        let Some(via) = error.headers().and_then(|headers| headers.top_via().ok()) else {
            return;
        };
        let tag = self.ids.stateless_tag(b"", via.encoded().as_bytes());
        let Some(builder) = ResponseBuilder::for_error(error, Some(&tag)) else {
            return;
        };
        let path = ReplyPath::of(&via, flow);
        let response = builder
            .header(HeaderName::Server, self.config.product.as_str())
            .build();
        self.send_reply(&path, response, now);
    }

    /// A final refusal in a transaction.
    pub(super) fn refuse_in(
        &mut self,
        server: ServerId,
        request: &Request,
        status: u16,
        now: Instant,
    ) {
        let response = self.response(request, status, None).build();
        self.send_in(server, status, response, now);
    }

    /// 500 with a random `Retry-After` of at most ten seconds (RFC 3261 14.2).
    pub(super) fn refuse_overlap(&mut self, server: ServerId, request: &Request, now: Instant) {
        let wait = self
            .ids
            .duration(Duration::from_secs(10), Duration::from_secs(1));
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(10);
        let response = self
            .response(request, 500, None)
            .header(HeaderName::RetryAfter, &RetryAfter(seconds))
            .build();
        self.send_in(server, 500, response, now);
    }

    /// A refusal of an INVITE on the embedder's behalf.
    pub(super) fn refusal(
        &self,
        request: &Request,
        status: u16,
        tag: Option<&str>,
        reason: Option<&Reason>,
        retry_after: Option<Duration>,
    ) -> bytes::Bytes {
        let mut builder = self.response(request, status, tag);
        if let Some(reason) = reason {
            builder = builder.header(HeaderName::Reason, reason);
        }
        if let Some(wait) = retry_after {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            builder = builder.header(HeaderName::RetryAfter, &RetryAfter(seconds));
        }
        builder.build()
    }
}
