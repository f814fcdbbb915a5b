//! From bytes to the part of the user agent that is concerned.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::servers::{ReplyPath, has, invite_key, key_of, to_tag};
use super::{ConnectionId, Flow, UserAgent};
use crate::header::HeaderName;
use crate::message::{FramerError, Framing, Message, Method, Request, StreamItem};
use crate::via::Via;

/// Requests whose `Require` we fulfil by doing nothing special.
const KNOWN_OPTION_TAGS: [&str; 1] = ["path"];
/// Bytes of an unfinished message that a connection without a registration may hold.
const MAX_PENDING_OF_STRANGER_BYTES: usize = 16 * 1024;
/// Keep-alive of RFC 5626 4.4.1.
const PONG: &[u8] = b"\r\n";

/// A request with what was worked out on its way in.
pub(super) struct Received<'a> {
    pub(super) request: &'a Arc<Request>,
    pub(super) flow: Flow,
    pub(super) path: ReplyPath,
    pub(super) key: &'a [u8],
}

impl UserAgent {
    pub(super) fn receive_datagram(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        payload: Bytes,
        now: Instant,
    ) {
        let is_keep_alive = payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0));
        if is_keep_alive || !self.may_enter(remote, now) {
            return;
        }
        let flow = Flow::Udp { local, remote };
        match Message::parse(payload, Framing::Datagram) {
            Ok(message) => self.receive_message(message, flow, now),
            Err(error) => self.reply_malformed(&error, flow, now),
        }
    }

    pub(super) fn receive_stream(&mut self, id: ConnectionId, payload: &[u8], now: Instant) {
        let Some(connection) = self.transport.get_mut(id) else {
            return;
        };
        connection.framer.feed(payload);
        while let Some(flow) = self.transport.flow(id) {
            let Some(connection) = self.transport.get_mut(id) else {
                return;
            };
            let item = connection.framer.poll();
            if !matches!(item, Ok(None)) {
                // Only whole messages and keep-alives count as life.
                connection.used_at = now;
                if !self.may_enter(flow.remote(), now) {
                    self.drop_connection(id, now);
                    return;
                }
            }
            match item {
                Ok(None) => break,
                Ok(Some(StreamItem::Message(message))) => self.receive_message(message, flow, now),
                Ok(Some(StreamItem::Malformed(error))) => self.reply_malformed(&error, flow, now),
                Ok(Some(StreamItem::Ping)) => {
                    self.transport.send(&flow, Bytes::from_static(PONG), now);
                }
                Ok(Some(StreamItem::Pong)) => {}
                Err(error) => {
                    if let FramerError::Length(error) = &error {
                        self.reply_malformed(error, flow, now);
                    }
                    self.drop_connection(id, now);
                    return;
                }
            }
        }
        self.limit_pending(id, now);
    }

    /// A stranger cannot make us hold much for a message that never ends.
    fn limit_pending(&mut self, id: ConnectionId, now: Instant) {
        let pending = self
            .transport
            .get_mut(id)
            .map_or(0, |connection| connection.framer.pending_bytes());
        if pending > MAX_PENDING_OF_STRANGER_BYTES
            && !self.registrar.uses_connection(id)
            && !self.trunks_use(id)
        {
            self.drop_connection(id, now);
        }
    }

    fn drop_connection(&mut self, id: ConnectionId, now: Instant) {
        if self.transport.close(id) {
            self.connection_lost(id, now);
        }
    }

    /// Strangers are limited before anything is parsed; our phones and carriers are not.
    fn may_enter(&mut self, remote: SocketAddr, now: Instant) -> bool {
        self.registrar.knows_peer(remote)
            || self.is_trunk_address(remote)
            || self.limiter.allow(remote.ip(), now)
    }

    fn receive_message(&mut self, message: Message, flow: Flow, now: Instant) {
        match message {
            Message::Request(mut request) => {
                request.set_source(flow.remote());
                self.receive_request(&Arc::new(request), flow, now);
            }
            Message::Response(response) => self.receive_response(&response, flow, now),
        }
    }

    fn receive_request(&mut self, request: &Arc<Request>, flow: Flow, now: Instant) {
        let Some(via) = request.headers().known_top_via() else {
            return;
        };
        let path = ReplyPath::of(via, flow);
        if let Err(rejection) = request.validate() {
            if *request.method() != Method::Ack {
                self.reply_stateless(request, &path, rejection.status.code(), now);
            }
            return;
        }
        let key = key_of(request, via);
        let received = Received {
            request,
            flow,
            path,
            key: &key,
        };
        let is_ack = *request.method() == Method::Ack;
        match self.servers.find(&key) {
            Some(server) if is_ack => {
                // Some peers give the ACK of a 2xx the branch of the INVITE.
                if !self.acknowledge_server(server, now) {
                    self.receive_ack(&received, now);
                }
            }
            Some(server) => self.repeat_response(server, now),
            None if is_ack => self.receive_ack(&received, now),
            None => self.receive_new(&received, via, now),
        }
    }

    fn receive_new(&mut self, received: &Received<'_>, via: &Via, now: Instant) {
        let request = received.request;
        if *request.method() == Method::Cancel {
            let invite = invite_key(request, via);
            self.receive_cancel(received, &invite, now);
            return;
        }
        if self.servers.is_full() {
            self.reply_busy(request, &received.path, now);
            return;
        }
        if let Some(tag) = to_tag(request) {
            self.receive_in_dialog(received, tag, now);
            return;
        }
        if let Some(unknown) = unknown_option_tags(request) {
            self.reply_bad_extension(request, &received.path, &unknown, now);
            return;
        }
        match request.method() {
            Method::Invite => self.receive_invite(received, now),
            Method::Register => self.receive_register(received, now),
            Method::Options => {
                let response = self.options_response(request).build();
                self.send_reply(&received.path, response, now);
            }
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.reply_stateless(request, &received.path, 481, now);
            }
            Method::Other(_) => self.reply_not_allowed(request, &received.path, 501, now),
            _ => self.reply_not_allowed(request, &received.path, 405, now),
        }
    }
}

/// What the peer insists on and we do not speak, ready for `Unsupported`.
pub(super) fn unknown_option_tags(request: &Request) -> Option<String> {
    if !has(request, HeaderName::Require) {
        return None;
    }
    let known = |tag: &str| {
        KNOWN_OPTION_TAGS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(tag))
    };
    let unknown: Vec<String> = request
        .headers()
        .all(HeaderName::Require)
        .map(|tag| tag.reveal().to_owned())
        .filter(|tag| !known(tag))
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}
