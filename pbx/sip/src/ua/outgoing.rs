//! Our INVITEs to phones, and the end of sessions.

use std::time::{Duration, Instant};

use super::clients::{ClientId, Owner};
use super::request::{ALLOW, SDP_TYPE, SUPPORTED, sdp_body};
use super::session::{Hangup, OwnOffer, Phase, Session, Side};
use super::{
    Binding, Flow, OutgoingInvite, Reason, SessionEnd, SessionId, Target, TimerKey, UaEvent,
    UserAgent,
};
use crate::build::RequestBuilder;
use crate::dialog::Dialog;
use crate::header::{HeaderName, ParseValue as _};
use crate::headers::{CSeq, CallId, Expires, MaxForwards};
use crate::message::{Method, Response};
use crate::name_addr::NameAddr;
use crate::sdp::SessionDescription;
use crate::text::Text;
use crate::transaction::ClientKind;
use crate::uri::{Host, Uri};

/// A phone that rings longer is given up, should nobody else do so.
pub(super) const MAX_RINGING: Duration = Duration::from_secs(600);

/// Told to a phone that answers after another has won.
pub(super) const COMPLETED_ELSEWHERE: Reason = Reason {
    protocol: "SIP",
    cause: 200,
    text: "Call completed elsewhere",
};

impl UserAgent {
    pub(super) fn start_invite(&mut self, invite: OutgoingInvite, now: Instant) -> SessionId {
        let id = self.sessions.reserve();
        if self.try_invite(id, &invite, now).is_none() {
            self.emit(UaEvent::Ended {
                session: id,
                end: SessionEnd::SignallingLost,
            });
        }
        id
    }

    fn try_invite(&mut self, id: SessionId, invite: &OutgoingInvite, now: Instant) -> Option<()> {
        if self.sessions.is_full() {
            return None;
        }
        let Target::Binding(binding) = invite.target;
        let (tag, call_id) = (self.ids.tag(), self.ids.call_id());
        let binding = self.registrar.get(binding)?;
        let bound = binding.flow;
        let uri = Uri::parse(&Text::from(binding.contact.as_str())).ok()?;
        let dialog = self.new_dialog(binding, &uri, invite, &tag, &call_id)?;
        let flow = self.flow_to(bound, &uri, now)?;
        let branch = self.new_branch();
        let routing = dialog.routing();
        let mut builder = RequestBuilder::new(&Method::Invite, &routing.uri)
            .header(HeaderName::Via, &self.via(&flow, &branch.text));
        for route in &routing.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        if let Some(time) = invite.expires {
            let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1);
            builder = builder.header(HeaderName::Expires, &Expires(seconds));
        }
        let request = builder
            .header(HeaderName::MaxForwards, &MaxForwards::DEFAULT)
            .header(HeaderName::From, &dialog.local)
            .header(HeaderName::To, &dialog.remote)
            .header(HeaderName::CallId, &dialog.call_id)
            .header(
                HeaderName::CSeq,
                &CSeq {
                    number: dialog.local_cseq,
                    method: Method::Invite,
                },
            )
            .header(HeaderName::Contact, &self.contact(&flow))
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::UserAgent, self.config.product.as_str())
            .build_with_body(SDP_TYPE, &sdp_body(&invite.offer));
        let owner = Owner::Invite(id);
        let kind = ClientKind::Invite;
        let client = self.start_client(branch, kind, owner, flow, request, now);
        let session = Session {
            side: Side::Caller,
            phase: Phase::Calling {
                client,
                early: None,
                cancelled: false,
            },
            dialog,
            flow,
            symmetric: true,
            hangup: None,
            ok: None,
            peer_offer: None,
            own_offer: OwnOffer::default(),
            probe: None,
        };
        self.sessions.insert(id, &tag, session);
        self.timers
            .set(TimerKey::Ringing(id), Some(now + MAX_RINGING));
        Some(())
    }

    /// The binding's own flow, or after a restart a new connection to its contact.
    fn flow_to(&mut self, bound: Flow, uri: &Uri, now: Instant) -> Option<Flow> {
        match bound {
            Flow::Tcp { remote, .. } if !self.transport.is_usable(&bound) => {
                let address = super::peer::address_of(uri).filter(|it| *it == remote)?;
                let local = self.config.default_local;
                self.open_connection(local, address, now)
            }
            flow => Some(flow),
        }
    }

    fn new_dialog(
        &self,
        binding: &Binding,
        uri: &Uri,
        invite: &OutgoingInvite,
        tag: &str,
        call_id: &str,
    ) -> Option<Dialog> {
        let realm = Host::parse(&Text::from(self.config.realm.as_str())).ok()?;
        let from = Uri::sip(Some(&invite.from_user), &realm, None);
        let to = Uri::sip(Some(&binding.account.0), &realm, None);
        let routes: Result<Vec<NameAddr>, _> = binding
            .path
            .iter()
            .map(|path| NameAddr::parse(&Text::from(path.as_str())))
            .collect();
        Some(Dialog {
            call_id: CallId::new(call_id).ok()?,
            local: NameAddr::new(from)
                .with_display_name(&invite.from_display)
                .with_tag(tag),
            remote: NameAddr::new(to),
            target: uri.clone(),
            routes: routes.ok()?,
            local_cseq: 1,
            remote_cseq: None,
        })
    }

    pub(super) fn invite_response(
        &mut self,
        id: SessionId,
        client: ClientId,
        response: &Response,
        flow: Flow,
        now: Instant,
    ) {
        match response.status().code() {
            ..200 => self.invite_progress(id, client, response, now),
            200..300 => self.invite_ok(id, client, response, flow, now),
            status if self.is_calling(id, client) => {
                self.finish(id, SessionEnd::Refused(status), now);
            }
            _ => {}
        }
    }

    fn is_calling(&self, id: SessionId, wanted: ClientId) -> bool {
        self.sessions.get(id).is_some_and(
            |session| matches!(session.phase, Phase::Calling { client, .. } if client == wanted),
        )
    }

    fn invite_progress(
        &mut self,
        id: SessionId,
        client: ClientId,
        response: &Response,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let Phase::Calling {
            early, cancelled, ..
        } = &mut session.phase
        else {
            return;
        };
        if let Some(hangup) = session.hangup.clone() {
            if !*cancelled {
                *cancelled = true;
                self.cancel_client(client, hangup.reason.as_ref(), now);
            }
            return;
        }
        let status = response.status().code();
        if status == 100 {
            return;
        }
        if let Some(sdp) = sdp_of(response) {
            *early = remote_tag(response).map(|tag| Box::new((tag.to_owned(), sdp)));
        }
        self.emit(UaEvent::Progress {
            session: id,
            status,
        });
    }

    /// RFC 3261 13.2.2.4: each 2xx gets its ACK; the first makes the session,
    /// those of other branches a BYE as well.
    fn invite_ok(
        &mut self,
        id: SessionId,
        client: ClientId,
        response: &Response,
        flow: Flow,
        now: Instant,
    ) {
        let tag = remote_tag(response).unwrap_or_default();
        let Some(transaction) = self.clients.get(client) else {
            return;
        };
        if let Some((flow, ack)) = transaction.ack_of(tag) {
            self.transport.send(&flow, ack, now);
            return;
        }
        if transaction.has_too_many_forks() {
            return;
        }
        let ack = if self.is_calling(id, client) {
            self.first_ok(id, tag, response, flow, now)
        } else {
            self.decline_ok(response, None, flow, true, Some(&COMPLETED_ELSEWHERE), now)
        };
        if let Some((flow, ack)) = ack
            && let Some(transaction) = self.clients.get_mut(client)
        {
            transaction.remember_ack(tag, flow, ack);
        }
    }

    fn first_ok(
        &mut self,
        id: SessionId,
        tag: &str,
        response: &Response,
        flow: Flow,
        now: Instant,
    ) -> Option<(Flow, bytes::Bytes)> {
        self.timers.set(TimerKey::Ringing(id), None);
        let session = self.sessions.get_mut(id)?;
        let Phase::Calling { early, .. } = &mut session.phase else {
            return None;
        };
        let early = early.take().filter(|early| early.0 == tag);
        // Until now the target is what the INVITE was sent to; a 200 may lack a Contact.
        let dialog = Dialog::from_response(response, Some(&session.dialog.target));
        let Ok(mut dialog) = dialog else {
            // Nothing can be acknowledged without the peer's identity.
            self.finish(id, SessionEnd::SignallingLost, now);
            return None;
        };
        dialog.remote_cseq = session.dialog.remote_cseq;
        let hangup = session.hangup.take();
        session.dialog = dialog.clone();
        session.flow = flow;
        session.phase = Phase::Confirmed;
        let number = dialog.local_cseq;
        let ack = self.send_ack(&dialog, number, flow, true, now);
        match (hangup, sdp_of(response).or(early.map(|early| early.1))) {
            (Some(hangup), _) => self.start_bye(id, hangup.reason.as_ref(), now),
            (None, Some(answer)) => self.emit(UaEvent::Answered {
                session: id,
                answer,
            }),
            (None, None) => {
                self.send_bye(&mut dialog, flow, true, None, Owner::Nobody, now);
                self.finish(id, SessionEnd::Refused(488), now);
            }
        }
        ack
    }

    pub(super) fn invite_timed_out(&mut self, id: SessionId, client: ClientId, now: Instant) {
        if !self.is_calling(id, client) {
            return;
        }
        let asked = self
            .sessions
            .get(id)
            .is_some_and(|session| session.hangup.is_some());
        let end = if asked {
            SessionEnd::Local
        } else {
            SessionEnd::SignallingLost
        };
        self.finish(id, end, now);
    }

    /// Ends a session by whatever its state asks for.
    pub(super) fn end_session(&mut self, id: SessionId, reason: Option<Reason>, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if let Some(hangup) = &mut session.hangup {
            // A CANCEL that still waits for the first response (RFC 3261 9.1) gives the newest reason.
            let waits = matches!(
                session.phase,
                Phase::Calling {
                    cancelled: false,
                    ..
                }
            );
            if waits && reason.is_some() {
                hangup.reason = reason;
            }
            return;
        }
        match &mut session.phase {
            Phase::Offered { .. } => self.send_rejection(id, 480, reason.as_ref(), None, now),
            Phase::Calling {
                client, cancelled, ..
            } => {
                let client = *client;
                let ready = self
                    .clients
                    .get(client)
                    .is_some_and(|client| client.machine.is_proceeding());
                *cancelled = ready;
                session.hangup = Some(Hangup {
                    reason: reason.clone(),
                });
                if ready {
                    self.cancel_client(client, reason.as_ref(), now);
                }
            }
            // RFC 3261 15: no BYE before the ACK of our 200.
            Phase::Confirmed if session.ok.as_ref().is_some_and(|ok| ok.initial) => {
                session.hangup = Some(Hangup { reason });
            }
            Phase::Confirmed => self.start_bye(id, reason.as_ref(), now),
            Phase::Ending => {}
        }
    }

    /// Sends BYE and waits for its answer.
    pub(super) fn start_bye(&mut self, id: SessionId, reason: Option<&Reason>, now: Instant) {
        self.timers.set(TimerKey::Ok(id), None);
        self.timers.set(TimerKey::Reinvite(id), None);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.phase = Phase::Ending;
        session.ok = None;
        session.own_offer = OwnOffer::default();
        let (flow, symmetric) = (session.flow, session.symmetric);
        let mut dialog = session.dialog.clone();
        let owner = Owner::Bye(id);
        let sent = self.send_bye(&mut dialog, flow, symmetric, reason, owner, now);
        if sent.is_none() {
            self.finish(id, SessionEnd::Local, now);
        } else if let Some(session) = self.sessions.get_mut(id) {
            session.dialog = dialog;
        }
    }

    pub(super) fn bye_done(&mut self, id: SessionId, now: Instant) {
        self.finish(id, SessionEnd::Local, now);
    }

    /// 180 is due again, or a phone has rung for too long.
    pub(super) fn ringing_timeout(&mut self, id: SessionId, now: Instant) {
        match self.sessions.get(id).map(|session| session.side) {
            Some(Side::Callee) => self.send_ringing(id, now),
            Some(Side::Caller) => self.end_session(id, None, now),
            None => {}
        }
    }

    /// A waiting session whose connection is gone: its transactions are of no use.
    pub(super) fn abandon(&mut self, id: SessionId, now: Instant) {
        self.refuse_offered(id, 480, None, None, now);
    }
}

fn remote_tag(response: &Response) -> Option<&str> {
    response.headers().known_to()?.tag()
}

/// The SDP of a response, if it has a readable one.
pub(super) fn sdp_of(response: &Response) -> Option<SessionDescription> {
    if response.body().is_empty() {
        return None;
    }
    let content_type = response.headers().content_type().ok()?;
    if content_type.is_some_and(|content_type| !content_type.is(SDP_TYPE)) {
        return None;
    }
    SessionDescription::parse(response.body()).ok()
}
