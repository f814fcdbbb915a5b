//! Who a request is from.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::receive::Received;
use super::{Account, TrunkKind, UserAgent};
use crate::digest::{Authorization, Refusal, Verdict};
use crate::header::HeaderName;
use crate::headers::AuthParams;
use crate::message::Request;

impl UserAgent {
    /// The trunk that a request comes from: by its address, or by the contact
    /// that only the carrier was told.
    pub(super) fn trunk_of(&self, received: &Received<'_>) -> Option<String> {
        let remote = received.flow.remote();
        let reliable = received.flow.is_reliable();
        let by_address = self.config.trunks.iter().find(|trunk| match &trunk.kind {
            TrunkKind::Address { peers } => {
                peers.iter().any(|peer| is_peer(peer, remote, reliable))
            }
            TrunkKind::Register { .. } => false,
        });
        if let Some(trunk) = by_address {
            return Some(trunk.name.clone());
        }
        let user = received.request.uri().user_decoded();
        let user = user.as_ref().map(|user| user.reveal());
        self.trunks
            .values()
            .find(|trunk| trunk.is_from(&received.flow, user))
            .map(|trunk| trunk.name().to_owned())
    }

    /// Whether this is an address that a trunk uses, before anything is parsed.
    pub(super) fn is_trunk_address(&self, remote: SocketAddr) -> bool {
        self.config.trunks.iter().any(|trunk| match &trunk.kind {
            TrunkKind::Address { peers } => peers
                .iter()
                .any(|peer| canonical(peer.ip()) == canonical(remote.ip())),
            TrunkKind::Register { .. } => false,
        }) || self.trunks.values().any(|trunk| trunk.knows(remote))
    }

    /// The account that sent a request, by digest authentication against the
    /// user of its From (INVITE) or To (REGISTER). When there is none, the
    /// request has been answered: 401 for the asking, 403 for wrong answers.
    pub(super) fn authenticate(
        &mut self,
        received: &Received<'_>,
        user: &str,
        now: Instant,
    ) -> Option<Account> {
        let request = received.request;
        let Some(authorization) = self.credentials(request) else {
            self.challenge(received, user, false, now);
            return None;
        };
        let account = Account(user.to_owned());
        let ha1 = self
            .config
            .accounts
            .get(&account)
            .filter(|_| authorization.username() == user && covers(&authorization, request));
        let method = request.method().as_str();
        match self.verifier.verify(&authorization, ha1, method, now) {
            Verdict::Accepted => Some(account),
            Verdict::Stale | Verdict::Refused(Refusal::Replayed) => {
                self.challenge(received, user, true, now);
                None
            }
            Verdict::Refused(Refusal::Wrong) => {
                self.limiter.auth_failed(received.path.source(), now);
                self.reply_stateless(request, &received.path, 403, now);
                None
            }
        }
    }

    /// The credentials for our realm, if there are any.
    fn credentials(&self, request: &Request) -> Option<Authorization> {
        request
            .headers()
            .lines(HeaderName::Authorization)
            .filter_map(|line| parse_params(&line.text()))
            .filter_map(|params| Authorization::from_params(&params))
            .find(|authorization| authorization.realm() == self.config.realm)
    }

    fn challenge(&mut self, received: &Received<'_>, user: &str, stale: bool, now: Instant) {
        let realm = self.config.realm.clone();
        let ha1 = self.config.accounts.get(&Account(user.to_owned()));
        let challenges = self
            .verifier
            .challenges(&realm, stale, ha1, self.ids.entropy(), now);
        let mut builder = self.stateless(received.request, 401);
        for challenge in &challenges {
            builder = builder.header(HeaderName::WwwAuthenticate, challenge);
        }
        self.send_reply(&received.path, builder.build(), now);
    }
}

pub(super) fn parse_params(text: &crate::text::Text) -> Option<AuthParams> {
    crate::header::ParseValue::parse(text).ok()
}

/// Whether the answer was computed for this Request-URI. Parameters are left
/// out, because phones differ in which of them they hash.
fn covers(authorization: &Authorization, request: &Request) -> bool {
    let bare = |uri: &str| {
        let end = uri.find([';', '?']).unwrap_or(uri.len());
        uri.get(..end).unwrap_or(uri).to_ascii_lowercase()
    };
    let uri = request.uri();
    bare(authorization.uri()) == bare(uri.reveal())
}

/// Streams come from any port.
fn is_peer(peer: &SocketAddr, remote: SocketAddr, reliable: bool) -> bool {
    let any_port = peer.port() == 0 || reliable;
    canonical(peer.ip()) == canonical(remote.ip()) && (any_port || peer.port() == remote.port())
}

/// IPv4 addresses as such, even when seen through an IPv6 socket.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
