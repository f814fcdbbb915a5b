//! Whether the peer of a quiet session is still there (RFC 3261 11, 12.2.1.2).

use std::time::Instant;

use super::clients::{ClientId, Owner};
use super::request::{SDP_TYPE, SUPPORTED};
use super::session::{Phase, Session};
use super::{SessionId, UaEvent, UserAgent};
use crate::header::HeaderName;
use crate::message::{Method, Response};
use crate::transaction::ClientKind;

impl UserAgent {
    pub(super) fn start_probe(&mut self, id: SessionId, now: Instant) {
        if !self.sessions.get(id).is_some_and(Session::may_probe) {
            return;
        }
        match self.send_probe(id, now) {
            Some(client) => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.probe = Some(client);
                }
            }
            None => self.emit_probed(id, false),
        }
    }

    /// Sends OPTIONS in the dialog; `None` when there is no way to the peer.
    fn send_probe(&mut self, id: SessionId, now: Instant) -> Option<ClientId> {
        let session = self.sessions.get(id)?;
        let (flow, symmetric) = (session.flow, session.symmetric);
        let next_hop = session.dialog.next_hop().clone();
        let flow = self.flow_towards(flow, &next_hop, symmetric, now)?;
        let branch = self.new_branch();
        let number = self.sessions.get_mut(id)?.dialog.next_cseq();
        let dialog = &self.sessions.get(id)?.dialog;
        let bytes = self
            .in_dialog(dialog, Method::Options, number, &flow, &branch.text)
            .header(HeaderName::Accept, SDP_TYPE)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::UserAgent, self.config.product.as_str())
            .build();
        let (kind, owner) = (ClientKind::NonInvite, Owner::Probe(id));
        Some(self.start_client(branch, kind, owner, flow, bytes, now))
    }

    /// Any answer shows that somebody is there, a refusal too; but 408 and 481 say that the
    /// session is not.
    pub(super) fn probe_response(&mut self, id: SessionId, client: ClientId, response: &Response) {
        if response.status().is_final() {
            let alive = !matches!(response.status().code(), 408 | 481);
            self.probe_done(id, client, alive);
        }
    }

    pub(super) fn probe_done(&mut self, id: SessionId, client: ClientId, alive: bool) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let asked = session.probe.take_if(|of| *of == client).is_some();
        if asked && matches!(session.phase, Phase::Confirmed) {
            self.emit_probed(id, alive);
        }
    }

    fn emit_probed(&mut self, session: SessionId, alive: bool) {
        self.emit(UaEvent::Probed { session, alive });
    }
}

impl Session {
    /// While our 200 waits for its ACK or our hang-up for its time, these tell as much.
    fn may_probe(&self) -> bool {
        matches!(self.phase, Phase::Confirmed)
            && self.ok.is_none()
            && self.hangup.is_none()
            && self.probe.is_none()
    }
}
