//! ACKs for our 2xx, and the lack of them.

use std::time::Instant;

use super::clients::Owner;
use super::incoming::{Body, body_of};
use super::receive::Received;
use super::servers::to_tag;
use super::{SessionEnd, SessionId, TimerKey, UaEvent, UserAgent};
use crate::sdp::SessionDescription;
use crate::transaction::OkAction;

impl UserAgent {
    pub(super) fn receive_ack(&mut self, received: &Received<'_>, now: Instant) {
        let request = received.request;
        let Some(id) = to_tag(request).and_then(|tag| self.session_of(received, tag)) else {
            return;
        };
        let Ok(cseq) = request.headers().cseq() else {
            return;
        };
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.ok.as_ref().is_none_or(|ok| ok.cseq != cseq.number) {
            return;
        }
        session.flow = received.flow;
        let answer = match body_of(request) {
            Body::Offer(sdp) => Some(sdp),
            Body::Nothing | Body::Foreign | Body::Malformed => None,
        };
        self.acknowledged(id, answer, now);
    }

    /// The peer goes on to a re-INVITE: it has our 200, whatever became of its ACK.
    pub(super) fn take_as_acknowledged(&mut self, id: SessionId, now: Instant) {
        let unanswered = self
            .sessions
            .get(id)
            .and_then(|session| session.ok.as_ref())
            .is_some_and(|ok| !ok.offered);
        if unanswered {
            self.acknowledged(id, None, now);
        }
    }

    fn acknowledged(&mut self, id: SessionId, answer: Option<SessionDescription>, now: Instant) {
        self.timers.set(TimerKey::Ok(id), None);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let Some(ok) = session.ok.take() else {
            return;
        };
        let hangup = session.hangup.take();
        let answer = answer.filter(|_| ok.offered);
        if ok.initial {
            self.emit(UaEvent::Acknowledged {
                session: id,
                answer,
            });
        } else if let Some(answer) = answer {
            self.emit(UaEvent::Reanswered {
                session: id,
                answer,
            });
        }
        match hangup {
            Some(hangup) => self.start_bye(id, hangup.reason.as_ref(), now),
            None => self.offer_if_possible(id, now),
        }
    }

    /// Our 2xx is to be repeated, or was in vain (RFC 3261 13.3.1.4).
    pub(super) fn ok_timeout(&mut self, id: SessionId, now: Instant) {
        let timers = self.config.timers;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let Some(ok) = &mut session.ok else {
            return;
        };
        let action = ok.retransmission.handle_timeout(&timers, now);
        let (path, response) = (ok.path, ok.response.clone());
        let next = ok.retransmission.next_timeout();
        match action {
            OkAction::GiveUp => self.never_acknowledged(id, now),
            OkAction::Repeat => {
                self.send_reply(&path, response, now);
                self.timers.set(TimerKey::Ok(id), Some(next));
            }
            OkAction::Nothing => self.timers.set(TimerKey::Ok(id), Some(next)),
        }
    }

    fn never_acknowledged(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        let end = if session.hangup.is_some() {
            SessionEnd::Local
        } else {
            SessionEnd::SignallingLost
        };
        self.bye_and_finish(id, end, now);
    }

    /// Sends a BYE that nobody waits for, and ends the session at once.
    pub(super) fn bye_and_finish(&mut self, id: SessionId, end: SessionEnd, now: Instant) {
        if let Some(session) = self.sessions.get(id) {
            let mut dialog = session.dialog.clone();
            let (flow, symmetric) = (session.flow, session.symmetric);
            self.send_bye(&mut dialog, flow, symmetric, None, Owner::Nobody, now);
        }
        self.finish(id, end, now);
    }
}
