//! The SIP that the phone speaks, spelled out.

use std::net::SocketAddr;

use sip::header::HeaderName;
use sip::message::{Request, Response};
use sip::sdp::SessionDescription;

/// Everything that identifies one dialog, from the phone's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// Our From or To value with our tag.
    pub(crate) local: String,
    /// The peer's value, with its tag once known.
    pub(crate) remote: String,
    /// The peer's Contact: where in-dialog requests go.
    pub(crate) target: String,
    pub(crate) sequence: u32,
}

/// The value of a header as text; empty when absent.
pub(crate) fn text(headers: &sip::header::Headers, name: HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str())
        .unwrap_or_default()
        .to_owned()
}

/// The URI between the angle brackets of a name-addr.
pub(crate) fn bracketed(value: &str) -> String {
    let inner = value
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(|| value.to_owned(), |(uri, _)| uri.to_owned())
}

/// What a phone would show of a From value: the display name, else the user part.
pub(crate) fn shown(from: &str) -> String {
    let name = from
        .split('<')
        .next()
        .unwrap_or_default()
        .trim()
        .trim_matches('"');
    if name.is_empty() {
        let uri = bracketed(from);
        let user = uri.split(':').nth(1).unwrap_or_default();
        user.split('@').next().unwrap_or_default().to_owned()
    } else {
        name.to_owned()
    }
}

/// A request with everything that varies filled in.
pub(crate) fn request(
    method: &str,
    uri: &str,
    local: SocketAddr,
    branch: &str,
    dialog: &Dialog,
    more: &str,
    body: &str,
) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch={branch};rport\r\n\
         Max-Forwards: 70\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n\
         {more}{kind}Content-Length: {}\r\n\r\n{body}",
        dialog.local,
        dialog.remote,
        dialog.call_id,
        dialog.sequence,
        body.len(),
    )
}

/// A response to `request`, with our tag where To has none.
pub(crate) fn response(
    request: &Request,
    status: u16,
    phrase: &str,
    tag: &str,
    contact: &str,
    body: &str,
) -> String {
    let headers = request.headers();
    let vias: String = headers
        .lines(HeaderName::Via)
        .filter_map(|via| via.to_str())
        .map(|via| format!("Via: {via}\r\n"))
        .collect();
    let mut to = text(headers, HeaderName::To);
    if !to.contains(";tag=") && status != 100 {
        to = format!("{to};tag={tag}");
    }
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "SIP/2.0 {status} {phrase}\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <{contact}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        text(headers, HeaderName::From),
        text(headers, HeaderName::CallId),
        text(headers, HeaderName::CSeq),
        body.len(),
    )
}

/// An offer or answer with G.711 and telephone-event.
pub(crate) fn session_description(local: SocketAddr, rtp_port: u16) -> String {
    let ip = local.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {rtp_port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
    )
}

/// Where the peer wants its audio.
pub(crate) fn media_address(body: &[u8]) -> Option<SocketAddr> {
    let description = SessionDescription::parse(body).ok()?;
    let audio = description.audio()?;
    let ip = description.connection_of(audio)?.ip()?;
    Some(SocketAddr::new(ip, audio.port))
}

/// The method that a response's CSeq names.
pub(crate) fn answered_method(response: &Response) -> String {
    let sequence = text(response.headers(), HeaderName::CSeq);
    sequence
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}
