//! The UDP sockets of the voice loop, all owned by it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Kernel receive buffer asked for; a burst of registrations after a power cut must fit.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Largest UDP payload.
const MAX_DATAGRAM_BYTES: usize = 65_535;
/// Space kept ahead for incoming datagrams, so that most need no allocation of their own.
const SLAB_BYTES: usize = 256 << 10;

/// A datagram that arrived.
pub struct Received {
    /// The socket it arrived on.
    pub local: SocketAddr,
    /// Who sent it.
    pub remote: SocketAddr,
    /// Its payload.
    pub payload: Bytes,
}

/// A set of bound UDP sockets.
pub struct Datagrams {
    sockets: Vec<(SocketAddr, UdpSocket)>,
    by_address: BTreeMap<SocketAddr, usize>,
    next: usize,
    slab: BytesMut,
    /// Datagrams that the kernel did not take; SIP repeats them.
    pub dropped: u64,
}

impl Datagrams {
    /// Binds every address.
    ///
    /// # Errors
    /// The address that could not be bound, with the reason.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let mut this = Self {
            sockets: Vec::new(),
            by_address: BTreeMap::new(),
            next: 0,
            slab: BytesMut::new(),
            dropped: 0,
        };
        for &address in addresses {
            let socket = bind_one(address).map_err(|error| (address, error))?;
            let local = socket.local_addr().map_err(|error| (address, error))?;
            this.by_address.insert(local, this.sockets.len());
            this.sockets.push((local, socket));
        }
        Ok(this)
    }

    /// Waits for the next datagram on any socket. Cancel safe.
    pub async fn receive(&mut self) -> Received {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        let count = self.sockets.len();
        for step in 0..count {
            let index = (self.next + step) % count;
            if self.slab.capacity() < MAX_DATAGRAM_BYTES {
                self.slab = BytesMut::with_capacity(SLAB_BYTES);
            }
            let spare = &mut self.slab.spare_capacity_mut()[..MAX_DATAGRAM_BYTES];
            let mut buffer = ReadBuf::uninit(spare);
            let (local, socket) = &self.sockets[index];
            // An error here is an ICMP answer to something sent earlier: not about this datagram.
            while let Poll::Ready(result) = socket.poll_recv_from(cx, &mut buffer) {
                if let Ok(remote) = result {
                    let payload = Bytes::copy_from_slice(buffer.filled());
                    self.next = (index + 1) % count;
                    return Poll::Ready(Received {
                        local: *local,
                        remote,
                        payload,
                    });
                }
            }
        }
        Poll::Pending
    }

    /// Sends now or not at all.
    pub fn send(&mut self, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        let index = self.by_address.get(&local).copied().unwrap_or(0);
        let sent = self
            .sockets
            .get(index)
            .map(|(_, socket)| socket.try_send_to(payload, remote));
        if !matches!(sent, Some(Ok(_))) {
            self.dropped += 1;
        }
    }
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel caps what it grants; a smaller buffer still works.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
