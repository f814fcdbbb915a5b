//! INVITEs from trunks and phones, up to their final response.

use std::time::{Duration, Instant};

use super::receive::Received;
use super::request::{ALLOW, SDP_TYPE, SUPPORTED, sdp_body};
use super::session::{OwnOffer, PendingOk, Phase, Session, Side};
use super::trunk::TrunkRegistration;
use super::{CallingParty, Origin, Reason, SessionEnd, SessionId, TimerKey, UaEvent, UserAgent};
use crate::dialog::Dialog;
use crate::header::HeaderName;
use crate::headers::Privacy;
use crate::message::Request;
use crate::name_addr::NameAddr;
use crate::sdp::SessionDescription;
use crate::text::Sensitive;
use crate::transaction::OkRetransmission;
use crate::uri::Uri;

/// A 180 is repeated, so that proxies on the way do not give up (RFC 3261 13.3.1.1).
const RINGING_REPEAT: Duration = Duration::from_secs(60);
/// User parts by which carriers say that the number is withheld.
const DISGUISES: [&str; 7] = [
    "anonymous",
    "unavailable",
    "restricted",
    "private",
    "unknown",
    "withheld",
    "blocked",
];

/// What an INVITE or re-INVITE carries.
pub(super) enum Body {
    Nothing,
    Offer(SessionDescription),
    /// Not SDP, or encoded.
    Foreign,
    Malformed,
}

impl UserAgent {
    pub(super) fn receive_invite(&mut self, received: &Received<'_>, now: Instant) {
        let request = received.request;
        if self.servers.is_merged(request) {
            self.reply_stateless(request, &received.path, 482, now);
            return;
        }
        let Some(origin) = self.origin_of(received, now) else {
            return;
        };
        let offer = match body_of(request) {
            Body::Nothing => None,
            Body::Offer(offer) => Some(offer),
            Body::Foreign => return self.reply_bad_body(request, &received.path, now),
            Body::Malformed => return self.reply_stateless(request, &received.path, 400, now),
        };
        if self.sessions.is_full() {
            self.reply_busy(request, &received.path, now);
            return;
        }
        let tag = self.ids.tag();
        let Ok(dialog) = Dialog::from_request(request, &tag) else {
            self.reply_stateless(request, &received.path, 400, now);
            return;
        };
        let id = self.sessions.reserve();
        let server = self.start_server(request, received.key, received.path);
        if let Some(server) = self.servers.get_mut(server) {
            server.session = Some(id);
        }
        let trying = self.response(request, 100, None).build();
        self.send_in(server, 100, trying, now);
        let (called, called_else) = self.called(request, &origin);
        let session = Session {
            side: Side::Callee,
            phase: Phase::Offered {
                server,
                request: request.clone(),
                ringing: false,
            },
            dialog,
            flow: received.flow,
            symmetric: matches!(origin, Origin::Account(_)),
            hangup: None,
            ok: None,
            peer_offer: None,
            own_offer: OwnOffer::default(),
            probe: None,
        };
        self.sessions.insert(id, &tag, session);
        self.emit(UaEvent::Incoming {
            session: id,
            origin,
            calling: calling_party(request),
            called,
            called_else,
            offer,
            remote: received.flow.remote(),
        });
    }

    /// Trunk, or account after authentication; if neither, the INVITE has been answered.
    fn origin_of(&mut self, received: &Received<'_>, now: Instant) -> Option<Origin> {
        if let Some(trunk) = self.trunk_of(received) {
            return Some(Origin::Trunk(trunk));
        }
        let from = received.request.headers().from().ok()?;
        let user = from.uri().user_decoded();
        let user = user.as_ref().map(|user| user.reveal()).unwrap_or_default();
        self.authenticate(received, user, now).map(Origin::Account)
    }

    /// The dialled number, and by what else the callee may be known. Carriers that we register
    /// to call our contact, or the user that registers, and put the number elsewhere.
    fn called(&self, request: &Request, origin: &Origin) -> (String, Vec<String>) {
        let headers = request.headers();
        // After new settings, the old registration may linger beside the new one.
        let of_trunk = |trunk: &&TrunkRegistration| *origin == Origin::Trunk(trunk.name().into());
        let registrations = || self.trunks.values().filter(of_trunk);
        let dialled = user_of(request.uri());
        let Some(registration) = registrations().next_back() else {
            let to = || headers.known_to().map(|to| user_of(to.uri()));
            let called = Some(dialled).filter(|user| !user.is_empty()).or_else(to);
            return (called.unwrap_or_default(), Vec::new());
        };
        let is_contact = |name: &str| registrations().any(|it| it.contact_user() == name);
        let party = headers.parse::<NameAddr>(HeaderName::PCalledPartyId);
        let party = party.ok().flatten().map(|party| user_of(party.uri()));
        let to = headers.known_to().map(|to| user_of(to.uri()));
        let mut names: Vec<String> = Vec::new();
        for name in [Some(dialled), party, to, Some(registration.user.clone())] {
            let name = name.unwrap_or_default();
            if !name.is_empty() && !is_contact(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
        let mut names = names.into_iter();
        (names.next().unwrap_or_default(), names.collect())
    }

    pub(super) fn send_ringing(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let Phase::Offered {
            server,
            request,
            ringing,
        } = &mut session.phase
        else {
            return;
        };
        *ringing = true;
        let (server, request) = (*server, request.clone());
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        let response = self
            .response(&request, 180, session.dialog.local_tag())
            .header(HeaderName::Contact, &self.contact(&session.flow))
            .header(HeaderName::Allow, ALLOW)
            .build();
        self.send_in(server, 180, response, now);
        self.timers
            .set(TimerKey::Ringing(id), Some(now + RINGING_REPEAT));
    }

    pub(super) fn send_answer(&mut self, id: SessionId, sdp: &SessionDescription, now: Instant) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        let Phase::Offered {
            server, request, ..
        } = &session.phase
        else {
            return;
        };
        let (server, request) = (*server, request.clone());
        let offered = request.body().is_empty();
        let sent = self.send_ok(id, server, &request, sdp, true, offered, now);
        if !sent {
            return;
        }
        self.timers.set(TimerKey::Ringing(id), None);
        if let Some(session) = self.sessions.get_mut(id) {
            session.phase = Phase::Confirmed;
        }
    }

    /// A 200 to INVITE or re-INVITE, repeated from now on until its ACK.
    #[expect(clippy::too_many_arguments, reason = "what makes one 200")]
    pub(super) fn send_ok(
        &mut self,
        id: SessionId,
        server: super::servers::ServerId,
        request: &Request,
        sdp: &SessionDescription,
        initial: bool,
        offered: bool,
        now: Instant,
    ) -> bool {
        let timers = self.config.timers;
        let Some(path) = self.servers.get_mut(server).map(|server| server.path) else {
            return false;
        };
        let Some(session) = self.sessions.get(id) else {
            return false;
        };
        let Ok(cseq) = request.headers().cseq() else {
            return false;
        };
        let response = self
            .response(request, 200, session.dialog.local_tag())
            .header(HeaderName::Contact, &self.contact(&session.flow))
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .build_with_body(SDP_TYPE, &sdp_body(sdp));
        self.send_in(server, 200, response.clone(), now);
        let retransmission = OkRetransmission::new(&timers, now);
        self.timers
            .set(TimerKey::Ok(id), Some(retransmission.next_timeout()));
        if let Some(session) = self.sessions.get_mut(id) {
            session.ok = Some(PendingOk {
                retransmission,
                response,
                path,
                cseq: cseq.number,
                initial,
                offered,
            });
        }
        true
    }

    pub(super) fn send_rejection(
        &mut self,
        id: SessionId,
        status: u16,
        reason: Option<&Reason>,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let status = if (300..700).contains(&status) {
            status
        } else {
            500
        };
        if self.refuse_offered(id, status, reason, retry_after, now) {
            self.finish(id, SessionEnd::Local, now);
        }
    }

    /// Sends a final refusal to an INVITE that waits; the session stays.
    pub(super) fn refuse_offered(
        &mut self,
        id: SessionId,
        status: u16,
        reason: Option<&Reason>,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> bool {
        let Some(session) = self.sessions.get(id) else {
            return false;
        };
        let Phase::Offered {
            server, request, ..
        } = &session.phase
        else {
            return false;
        };
        let server = *server;
        let tag = session.dialog.local_tag();
        let response = self.refusal(request, status, tag, reason, retry_after);
        self.send_in(server, status, response, now);
        true
    }

    /// RFC 3261 9.2: answered by itself, then ends the INVITE with 487.
    pub(super) fn receive_cancel(
        &mut self,
        received: &Received<'_>,
        invite_key: &[u8],
        now: Instant,
    ) {
        let request = received.request;
        let Some(server) = self.servers.find(invite_key) else {
            self.reply_stateless(request, &received.path, 481, now);
            return;
        };
        let session = self
            .servers
            .get_mut(server)
            .and_then(|server| server.session);
        let tag = session
            .and_then(|id| self.sessions.get(id))
            .and_then(|session| session.dialog.local_tag())
            .map(str::to_owned);
        let response = match &tag {
            Some(tag) => self.response(request, 200, Some(tag)),
            None => self.stateless(request, 200),
        };
        self.send_reply(&received.path, response.build(), now);
        let Some(id) = session else {
            return;
        };
        if self.refuse_offered(id, 487, None, None, now) {
            self.finish(id, SessionEnd::RemoteCancel, now);
            return;
        }
        // A re-INVITE is withdrawn; the session goes on.
        let withdrawn = self
            .sessions
            .get_mut(id)
            .and_then(|session| session.peer_offer.take_if(|offer| offer.server == server));
        if let Some(offer) = withdrawn {
            self.refuse_in(server, &offer.request, 487, now);
            self.offer_if_possible(id, now);
        }
    }
}

fn user_of(uri: &Uri) -> String {
    let user = uri.user_decoded().map(Sensitive::into_revealed);
    user.unwrap_or_default().into_owned()
}

pub(super) fn body_of(request: &Request) -> Body {
    let headers = request.headers();
    if request.body().is_empty() {
        return Body::Nothing;
    }
    let is_sdp = match headers.content_type() {
        Ok(Some(content_type)) => content_type.is(SDP_TYPE),
        Ok(None) => true,
        Err(_) => false,
    };
    let is_plain = headers
        .all(HeaderName::ContentEncoding)
        .all(|encoding| encoding.reveal().eq_ignore_ascii_case("identity"));
    if !is_sdp || !is_plain {
        return Body::Foreign;
    }
    match SessionDescription::parse(request.body()) {
        Ok(sdp) => Body::Offer(sdp),
        Err(_) => Body::Malformed,
    }
}

/// RFC 3325 and RFC 3323: the network's word before the caller's, and neither when withheld.
fn calling_party(request: &Request) -> CallingParty {
    let headers = request.headers();
    let withheld = headers
        .parse::<Privacy>(HeaderName::Privacy)
        .is_ok_and(|privacy| privacy.is_some_and(|privacy| privacy.hides_identity()));
    let from = headers.from().ok();
    let from_hidden = from.as_ref().is_some_and(is_disguised);
    if withheld || from_hidden {
        return CallingParty::Anonymous;
    }
    let asserted = headers
        .parse_all::<NameAddr>(HeaderName::PAssertedIdentity)
        .filter_map(Result::ok)
        .find(|address| address.uri().user().is_some());
    let Some(address) = asserted.or(from).filter(|address| !is_disguised(address)) else {
        return CallingParty::Anonymous;
    };
    match user_of(address.uri()) {
        user if user.is_empty() => CallingParty::Anonymous,
        user => CallingParty::User(user),
    }
}

fn is_disguised(address: &NameAddr) -> bool {
    let uri = address.uri();
    let hidden_host = uri
        .host()
        .is_some_and(|host| host.to_string().eq_ignore_ascii_case("anonymous.invalid"));
    let hidden_user = match uri.user_decoded() {
        Some(user) => DISGUISES
            .iter()
            .any(|disguise| user.reveal().eq_ignore_ascii_case(disguise)),
        None => true,
    };
    hidden_host || hidden_user
}
