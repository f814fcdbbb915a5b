//! What must hold before a message is acted on.

use super::{Request, Response};
use crate::error::{Rejection, ValueError};
use crate::header::{HeaderName, Headers};
use crate::message::StatusCode;
use crate::uri::Scheme;

/// Whether a header stands at most once (RFC 3261 section 7.3.1: its grammar is no list).
const fn is_single(name: HeaderName) -> bool {
    matches!(
        name,
        HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::MaxForwards
            | HeaderName::ContentType
            | HeaderName::ContentDisposition
            | HeaderName::Expires
            | HeaderName::MinExpires
            | HeaderName::MinSe
            | HeaderName::SessionExpires
            | HeaderName::RAck
            | HeaderName::RSeq
            | HeaderName::Replaces
            | HeaderName::ReferTo
            | HeaderName::ReferredBy
            | HeaderName::Event
    )
}

pub(super) fn request(request: &Request) -> Result<(), Rejection> {
    let headers = request.headers();
    every_message(headers).map_err(Rejection::bad_request)?;
    let cseq = headers.cseq().map_err(Rejection::bad_request)?;
    if cseq.method != *request.method() {
        return Err(rejection(StatusCode::BAD_REQUEST, "CSeq method differs"));
    }
    values(headers).map_err(Rejection::bad_request)?;
    if matches!(request.uri().scheme(), Scheme::Other(_)) {
        return Err(rejection(
            StatusCode::UNSUPPORTED_URI_SCHEME,
            StatusCode::UNSUPPORTED_URI_SCHEME.reason(),
        ));
    }
    // RFC 3261 section 19.1.5: a Request-URI carries no headers.
    if request.uri().has_headers() {
        return Err(rejection(
            StatusCode::BAD_REQUEST,
            "headers in the Request-URI",
        ));
    }
    Ok(())
}

pub(super) fn response(response: &Response) -> Result<(), ValueError> {
    let headers = response.headers();
    every_message(headers)?;
    if headers.all(HeaderName::Via).nth(1).is_some() {
        return Err(ValueError::Repeated(HeaderName::Via));
    }
    Ok(())
}

fn every_message(headers: &Headers) -> Result<(), ValueError> {
    // One bit for each known name.
    let mut seen = 0_u128;
    for name in headers.iter().filter_map(|line| line.name()) {
        let bit = 1 << (name as u8);
        if is_single(name) && seen & bit != 0 {
            return Err(ValueError::Repeated(name));
        }
        seen |= bit;
    }
    headers.check_mandatory()
}

/// The values that a server acts on, when they are there.
fn values(headers: &Headers) -> Result<(), ValueError> {
    headers.max_forwards()?;
    headers.expires()?;
    headers.content_type()?;
    headers.contacts().try_for_each(|it| it.map(drop))?;
    headers.routes().try_for_each(|it| it.map(drop))?;
    headers.record_routes().try_for_each(|it| it.map(drop))
}

fn rejection(status: StatusCode, reason: &str) -> Rejection {
    Rejection {
        status,
        reason: reason.to_owned(),
    }
}
