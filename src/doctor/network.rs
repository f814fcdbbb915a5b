//! Ports and addresses.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use super::Finding;
use crate::hotline::{Hotline, Network, PortRange, Trunk};

/// A caller and at least two ringing phones.
const PAIRS_PER_CALL: u32 = 3;

pub(super) fn check(hotline: &Hotline, running: bool, findings: &mut Vec<Finding>) {
    let network = &hotline.network;
    for &address in &network.udp {
        findings.push(port(
            "UDP",
            address,
            UdpSocket::bind(address).err(),
            running,
        ));
    }
    let tcp = network.tcp.iter().chain(&network.metrics);
    for &address in tcp.chain(&hotline.web.listen) {
        findings.push(port(
            "TCP",
            address,
            TcpListener::bind(address).err(),
            running,
        ));
    }
    findings.push(advertised(hotline));
    findings.push(rtp_size(network, hotline.limits.calls));
    findings.push(ephemeral(
        network.rtp_ports,
        &proc_text("net/ipv4/ip_local_port_range"),
        &proc_text("net/ipv4/ip_local_reserved_ports"),
    ));
}

fn port(
    protocol: &str,
    address: SocketAddr,
    refused: Option<std::io::Error>,
    running: bool,
) -> Finding {
    let Some(error) = refused else {
        return Finding::ok(format!("{protocol} {address} is free"));
    };
    match error.kind() {
        ErrorKind::AddrInUse if running => Finding::ok(format!(
            "{protocol} {address} is taken while centralita runs, as it should be"
        )),
        ErrorKind::AddrInUse => Finding::fail(format!(
            "{protocol} {address} is taken by another program. `ss -lnp` shows which; stop it, or use another port"
        )),
        ErrorKind::AddrNotAvailable => Finding::fail(format!(
            "this machine does not have the address {}. `ip addr` shows those it has; correct [network]",
            address.ip()
        )),
        ErrorKind::PermissionDenied => Finding::fail(format!(
            "{protocol} {address} may not be taken by this user. Use a port from 1024"
        )),
        _ => Finding::fail(format!("{protocol} {address} cannot be taken: {error}")),
    }
}

fn advertised(hotline: &Hotline) -> Finding {
    let address = hotline.network.media_address();
    let outside = hotline.trunks.iter().find(|(_, trunk)| is_public(trunk));
    match outside {
        Some((name, _)) if !is_global(address) => Finding::warn(format!(
            "phones and trunks are told the address {address}, which trunk \"{name}\" on the public network cannot reach. \
             Behind NAT, forward the SIP and RTP ports to this machine and set `advertised` to the public address"
        )),
        _ if address.is_loopback() => Finding::ok(format!(
            "phones and trunks are told {address}: this machine alone can call"
        )),
        _ => Finding::ok(format!("phones and trunks are told the address {address}")),
    }
}

fn is_public(trunk: &Trunk) -> bool {
    match trunk {
        Trunk::Address { peers } => peers.iter().any(|peer| is_global(peer.ip())),
        // A name may mean anything; carriers that are logged in to are mostly outside.
        Trunk::Register { host, .. } => host.parse().map_or(true, is_global),
    }
}

/// Whether the public network could reach `address`: neither private (RFC 1918, RFC 4193), nor
/// shared by carriers (RFC 6598), nor link-local, nor this machine.
fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || shared)
        }
        IpAddr::V6(v6) => {
            let local = v6.is_unique_local() || v6.is_unicast_link_local();
            !(local || v6.is_loopback() || v6.is_unspecified())
        }
    }
}

fn rtp_size(network: &Network, calls: u32) -> Finding {
    let PortRange { first, last } = network.rtp_ports;
    let pairs = network.rtp_ports.pairs();
    if pairs < calls * PAIRS_PER_CALL {
        return Finding::warn(format!(
            "RTP ports {first}-{last} give {pairs} streams, few for {calls} calls with several ringing phones. \
             Widen `rtp_ports` or lower `calls`"
        ));
    }
    Finding::ok(format!(
        "RTP ports {first}-{last} give {pairs} streams for {calls} calls"
    ))
}

/// Whether the system may give RTP ports to other programs as temporary ones.
fn ephemeral(ports: PortRange, range: &str, reserved: &str) -> Finding {
    let mut ends = range
        .split_whitespace()
        .map_while(|n| n.parse::<u16>().ok());
    let (Some(low), Some(high)) = (ends.next(), ends.next()) else {
        return Finding::ok("the range of temporary ports is not known here");
    };
    let PortRange { first, last } = ports;
    let overlap = first <= high && low <= last;
    if !overlap || is_reserved(ports, reserved) {
        return Finding::ok("the system gives no RTP ports to other programs");
    }
    Finding::warn(format!(
        "the system may give RTP ports {first}-{last} to other programs (it uses {low}-{high}). \
         Run `sysctl -w net.ipv4.ip_local_reserved_ports={first}-{last}`, or move `rtp_ports` out of that range"
    ))
}

/// Whether one entry of the list, such as `20000-20999,30000`, covers all of `ports`.
fn is_reserved(ports: PortRange, list: &str) -> bool {
    list.trim().split(',').any(|entry| {
        let (low, high) = entry.split_once('-').unwrap_or((entry, entry));
        match (low.parse::<u16>(), high.parse::<u16>()) {
            (Ok(low), Ok(high)) => low <= ports.first && ports.last <= high,
            _ => false,
        }
    })
}

fn proc_text(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn private_and_shared_addresses_are_not_global() {
        for text in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2a00::1"] {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn temporary_ports_that_meet_rtp_ports_are_warned_about_unless_reserved() {
        let ports = PortRange {
            first: 40_000,
            last: 40_999,
        };
        let verdict = |range, reserved| ephemeral(ports, range, reserved).verdict;
        assert_eq!(verdict("32768\t60999\n", "\n"), Verdict::Warn);
        assert_eq!(verdict("32768\t60999\n", "40000-40500\n"), Verdict::Warn);
        assert_eq!(verdict("32768\t60999\n", "8080,39000-41000\n"), Verdict::Ok);
        assert_eq!(verdict("50000\t60999\n", ""), Verdict::Ok);
    }

    #[test]
    fn a_taken_port_is_ours_only_while_we_run() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let look = |running| port("UDP", address, UdpSocket::bind(address).err(), running).verdict;
        assert_eq!(look(true), Verdict::Ok);
        assert_eq!(look(false), Verdict::Fail);
        let elsewhere = "198.51.100.1:5060".parse().unwrap();
        let finding = port("UDP", elsewhere, UdpSocket::bind(elsewhere).err(), true);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.sentence.contains("ip addr"), "{finding}");
    }
}
