//! Walks through everything the grammar can be asked about some bytes. Nothing here may panic,
//! whatever the bytes; what must hold of any message is asserted. The tests of the corpus, the
//! mutation tests and the fuzz targets share it.
#![allow(dead_code)] // Each user calls a part.

use bytes::Bytes;
use sip::build::ResponseBuilder;
use sip::error::{ParseError, ValueError};
use sip::header::{HeaderName, Headers, ParseValue};
use sip::headers::{
    AuthParams, CSeq, CallId, ContactValue, ContentType, Expires, MaxForwards, Privacy, RAck, RSeq,
    Reason, Replaces, RetryAfter, SessionExpires, Token,
};
use sip::message::{Framing, Message, Method, Request, Response, StatusCode, StreamFramer};
use sip::name_addr::NameAddr;
use sip::sdp::SessionDescription;
use sip::text::{Encode, Text};
use sip::uri::Uri;
use sip::via::Via;

/// One message, as a datagram and as the whole of a stream.
pub fn message(bytes: &[u8]) {
    for framing in [Framing::Datagram, Framing::Stream] {
        match Message::parse(Bytes::copy_from_slice(bytes), framing) {
            Ok(Message::Request(parsed)) => request(parsed),
            Ok(Message::Response(parsed)) => response(&parsed),
            Err(error) => refused(&error),
        }
    }
}

/// A byte stream: cut into pieces it yields the same as in one.
pub fn stream(bytes: &[u8]) {
    let whole = frames(bytes, bytes.len().max(1));
    for piece in [1, 7, 64] {
        assert_eq!(frames(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// A session description: what was read and written again reads the same.
pub fn sdp(bytes: &[u8]) {
    let Ok(session) = SessionDescription::parse(bytes) else {
        return;
    };
    let _ = format!("{session:?}");
    if let Some(audio) = session.audio() {
        let _ = (session.connection_of(audio), session.direction_of(audio));
        for payload_type in audio.payload_types() {
            let _ = (audio.rtpmap(payload_type), audio.fmtp(payload_type));
        }
    }
    let written = session.to_string();
    let again = SessionDescription::parse(written.as_bytes()).expect("own output is well-formed");
    assert_eq!(again.to_string(), written);
    assert_eq!(again.media.len(), session.media.len());
}

/// Statuses and start lines of the messages in a stream, and how it ended. Keep-alives are left
/// out: how many CRLF come in one read decides what they mean.
fn frames(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut framer = StreamFramer::new();
    let mut seen = Vec::new();
    for chunk in bytes.chunks(piece) {
        framer.feed(chunk);
        loop {
            match framer.poll() {
                Ok(Some(item)) => seen.push(format!("{item:?}")),
                Ok(None) => break,
                Err(error) => {
                    seen.push(error.to_string());
                    return without_keep_alives(seen);
                }
            }
        }
    }
    without_keep_alives(seen)
}

fn without_keep_alives(mut seen: Vec<String>) -> Vec<String> {
    seen.retain(|item| item != "Ping" && item != "Pong");
    seen
}

fn request(mut request: Request) {
    let _ = format!("{request:?} {:?}", request.uri());
    headers(request.headers());
    uri(request.uri());
    request.set_source("192.0.2.1:5060".parse().expect("constant"));
    let valid = request.validate();
    let answer = match &valid {
        Ok(()) => ResponseBuilder::for_request_tagged(&request, StatusCode::OK, Some("tag")),
        Err(rejection) => {
            ResponseBuilder::with_reason(&request, rejection.status, &rejection.reason, None)
        }
    };
    let answer = written(answer.build());
    if valid.is_ok() {
        answer.headers().cseq().expect("copied CSeq");
        answer
            .headers()
            .to()
            .expect("copied To")
            .tag()
            .expect("To tag");
        let vias = |headers: &Headers| headers.vias().count();
        assert_eq!(vias(answer.headers()), vias(request.headers()));
    }
}

fn response(response: &Response) {
    let _ = format!("{response:?}");
    headers(response.headers());
    let _ = response.validate();
}

fn refused(error: &ParseError) {
    let _ = format!("{error:?} {error}");
    if let Some(salvaged) = error.headers() {
        headers(salvaged);
    }
    if let Some(answer) = ResponseBuilder::for_error(error, Some("tag")) {
        assert_eq!(written(answer.build()).status(), error.status());
    }
}

/// What we write must be well-formed, whatever was copied into it.
fn written(bytes: Bytes) -> Response {
    match Message::parse(bytes, Framing::Stream) {
        Ok(Message::Response(response)) => response,
        other => panic!("own output is no response: {other:?}"),
    }
}

fn headers(headers: &Headers) {
    for line in headers.iter() {
        let value = line.value().as_bytes();
        assert!(!value.contains(&b'\r') && !value.contains(&b'\n'));
        values(&line.value().text());
    }
    let _ = (headers.from(), headers.to(), headers.cseq());
    let _ = (headers.top_via(), headers.call_id());
    let _ = headers.has_token(HeaderName::Supported, "timer");
    for contact in headers.contacts().filter_map(Result::ok) {
        let _ = (contact.expires(), contact.q_thousandths());
        let _ = (contact.instance(), contact.reg_id());
    }
}

/// Every typed reader over one value. What reads well must read the same after it was written.
fn values(text: &Text) {
    same_again::<CSeq>(text);
    same_again::<CallId>(text);
    same_again::<MaxForwards>(text);
    same_again::<Expires>(text);
    same_again::<RetryAfter>(text);
    same_again::<RAck>(text);
    same_again::<RSeq>(text);
    same_again::<Token>(text);
    same_again::<Privacy>(text);
    same_again::<Reason>(text);
    same_again::<ContentType>(text);
    same_again::<SessionExpires>(text);
    same_again::<Replaces>(text);
    same_again::<Method>(text);
    same_again::<AuthParams>(text);
    same_again::<ContactValue>(text);
    if let Some(via) = same_again::<Via>(text) {
        let _ = (via.rport(), via.received(), via.maddr(), via.ttl());
        let _ = (via.sent_by(), via.unique_branch());
    }
    if let Some(address) = same_again::<NameAddr>(text) {
        let _ = (address.display_name(), address.tag());
        uri(address.uri());
    }
}

fn same_again<T: ParseValue + Encode + std::fmt::Debug>(text: &Text) -> Option<T> {
    let value = T::parse(text).ok()?;
    let written = value.encoded();
    let again: Result<T, ValueError> = T::parse(&written);
    let again = again.expect("own output is well-formed");
    assert_eq!(again.encoded(), written);
    Some(value)
}

fn uri(uri: &Uri) {
    assert!(uri.equivalent(uri), "a URI is equivalent to itself");
    let _ = (uri.user(), uri.user_decoded(), uri.password());
    let _ = (uri.transport(), uri.is_loose_router());
    let _ = uri.headers().count();
    let changed = uri.with_param("transport", "tcp");
    if uri.is_sip() {
        assert_eq!(changed.transport(), Some("tcp"));
        assert_eq!(changed.host(), uri.host());
        assert!(uri.without_params().params().iter().next().is_none());
    }
}
