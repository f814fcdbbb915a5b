//! Loopback addresses of one test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// SIP of every party, each at an address of its own.
pub const SIP_PORT: u16 = 5060;
/// The box's metrics and health.
pub const METRICS_PORT: u16 = 9464;
/// Networks in 127.64.0.0/10 that tests take.
const NETWORKS: u32 = 64 * 256;

/// A /24 of 127.0.0.0/8 that no other running test uses.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    network: u32,
    server: IpAddr,
}

impl Net {
    /// Takes a free one.
    ///
    /// # Panics
    /// When none is free.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..NETWORKS {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let network = (std::process::id().wrapping_mul(61) + count) % NETWORKS;
            let server = host(network, 1);
            let net = Self { network, server };
            if UdpSocket::bind((net.server(), SIP_PORT)).is_ok() {
                return net;
            }
        }
        panic!("no loopback network is free");
    }

    /// The box.
    #[must_use]
    pub fn server(&self) -> IpAddr {
        self.server
    }

    /// The carrier, from which callers come.
    #[must_use]
    pub fn trunk(&self) -> IpAddr {
        self.host(2)
    }

    /// The carrier's other gateway.
    #[must_use]
    pub fn second_trunk(&self) -> IpAddr {
        self.host(3)
    }

    /// A phone, or anyone else.
    #[must_use]
    pub fn phone(&self, number: u8) -> IpAddr {
        self.host(10 + number)
    }

    /// The box's SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.server(), SIP_PORT)
    }

    /// The box's metrics and health.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        SocketAddr::new(self.host(1), METRICS_PORT)
    }

    /// The same, with the box at an address that others reach than this machine.
    #[must_use]
    pub fn with_server(self, server: IpAddr) -> Self {
        Self { server, ..self }
    }

    fn host(&self, last: u8) -> IpAddr {
        host(self.network, last)
    }
}

fn host(network: u32, last: u8) -> IpAddr {
    let [_, _, high, low] = network.to_be_bytes();
    Ipv4Addr::new(127, 64 + high, low, last).into()
}
