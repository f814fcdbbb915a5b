//! Calls that have come as far as a test needs them.

use std::time::Duration;

use sip::header::HeaderName;
use sip::ua::{SessionEnd, SessionId, UaEvent};

use super::*;

/// The phone at [`PHONE`].
pub const CONTACT: &str = "sip:ana@203.0.113.7:5062";
pub const SECOND: Duration = Duration::from_secs(1);

/// How the only session ended.
pub fn ended(bench: &mut Bench) -> SessionEnd {
    match bench.event() {
        UaEvent::Ended { end, .. } => end,
        other => panic!("{other:?}"),
    }
}

/// A call that we made, answered: session and INVITE.
pub fn answered_phone(bench: &mut Bench) -> (SessionId, Sent) {
    let binding = bench.register("ana", PHONE);
    let (session, invite) = bench.call(binding);
    let ok = reply_text(&invite, "200 OK", "p", CONTACT, &sdp_text(7000));
    bench.receive(PHONE, &ok);
    bench.sent();
    bench.events();
    (session, invite)
}

/// A call from the trunk, answered and acknowledged: session and our tag.
pub fn answered_caller(bench: &mut Bench) -> (SessionId, String) {
    let session = bench.incoming("a", "c1");
    bench.ua.answer(session, sdp(6000), bench.now);
    let tag = bench.sent_one().to_tag();
    bench.receive(TRUNK, &in_dialog_text("ACK", "ack", "c1", 1, &tag, ""));
    bench.events();
    (session, tag)
}

/// A request of the caller within the dialog that `invite_text` began.
pub fn in_dialog_text(
    method: &str,
    branch: &str,
    call_id: &str,
    cseq: u32,
    to_tag: &str,
    body: &str,
) -> String {
    let caller = Side {
        address: TRUNK,
        contact: "sip:gw@198.51.100.1:5060",
        from: "<sip:+15550100@carrier.example>;tag=caller".to_owned(),
        to: format!("<sip:+15550199@hotline.example>;tag={to_tag}"),
        call_id: call_id.to_owned(),
    };
    caller.request(method, branch, cseq, body)
}

/// A request of the phone in the dialog of `invite`.
pub fn phone_request(
    method: &str,
    branch: &str,
    cseq: u32,
    invite: &Sent,
    tag: &str,
    body: &str,
) -> String {
    let phone = Side {
        address: PHONE,
        contact: CONTACT,
        from: format!("<sip:ana@hotline.example>;tag={tag}"),
        to: invite.header(HeaderName::From),
        call_id: invite.header(HeaderName::CallId),
    };
    phone.request(method, branch, cseq, body)
}

/// A dialog as the peer sees it.
struct Side {
    address: &'static str,
    contact: &'static str,
    from: String,
    to: String,
    call_id: String,
}

impl Side {
    fn request(&self, method: &str, branch: &str, cseq: u32, body: &str) -> String {
        let Self {
            address,
            contact,
            from,
            to,
            call_id,
        } = self;
        let content_type = match body {
            "" => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        format!(
            "{method} sip:line@192.0.2.1:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};rport;branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\n\
             From: {from}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <{contact}>\r\n\
             {content_type}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}
