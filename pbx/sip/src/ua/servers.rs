//! Server transactions: the machines with the last response of each.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Flow, SessionId, TimerKey, UserAgent};
use crate::header::HeaderName;
use crate::message::{Method, Request};
use crate::transaction::{ServerAction, ServerKind, ServerTransaction};
use crate::via::Via;

/// Server transactions at the same time; beyond it requests are answered 503.
pub(super) const MAX_SERVER_TRANSACTIONS: usize = 50_000;
/// The port of a sent-by without one.
const DEFAULT_PORT: u16 = 5060;

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
    key: Arc<str>,
    merge_key: Option<Arc<str>>,
}

/// All server transactions.
pub(crate) struct Servers {
    table: BTreeMap<ServerId, Server>,
    by_key: BTreeMap<Arc<str>, ServerId>,
    /// INVITEs outside dialogs by what a fork on the way does not change (RFC 3261 8.2.2.2).
    by_merge_key: BTreeMap<Arc<str>, ServerId>,
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

    pub(crate) fn find(&self, key: &str) -> Option<ServerId> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn get_mut(&mut self, id: ServerId) -> Option<&mut Server> {
        self.table.get_mut(&id)
    }

    /// Whether the same INVITE came over another path.
    pub(crate) fn is_merged(&self, request: &Request) -> bool {
        merge_key(request).is_some_and(|key| self.by_merge_key.contains_key(key.as_str()))
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
pub(crate) fn key_of(request: &Request, via: &Via) -> String {
    match request.method() {
        Method::Ack => key_with_method(request, via, &Method::Invite),
        method => key_with_method(request, via, method),
    }
}

/// The key of the INVITE that a CANCEL is for.
pub(crate) fn invite_key(request: &Request, via: &Via) -> String {
    key_with_method(request, via, &Method::Invite)
}

fn key_with_method(request: &Request, via: &Via, method: &Method) -> String {
    if let Some(branch) = via.unique_branch() {
        return format!("{branch}\n{}\n{method}", via.sent_by());
    }
    // RFC 2543 peers: the To tag is left out because the ACK of a failure has
    // one that its INVITE had not.
    let headers = request.headers();
    let tag = headers.from().ok();
    format!(
        "\n{}\n{}\n{}\n{}\n{via}\n{method}",
        request.uri().reveal(),
        tag.as_ref().and_then(|from| from.tag()).unwrap_or_default(),
        headers
            .call_id()
            .map(|id| id.to_string())
            .unwrap_or_default(),
        headers.cseq().map_or(0, |cseq| cseq.number),
    )
}

fn merge_key(request: &Request) -> Option<String> {
    let headers = request.headers();
    let is_initial = headers.to().ok()?.tag().is_none();
    if *request.method() != Method::Invite || !is_initial {
        return None;
    }
    let from = headers.from().ok()?;
    Some(format!(
        "{}\n{}\n{}",
        headers.call_id().ok()?,
        from.tag().unwrap_or_default(),
        headers.cseq().ok()?.number
    ))
}

impl UserAgent {
    /// A transaction for a request that will be answered in state.
    pub(super) fn start_server(
        &mut self,
        request: &Request,
        key: &str,
        path: ReplyPath,
    ) -> ServerId {
        let kind = match request.method() {
            Method::Invite => ServerKind::Invite,
            _ => ServerKind::NonInvite,
        };
        self.servers.last += 1;
        let id = ServerId(self.servers.last);
        let key: Arc<str> = key.into();
        let merge_key: Option<Arc<str>> = merge_key(request).map(Arc::from);
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
pub(crate) fn to_tag(request: &Request) -> Option<String> {
    let to = request.headers().to().ok()?;
    to.tag().map(str::to_owned)
}

/// Whether a request carries a header at all.
pub(crate) fn has(request: &Request, name: HeaderName) -> bool {
    request.headers().contains(name)
}
