//! Where a peer's media goes, and how far its word on that is trusted.

use std::net::{IpAddr, SocketAddr};

use sip::sdp::{Connection, MediaDescription};

/// The peer's media addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: SocketAddr,
    /// Whether the port follows the first valid packet, see [`Remote::of`].
    pub(crate) latch: bool,
    /// Whether the peer wrote the unspecified address: it wants no media now (RFC 3264 section 8.4).
    pub(crate) muted: bool,
}

impl Remote {
    /// Reads the addresses of one media line.
    ///
    /// The port latches (follows the source of the first valid packet) when
    /// the address in the description is not the one that the signalling comes
    /// from, or is an inner one (private, shared, link-local, loopback): then a
    /// NAT is likely in between. Only a public address that is also that of
    /// the signalling is taken at its word.
    ///
    /// An inner address from a peer that signals from outside cannot be reached,
    /// and could be a neighbour of ours: the signalling address takes its place.
    /// So it does for a host name, which is not looked up.
    ///
    /// `None` for an address that nobody can be sent to.
    pub(crate) fn of(
        connection: &Connection,
        line: &MediaDescription,
        signalling: IpAddr,
        before: Option<Self>,
    ) -> Option<Self> {
        if connection.is_unspecified() {
            let rtp_ip = before.map_or(signalling, |remote| remote.rtp.ip());
            let mut remote = Self::at(rtp_ip, line, rtp_ip);
            remote.latch = before.is_none_or(|remote| remote.latch);
            remote.muted = true;
            return Some(remote);
        }
        let written = connection.ip().map(|ip| ip.to_canonical());
        let believed = written.filter(|ip| !is_inner(*ip) || is_inner(signalling));
        let rtp_ip = believed.unwrap_or(signalling);
        if !is_unicast(rtp_ip) || written.is_some_and(|ip| !is_unicast(ip)) {
            return None;
        }
        let rtcp_ip = line
            .rtcp
            .and_then(|(_, ip)| ip)
            .map(|ip| ip.to_canonical())
            .filter(|ip| is_unicast(*ip) && ip.is_ipv4() == rtp_ip.is_ipv4())
            .filter(|ip| !is_inner(*ip) || is_inner(signalling))
            .unwrap_or(rtp_ip);
        let mut remote = Self::at(rtp_ip, line, rtcp_ip);
        remote.latch = written != Some(signalling) || is_inner(signalling);
        Some(remote)
    }

    fn at(rtp_ip: IpAddr, line: &MediaDescription, rtcp_ip: IpAddr) -> Self {
        let rtcp_port = match line.rtcp {
            Some((port, _)) if port != 0 => port,
            _ => line.port.saturating_add(1),
        };
        Self {
            rtp: SocketAddr::new(rtp_ip, line.port),
            rtcp: SocketAddr::new(rtcp_ip, rtcp_port),
            latch: false,
            muted: false,
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("latch", &self.latch)
            .field("muted", &self.muted)
            .finish_non_exhaustive()
    }
}

fn is_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_multicast() || ip.is_unspecified() || broadcast)
}

/// Addresses that mean something else on another network.
fn is_inner(ip: IpAddr) -> bool {
    match ip {
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

    fn remote(written: &str, signalling: &str) -> Option<Remote> {
        let line = MediaDescription::audio(4000);
        let connection = match written.parse() {
            Ok(ip) => Connection::Ip(ip),
            Err(_) => Connection::Host(written.to_owned()),
        };
        Remote::of(&connection, &line, signalling.parse().unwrap(), None)
    }

    #[test]
    fn a_public_address_equal_to_the_signalling_is_taken_at_its_word() {
        let remote = remote("198.51.100.1", "198.51.100.1").unwrap();
        assert_eq!(remote.rtp, "198.51.100.1:4000".parse().unwrap());
        assert_eq!(remote.rtcp, "198.51.100.1:4001".parse().unwrap());
        assert!(!remote.latch);
    }

    #[test]
    fn another_or_an_inner_address_latches() {
        let media_gateway = remote("198.51.100.2", "198.51.100.1").unwrap();
        assert_eq!(media_gateway.rtp.ip().to_string(), "198.51.100.2");
        assert!(media_gateway.latch);
        assert!(remote("192.168.1.5", "192.168.1.5").unwrap().latch);
        assert!(remote("fd00::5", "fd00::5").unwrap().latch);
    }

    #[test]
    fn an_inner_address_from_outside_is_replaced() {
        for written in ["192.168.1.5", "127.0.0.1", "100.64.1.1", "host.example"] {
            let remote = remote(written, "198.51.100.1").unwrap();
            assert_eq!(remote.rtp.ip().to_string(), "198.51.100.1", "{written}");
            assert!(remote.latch);
        }
    }

    #[test]
    fn nobody_is_sent_to_many() {
        for written in ["224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert_eq!(remote(written, "198.51.100.1"), None, "{written}");
        }
    }

    #[test]
    fn rtcp_goes_where_the_peer_says_within_reason() {
        let mut line = MediaDescription::audio(u16::MAX);
        let connection = Connection::Ip([198, 51, 100, 1].into());
        let of = |line: &MediaDescription| {
            let signalling = [198, 51, 100, 1].into();
            Remote::of(&connection, line, signalling, None)
                .unwrap()
                .rtcp
        };
        assert_eq!(of(&line), "198.51.100.1:65535".parse().unwrap());
        line.rtcp = Some((4321, Some([198, 51, 100, 9].into())));
        assert_eq!(of(&line), "198.51.100.9:4321".parse().unwrap());
        line.rtcp = Some((4321, Some([10, 0, 0, 9].into())));
        assert_eq!(of(&line), "198.51.100.1:4321".parse().unwrap());
    }
}
