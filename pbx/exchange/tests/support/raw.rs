//! Messages that the scripted user agents would not send.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::digest::{Credentials, choose_challenge};
use sip::header::HeaderName;
use sip::message::{Framing, Message};

use super::{EXCHANGE, HOTLINE, Packet, TRUNK, World, addr, ms};

impl World {
    /// A message from `from` to the exchange.
    pub fn say(&mut self, from: SocketAddr, text: String) {
        self.send(Packet {
            from,
            to: addr(EXCHANGE),
            payload: Bytes::from(text),
        });
        self.run(ms(50));
    }

    /// A request within the call of the peer at `from`, in the terms of the
    /// ACK that it sent.
    pub fn in_dialog(&mut self, from: SocketAddr, method: &str, cseq: u32, body: (&str, &str)) {
        let acks = self.wire.iter().filter(|packet| packet.from == from);
        let ack = acks
            .map(Packet::text)
            .find(|text| text.starts_with("ACK "))
            .expect("an ACK of that peer");
        let headers = |name: &str| {
            let mut lines = ack.lines();
            let line = lines.find(|line| line.starts_with(&format!("{name}: ")));
            line.expect("that header").to_owned()
        };
        let uri = ack.split(' ').nth(1).expect("a URI");
        let (content_type, body) = body;
        let content_type = match content_type {
            "" => String::new(),
            name => format!("Content-Type: {name}\r\n"),
        };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKraw{cseq}\r\n\
             Max-Forwards: 70\r\n{}\r\n{}\r\n{}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:peer@{from}>\r\n{content_type}Content-Length: {}\r\n\r\n{body}",
            headers("From"),
            headers("To"),
            headers("Call-ID"),
            body.len()
        );
        self.say(from, text);
    }
}

/// An INVITE of the carrier outside any call.
pub fn invite(branch: &str, more: &str, body: &str) -> String {
    let content_type = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    format!(
        "INVITE sip:{HOTLINE}@{EXCHANGE} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {TRUNK};rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:+15550100@{TRUNK}>;tag=raw\r\nTo: <sip:{HOTLINE}@{EXCHANGE}>\r\n\
         Call-ID: raw-{branch}\r\nCSeq: 1 INVITE\r\nContact: <sip:gw@{TRUNK}>\r\n\
         {more}{content_type}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The value of a header in a message.
pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// The ACK of a final response to [`invite`].
pub fn ack(branch: &str, response: &str, body: &str) -> String {
    let content_type = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    format!(
        "ACK sip:{EXCHANGE} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {TRUNK};rport;branch=z9hG4bKack{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:+15550100@{TRUNK}>;tag=raw\r\nTo: {}\r\nCall-ID: raw-{branch}\r\n\
         CSeq: 1 ACK\r\n{content_type}Content-Length: {}\r\n\r\n{body}",
        header(response, "To"),
        body.len()
    )
}

/// The `Authorization` line that answers a 401 to an INVITE for the hotline.
pub fn authorization(challenge: &str, user: &str, password: &str) -> String {
    let bytes = Bytes::copy_from_slice(challenge.as_bytes());
    let Ok(Message::Response(response)) = Message::parse(bytes, Framing::Datagram) else {
        panic!("a response");
    };
    let offered = response
        .headers()
        .lines(HeaderName::WwwAuthenticate)
        .map(|line| sip::header::ParseValue::parse(&line.text()).expect("a challenge"));
    let chosen = choose_challenge(offered).expect("a usable challenge");
    let uri = format!("sip:{HOTLINE}@{EXCHANGE}");
    let params = chosen.answer(
        Credentials { user, password },
        "INVITE",
        &uri,
        1,
        "0a4f113b",
    );
    let value = sip::text::Encode::encoded(&params);
    format!("Authorization: {}\r\n", value.reveal())
}
