//! From a session description to text.
//!
//! The text goes straight into the message: one call may offer the same media to a hundred phones.

use std::fmt;
use std::net::IpAddr;

use super::{Attribute, Connection, MediaDescription, RtpMap, SessionDescription};
use crate::text::Encode;

/// The text for the wire, with CRLF. It holds addresses: never for a log.
impl Encode for SessionDescription {
    fn encode(&self, out: &mut Vec<u8>) {
        let origin = &self.origin;
        out.extend_from_slice(b"v=0\r\no=");
        line(out, &origin.username);
        out.push(b' ');
        line(out, &origin.session_id);
        out.push(b' ');
        origin.version.encode(out);
        out.push(b' ');
        Connection::from_text(&origin.address).encode(out);
        out.extend_from_slice(b"\r\ns=");
        line(out, &self.name);
        out.extend_from_slice(b"\r\n");
        if let Some(connection) = &self.connection {
            field(out, "c=", connection);
        }
        out.extend_from_slice(b"t=0 0\r\n");
        for attribute in &self.attributes {
            field(out, "a=", attribute);
        }
        if let Some(direction) = self.direction {
            field(out, "a=", direction.as_str());
        }
        for media in &self.media {
            media.encode(out);
        }
    }
}

impl Encode for MediaDescription {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"m=");
        line(out, &self.kind);
        out.push(b' ');
        self.port.encode(out);
        out.push(b' ');
        line(out, &self.profile);
        for format in &self.formats {
            out.push(b' ');
            line(out, format);
        }
        out.extend_from_slice(b"\r\n");
        if let Some(connection) = &self.connection {
            field(out, "c=", connection);
        }
        for map in &self.rtpmaps {
            field(out, "a=rtpmap:", map);
        }
        for (payload_type, parameters) in &self.fmtps {
            out.extend_from_slice(b"a=fmtp:");
            payload_type.encode(out);
            out.push(b' ');
            line(out, parameters);
            out.extend_from_slice(b"\r\n");
        }
        if let Some(ptime) = self.ptime_ms {
            field(out, "a=ptime:", &ptime);
        }
        if let Some((port, address)) = &self.rtcp {
            out.extend_from_slice(b"a=rtcp:");
            port.encode(out);
            if let Some(address) = address {
                out.push(b' ');
                Connection::Ip(*address).encode(out);
            }
            out.extend_from_slice(b"\r\n");
        }
        if self.rtcp_mux {
            out.extend_from_slice(b"a=rtcp-mux\r\n");
        }
        for attribute in &self.attributes {
            field(out, "a=", attribute);
        }
        if let Some(direction) = self.direction {
            field(out, "a=", direction.as_str());
        }
    }
}

/// `IN IP4 192.0.2.1`
impl Encode for Connection {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ip(address) => {
                let family = match address {
                    IpAddr::V4(_) => "IN IP4 ",
                    IpAddr::V6(_) => "IN IP6 ",
                };
                family.encode(out);
                address.encode(out);
            }
            Self::Host(host) => {
                out.extend_from_slice(b"IN IP4 ");
                line(out, host);
            }
        }
    }
}

/// `8 PCMA/8000`
impl Encode for RtpMap {
    fn encode(&self, out: &mut Vec<u8>) {
        self.payload_type.encode(out);
        out.push(b' ');
        line(out, &self.encoding);
        out.push(b'/');
        self.clock_rate_hz.encode(out);
        if self.channels > 1 {
            out.push(b'/');
            self.channels.encode(out);
        }
    }
}

/// `name` or `name:value`
impl Encode for Attribute {
    fn encode(&self, out: &mut Vec<u8>) {
        line(out, &self.name);
        if let Some(value) = &self.value {
            out.push(b':');
            line(out, value);
        }
    }
}

fn field(out: &mut Vec<u8>, kind: &str, value: &(impl Encode + ?Sized)) {
    kind.encode(out);
    value.encode(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends text within a line: line ends become spaces, so that no value can start a line.
fn line(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => other,
    }));
}

macro_rules! display_encoded {
    ($($type:ty),+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.encoded().as_str())
            }
        }
    )+};
}

display_encoded!(
    SessionDescription,
    MediaDescription,
    Connection,
    RtpMap,
    Attribute
);
