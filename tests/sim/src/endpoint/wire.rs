//! The few messages that a telephone speaks, as text.
//!
//! Written apart from the user agent under test, and without its builders.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::header::{HeaderName, Headers};
use sip::message::{Request, Response};
use sip::sdp::{Direction, SessionDescription};

/// Marks the number of every caller; no phone may ever see it.
pub const CALLER_NUMBER_MARK: &str = "34600991234";
/// Marks the Call-ID of every caller.
pub const CALLER_CALL_ID_MARK: &str = "callers-own-id";
/// Marks the `o=` line of every caller.
pub const CALLER_ORIGIN_MARK: &str = "callers-origin";

/// One side's view of a dialog; `local` and `remote` are whole From and To values.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    pub(super) local: String,
    pub(super) remote: String,
    /// The peer's Contact.
    pub(super) target: String,
    pub(super) sequence: u32,
}

/// What differs between requests.
pub(super) struct Draft<'a> {
    pub(super) method: &'a str,
    pub(super) sequence: u32,
    pub(super) from: SocketAddr,
    pub(super) branch: &'a str,
    /// Whole header lines.
    pub(super) more: &'a str,
    pub(super) body: &'a str,
    /// Some carriers leave Content-Length out over UDP.
    pub(super) without_length: bool,
}

pub(super) fn request(dialog: &Dialog, draft: &Draft<'_>) -> Bytes {
    let Draft {
        method,
        sequence,
        from,
        branch,
        more,
        body,
        without_length,
    } = draft;
    let length = match without_length {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    let kind = content_type(body);
    Bytes::from(format!(
        "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {sequence} {method}\r\n\
         {more}{kind}{length}\r\n{body}",
        dialog.target, dialog.local, dialog.remote, dialog.call_id,
    ))
}

/// A response; `tag` goes into a To without one.
pub(super) fn response(
    request: &Request,
    status: u16,
    tag: &str,
    contact: &str,
    body: &str,
) -> Bytes {
    let headers = request.headers();
    let mut vias = String::new();
    for via in headers.lines(HeaderName::Via) {
        vias.push_str("Via: ");
        vias.push_str(via.to_str().unwrap_or_default());
        vias.push_str("\r\n");
    }
    let mut to = text(headers, HeaderName::To).to_owned();
    if !to.contains(";tag=") && status != 100 {
        to = format!("{to};tag={tag}");
    }
    let kind = content_type(body);
    Bytes::from(format!(
        "SIP/2.0 {status} Whatever\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <{contact}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        text(headers, HeaderName::From),
        text(headers, HeaderName::CallId),
        text(headers, HeaderName::CSeq),
        body.len(),
    ))
}

/// What an offer or answer says.
pub(super) struct Media {
    pub(super) address: SocketAddr,
    pub(super) origin: &'static str,
    pub(super) version: u32,
    pub(super) direction: &'static str,
    /// Whether it lists only a codec that the exchange does not speak.
    pub(super) foreign: bool,
}

pub(super) fn description(media: &Media) -> String {
    let (ip, port) = (media.address.ip(), media.address.port());
    let codec = match media.foreign {
        true => "18\r\na=rtpmap:18 G729/8000",
        false => "8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000",
    };
    format!(
        "v=0\r\no={} 7 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {codec}\r\na={}\r\n",
        media.origin, media.version, media.direction,
    )
}

/// Where a description wants its audio, and whether it takes any.
pub(super) fn media_number(body: &[u8]) -> Option<(u16, bool)> {
    let description = SessionDescription::parse(body).ok()?;
    let audio = description.audio()?;
    let receives = description.direction_of(audio) != Direction::Inactive;
    Some((audio.port, receives))
}

/// The first value of a header, or nothing.
pub(super) fn text(headers: &Headers, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str())
        .unwrap_or_default()
}

/// The branch of the topmost Via.
pub(super) fn branch_of(headers: &Headers) -> String {
    let via = headers.top_via();
    let branch = via.as_ref().ok().and_then(|via| via.branch());
    branch.unwrap_or_default().to_owned()
}

/// The tag of a From or To value.
pub(super) fn tag_of(value: &str) -> &str {
    let tag = value.split(";tag=").nth(1).unwrap_or_default();
    tag.split(';').next().unwrap_or_default()
}

/// The URI between angle brackets.
pub(super) fn contact_of(headers: &Headers) -> Option<String> {
    let contact = text(headers, HeaderName::Contact);
    let inner = contact.split('<').nth(1)?;
    inner.split('>').next().map(str::to_owned)
}

/// The method that a response answers.
pub(super) fn answered_method(response: &Response) -> &str {
    let sequence = text(response.headers(), HeaderName::CSeq);
    sequence.split(' ').nth(1).unwrap_or_default()
}

fn content_type(body: &str) -> &'static str {
    match body {
        "" => "",
        info if info.starts_with("Signal") => "Content-Type: application/dtmf-relay\r\n",
        _ => "Content-Type: application/sdp\r\n",
    }
}
