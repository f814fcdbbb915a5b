//! Who is heard at a port, and what strangers and broken phones can do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::codec::Codec;
use media::control::{Direction, PortId};
use media::port::{Port, Refused};
use media::rtcp::NtpTime;
use proptest::prelude::*;

use super::rig::Rig;

const STRANGER: &str = "203.0.113.66:5000";

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

#[test]
fn nobody_but_the_negotiated_peer_is_heard() {
    let mut rig = Rig::new(&[Codec::Pcma, Codec::Pcma]);
    rig.connect(0, 1);
    rig.run(500);
    // The stranger knows everything about the stream.
    let stolen = rig.peers[0].next_packet();
    assert_eq!(rig.send(0, stranger(), &stolen), Err(Refused::Source));
    let mut neighbour = rig.peers[0].address;
    neighbour.set_port(4_002);
    assert_eq!(rig.send(0, neighbour, &stolen), Err(Refused::Source));
    assert_eq!(rig.mixer.port(rig.peers[0].id).unwrap().stats().refused, 2);
    rig.run(500);
    // Nothing of ours goes to the stranger either.
    let peer = rig.peers[0].address;
    assert!(rig.peers[0].got_at.iter().all(|to| *to == peer));
}

#[test]
fn a_nat_is_learnt_once_from_a_plausible_packet() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    let negotiated = rig.peers[0].format.remote;
    rig.peers[0].format.latch = true;
    rig.configure(0);
    rig.peers[0].sends = false;
    rig.run(100);
    assert!(rig.peers[0].got_at.iter().all(|to| *to == negotiated));
    // Neither garbage, nor another payload type, nor padding teaches an address.
    assert_eq!(
        rig.send(0, stranger(), b"\x80\x08"),
        Err(Refused::Malformed)
    );
    let other = rig.peers[0].packet(3, &[0; 160]);
    assert_eq!(rig.send(0, stranger(), &other), Err(Refused::PayloadType));
    let mut padding = rig.peers[0].packet(8, &[0, 0, 0, 4]);
    padding[0] |= 0x20;
    assert_eq!(rig.send(0, stranger(), &padding), Err(Refused::Malformed));
    // The peer's first packet does.
    let nat: SocketAddr = "198.51.100.20:62000".parse().unwrap();
    rig.peers[0].address = nat;
    rig.send_next(0).unwrap();
    let valid = rig.peers[0].next_packet();
    assert_eq!(rig.send(0, stranger(), &valid), Err(Refused::Source));
    assert_eq!(rig.send(0, negotiated, &valid), Err(Refused::Source));
    let before = rig.peers[0].got_at.len();
    rig.run(200);
    assert!(rig.peers[0].got_at[before..].iter().all(|to| *to == nat));
    // Not even when the peer is silent for long.
    rig.run(60_000);
    assert_eq!(rig.send(0, stranger(), &valid), Err(Refused::Source));
}

#[test]
fn a_new_negotiation_learns_anew() {
    let mut rig = Rig::new(&[Codec::Pcma]);
    rig.peers[0].format.latch = true;
    rig.configure(0);
    rig.run(100);
    // The same address: the source that speaks stays, others cannot jump in.
    rig.configure(0);
    let stolen = rig.peers[0].next_packet();
    assert_eq!(rig.send(0, stranger(), &stolen), Err(Refused::Source));
    rig.run(100);
    // Another address: learnt from scratch.
    rig.peers[0].format.remote = "198.51.100.1:7000".parse().unwrap();
    rig.peers[0].address = "198.51.100.1:7100".parse().unwrap();
    rig.configure(0);
    rig.send_next(0).unwrap();
}

#[test]
fn nothing_is_heard_before_the_negotiation() {
    let mut port = Port::new(PortId(1), 7);
    let datagram = [0x80; 172];
    let now = Instant::now();
    assert_eq!(
        port.handle_packet(stranger(), &datagram, now),
        Err(Refused::NotConfigured)
    );
    let rtcp = port.handle_rtcp(stranger(), &datagram, now, NtpTime(0));
    assert_eq!(rtcp, Err(Refused::NotConfigured));
}

#[test]
fn a_peer_may_start_its_stream_anew() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Pcmu]] {
        let mut rig = Rig::new(&codecs);
        rig.peers[0].sing(Some(440.0));
        rig.connect(0, 1);
        rig.run(1_000);
        // Another stream, then other numbers in the same stream.
        rig.peers[0].ssrc ^= 0xffff;
        rig.peers[0].sequence = 17;
        rig.peers[0].timestamp = 99;
        rig.run(1_000);
        assert!(rig.peers[1].part_of(440.0) > 0.9, "{codecs:?}: new stream");
        rig.peers[0].sequence = 30_000;
        rig.peers[0].timestamp = 0x7000_0000;
        rig.run(1_000);
        assert!(rig.peers[1].part_of(440.0) > 0.9, "{codecs:?}: new numbers");
        rig.peers[1].assert_one_stream();
    }
}

#[test]
fn a_port_needs_little_memory_until_it_decodes() {
    assert!(size_of::<Port>() <= 1_536, "{}", size_of::<Port>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A peer that has gone mad: random headers and payloads on an open port,
    /// forwarded and decoded, with ticks between them.
    #[test]
    fn hostile_packets_never_panic(
        packets in prop::collection::vec(
            (any::<[u8; 12]>(), 0usize..6, prop::collection::vec(any::<u8>(), 0..400)),
            1..60,
        ),
        codec in 0usize..4,
        other in 0usize..4,
        supervised: bool,
    ) {
        let (a, b) = (Codec::ALL[codec], Codec::ALL[other]);
        let mut rig = Rig::new(&[a, b, Codec::Pcma]);
        rig.peers.iter_mut().for_each(|peer| peer.sends = false);
        // What arrives may be no audio; it need not be decodable.
        rig.peers[1].format.direction = Direction::SendRecv;
        rig.connect(0, 2);
        if supervised {
            rig.connect(0, 1);
        }
        let from = rig.peers[0].address;
        let place = rig.mixer.place(rig.peers[0].id).unwrap();
        for (mut header, likeness, payload) in packets {
            // Most packets look like RTP of the stream.
            if likeness > 0 {
                header[0] = 0x80;
                header[1] = if likeness > 4 { 97 } else { rig.peers[0].format.receive_payload_type };
            }
            if likeness > 1 {
                header[8..12].copy_from_slice(&[0, 0, 0, 1]);
            }
            if likeness > 2 {
                header[2] = 0;
                header[4..6].copy_from_slice(&[0, 0]);
            }
            let mut datagram = header.to_vec();
            datagram.extend_from_slice(&payload);
            let now = rig.now();
            let mut post = super::rig::Post::default();
            let _ = rig.mixer.handle_rtp(place, from, &mut datagram, now, &mut post);
            let _ = rig.mixer.handle_rtcp(place, from, &datagram, now, NtpTime(0));
            for _ in 0..4 {
                rig.ms += 5;
                let now = rig.start + Duration::from_millis(rig.ms);
                rig.mixer.tick(now, NtpTime(0), &mut post);
            }
        }
    }
}
