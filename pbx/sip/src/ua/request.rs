//! Writing requests.

use std::time::Instant;

use bytes::Bytes;

use super::clients::{ClientId, Owner};
use super::session::Session;
use super::{Flow, Reason, SessionId, UserAgent};
use crate::build::RequestBuilder;
use crate::dialog::Dialog;
use crate::header::HeaderName;
use crate::headers::{CSeq, MaxForwards};
use crate::message::{Method, Response};
use crate::sdp::SessionDescription;
use crate::text::Encode;
use crate::transaction::ClientKind;
use crate::uri::{Host, Uri};

/// The methods that we take.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REGISTER";
/// The extensions that we speak.
pub(super) const SUPPORTED: &str = "path";
/// `Content-Type` of offers and answers.
pub(super) const SDP_TYPE: &str = "application/sdp";
/// Room for most offers and answers.
const USUAL_SDP_BYTES: usize = 512;
/// User part of our Contact in calls: says nothing.
const CONTACT_USER: &str = "line";

/// An offer or answer as it stands in a body.
pub(super) fn sdp_body(sdp: &SessionDescription) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL_SDP_BYTES);
    sdp.encode(&mut out);
    out
}

impl Encode for Reason {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol.encode(out);
        ";cause=".encode(out);
        self.cause.encode(out);
        ";text=\"".encode(out);
        self.text.encode(out);
        out.push(b'"');
    }
}

/// Our Via: `SIP/2.0/UDP host:port;branch=…;rport`.
pub(super) struct OwnVia<'a> {
    host: Host,
    port: u16,
    reliable: bool,
    branch: &'a str,
}

impl Encode for OwnVia<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let protocol = if self.reliable {
            "SIP/2.0/TCP "
        } else {
            "SIP/2.0/UDP "
        };
        protocol.encode(out);
        self.host.encode(out);
        out.push(b':');
        self.port.encode(out);
        ";branch=".encode(out);
        self.branch.encode(out);
        ";rport".encode(out);
    }
}

/// Our Contact in calls: `<sip:line@host:port>`.
pub(super) struct OwnContact {
    host: Host,
    port: u16,
    reliable: bool,
}

impl Encode for OwnContact {
    fn encode(&self, out: &mut Vec<u8>) {
        "<sip:".encode(out);
        CONTACT_USER.encode(out);
        out.push(b'@');
        self.host.encode(out);
        out.push(b':');
        self.port.encode(out);
        if self.reliable {
            ";transport=tcp".encode(out);
        }
        out.push(b'>');
    }
}

impl UserAgent {
    pub(super) fn via<'a>(&self, flow: &Flow, branch: &'a str) -> OwnVia<'a> {
        let (host, port) = self.own_address(flow);
        OwnVia {
            host,
            port,
            reliable: flow.is_reliable(),
            branch,
        }
    }

    /// Our Contact in calls over `flow`.
    pub(super) fn contact(&self, flow: &Flow) -> OwnContact {
        let (host, port) = self.own_address(flow);
        OwnContact {
            host,
            port,
            reliable: flow.is_reliable(),
        }
    }

    pub(super) fn contact_uri(&self, user: &str, flow: &Flow) -> Uri {
        let (host, port) = self.own_address(flow);
        let uri = Uri::sip(Some(user), &host, Some(port));
        if flow.is_reliable() {
            uri.with_param("transport", "tcp")
        } else {
            uri
        }
    }

    /// A request in a dialog up to its CSeq; the caller adds what is its own.
    pub(super) fn in_dialog(
        &self,
        dialog: &Dialog,
        method: Method,
        number: u32,
        flow: &Flow,
        branch: &str,
    ) -> RequestBuilder {
        let routing = dialog.routing();
        let mut builder = RequestBuilder::new(&method, &routing.uri)
            .header(HeaderName::Via, &self.via(flow, branch));
        for route in &routing.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder
            .header(HeaderName::MaxForwards, &MaxForwards::DEFAULT)
            .header(HeaderName::From, &dialog.local)
            .header(HeaderName::To, &dialog.remote)
            .header(HeaderName::CallId, &dialog.call_id)
            .header(HeaderName::CSeq, &CSeq { number, method })
    }

    /// Sends the ACK for a 2xx and returns it for repetition.
    pub(super) fn send_ack(
        &mut self,
        dialog: &Dialog,
        number: u32,
        flow: Flow,
        symmetric: bool,
        now: Instant,
    ) -> Option<(Flow, Bytes)> {
        let flow = self.flow_towards(flow, dialog.next_hop(), symmetric, now)?;
        let branch = self.new_branch();
        let ack = self
            .in_dialog(dialog, Method::Ack, number, &flow, &branch.text)
            .build();
        self.transport.send(&flow, ack.clone(), now);
        Some((flow, ack))
    }

    /// Sends BYE in a dialog; `None` when there is no way to the peer.
    pub(super) fn send_bye(
        &mut self,
        dialog: &mut Dialog,
        flow: Flow,
        symmetric: bool,
        reason: Option<&Reason>,
        owner: Owner,
        now: Instant,
    ) -> Option<ClientId> {
        let flow = self.flow_towards(flow, dialog.next_hop(), symmetric, now)?;
        let branch = self.new_branch();
        let number = dialog.next_cseq();
        let mut builder = self
            .in_dialog(dialog, Method::Bye, number, &flow, &branch.text)
            .header(HeaderName::UserAgent, self.config.product.as_str());
        if let Some(reason) = reason {
            builder = builder.header(HeaderName::Reason, reason);
        }
        let kind = ClientKind::NonInvite;
        let bytes = builder.build();
        Some(self.start_client(branch, kind, owner, flow, bytes, now))
    }

    /// ACK and BYE for a 2xx that nobody wants (any more); returns the ACK for repetition.
    pub(super) fn decline_ok(
        &mut self,
        response: &Response,
        uri: Option<&Uri>,
        flow: Flow,
        symmetric: bool,
        reason: Option<&Reason>,
        now: Instant,
    ) -> Option<(Flow, Bytes)> {
        let mut dialog = Dialog::from_response(response, uri).ok()?;
        let ack = self.send_ack(&dialog, dialog.local_cseq, flow, symmetric, now);
        self.send_bye(&mut dialog, flow, symmetric, reason, Owner::Nobody, now);
        ack
    }

    /// Sends a re-INVITE with an offer.
    pub(super) fn send_reinvite(
        &mut self,
        id: SessionId,
        offer: &SessionDescription,
        now: Instant,
    ) -> Option<ClientId> {
        let session = self.sessions.get(id)?;
        let (flow, symmetric) = (session.flow, session.symmetric);
        let next_hop = session.dialog.next_hop().clone();
        let flow = self.flow_towards(flow, &next_hop, symmetric, now)?;
        let branch = self.new_branch();
        let session: &mut Session = self.sessions.get_mut(id)?;
        let number = session.dialog.next_cseq();
        let session = self.sessions.get(id)?;
        let bytes = self
            .in_dialog(&session.dialog, Method::Invite, number, &flow, &branch.text)
            .header(HeaderName::Contact, &self.contact(&flow))
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::UserAgent, self.config.product.as_str())
            .build_with_body(SDP_TYPE, &sdp_body(offer));
        let (kind, owner) = (ClientKind::Invite, Owner::Reinvite(id));
        Some(self.start_client(branch, kind, owner, flow, bytes, now))
    }
}
