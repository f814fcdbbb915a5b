//! The embedder's word on the peer's re-INVITE or UPDATE.

use std::time::Instant;

use super::request::{SDP_TYPE, sdp_body};
use super::session::Phase;
use super::{SessionId, UserAgent};
use crate::header::HeaderName;
use crate::message::Method;
use crate::sdp::SessionDescription;

impl UserAgent {
    pub(super) fn answer_reoffer(&mut self, id: SessionId, sdp: &SessionDescription, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if !matches!(session.phase, Phase::Confirmed) {
            return;
        }
        let Some(offer) = session.peer_offer.take() else {
            return;
        };
        let request = &offer.request;
        session.dialog.refresh_target(request.headers());
        let flow = session.flow;
        if *request.method() == Method::Invite {
            self.send_ok(
                id,
                offer.server,
                request,
                sdp,
                false,
                offer.wants_offer,
                now,
            );
            return;
        }
        let response = self
            .response(request, 200, None)
            .header(HeaderName::Contact, &self.contact(&flow))
            .build_with_body(SDP_TYPE, &sdp_body(sdp));
        self.send_in(offer.server, 200, response, now);
        self.offer_if_possible(id, now);
    }

    pub(super) fn refuse_reoffer(&mut self, id: SessionId, status: u16, now: Instant) {
        let status = if (300..700).contains(&status) {
            status
        } else {
            488
        };
        let offer = self
            .sessions
            .get_mut(id)
            .and_then(|session| session.peer_offer.take());
        if let Some(offer) = offer {
            self.refuse_in(offer.server, &offer.request, status, now);
            self.offer_if_possible(id, now);
        }
    }
}
