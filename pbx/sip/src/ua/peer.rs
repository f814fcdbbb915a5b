//! Which way to a peer, and the connections that lead there.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::session::Phase;
use super::{
    Binding, ConnectionId, Flow, OUTGOING_CONNECTION_BIT, SessionEnd, SessionId, TimerKey,
    UserAgent,
};
use crate::text::Text;
use crate::uri::{Host, Uri};

/// The port of a SIP URI without one.
const DEFAULT_PORT: u16 = 5060;
/// Stands for the connection of an earlier process; never given to a new one.
const NO_CONNECTION: ConnectionId = ConnectionId(u64::MAX);

impl UserAgent {
    /// The flow for a request to `next_hop` from a session that uses `flow`.
    ///
    /// To phones it is the flow itself, whatever their Contact says: it may be
    /// an address behind NAT. To carriers it is where Route or Contact point,
    /// unless that is a name, or an inner address seen from outside.
    pub(super) fn flow_towards(
        &mut self,
        flow: Flow,
        next_hop: &Uri,
        symmetric: bool,
        now: Instant,
    ) -> Option<Flow> {
        let wanted = address_of(next_hop);
        match flow {
            Flow::Udp { local, remote } => {
                let direct = wanted.filter(|address| {
                    !symmetric
                        && address.is_ipv4() == remote.is_ipv4()
                        && is_reachable_like(address.ip(), remote.ip())
                });
                Some(Flow::Udp {
                    local,
                    remote: direct.unwrap_or(remote),
                })
            }
            Flow::Tcp { .. } if self.transport.is_usable(&flow) => Some(flow),
            Flow::Tcp { remote, .. } => {
                let address = wanted.filter(|wanted| is_reachable_like(wanted.ip(), remote.ip()));
                let local = self.config.default_local;
                self.open_connection(local, address?, now)
            }
        }
    }

    /// A connection to `remote`, watched for idleness.
    pub(super) fn open_connection(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) -> Option<Flow> {
        let flow = self.transport.connect(local, remote, now)?;
        if let Some(connection) = flow.connection() {
            self.watch_connection(connection);
        }
        Some(flow)
    }

    pub(super) fn watch_connection(&mut self, connection: ConnectionId) {
        let at = self.transport.idle_at(connection);
        self.timers.set(TimerKey::Connection(connection), at);
    }

    /// A connection has perhaps been idle for too long.
    pub(super) fn connection_idle(&mut self, connection: ConnectionId, now: Instant) {
        let Some(at) = self.transport.idle_at(connection) else {
            return;
        };
        let in_use = self.registrar.uses_connection(connection)
            || self.trunks_use(connection)
            || self
                .sessions
                .iter()
                .any(|(_, session)| session.flow.connection() == Some(connection));
        if at > now {
            self.timers.set(TimerKey::Connection(connection), Some(at));
        } else if in_use {
            if let Some(open) = self.transport.get_mut(connection) {
                open.used_at = now;
            }
            self.watch_connection(connection);
        } else if self.transport.close(connection) {
            self.connection_lost(connection, now);
        }
    }

    /// What a closed connection takes with it. Answered sessions live on: their
    /// media need no connection, and the next request dials anew.
    pub(super) fn connection_lost(&mut self, connection: ConnectionId, now: Instant) {
        self.timers.set(TimerKey::Connection(connection), None);
        let changes = self.registrar.connection_closed(connection);
        self.report(changes);
        self.fail_clients(connection, now);
        let waiting: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| {
                session.flow.connection() == Some(connection)
                    && matches!(session.phase, Phase::Offered { .. } | Phase::Calling { .. })
            })
            .map(|(id, _)| id)
            .collect();
        for id in waiting {
            self.abandon(id, now);
            self.finish(id, SessionEnd::SignallingLost, now);
        }
        self.trunk_connection_lost(connection, now);
    }

    /// A persisted binding in the form that this process can use, or `None`.
    pub(super) fn redialable(&self, mut binding: Binding) -> Option<Binding> {
        if let Flow::Tcp { local, remote, .. } = binding.flow {
            let contact = Uri::parse(&Text::from(binding.contact.as_str())).ok()?;
            let address = address_of(&contact).filter(|address| address.ip() == remote.ip())?;
            binding.flow = Flow::Tcp {
                connection: NO_CONNECTION,
                local,
                remote: address,
            };
        }
        Some(binding)
    }

    /// Host and port that our Via and Contact show on this flow.
    pub(super) fn own_address(&self, flow: &Flow) -> (Host, u16) {
        let local = match flow {
            Flow::Tcp { connection, .. } if connection.0 & OUTGOING_CONNECTION_BIT != 0 => {
                self.config.default_local
            }
            other => other.local(),
        };
        let ip = self.config.advertised.unwrap_or(local.ip());
        (Host::from(ip), local.port())
    }
}

/// The address in a URI, when it is one and not a name.
pub(super) fn address_of(uri: &Uri) -> Option<SocketAddr> {
    let ip = uri.host()?.ip()?;
    Some(SocketAddr::new(ip, uri.port().unwrap_or(DEFAULT_PORT)))
}

/// Whether `wanted` can be expected to work from where `seen` is the peer's
/// address: an inner address does only if the peer is seen with one too.
fn is_reachable_like(wanted: IpAddr, seen: IpAddr) -> bool {
    !wanted.is_unspecified() && !wanted.is_multicast() && (!is_inner(wanted) || is_inner(seen))
}

fn is_inner(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 6598: shared address space of carriers.
            let shared = a == 100 && (64..128).contains(&b);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_addresses_are_used_only_from_inside() {
        let outside: IpAddr = [198, 51, 100, 7].into();
        let inside: IpAddr = [192, 168, 1, 5].into();
        assert!(is_reachable_like(outside, outside));
        assert!(is_reachable_like(inside, [10, 0, 0, 1].into()));
        assert!(!is_reachable_like(inside, outside));
        assert!(!is_reachable_like([100, 64, 0, 1].into(), outside));
        assert!(!is_reachable_like([0, 0, 0, 0].into(), inside));
    }
}
