//! The state of sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::clients::ClientId;
use super::servers::{ReplyPath, ServerId};
use super::{Flow, Reason, SessionEnd, SessionId, TimerKey, UaEvent, UserAgent};
use crate::dialog::Dialog;
use crate::message::Request;
use crate::sdp::SessionDescription;
use crate::transaction::OkRetransmission;

/// Sessions at the same time; beyond it INVITEs are answered 503.
pub(super) const MAX_SESSIONS: usize = 5_000;

/// One INVITE usage.
pub(crate) struct Session {
    pub(crate) side: Side,
    pub(crate) phase: Phase,
    pub(crate) dialog: Dialog,
    /// Where the peer's last request came from, or where our INVITE went.
    pub(crate) flow: Flow,
    /// Whether requests go back to `flow` whatever Contact and Record-Route
    /// say: phones, which may sit behind NAT.
    pub(crate) symmetric: bool,
    /// The embedder has hung up and the protocol makes us wait.
    pub(crate) hangup: Option<Hangup>,
    /// Our 2xx that waits for its ACK.
    pub(crate) ok: Option<PendingOk>,
    /// The peer's offer that waits for the embedder.
    pub(crate) peer_offer: Option<PeerOffer>,
    pub(crate) own_offer: OwnOffer,
    /// Our OPTIONS that waits for an answer.
    pub(crate) probe: Option<ClientId>,
}

/// Who sent the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The peer.
    Callee,
    /// We.
    Caller,
}

/// How far a session has come.
pub(crate) enum Phase {
    /// The peer's INVITE waits for the embedder.
    Offered {
        /// Its transaction.
        server: ServerId,
        /// Kept for our responses.
        request: Arc<Request>,
        /// Whether 180 has been sent.
        ringing: bool,
    },
    /// Our INVITE waits for the peer.
    Calling {
        /// Its transaction.
        client: ClientId,
        /// An SDP in a provisional response, for phones whose 200 has none.
        early: Option<Box<(String, SessionDescription)>>,
        /// Whether CANCEL is on its way.
        cancelled: bool,
    },
    /// Answered.
    Confirmed,
    /// Our BYE is on its way.
    Ending,
}

/// A hang-up that waits for a provisional response, an ACK or a final response.
#[derive(Clone, Debug)]
pub(crate) struct Hangup {
    pub(crate) reason: Option<Reason>,
}

/// A 2xx to INVITE or re-INVITE, repeated until its ACK.
pub(crate) struct PendingOk {
    pub(crate) retransmission: OkRetransmission,
    pub(crate) response: Bytes,
    pub(crate) path: ReplyPath,
    pub(crate) cseq: u32,
    /// Whether it answers the first INVITE.
    pub(crate) initial: bool,
    /// Whether it carries our offer, so that the ACK brings the answer.
    pub(crate) offered: bool,
}

/// A re-INVITE or UPDATE from the peer.
pub(crate) struct PeerOffer {
    pub(crate) server: ServerId,
    pub(crate) request: Arc<Request>,
    pub(crate) wants_offer: bool,
}

/// Our own re-INVITEs: at most one in flight and one that waits.
#[derive(Default)]
pub(crate) struct OwnOffer {
    pub(crate) in_flight: Option<(ClientId, SessionDescription)>,
    pub(crate) waiting: Option<SessionDescription>,
    /// Whether the waiting one waits for its time after glare.
    pub(crate) backing_off: bool,
    /// How often in a row the peer's offer crossed ours.
    pub(crate) glares: u8,
}

/// All sessions, and how requests find them.
pub(crate) struct Sessions {
    /// Boxed, because the tree moves its values about.
    table: BTreeMap<SessionId, Box<Session>>,
    /// By our tag, which nobody can guess.
    by_tag: BTreeMap<String, SessionId>,
    last: u64,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            table: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            last: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.table.len() >= MAX_SESSIONS
    }

    pub(crate) fn reserve(&mut self) -> SessionId {
        self.last += 1;
        SessionId(self.last)
    }

    pub(crate) fn insert(&mut self, id: SessionId, tag: &str, session: Session) {
        self.by_tag.insert(tag.to_owned(), id);
        self.table.insert(id, Box::new(session));
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.table.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.table.get_mut(&id).map(Box::as_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.table
            .iter()
            .map(|(id, session)| (*id, session.as_ref()))
    }

    /// The session that a request within a dialog is for (RFC 3261 12.2.2):
    /// Call-ID and both tags must agree. Before our INVITE is answered the
    /// peer's tag is not known and any will do.
    pub(crate) fn find(
        &self,
        call_id: &str,
        local_tag: &str,
        remote_tag: Option<&str>,
    ) -> Option<SessionId> {
        let id = *self.by_tag.get(local_tag)?;
        let session = self.table.get(&id)?;
        let calling = matches!(session.phase, Phase::Calling { .. });
        let same_peer = calling || session.dialog.remote_tag() == remote_tag;
        (session.dialog.call_id.as_str() == call_id && same_peer).then_some(id)
    }

    fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        let session = self.table.remove(&id)?;
        if let Some(tag) = session.dialog.local_tag() {
            self.by_tag.remove(tag);
        }
        Some(session)
    }
}

impl Session {
    /// Whether nothing stands in the way of an offer of ours.
    pub(crate) fn may_offer(&self) -> bool {
        matches!(self.phase, Phase::Confirmed)
            && self.hangup.is_none()
            && self.ok.is_none()
            && self.peer_offer.is_none()
            && self.own_offer.in_flight.is_none()
            && !self.own_offer.backing_off
    }
}

impl UserAgent {
    /// Drops a session and tells so, once.
    pub(super) fn finish(&mut self, id: SessionId, end: SessionEnd, now: std::time::Instant) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        for key in [
            TimerKey::Ok(id),
            TimerKey::Ringing(id),
            TimerKey::Reinvite(id),
        ] {
            self.timers.set(key, None);
        }
        if let Some(offer) = session.peer_offer {
            self.refuse_in(offer.server, &offer.request, 487, now);
        }
        self.emit(UaEvent::Ended { session: id, end });
    }
}
