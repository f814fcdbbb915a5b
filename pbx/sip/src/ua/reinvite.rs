//! Our own re-INVITEs, one at a time, with glare (RFC 3261 14.1).

use std::time::{Duration, Instant};

use super::clients::ClientId;
use super::outgoing::sdp_of;
use super::session::{Phase, Side};
use super::{SessionEnd, SessionId, TimerKey, UaEvent, UserAgent};
use crate::dialog::Dialog;
use crate::message::Response;
use crate::sdp::SessionDescription;

/// Glares in a row after which an offer is given up.
const MAX_GLARES: u8 = 6;
/// Steps of the random wait after glare.
const GLARE_STEP: Duration = Duration::from_millis(10);
/// The side that owns the Call-ID waits 2.1 s to 4 s, the other up to 2 s.
const OWNER_WAIT: Duration = Duration::from_millis(2100);
const OWNER_SPREAD: Duration = Duration::from_millis(1900);
const OTHER_SPREAD: Duration = Duration::from_secs(2);

impl UserAgent {
    pub(super) fn queue_reinvite(
        &mut self,
        id: SessionId,
        offer: SessionDescription,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if matches!(session.phase, Phase::Confirmed) {
            session.own_offer.waiting = Some(offer);
            self.offer_if_possible(id, now);
        } else if !matches!(session.phase, Phase::Ending) {
            self.reoffer_failed(id, 491);
        }
    }

    /// Sends the offer that waits, if there is one and its time has come.
    pub(super) fn offer_if_possible(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(id).filter(|it| it.may_offer()) else {
            return;
        };
        let Some(offer) = session.own_offer.waiting.take() else {
            return;
        };
        match self.send_reinvite(id, &offer, now) {
            Some(client) => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.own_offer.in_flight = Some((client, offer));
                }
            }
            None => self.reoffer_failed(id, 503),
        }
    }

    pub(super) fn reinvite_due(&mut self, id: SessionId, now: Instant) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.own_offer.backing_off = false;
            self.offer_if_possible(id, now);
        }
    }

    pub(super) fn reinvite_response(
        &mut self,
        id: SessionId,
        client: ClientId,
        response: &Response,
        now: Instant,
    ) {
        match response.status().code() {
            ..200 => {
                let timers = self.config.timers;
                if let Some(transaction) = self.clients.get_mut(client) {
                    transaction.machine.limit(&timers, now);
                }
            }
            200..300 => self.reinvite_ok(id, client, response, now),
            status => self.reinvite_failed(id, client, status, now),
        }
    }

    fn reinvite_ok(&mut self, id: SessionId, client: ClientId, response: &Response, now: Instant) {
        let Some(transaction) = self.clients.get(client) else {
            return;
        };
        let flow = transaction.flow;
        let tag = response.headers().to().ok();
        let tag = tag.as_ref().and_then(|to| to.tag()).unwrap_or_default();
        if let Some((flow, ack)) = transaction.ack_of(tag) {
            self.transport.send(&flow, ack, now);
            return;
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.dialog.refresh_target(response.headers());
        }
        let (dialog, symmetric) = match self.sessions.get(id) {
            Some(session) => (Some(session.dialog.clone()), session.symmetric),
            None => (Dialog::from_response(response, None).ok(), true),
        };
        let number = response.headers().cseq().map_or(0, |cseq| cseq.number);
        let ack = dialog.and_then(|dialog| self.send_ack(&dialog, number, flow, symmetric, now));
        if let Some((flow, ack)) = ack
            && let Some(transaction) = self.clients.get_mut(client)
        {
            transaction.remember_ack(tag, flow, ack);
        }
        if self.take_in_flight(id, client).is_none() {
            return;
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.own_offer.glares = 0;
        }
        match sdp_of(response) {
            Some(answer) => self.emit(UaEvent::Reanswered {
                session: id,
                answer,
            }),
            None => self.reoffer_failed(id, 488),
        }
        self.offer_if_possible(id, now);
    }

    fn reinvite_failed(&mut self, id: SessionId, client: ClientId, status: u16, now: Instant) {
        let Some(offer) = self.take_in_flight(id, client) else {
            return;
        };
        match status {
            // RFC 3261 12.2.1.2: the peer knows nothing of the session.
            408 | 481 => self.bye_and_finish(id, SessionEnd::SignallingLost, now),
            491 => self.back_off(id, offer, now),
            _ => {
                self.reoffer_failed(id, status);
                self.offer_if_possible(id, now);
            }
        }
    }

    pub(super) fn reinvite_timed_out(&mut self, id: SessionId, client: ClientId, now: Instant) {
        if self.take_in_flight(id, client).is_some() {
            self.bye_and_finish(id, SessionEnd::SignallingLost, now);
        }
    }

    fn back_off(&mut self, id: SessionId, offer: SessionDescription, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let own = &mut session.own_offer;
        own.glares += 1;
        if own.glares >= MAX_GLARES {
            own.glares = 0;
            self.reoffer_failed(id, 491);
            return;
        }
        own.waiting.get_or_insert(offer);
        own.backing_off = true;
        let wait = match session.side {
            Side::Caller => OWNER_WAIT + self.ids.duration(OWNER_SPREAD, GLARE_STEP),
            Side::Callee => self.ids.duration(OTHER_SPREAD, GLARE_STEP),
        };
        self.timers.set(TimerKey::Reinvite(id), Some(now + wait));
    }

    fn take_in_flight(&mut self, id: SessionId, client: ClientId) -> Option<SessionDescription> {
        let own = &mut self.sessions.get_mut(id)?.own_offer;
        let (_, offer) = own.in_flight.take_if(|(of, _)| *of == client)?;
        Some(offer)
    }

    fn reoffer_failed(&mut self, id: SessionId, status: u16) {
        self.emit(UaEvent::ReofferFailed {
            session: id,
            status,
        });
    }
}
