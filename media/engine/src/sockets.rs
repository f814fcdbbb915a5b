//! The sockets of the ports: a pair each, RTP on an even UDP port and RTCP on
//! the next.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use media::mixer::Outbox;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer of one socket, bytes: a second of packets.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// Expedited forwarding (RFC 3246), as a type-of-service byte.
const TOS_EXPEDITED: u32 = 46 << 2;

/// Which socket of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
}

struct Pair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// The one peer that `rtp` is connected to: the system then keeps the
    /// route, which saves a sixth of a packet's cost, and drops what comes
    /// from others.
    peer: Option<SocketAddr>,
}

/// The pairs of all ports, by the place of their port in the mixer.
#[derive(Default)]
pub(crate) struct Sockets {
    pairs: Vec<Option<Pair>>,
    pub(crate) sent: u64,
    pub(crate) send_failed: u64,
}

/// A pair that has no place yet.
pub(crate) struct Bound(Pair);

impl Bound {
    /// Binds RTP to `local` and RTCP to the next UDP port.
    pub(crate) fn new(local: SocketAddr) -> io::Result<Bound> {
        let next = local.port().checked_add(1).filter(|_| local.port() != 0);
        let next = next.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Bound(Pair {
            rtp: bind(local)?,
            rtcp: bind(SocketAddr::new(local.ip(), next))?,
            peer: None,
        }))
    }
}

impl Sockets {
    /// Gives a pair its place and waits for datagrams on it.
    pub(crate) fn insert(
        &mut self,
        place: usize,
        Bound(mut pair): Bound,
        registry: &Registry,
    ) -> io::Result<()> {
        registry.register(&mut pair.rtp, token(place, Kind::Rtp), Interest::READABLE)?;
        registry.register(&mut pair.rtcp, token(place, Kind::Rtcp), Interest::READABLE)?;
        if place >= self.pairs.len() {
            self.pairs.resize_with(place + 1, || None);
        }
        self.pairs[place] = Some(pair);
        Ok(())
    }

    /// Closes a pair.
    pub(crate) fn remove(&mut self, place: usize) {
        if let Some(pair) = self.pairs.get_mut(place) {
            // Closing a socket takes it out of the poller.
            *pair = None;
        }
    }

    /// The next datagram at a socket; `None` when there is none.
    pub(crate) fn receive(
        &self,
        (place, kind): (usize, Kind),
        buffer: &mut [u8],
    ) -> Option<(usize, SocketAddr)> {
        let socket = self.socket(place, kind)?;
        match socket.recv_from(buffer) {
            // No datagram, but news that an earlier one found nobody.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                socket.recv_from(buffer).ok()
            }
            result => result.ok(),
        }
    }

    fn socket(&self, place: usize, kind: Kind) -> Option<&UdpSocket> {
        let pair = self.pairs.get(place)?.as_ref()?;
        Some(match kind {
            Kind::Rtp => &pair.rtp,
            Kind::Rtcp => &pair.rtcp,
        })
    }

    fn send(&mut self, place: usize, kind: Kind, to: SocketAddr, datagram: &[u8]) {
        let Some(pair) = self.pairs.get(place).and_then(Option::as_ref) else {
            return;
        };
        let sent = match kind {
            Kind::Rtp if pair.peer == Some(to) => send_connected(&pair.rtp, datagram),
            Kind::Rtp => pair.rtp.send_to(datagram, to),
            Kind::Rtcp => pair.rtcp.send_to(datagram, to),
        };
        // A datagram that cannot leave now is worth nothing later.
        match sent {
            Ok(_) => self.sent += 1,
            Err(_) => self.send_failed += 1,
        }
    }
}

impl Outbox for Sockets {
    fn send_rtp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]) {
        self.send(place, Kind::Rtp, to, datagram);
    }

    fn send_rtcp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]) {
        self.send(place, Kind::Rtcp, to, datagram);
    }

    fn set_sole_peer(&mut self, place: usize, peer: Option<SocketAddr>) {
        let Some(pair) = self.pairs.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let connected = match peer {
            Some(peer) => pair.rtp.connect(peer),
            None => disconnect(&pair.rtp),
        };
        // An unconnected socket does as well.
        pair.peer = peer.filter(|_| connected.is_ok());
    }
}

/// The poller's name of a socket.
pub(crate) fn token(place: usize, kind: Kind) -> Token {
    Token(2 * place + usize::from(kind == Kind::Rtcp))
}

/// The socket of a poller's name.
pub(crate) fn named(token: Token) -> (usize, Kind) {
    let kind = if token.0.is_multiple_of(2) {
        Kind::Rtp
    } else {
        Kind::Rtcp
    };
    (token.0 / 2, kind)
}

/// Sends to the peer of a connected socket.
fn send_connected(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
    match socket.send(datagram) {
        // That is about an earlier datagram; this one has not been tried yet.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => socket.send(datagram),
        result => result,
    }
}

/// Lets a connected socket hear everybody again; its own address stays.
#[allow(unsafe_code)]
fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    let nobody = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the descriptor is that of a live socket, and the pointer is to a
    // live address of the length given, which the call only reads.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if local.is_ipv6() {
        // An IPv4 peer is reached from an IPv4 socket, under one name.
        socket.set_only_v6(true)?;
        // A mark for routers; calls work without it.
        let _ = socket.set_tclass_v6(TOS_EXPEDITED);
    } else {
        let _ = socket.set_tos_v4(TOS_EXPEDITED);
    }
    socket.bind(&local.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
