//! The sockets of the ports: a pair each, RTP on an even UDP port and RTCP on
//! the next.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use media::mixer::Outbox;
use mio::{Poll, Token};
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
        }))
    }
}

impl Sockets {
    /// Gives a pair its place and waits for datagrams on it.
    pub(crate) fn insert(
        &mut self,
        place: usize,
        Bound(pair): Bound,
        poll: &Poll,
    ) -> io::Result<()> {
        watch(poll, &pair.rtp, token(place, Kind::Rtp))?;
        watch(poll, &pair.rtcp, token(place, Kind::Rtcp))?;
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
        self.socket(place, kind)?.recv_from(buffer).ok()
    }

    fn socket(&self, place: usize, kind: Kind) -> Option<&UdpSocket> {
        let pair = self.pairs.get(place)?.as_ref()?;
        Some(match kind {
            Kind::Rtp => &pair.rtp,
            Kind::Rtcp => &pair.rtcp,
        })
    }

    fn send(&mut self, place: usize, kind: Kind, to: SocketAddr, datagram: &[u8]) {
        let Some(socket) = self.socket(place, kind) else {
            return;
        };
        // A datagram that cannot leave now is worth nothing later.
        match socket.send_to(datagram, to) {
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

/// Makes the poller tell of a socket as long as a datagram waits there. The
/// poller itself would tell of each once, so that after every datagram the
/// socket would have to be asked in vain for another: a tenth of the whole
/// work, and more where system calls are slow.
#[allow(unsafe_code)]
fn watch(poll: &Poll, socket: &UdpSocket, Token(name): Token) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: name as u64,
    };
    let (poll, socket) = (poll.as_raw_fd(), socket.as_raw_fd());
    // SAFETY: both descriptors are live, and the pointer is to a live event
    // that the call only reads.
    let result = unsafe { libc::epoll_ctl(poll, libc::EPOLL_CTL_ADD, socket, &raw mut event) };
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
    Ok(socket.into())
}
