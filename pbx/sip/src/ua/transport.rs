//! Flows and connections: what is open, what is sent, what may be closed.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ConnectionId, Flow, OUTGOING_CONNECTION_BIT, Transmit};
use crate::message::StreamFramer;

/// Connections open at the same time.
pub const MAX_CONNECTIONS: usize = 4096;
/// Connections open at the same time from one address.
pub const MAX_CONNECTIONS_PER_SOURCE: usize = 256;
/// A connection that carries nothing, no registration and no call is closed after this.
pub const CONNECTION_IDLE_S: u64 = 180;
/// Outputs that wait to be polled; beyond it datagrams are dropped, as a network would.
pub const MAX_QUEUED_TRANSMITS: usize = 65_536;

/// One stream connection.
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) framer: StreamFramer,
    pub(crate) used_at: Instant,
}

/// All connections, and the queue of outputs.
pub(crate) struct Transport {
    connections: BTreeMap<ConnectionId, Connection>,
    by_remote: BTreeMap<SocketAddr, ConnectionId>,
    per_source: BTreeMap<IpAddr, usize>,
    last_outgoing: u64,
    queue: VecDeque<Transmit>,
}

impl Transport {
    pub(crate) fn new() -> Self {
        Self {
            connections: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            per_source: BTreeMap::new(),
            last_outgoing: 0,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Transmit> {
        self.queue.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    /// The connection as a flow, while it is open.
    pub(crate) fn flow(&self, id: ConnectionId) -> Option<Flow> {
        let connection = self.connections.get(&id)?;
        Some(Flow::Tcp {
            connection: id,
            local: connection.local,
            remote: connection.remote,
        })
    }

    /// Whether something sent over `flow` can arrive.
    pub(crate) fn is_usable(&self, flow: &Flow) -> bool {
        flow.connection()
            .is_none_or(|id| self.connections.contains_key(&id))
    }

    /// Sends over `flow`; `false` when its connection is gone.
    pub(crate) fn send(&mut self, flow: &Flow, payload: Bytes, now: Instant) -> bool {
        match *flow {
            Flow::Udp { local, remote } => {
                if self.queue.len() < MAX_QUEUED_TRANSMITS {
                    self.queue.push_back(Transmit::Datagram {
                        local,
                        remote,
                        payload,
                    });
                }
                true
            }
            Flow::Tcp { connection, .. } => {
                let Some(open) = self.connections.get_mut(&connection) else {
                    return false;
                };
                open.used_at = now;
                self.queue.push_back(Transmit::Stream {
                    connection,
                    payload,
                });
                true
            }
        }
    }

    /// A connection to `remote`: one that is open, or a new one.
    pub(crate) fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) -> Option<Flow> {
        if let Some(id) = self.by_remote.get(&remote) {
            return self.flow(*id);
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            return None;
        }
        self.last_outgoing += 1;
        let connection = ConnectionId(OUTGOING_CONNECTION_BIT | self.last_outgoing);
        self.insert(connection, local, remote, now);
        self.queue
            .push_back(Transmit::Connect { connection, remote });
        self.flow(connection)
    }

    /// The shell says that a connection is up; `false` when it is refused and will be closed.
    pub(crate) fn opened(
        &mut self,
        id: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) -> bool {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.used_at = now;
            return true;
        }
        let of_source = self.per_source.get(&remote.ip()).copied().unwrap_or(0);
        let asked_for = id.0 & OUTGOING_CONNECTION_BIT != 0;
        if asked_for
            || self.connections.len() >= MAX_CONNECTIONS
            || of_source >= MAX_CONNECTIONS_PER_SOURCE
        {
            self.queue.push_back(Transmit::Close { connection: id });
            return false;
        }
        self.insert(id, local, remote, now);
        true
    }

    /// The connection is gone; nothing is sent to close it.
    pub(crate) fn closed(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.remove(&id) else {
            return false;
        };
        if self.by_remote.get(&connection.remote) == Some(&id) {
            self.by_remote.remove(&connection.remote);
        }
        let source = connection.remote.ip();
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
        true
    }

    /// Closes the connection from our side.
    pub(crate) fn close(&mut self, id: ConnectionId) -> bool {
        let was_open = self.closed(id);
        if was_open {
            self.queue.push_back(Transmit::Close { connection: id });
        }
        was_open
    }

    pub(crate) fn resolve(&mut self, host: String, port: u16) {
        self.queue.push_back(Transmit::Resolve { host, port });
    }

    /// When the connection may be closed if nothing more happens on it.
    pub(crate) fn idle_at(&self, id: ConnectionId) -> Option<Instant> {
        let connection = self.connections.get(&id)?;
        Some(connection.used_at + Duration::from_secs(CONNECTION_IDLE_S))
    }

    fn insert(&mut self, id: ConnectionId, local: SocketAddr, remote: SocketAddr, now: Instant) {
        self.by_remote.insert(remote, id);
        *self.per_source.entry(remote.ip()).or_default() += 1;
        self.connections.insert(
            id,
            Connection {
                local,
                remote,
                framer: StreamFramer::new(),
                used_at: now,
            },
        );
    }
}
