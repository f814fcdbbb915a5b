//! Requests within a session.

use std::time::Instant;

use super::incoming::{Body, body_of};
use super::receive::{Received, unknown_option_tags};
use super::servers::ServerId;
use super::session::{PeerOffer, Phase, Session};
use super::{ReofferKind, SessionEnd, SessionId, UaEvent, UserAgent};
use crate::dialog::Order;
use crate::header::HeaderName;
use crate::message::{Method, Request};

/// Whether the peer may change the media now (RFC 3261 14.2, RFC 3311 5.2).
enum Glare {
    /// Yes.
    Clear,
    /// No: our BYE is on its way. 481.
    Over,
    /// No: our own offer waits for an answer. 491.
    OursPending,
    /// No: the peer's own earlier offer does. 500 with `Retry-After`.
    TheirsPending,
}

impl UserAgent {
    pub(super) fn receive_in_dialog(
        &mut self,
        received: &Received<'_>,
        local_tag: &str,
        now: Instant,
    ) {
        let request = received.request;
        let Some(id) = self.session_of(received, local_tag) else {
            self.reply_stateless(request, &received.path, 481, now);
            return;
        };
        if let Some(unknown) = unknown_option_tags(request) {
            self.reply_bad_extension(request, &received.path, &unknown, now);
            return;
        }
        let (Some(session), Ok(cseq)) = (self.sessions.get_mut(id), request.headers().cseq())
        else {
            return;
        };
        let order = session.dialog.accept_cseq(cseq.number);
        let ending = matches!(session.phase, Phase::Ending);
        let calling = matches!(session.phase, Phase::Calling { .. });
        if order == Order::InOrder && !calling {
            session.flow = received.flow;
        }
        let server = self.start_server(request, received.key, received.path);
        if order == Order::OutOfOrder {
            self.refuse_in(server, request, 500, now);
            return;
        }
        match request.method() {
            Method::Bye if calling => self.refuse_in(server, request, 481, now),
            Method::Bye => self.receive_bye(id, server, received, now),
            _ if ending => self.refuse_in(server, request, 481, now),
            Method::Invite => self.receive_reinvite(id, server, received, now),
            Method::Update => self.receive_update(id, server, received, now),
            Method::Info => self.receive_info(id, server, received, now),
            Method::Options => {
                let response = self.options_response(request).build();
                self.send_in(server, 200, response, now);
            }
            Method::Prack => self.refuse_in(server, request, 481, now),
            other => {
                let status = if matches!(other, Method::Other(_)) {
                    501
                } else {
                    405
                };
                let response = self
                    .response(request, status, None)
                    .header(HeaderName::Allow, super::request::ALLOW)
                    .build();
                self.send_in(server, status, response, now);
            }
        }
    }

    /// The session that a request with our tag in To is for.
    pub(super) fn session_of(&self, received: &Received<'_>, local_tag: &str) -> Option<SessionId> {
        let headers = received.request.headers();
        let call_id = headers.call_id().ok()?;
        let from = headers.known_from()?;
        self.sessions.find(call_id.as_str(), local_tag, from.tag())
    }

    fn receive_bye(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        now: Instant,
    ) {
        let response = self.response(received.request, 200, None).build();
        self.send_in(server, 200, response, now);
        let ending = self
            .sessions
            .get(id)
            .is_some_and(|session| matches!(session.phase, Phase::Ending));
        if !ending {
            self.refuse_offered(id, 487, None, None, now);
            self.finish(id, SessionEnd::RemoteBye, now);
        }
    }

    fn receive_info(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        now: Instant,
    ) {
        let request = received.request;
        let response = self.response(request, 200, None).build();
        self.send_in(server, 200, response, now);
        if let Ok(Some(content_type)) = request.headers().content_type()
            && !request.body().is_empty()
        {
            self.emit(UaEvent::Info {
                session: id,
                content_type: content_type.media_type().to_ascii_lowercase(),
                body: request.body().clone(),
            });
        }
    }

    fn receive_reinvite(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        now: Instant,
    ) {
        let request = received.request;
        let kind = match body_of(request) {
            Body::Nothing => ReofferKind::WantsOffer,
            Body::Offer(offer) => ReofferKind::Offer(offer),
            Body::Foreign => return self.refuse_in(server, request, 415, now),
            Body::Malformed => return self.refuse_in(server, request, 400, now),
        };
        self.take_as_acknowledged(id, now);
        let Some(session) = self.sessions.get(id) else {
            return self.refuse_in(server, request, 481, now);
        };
        if !self.may_reoffer(session.glare(), server, request, now) {
            return;
        }
        if let Some(server) = self.servers.get_mut(server) {
            server.session = Some(id);
        }
        let trying = self.response(request, 100, None).build();
        self.send_in(server, 100, trying, now);
        self.await_embedder(id, server, received, kind);
    }

    fn receive_update(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        now: Instant,
    ) {
        let request = received.request;
        let offer = match body_of(request) {
            Body::Nothing => return self.refresh_target(id, server, received, now),
            Body::Offer(offer) => offer,
            Body::Foreign => return self.refuse_in(server, request, 415, now),
            Body::Malformed => return self.refuse_in(server, request, 400, now),
        };
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        if self.may_reoffer(session.glare(), server, request, now) {
            self.await_embedder(id, server, received, ReofferKind::Offer(offer));
        }
    }

    /// Refuses an offer that comes at the wrong time.
    fn may_reoffer(
        &mut self,
        glare: Glare,
        server: ServerId,
        request: &Request,
        now: Instant,
    ) -> bool {
        match glare {
            Glare::Clear => return true,
            Glare::Over => self.refuse_in(server, request, 481, now),
            Glare::OursPending => self.refuse_in(server, request, 491, now),
            Glare::TheirsPending => self.refuse_overlap(server, request, now),
        }
        false
    }

    /// An UPDATE without SDP: the peer has moved, or only wants to hear from us.
    fn refresh_target(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        now: Instant,
    ) {
        if let Some(session) = self.sessions.get_mut(id)
            && !matches!(session.phase, Phase::Calling { .. })
        {
            session.dialog.refresh_target(received.request.headers());
        }
        let response = self
            .response(received.request, 200, None)
            .header(HeaderName::Contact, &self.contact(&received.flow))
            .build();
        self.send_in(server, 200, response, now);
    }

    fn await_embedder(
        &mut self,
        id: SessionId,
        server: ServerId,
        received: &Received<'_>,
        kind: ReofferKind,
    ) {
        let wants_offer = matches!(kind, ReofferKind::WantsOffer);
        if let Some(session) = self.sessions.get_mut(id) {
            session.peer_offer = Some(PeerOffer {
                server,
                request: received.request.clone(),
                wants_offer,
            });
            self.emit(UaEvent::Reoffer { session: id, kind });
        }
    }
}

impl Session {
    fn glare(&self) -> Glare {
        if matches!(self.phase, Phase::Ending) {
            return Glare::Over;
        }
        let ours = matches!(self.phase, Phase::Calling { .. })
            || self.own_offer.in_flight.is_some()
            || self.ok.as_ref().is_some_and(|ok| ok.offered)
            || self.hangup.is_some();
        let theirs = matches!(self.phase, Phase::Offered { .. }) || self.peer_offer.is_some();
        match (ours, theirs) {
            (true, _) => Glare::OursPending,
            (false, true) => Glare::TheirsPending,
            (false, false) => Glare::Clear,
        }
    }
}
