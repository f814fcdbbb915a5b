//! What the SIP side tells.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use media::dtmf::parse_info;
use routing::{Event, LegEnd, LegId, PhoneNumber, TrunkId};
use sip::sdp::SessionDescription;
use sip::ua::{CallingParty, Origin, ReofferKind, SessionEnd, SessionId, UaEvent};

use crate::called::CalledNumbers;
use crate::config::MAX_LEGS;
use crate::digits::Source;
use crate::exchange::Exchange;
use crate::leg::{Leg, Phase, Side};
use crate::negotiation::{Negotiation, NoMedia};
use crate::status::{
    NOT_ACCEPTABLE_HERE, REQUEST_PENDING, SERVICE_UNAVAILABLE, hangup_reason, leg_end,
};

/// "Early Dialog Terminated" (RFC 6228): a fork gave up, nothing rings.
const EARLY_DIALOG_TERMINATED: u16 = 199;

impl Exchange {
    pub(crate) fn handle_ua_event(&mut self, event: UaEvent, now: Instant) {
        match event {
            UaEvent::Incoming {
                session,
                origin,
                calling,
                called,
                called_else,
                offer,
                remote,
            } => {
                let names = std::iter::once(&called).chain(&called_else);
                let names = names.map(String::as_str);
                let caller = Caller::new(origin, &calling, names, &self.config.called);
                self.incoming(session, caller, offer.as_ref(), remote, now);
            }
            UaEvent::Progress { session, status } => self.progress(session, status),
            UaEvent::Answered { session, answer } => self.phone_answered(session, &answer, now),
            UaEvent::Acknowledged { session, answer } => {
                self.acknowledged(session, answer.as_ref(), now);
            }
            UaEvent::Reoffer { session, kind } => self.reoffer(session, &kind, now),
            UaEvent::Reanswered { session, answer } => self.reanswered(session, &answer, now),
            UaEvent::ReofferFailed { session, status } => {
                tracing::warn!(session = session.0, status, "offer refused, call goes on");
            }
            UaEvent::Probed { session, alive } => self.probed(session, alive, now),
            UaEvent::Info {
                session,
                content_type,
                body,
            } => self.info(session, &content_type, &body, now),
            UaEvent::Ended { session, end } => self.session_ended(session, &end),
            UaEvent::BindingUpserted(binding) => self.binding_upserted(binding),
            UaEvent::BindingRemoved { id, account } => self.binding_removed(id, account),
            UaEvent::TrunkState {
                trunk,
                registered,
                status,
            } => self.trunk_changed(&trunk, registered, status),
        }
    }

    /// A caller. One whose offer has nothing for us is offered to the router
    /// all the same, and refused with 488 in the same turn: the attempt must
    /// find its way into the records, with `MediaFailed` as its end.
    fn incoming(
        &mut self,
        session: SessionId,
        caller: Caller,
        offer: Option<&SessionDescription>,
        remote: SocketAddr,
        now: Instant,
    ) {
        self.incoming += 1;
        let id = LegId::incoming(self.config.back_end, self.incoming);
        tracing::info!(leg = %id, session = session.0, "call comes in");
        self.emit(caller.offered(id));
        if self.legs.len() >= MAX_LEGS {
            tracing::error!(leg = %id, "too many legs");
            self.ua
                .reject(session, SERVICE_UNAVAILABLE, None, None, now);
            let end = LegEnd::MediaFailed;
            return self.emit(Event::LegEnded { leg: id, end });
        }
        let mut negotiation = self.negotiation(remote.ip());
        let agreed = offer
            .map(|offer| negotiation.receive_offer(offer))
            .transpose();
        let failure = agreed.as_ref().err().copied();
        let phase = Phase::Offered(agreed.ok().flatten());
        let leg = Leg::new(session, Side::Incoming, phase, negotiation);
        self.legs.insert(id, leg);
        if let Some(reason) = failure {
            tracing::warn!(leg = %id, %reason, "offer refused");
            self.refuse(id, LegEnd::MediaFailed, NOT_ACCEPTABLE_HERE, None, now);
        }
    }

    fn negotiation(&mut self, signalling: IpAddr) -> Negotiation {
        Negotiation::new(
            self.codecs.clone(),
            self.config.media_address,
            signalling,
            self.session_ids.next(),
        )
    }

    fn progress(&mut self, session: SessionId, status: u16) {
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        leg.sign_of_life = true;
        if status == EARLY_DIALOG_TERMINATED || std::mem::replace(&mut leg.ringing, true) {
            return;
        }
        self.emit(Event::LegRinging { leg: id });
    }

    fn phone_answered(&mut self, session: SessionId, answer: &SessionDescription, now: Instant) {
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        leg.sign_of_life = true;
        match leg.negotiation.receive_answer(answer) {
            Ok(agreed) => {
                self.apply(id, agreed, now);
                self.up(id, now);
            }
            Err(reason) => self.no_media(id, reason, now),
        }
    }

    /// The caller knows that it was answered. Its leg counts as answered from
    /// here on, not from our 200: until the ACK it may not have heard of it.
    fn acknowledged(
        &mut self,
        session: SessionId,
        answer: Option<&SessionDescription>,
        now: Instant,
    ) {
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        match answer.map(|answer| leg.negotiation.receive_answer(answer)) {
            Some(Ok(agreed)) => self.apply(id, agreed, now),
            Some(Err(reason)) => return self.no_media(id, reason, now),
            None if leg.format.is_none() => return self.no_media(id, NoMedia::NoAudio, now),
            None => {}
        }
        self.up(id, now);
    }

    fn up(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.live(id) else {
            return;
        };
        leg.phase = Phase::Up;
        let held = leg.held;
        tracing::info!(leg = %id, "leg up");
        self.watch(id, now);
        self.emit(Event::LegAnswered { leg: id });
        if held {
            self.emit_bounded(Event::LegHeld { leg: id, held });
        }
    }

    fn no_media(&mut self, id: LegId, reason: NoMedia, now: Instant) {
        tracing::warn!(leg = %id, %reason, "answer unusable");
        let header = hangup_reason(routing::HangupReason::Failed);
        self.end_leg(id, LegEnd::MediaFailed, Some(header), now);
    }

    /// The peer changes the call: hold and resume, another address or codec, or
    /// a mere refresh. An offerless one gets all that we can offer.
    fn reoffer(&mut self, session: SessionId, kind: &ReofferKind, now: Instant) {
        let number = self.port_number(session);
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        let Some(number) = number else {
            return self.ua.reject_reoffer(session, REQUEST_PENDING, now);
        };
        match kind {
            ReofferKind::WantsOffer => {
                let offer = leg.negotiation.offer(number);
                self.ua.accept_reoffer(session, offer, now);
            }
            ReofferKind::Offer(offer) => match leg.negotiation.receive_offer(offer) {
                Ok(agreed) => {
                    let answer = leg.negotiation.answer(number);
                    self.ua.accept_reoffer(session, answer, now);
                    self.apply(id, agreed, now);
                }
                Err(reason) => {
                    tracing::warn!(leg = %id, %reason, "new offer refused, call goes on");
                    self.ua.reject_reoffer(session, NOT_ACCEPTABLE_HERE, now);
                }
            },
        }
    }

    fn reanswered(&mut self, session: SessionId, answer: &SessionDescription, now: Instant) {
        let Some((id, leg)) = self.live_leg(session) else {
            return;
        };
        match leg.negotiation.receive_answer(answer) {
            Ok(agreed) => self.apply(id, agreed, now),
            Err(reason) => self.no_media(id, reason, now),
        }
    }

    fn info(&mut self, session: SessionId, content_type: &str, body: &Bytes, now: Instant) {
        let Some(id) = self.legs.of_session(session) else {
            return;
        };
        match parse_info(content_type, body) {
            Ok(info) => self.digit(id, info.digit, Source::Info, now),
            Err(reason) => tracing::debug!(leg = %id, %reason, "INFO ignored"),
        }
    }

    /// A session is over, and its leg with it. A recording of it is still being
    /// finished; `RecordingFinished` follows when its port is closed.
    fn session_ended(&mut self, session: SessionId, end: &SessionEnd) {
        let Some(id) = self.legs.of_session(session) else {
            return;
        };
        self.close_port(id);
        let Some(leg) = self.legs.remove(id) else {
            return;
        };
        self.probes.forget(id, leg.probe_at);
        let told = leg_end(end, leg.side, leg.sign_of_life);
        let end = leg.end.unwrap_or(told);
        tracing::info!(leg = %id, ?end, "leg ended");
        self.emit(Event::LegEnded { leg: id, end });
    }

    pub(crate) fn live_leg(&mut self, session: SessionId) -> Option<(LegId, &mut Leg)> {
        let id = self.legs.of_session(session)?;
        self.legs.live(id).map(|leg| (id, leg))
    }
}

/// Who calls whom, in the router's words.
struct Caller {
    trunk: Option<TrunkId>,
    number: Option<PhoneNumber>,
    called: PhoneNumber,
}

impl Caller {
    /// A call from one of our own phones is a test call: it has neither trunk
    /// nor number, whatever the phone says.
    fn new<'a>(
        origin: Origin,
        calling: &CallingParty,
        called: impl Iterator<Item = &'a str>,
        numbers: &CalledNumbers,
    ) -> Self {
        let number = match calling {
            CallingParty::Anonymous => None,
            CallingParty::User(user) => PhoneNumber::parse(user),
        };
        let (trunk, number) = match origin {
            Origin::Trunk(name) => (Some(TrunkId::new(&name)), number),
            Origin::Account(_) => (None, None),
        };
        Self {
            called: numbers.pick(trunk.as_ref(), called),
            trunk,
            number,
        }
    }

    fn offered(self, leg: LegId) -> Event {
        Event::CallOffered {
            leg,
            trunk: self.trunk,
            caller: self.number,
            called: self.called,
        }
    }
}
