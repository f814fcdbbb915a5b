//! The user agent: everything between datagrams and sessions, without IO.
//!
//! Feed it with [`UserAgent::handle_input`] and [`UserAgent::handle_timeout`],
//! then drain [`UserAgent::poll_transmit`] and [`UserAgent::poll_event`], and
//! call again at [`UserAgent::poll_timeout`]. It has no clock, no sockets and
//! no randomness of its own, and it logs nothing.
//!
//! Requests larger than a path MTU are sent over UDP as they are: phones and
//! carriers that speak UDP rarely listen on TCP, and fragments arrive
//! (a deviation from RFC 3261 18.1.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::digest::Verifier;
use crate::entropy::Entropy;
use crate::registrar::{Change, Registrar};
use crate::sdp::SessionDescription;
use crate::timer::TimerQueue;

mod ack;
mod api;
mod auth;
mod clients;
mod ids;
mod incoming;
mod indialog;
mod limit;
mod outgoing;
mod peer;
mod probe;
mod receive;
mod register;
mod reinvite;
mod reoffer;
mod request;
mod respond;
mod servers;
mod session;
mod transport;
mod trunk;
mod trunks;

pub use api::*;
pub use limit::{
    MAX_AUTH_FAILURES_PER_SOURCE_PER_MIN, MAX_BURST_PER_SOURCE, MAX_REQUESTS_PER_SOURCE_PER_S,
    MAX_SOURCES,
};
pub use transport::{
    CONNECTION_IDLE_S, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE, MAX_QUEUED_TRANSMITS,
};

use clients::Clients;
use ids::Ids;
use limit::SourceLimiter;
use servers::Servers;
use session::Sessions;
use transport::Transport;
use trunk::TrunkRegistration;

/// What the user agent holds, for metrics and leak tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UaCounts {
    /// Client and server transactions, lingering ones included.
    pub transactions: usize,
    /// Sessions that have not ended.
    pub sessions: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// Stream connections.
    pub connections: usize,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimerKey {
    /// A client transaction.
    Client(clients::ClientId),
    /// A server transaction.
    Server(servers::ServerId),
    /// Repetition of a 2xx until its ACK.
    Ok(SessionId),
    /// Repetition of 180, or the longest time that we let a phone ring.
    Ringing(SessionId),
    /// Another try after glare.
    Reinvite(SessionId),
    /// Registration, refresh or back-off of a trunk.
    Trunk(u64),
    /// Keep-alive of a trunk's flow.
    TrunkKeepAlive(u64),
    /// An idle connection.
    Connection(ConnectionId),
}

/// A SIP user agent with registrar.
pub struct UserAgent {
    config: UaConfig,
    ids: Ids,
    transport: Transport,
    clients: Clients,
    servers: Servers,
    sessions: Sessions,
    registrar: Registrar,
    verifier: Verifier,
    limiter: SourceLimiter,
    trunks: BTreeMap<u64, TrunkRegistration>,
    last_trunk: u64,
    timers: TimerQueue<TimerKey>,
    events: VecDeque<UaEvent>,
}

impl UserAgent {
    /// A user agent that registers to its trunks at once.
    #[must_use]
    pub fn new(config: UaConfig, entropy: Box<dyn Entropy>, now: Instant) -> Self {
        let mut ids = Ids::new(entropy);
        let verifier = Verifier::new(ids.entropy(), now);
        let mut ua = Self {
            config,
            ids,
            transport: Transport::new(),
            clients: Clients::new(),
            servers: Servers::new(),
            sessions: Sessions::new(),
            registrar: Registrar::new(),
            verifier,
            limiter: SourceLimiter::new(now),
            trunks: BTreeMap::new(),
            last_trunk: 0,
            timers: TimerQueue::new(),
            events: VecDeque::new(),
        };
        ua.sync_trunks(now);
        ua
    }

    /// Takes new settings. Live sessions go on; contacts of accounts that are
    /// gone are removed; registrations of trunks that are gone are ended.
    pub fn configure(&mut self, config: UaConfig, now: Instant) {
        self.config = config;
        let gone: Vec<Account> = self
            .registrar
            .accounts()
            .filter(|account| !self.config.accounts.contains_key(account))
            .cloned()
            .collect();
        for account in gone {
            let changes = self.registrar.remove_account(&account);
            self.report(changes);
        }
        self.sync_trunks(now);
    }

    /// Takes over the contacts that an earlier process knew.
    ///
    /// Those over UDP are usable at once. Those over TCP are kept when the
    /// contact is the address that the connection came from, so that it can be
    /// dialled anew; all others are reported as removed.
    pub fn restore_bindings(&mut self, bindings: Vec<Binding>) {
        for binding in bindings {
            let id = binding.id;
            let account = binding.account.clone();
            let usable = self.config.accounts.contains_key(&account);
            match self.redialable(binding).filter(|_| usable) {
                Some(binding) => {
                    let change = self.registrar.restore(binding);
                    self.report(change);
                }
                None => self.report([Change::Removed { id, account }]),
            }
        }
    }

    /// All registered contacts.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.registrar.iter()
    }

    /// Takes what came from the network.
    pub fn handle_input(&mut self, input: TransportInput, now: Instant) {
        match input {
            TransportInput::Datagram {
                local,
                remote,
                payload,
            } => self.receive_datagram(local, remote, payload, now),
            TransportInput::Opened {
                connection,
                local,
                remote,
            } => {
                if self.transport.opened(connection, local, remote, now) {
                    self.watch_connection(connection);
                }
            }
            TransportInput::Received {
                connection,
                payload,
            } => self.receive_stream(connection, &payload, now),
            TransportInput::Closed { connection } => {
                if self.transport.closed(connection) {
                    self.connection_lost(connection, now);
                }
            }
            TransportInput::Resolved { host, addresses } => {
                self.trunk_resolved(&host, &addresses, now);
            }
        }
    }

    /// Time has reached [`Self::poll_timeout`] (earlier calls do no harm).
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(change) = self.registrar.pop_expired(now) {
            self.report([change]);
        }
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                TimerKey::Client(id) => self.client_timeout(id, now),
                TimerKey::Server(id) => self.server_timeout(id, now),
                TimerKey::Ok(id) => self.ok_timeout(id, now),
                TimerKey::Ringing(id) => self.ringing_timeout(id, now),
                TimerKey::Reinvite(id) => self.reinvite_due(id, now),
                TimerKey::Trunk(id) => self.trunk_timeout(id, now),
                TimerKey::TrunkKeepAlive(id) => self.trunk_keep_alive(id, now),
                TimerKey::Connection(id) => self.connection_idle(id, now),
            }
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.timers.next(), self.registrar.next_timeout()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The next output, in order.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transport.poll()
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<UaEvent> {
        self.events.pop_front()
    }

    /// Tells the caller that it rings (180), once a minute again until the
    /// session is answered or refused. Only for an incoming session that waits.
    pub fn ring(&mut self, session: SessionId, now: Instant) {
        self.send_ringing(session, now);
    }

    /// Answers an incoming session: 200 with `sdp`, the answer to the INVITE's
    /// offer, or our offer when there was none. It is repeated until the ACK.
    pub fn answer(&mut self, session: SessionId, sdp: SessionDescription, now: Instant) {
        self.send_answer(session, &sdp, now);
    }

    /// Refuses an incoming session that waits, with a status of 300 or above.
    pub fn reject(
        &mut self,
        session: SessionId,
        status: u16,
        reason: Option<Reason>,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        self.send_rejection(session, status, reason.as_ref(), retry_after, now);
    }

    /// Calls a registered phone. When it cannot be reached the session ends at
    /// once with [`SessionEnd::SignallingLost`].
    pub fn invite(&mut self, invite: OutgoingInvite, now: Instant) -> SessionId {
        self.start_invite(invite, now)
    }

    /// Ends a session, whatever its state: CANCEL (once a provisional response
    /// has come), BYE (once our 200 has been acknowledged) or a final 480.
    pub fn hangup(&mut self, session: SessionId, reason: Option<Reason>, now: Instant) {
        self.end_session(session, reason, now);
    }

    /// Answers the peer's re-INVITE or UPDATE: with the answer, or with our
    /// offer after [`ReofferKind::WantsOffer`].
    pub fn accept_reoffer(&mut self, session: SessionId, sdp: SessionDescription, now: Instant) {
        self.answer_reoffer(session, &sdp, now);
    }

    /// Refuses the peer's re-INVITE or UPDATE; the session goes on as it was.
    pub fn reject_reoffer(&mut self, session: SessionId, status: u16, now: Instant) {
        self.refuse_reoffer(session, status, now);
    }

    /// Offers new media in an answered session. While another offer is on its
    /// way it waits; a later call replaces one that waits.
    pub fn reinvite(&mut self, session: SessionId, offer: SessionDescription, now: Instant) {
        self.queue_reinvite(session, offer, now);
    }

    /// Asks the peer of an answered session whether it still knows of it, by OPTIONS in the
    /// dialog: of use while no media is expected, as on hold. [`UaEvent::Probed`] brings the
    /// answer within 64·T1. Without effect while another probe or our own 200 waits for an
    /// answer, and in a session that is not answered or ends.
    pub fn probe(&mut self, session: SessionId, now: Instant) {
        self.start_probe(session, now);
    }

    /// Ends the registrations to trunks. Sessions are the embedder's to end.
    pub fn shutdown(&mut self, now: Instant) {
        self.unregister_trunks(now);
    }

    /// What is held at the moment.
    #[must_use]
    pub fn counts(&self) -> UaCounts {
        UaCounts {
            transactions: self.clients.len() + self.servers.len(),
            sessions: self.sessions.len(),
            bindings: self.registrar.len(),
            connections: self.transport.len(),
        }
    }

    fn emit(&mut self, event: UaEvent) {
        self.events.push_back(event);
    }

    fn report(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.emit(match change {
                Change::Upserted(binding) => UaEvent::BindingUpserted(*binding),
                Change::Removed { id, account } => UaEvent::BindingRemoved { id, account },
            });
        }
    }
}
