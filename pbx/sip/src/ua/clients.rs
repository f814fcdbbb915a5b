//! Client transactions: the machines with the bytes and the owner of each.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::ids::{Branch, Ids};
use super::{ConnectionId, Flow, SessionId, TimerKey, UserAgent};
use crate::build::{RequestBuilder, own_request};
use crate::header::{HeaderName, Headers};
use crate::headers::{CSeq, MaxForwards};
use crate::message::{Method, Request, Response};
use crate::timer::Timers;
use crate::transaction::{ClientAction, ClientKind, ClientTransaction};
use crate::via::Via;

/// Forked answers that one INVITE may bring.
pub(super) const MAX_FORKS: usize = 8;

/// Names a client transaction. A CANCEL shares branch and number with its INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId {
    number: u64,
    cancel: bool,
}

/// Who wants the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody: CANCEL, and BYE to a fork that lost.
    Nobody,
    /// The INVITE of a session.
    Invite(SessionId),
    /// A re-INVITE in a session.
    Reinvite(SessionId),
    /// The BYE of a session.
    Bye(SessionId),
    /// An OPTIONS in a session.
    Probe(SessionId),
    /// A trunk's registration.
    Trunk(u64),
}

/// One client transaction.
pub(crate) struct Client {
    pub(crate) machine: ClientTransaction,
    pub(crate) branch: String,
    pub(crate) flow: Flow,
    pub(crate) owner: Owner,
    /// For retransmission, CANCEL and ACK; dropped with the final response.
    pub(crate) request: Option<Bytes>,
    /// The ACK of a failure, to be repeated.
    failure_ack: Option<Bytes>,
    /// The ACK of each 2xx by the peer's tag, to be repeated.
    forks: Vec<Fork>,
}

struct Fork {
    tag: String,
    flow: Flow,
    ack: Bytes,
}

/// All client transactions.
pub(crate) struct Clients {
    table: BTreeMap<ClientId, Client>,
    last: u64,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self {
            table: BTreeMap::new(),
            last: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn reserve(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.table.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.table.get_mut(&id)
    }

    fn on_connection(&self, connection: ConnectionId) -> Vec<ClientId> {
        self.table
            .iter()
            .filter(|(_, client)| {
                client.machine.is_pending() && client.flow.connection() == Some(connection)
            })
            .map(|(id, _)| *id)
            .collect()
    }
}

impl Client {
    fn new(
        machine: ClientTransaction,
        branch: String,
        flow: Flow,
        owner: Owner,
        request: Bytes,
    ) -> Self {
        Self {
            machine,
            branch,
            flow,
            owner,
            request: Some(request),
            failure_ack: None,
            forks: Vec::new(),
        }
    }

    /// The ACK that answers a 2xx with this tag, if one was sent already.
    pub(crate) fn ack_of(&self, tag: &str) -> Option<(Flow, Bytes)> {
        let fork = self.forks.iter().find(|fork| fork.tag == tag)?;
        Some((fork.flow, fork.ack.clone()))
    }

    /// Whether a further 2xx would be one too many.
    pub(crate) fn has_too_many_forks(&self) -> bool {
        self.forks.len() >= MAX_FORKS
    }

    pub(crate) fn remember_ack(&mut self, tag: &str, flow: Flow, ack: Bytes) {
        self.forks.push(Fork {
            tag: tag.to_owned(),
            flow,
            ack,
        });
    }
}

impl UserAgent {
    /// The branch of the next request.
    pub(super) fn new_branch(&mut self) -> Branch {
        let number = self.clients.reserve();
        self.ids.branch(number)
    }

    /// Sends a request that was built with `branch`, in a new transaction.
    pub(super) fn start_client(
        &mut self,
        branch: Branch,
        kind: ClientKind,
        owner: Owner,
        flow: Flow,
        request: Bytes,
        now: Instant,
    ) -> ClientId {
        let id = ClientId {
            number: branch.number,
            cancel: false,
        };
        let machine = ClientTransaction::new(kind, flow.is_reliable(), &self.config.timers, now);
        let client = Client::new(machine, branch.text, flow, owner, request);
        self.insert_client(id, client, now);
        id
    }

    fn insert_client(&mut self, id: ClientId, client: Client, now: Instant) {
        if let Some(request) = client.request.clone() {
            self.transport.send(&client.flow, request, now);
        }
        self.timers
            .set(TimerKey::Client(id), client.machine.next_timeout());
        self.clients.table.insert(id, client);
    }

    /// Sends CANCEL for an INVITE that has had a provisional response.
    pub(super) fn cancel_client(
        &mut self,
        invite: ClientId,
        reason: Option<&super::Reason>,
        now: Instant,
    ) {
        let timers = self.config.timers;
        let Some(client) = self.clients.get_mut(invite) else {
            return;
        };
        let Some(request) = client.request.clone().and_then(|it| own_request(it).ok()) else {
            return;
        };
        client.machine.limit(&timers, now);
        let next = client.machine.next_timeout();
        let (flow, branch) = (client.flow, client.branch.clone());
        self.timers.set(TimerKey::Client(invite), next);
        let mut builder = hop_request(&request, Method::Cancel, request.headers());
        if let Some(reason) = reason {
            builder = builder.header(HeaderName::Reason, reason);
        }
        let id = ClientId {
            cancel: true,
            ..invite
        };
        let kind = ClientKind::NonInvite;
        let machine = ClientTransaction::new(kind, flow.is_reliable(), &timers, now);
        let client = Client::new(machine, branch, flow, Owner::Nobody, builder.build());
        self.insert_client(id, client, now);
    }

    /// Finds the transaction of a response (RFC 3261 17.1.3) and passes it on.
    pub(super) fn receive_response(&mut self, response: &Response, flow: Flow, now: Instant) {
        if response.validate().is_err() {
            return;
        }
        let Ok(cseq) = response.headers().cseq() else {
            return;
        };
        let Some(branch) = response.headers().known_top_via().and_then(Via::branch) else {
            return;
        };
        let Some(number) = Ids::transaction_of(branch) else {
            return;
        };
        let id = ClientId {
            number,
            cancel: cseq.method == Method::Cancel,
        };
        let timers: Timers = self.config.timers;
        let Some(client) = self.clients.get_mut(id).filter(|it| it.branch == branch) else {
            return;
        };
        let is_invite = client.machine.kind() == ClientKind::Invite;
        if is_invite != (cseq.method == Method::Invite) {
            return;
        }
        let status = response.status().code();
        let action = client.machine.handle_response(status, &timers, now);
        self.act(id, action, Some((response, flow)), now);
    }

    pub(super) fn client_timeout(&mut self, id: ClientId, now: Instant) {
        let timers = self.config.timers;
        if let Some(client) = self.clients.get_mut(id) {
            let action = client.machine.handle_timeout(&timers, now);
            self.act(id, action, None, now);
        }
    }

    /// The transport of these transactions is gone (RFC 3261 17.1.4).
    pub(super) fn fail_clients(&mut self, connection: ConnectionId, now: Instant) {
        for id in self.clients.on_connection(connection) {
            if let Some(client) = self.clients.get_mut(id) {
                client.machine.terminate();
                self.act(id, ClientAction::TimedOut, None, now);
            }
        }
    }

    fn act(
        &mut self,
        id: ClientId,
        action: ClientAction,
        response: Option<(&Response, Flow)>,
        now: Instant,
    ) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let (owner, flow) = (client.owner, client.flow);
        let resend = match action {
            ClientAction::Retransmit => client.request.clone(),
            ClientAction::RepeatAck => client.failure_ack.clone(),
            ClientAction::DeliverAndAck => {
                let ack = response.and_then(|(response, _)| client.acknowledge(response));
                client.failure_ack.clone_from(&ack);
                ack
            }
            _ => None,
        };
        if !client.machine.is_pending() && action != ClientAction::Deliver {
            client.request = None;
        }
        if let Some(bytes) = resend {
            self.transport.send(&flow, bytes, now);
        }
        match (action, response) {
            (ClientAction::Deliver | ClientAction::DeliverAndAck, Some((response, flow))) => {
                self.deliver(id, owner, response, flow, now);
            }
            (ClientAction::TimedOut, _) => self.deliver_timeout(id, owner, now),
            _ => {}
        }
        self.settle_client(id);
    }

    /// Moves the timer, or drops the transaction when it is at its end.
    fn settle_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        if !client.machine.is_pending() {
            client.request = None;
        }
        let next = client.machine.next_timeout();
        if client.machine.is_terminated() {
            self.clients.table.remove(&id);
        }
        self.timers.set(TimerKey::Client(id), next);
    }

    fn deliver(
        &mut self,
        id: ClientId,
        owner: Owner,
        response: &Response,
        flow: Flow,
        now: Instant,
    ) {
        match owner {
            Owner::Nobody => {}
            Owner::Invite(session) => self.invite_response(session, id, response, flow, now),
            Owner::Reinvite(session) => self.reinvite_response(session, id, response, now),
            Owner::Bye(session) => {
                if response.status().is_final() {
                    self.bye_done(session, now);
                }
            }
            Owner::Probe(session) => self.probe_response(session, id, response),
            Owner::Trunk(trunk) => self.trunk_response(trunk, id, response, now),
        }
    }

    fn deliver_timeout(&mut self, id: ClientId, owner: Owner, now: Instant) {
        match owner {
            Owner::Nobody => {}
            Owner::Invite(session) => self.invite_timed_out(session, id, now),
            Owner::Reinvite(session) => self.reinvite_timed_out(session, id, now),
            Owner::Bye(session) => self.bye_done(session, now),
            Owner::Probe(session) => self.probe_done(session, id, false),
            Owner::Trunk(trunk) => self.trunk_timed_out(trunk, id, now),
        }
    }
}

impl Client {
    /// The ACK of a 300-699 (RFC 3261 17.1.1.3): the INVITE's Request-URI, Via
    /// and Route, the response's To.
    fn acknowledge(&self, response: &Response) -> Option<Bytes> {
        let invite = own_request(self.request.clone()?).ok()?;
        Some(hop_request(&invite, Method::Ack, response.headers()).build())
    }
}

/// A request to the next hop of an INVITE, in the INVITE's own terms (RFC 3261 9.1) but for the
/// To, which is taken from `peer`.
fn hop_request(invite: &Request, method: Method, peer: &Headers) -> RequestBuilder {
    let headers = invite.headers();
    let number = headers.cseq().map_or(1, |cseq| cseq.number);
    RequestBuilder::new(&method, invite.uri())
        .copy(headers, HeaderName::Via)
        .copy(headers, HeaderName::Route)
        .header(HeaderName::MaxForwards, &MaxForwards::DEFAULT)
        .copy(headers, HeaderName::From)
        .copy(peer, HeaderName::To)
        .copy(headers, HeaderName::CallId)
        .header(HeaderName::CSeq, &CSeq { number, method })
}
