//! What the fuzz targets and the replay of their finds do with bytes.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::codec::Codec;
use media::control::{Direction, MediaCommand, PortFormat, PortId, RecordingKey};
use media::mixer::{Mixer, Outbox};
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtcp::{Compound, NtpTime, Packet};
use media::rtp;

struct Nowhere;

impl Outbox for Nowhere {
    fn send_rtp(&mut self, _: usize, _: SocketAddr, datagram: &[u8]) {
        assert!(rtp::Packet::parse(datagram).is_ok(), "what we send is RTP");
    }

    fn send_rtcp(&mut self, _: usize, _: SocketAddr, datagram: &[u8]) {
        assert!(Compound::parse(datagram).is_ok(), "what we send is RTCP");
    }
}

impl RecordSinks for Nowhere {
    fn open(&mut self, _: RecordingKey) -> Box<dyn RecordSink> {
        Box::new(Nowhere)
    }
}

impl RecordSink for Nowhere {
    fn write(&mut self, pcm: &[i16]) -> Result<(), SinkFull> {
        assert!(pcm.len() <= 320);
        Ok(())
    }

    fn finish(&mut self) {}
}

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

/// Two ports that hear each other. The first octet picks their codecs, whether
/// the first is recorded and whether the second knows comfort noise.
fn call(choice: u8, now: Instant) -> Mixer {
    let mut mixer = Mixer::new(Box::new(Nowhere), 1);
    let mut order = |command| mixer.handle_command(command, now, NtpTime(0), &mut Nowhere);
    for (id, pick) in [(1, choice & 3), (2, choice >> 2 & 3)] {
        let port = PortId(id);
        order(MediaCommand::Open {
            port,
            local: peer(),
        });
        let format = PortFormat {
            remote: peer(),
            remote_rtcp: peer(),
            codec: Codec::ALL[usize::from(pick)],
            send_payload_type: 96,
            receive_payload_type: 0,
            telephone_event: Some((101, 1)),
            comfort_noise: (id == 1 || choice & 0x20 == 0).then_some(2),
            direction: Direction::SendRecv,
            latch: true,
        };
        let media_timeout = Duration::from_secs(1);
        order(MediaCommand::Configure {
            port,
            format,
            media_timeout,
        });
    }
    for (from, to) in [(1, 2), (2, 1)] {
        let (from, to) = (PortId(from), PortId(to));
        order(MediaCommand::Connect { from, to });
    }
    if choice & 0x10 != 0 {
        order(MediaCommand::Record {
            port: PortId(1),
            recording: RecordingKey(1),
            max_length: Duration::from_secs(600),
            max_silence: Duration::from_secs(600),
        });
    }
    mixer
}

/// A choice of codecs, then datagrams: a length octet and as many octets.
pub fn rtp(bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut now = Instant::now();
    let mut mixer = call(choice, now);
    while let Some((&length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(after.len().min(usize::from(length)));
        rest = after;
        let mut datagram = datagram.to_vec();
        let _ = mixer.handle_rtp(0, peer(), &mut datagram, now, &mut Nowhere);
        for _ in 0..4 {
            now += Duration::from_millis(5);
            mixer.tick(now, NtpTime(0), &mut Nowhere);
        }
        while mixer.poll_event().is_some() {}
    }
}

/// One datagram.
pub fn rtcp(bytes: &[u8]) {
    if let Ok(compound) = Compound::parse(bytes) {
        let items: usize = compound.packets().map(|packet| items(&packet)).sum();
        assert!(items <= bytes.len());
    }
    let now = Instant::now();
    let mut mixer = call(0, now);
    let _ = mixer.handle_rtcp(0, peer(), bytes, now, NtpTime(0));
}

/// The items a packet lists, each of them read.
fn items(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
            blocks.iter().count()
        }
        Packet::SourceDescription(names) => names.iter().count(),
        Packet::Goodbye(goodbye) => goodbye.sources().count(),
        Packet::Other { .. } => 1,
    }
}
