//! Server transactions: the machines with the last response of each.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Flow, SessionId, TimerKey, UserAgent};
use crate::header::{HeaderName, Headers};
use crate::message::{Method, Request};
use crate::name_addr::NameAddr;
use crate::text::Encode as _;
use crate::transaction::{ServerAction, ServerKind, ServerTransaction};
use crate::via::Via;

/// Server transactions at the same time; beyond it requests are answered 503.
pub(super) const MAX_SERVER_TRANSACTIONS: usize = 50_000;
/// The port of a sent-by without one.
const DEFAULT_PORT: u16 = 5060;

/// Room for the rest of a key beside its branch.
const USUAL_SENT_BY_BYTES: usize = 48;

/// Names a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(u64);

/// How responses to one request travel (RFC 3261 18.2.2, RFC 3581 4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyPath {
    pub(crate) flow: Flow,
    /// Where to dial when the connection is gone.
    redial: SocketAddr,
}

/// One server transaction.
pub(crate) struct Server {
    pub(crate) machine: ServerTransaction,
    pub(crate) path: ReplyPath,
    /// The session whose INVITE this is, while it is not answered.
    pub(crate) session: Option<SessionId>,
    last_response: Option<Bytes>,
    key: Arc<[u8]>,
    merge_key: Option<Arc<[u8]>>,
}

/// All server transactions.
pub(crate) struct Servers {
    table: BTreeMap<ServerId, Server>,
    by_key: BTreeMap<Arc<[u8]>, ServerId>,
    /// INVITEs outside dialogs by what a fork on the way does not change (RFC 3261 8.2.2.2).
    by_merge_key: BTreeMap<Arc<[u8]>, ServerId>,
    last: u64,
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self {
            table: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_merge_key: BTreeMap::new(),
            last: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.table.len() >= MAX_SERVER_TRANSACTIONS
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<ServerId> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn get_mut(&mut self, id: ServerId) -> Option<&mut Server> {
        self.table.get_mut(&id)
    }

    /// Whether the same INVITE came over another path.
    pub(crate) fn is_merged(&self, request: &Request) -> bool {
        merge_key(request).is_some_and(|key| self.by_merge_key.contains_key(&key))
    }

    fn remove(&mut self, id: ServerId) {
        if let Some(server) = self.table.remove(&id) {
            self.by_key.remove(&server.key);
            if let Some(key) = server.merge_key {
                self.by_merge_key.remove(&key);
            }
        }
    }
}

impl ReplyPath {
    /// Symmetric where the peer asks for it or uses a connection, else to the
    /// port in Via. `maddr` is not followed: it would let anyone aim our
    /// responses at a third party.
    pub(crate) fn of(via: &Via, flow: Flow) -> Self {
        let source = flow.remote();
        let by_via = SocketAddr::new(source.ip(), via.port().unwrap_or(DEFAULT_PORT));
        let flow = match flow {
            Flow::Udp { local, .. } if !via.wants_rport() => Flow::Udp {
                local,
                remote: by_via,
            },
            other => other,
        };
        Self {
            flow,
            redial: by_via,
        }
    }

    /// The address that the request came from.
    pub(crate) fn source(&self) -> IpAddr {
        self.flow.remote().ip()
    }
}

/// The key of the transaction that `request` belongs to (RFC 3261 17.2.3).
/// ACK and INVITE share one; CANCEL's is that of itself, see [`invite_key`].
pub(crate) fn key_of(request: &Request, via: &Via) -> Vec<u8> {
    match request.method() {
        Method::Ack => key_with_method(request, via, &Method::Invite),
        method => key_with_method(request, via, method),
    }
}

/// The key of the INVITE that a CANCEL is for.
pub(crate) fn invite_key(request: &Request, via: &Via) -> Vec<u8> {
    key_with_method(request, via, &Method::Invite)
}

fn key_with_method(request: &Request, via: &Via, method: &Method) -> Vec<u8> {
    if let Some(branch) = via.unique_branch() {
        let mut key = Vec::with_capacity(branch.len() + USUAL_SENT_BY_BYTES);
        branch.encode(&mut key);
        key.push(b'\n');
        via.encode_sent_by(&mut key);
        key.push(b'\n');
        method.encode(&mut key);
        return key;
    }
    // RFC 2543 peers: the To tag is left out because the ACK of a failure has
    // one that its INVITE had not.
    let headers = request.headers();
    let mut key = vec![b'\n'];
    request.uri().encode(&mut key);
    key.push(b'\n');
    encode_merge_key(headers, &mut key);
    key.push(b'\n');
    via.encode(&mut key);
    key.push(b'\n');
    method.encode(&mut key);
    key
}

/// What every copy of an INVITE outside dialogs has in common, whichever way it came.
fn merge_key(request: &Request) -> Option<Arc<[u8]>> {
    let headers = request.headers();
    if *request.method() != Method::Invite || headers.known_to()?.tag().is_some() {
        return None;
    }
    let mut key = Vec::new();
    encode_merge_key(headers, &mut key);
    Some(key.into())
}

fn encode_merge_key(headers: &Headers, key: &mut Vec<u8>) {
    if let Ok(call_id) = headers.call_id() {
        call_id.encode(key);
    }
    key.push(b'\n');
    let from = headers.known_from();
    from.and_then(NameAddr::tag).unwrap_or_default().encode(key);
    key.push(b'\n');
    headers.cseq().map_or(0, |cseq| cseq.number).encode(key);
}

impl UserAgent {
    /// A transaction for a request that will be answered in state.
    pub(super) fn start_server(
        &mut self,
        request: &Request,
        key: &[u8],
        path: ReplyPath,
    ) -> ServerId {
        let kind = match request.method() {
            Method::Invite => ServerKind::Invite,
            _ => ServerKind::NonInvite,
        };
        self.servers.last += 1;
        let id = ServerId(self.servers.last);
        let key: Arc<[u8]> = key.into();
        let merge_key: Option<Arc<[u8]>> = merge_key(request);
        self.servers.by_key.insert(key.clone(), id);
        if let Some(merge_key) = &merge_key {
            self.servers.by_merge_key.insert(merge_key.clone(), id);
        }
        let server = Server {
            machine: ServerTransaction::new(kind, path.flow.is_reliable()),
            path,
            session: None,
            last_response: None,
            key,
            merge_key,
        };
        self.servers.table.insert(id, server);
        id
    }

    /// Sends a response in its transaction and starts the timers that follow from it.
    pub(super) fn send_in(&mut self, id: ServerId, status: u16, response: Bytes, now: Instant) {
        let timers = self.config.timers;
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        server.machine.handle_send(status, &timers, now);
        let answered = server.machine.kind() == ServerKind::Invite && (200..300).contains(&status);
        // A 2xx to INVITE is repeated by the session, and only until its ACK.
        server.last_response = (!answered).then(|| response.clone());
        if status >= 200 {
            server.session = None;
        }
        let path = server.path;
        self.send_reply(&path, response, now);
        self.settle_server(id);
    }

    /// The request of this transaction came again.
    pub(super) fn repeat_response(&mut self, id: ServerId, now: Instant) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        if server.machine.handle_retransmission() == ServerAction::Repeat {
            self.resend(id, now);
        }
    }

    /// An ACK in this transaction; `false` when it is for a 2xx and belongs to the session.
    pub(super) fn acknowledge_server(&mut self, id: ServerId, now: Instant) -> bool {
        let timers = self.config.timers;
        let Some(server) = self.servers.get_mut(id) else {
            return false;
        };
        if server.last_response.is_none() {
            return false;
        }
        server.machine.handle_ack(&timers, now);
        self.settle_server(id);
        true
    }

    pub(super) fn server_timeout(&mut self, id: ServerId, now: Instant) {
        let timers = self.config.timers;
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        if server.machine.handle_timeout(&timers, now) == ServerAction::Repeat {
            self.resend(id, now);
        }
        self.settle_server(id);
    }

    /// Sends towards the sender of a request, dialling anew when its connection is gone.
    pub(super) fn send_reply(&mut self, path: &ReplyPath, response: Bytes, now: Instant) {
        let flow = match path.flow {
            Flow::Tcp { .. } if !self.transport.is_usable(&path.flow) => {
                let local = self.config.default_local;
                match self.open_connection(local, path.redial, now) {
                    Some(flow) => flow,
                    None => return,
                }
            }
            flow => flow,
        };
        self.transport.send(&flow, response, now);
    }

    fn resend(&mut self, id: ServerId, now: Instant) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        if let Some(response) = server.last_response.clone() {
            let path = server.path;
            self.send_reply(&path, response, now);
        }
    }

    fn settle_server(&mut self, id: ServerId) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        let next = server.machine.next_timeout();
        if server.machine.is_terminated() {
            self.servers.remove(id);
        }
        self.timers.set(TimerKey::Server(id), next);
    }
}

/// Whether the request came from within a dialog: its To has a tag.
pub(crate) fn to_tag(request: &Request) -> Option<&str> {
    request.headers().known_to()?.tag()
}

/// Whether a request carries a header at all.
pub(crate) fn has(request: &Request, name: HeaderName) -> bool {
    request.headers().contains(name)
}
