//! The engine over real sockets, on loopback.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use e2e::net::Net;
use engine::{Busy, Engine, EngineConfig, EngineHandle};
use media::codec::{Codec, Decoder, Encoder, Rate, decoder, encoder};
use media::control::{
    ClipId, Direction, MediaCommand, MediaEvent, PortFormat, PortId, RecordingKey,
};
use media::prompt::Prompt;
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtp::{Header, Packet};
use media::tone::{Tone, ToneGenerator, dominant_hz, tone_level};

struct NoSinks;

impl RecordSinks for NoSinks {
    fn open(&mut self, _: RecordingKey) -> Box<dyn RecordSink> {
        Box::new(NoSinks)
    }
}

impl RecordSink for NoSinks {
    fn write(&mut self, _: &[i16]) -> Result<(), SinkFull> {
        Ok(())
    }

    fn finish(&mut self) {}
}

fn start(max_ports: usize, max_orders: usize) -> (EngineHandle, Receiver<MediaEvent>) {
    let (tell, events) = channel();
    let engine = Engine::start(EngineConfig {
        sinks: Box::new(NoSinks),
        on_event: Box::new(move |event| {
            let _ = tell.send(event);
        }),
        seed: 1,
        max_ports,
        max_orders,
        realtime: true,
    });
    (engine.unwrap(), events)
}

/// An even UDP port that nobody else has, nor the next: at an address of its own.
fn own_pair() -> SocketAddr {
    SocketAddr::new(Net::new().server(), 20_000)
}

/// Makes an open port speak to a phone at `remote`, or wherever it is found.
fn configure(engine: &EngineHandle, id: u64, codec: Codec, remote: SocketAddr, latch: bool) {
    let format = PortFormat {
        remote,
        remote_rtcp: remote,
        codec,
        send_payload_type: 96,
        receive_payload_type: 96,
        telephone_event: None,
        comfort_noise: None,
        direction: Direction::SendRecv,
        latch,
    };
    let command = MediaCommand::Configure {
        port: PortId(id),
        format,
        media_timeout: Duration::ZERO,
    };
    engine.send(command).unwrap();
}

/// A phone in real time.
struct Phone {
    socket: UdpSocket,
    codec: Codec,
    rate: Rate,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    tone: ToneGenerator,
    port: SocketAddr,
    frames: u16,
    heard: Vec<i16>,
}

impl Phone {
    /// A phone that sings, at an open and configured port.
    fn new(engine: &EngineHandle, id: u64, codec: Codec, hz: f32) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = own_pair();
        let rate = codec.best_rate().min(Rate::Hz16000);
        engine
            .send(MediaCommand::Open {
                port: PortId(id),
                local: port,
            })
            .unwrap();
        configure(engine, id, codec, socket.local_addr().unwrap(), false);
        Phone {
            socket,
            codec,
            rate,
            encoder: encoder(codec, rate).unwrap(),
            decoder: decoder(codec, rate).unwrap(),
            tone: ToneGenerator::new(Tone::sine(hz, 1_000_000, -12.0), rate),
            port,
            frames: 0,
            heard: Vec::new(),
        }
    }

    fn send(&mut self) {
        let mut pcm = vec![0; self.rate.samples_per_frame()];
        self.tone.fill(&mut pcm);
        let mut payload = [0; 320];
        let bytes = self.encoder.encode(&pcm, &mut payload).unwrap();
        let header = Header {
            marker: self.frames == 0,
            payload_type: 96,
            sequence: self.frames,
            timestamp: u32::from(self.frames) * self.codec.timestamp_step(),
            ssrc: 5,
        };
        let mut datagram = header.build().to_vec();
        datagram.extend_from_slice(&payload[..bytes]);
        self.socket.send_to(&datagram, self.port).unwrap();
        self.frames += 1;
    }

    fn receive(&mut self) {
        let mut datagram = [0; 1_500];
        let mut pcm = vec![0; self.rate.samples_per_packet_max()];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            // RTCP comes from the next port.
            if from == self.port {
                let packet = Packet::parse(&datagram[..length]).unwrap();
                let payload = packet.payload(&datagram[..length]);
                let samples = self.decoder.decode(payload, &mut pcm).unwrap();
                self.heard.extend_from_slice(&pcm[..samples]);
            }
        }
    }

    /// Whether what was heard lately is a tone of `hz`.
    fn hears(&self, hz: f64) -> bool {
        let span = self.rate.samples_in_ms(400);
        let Some(start) = self.heard.len().checked_sub(span) else {
            return false;
        };
        let recent = &self.heard[start..];
        (dominant_hz(recent, self.rate.hz()) - hz).abs() < 10.0
            && tone_level(recent, self.rate.hz(), hz) > 0.5
    }
}

/// Lets the phones talk until `done` or ten seconds have passed.
fn talk_until(phones: &mut [Phone], mut done: impl FnMut(&[Phone]) -> bool) -> bool {
    let start = Instant::now();
    for frame in 0..500 {
        phones.iter_mut().for_each(Phone::send);
        let next = start + Duration::from_millis(20) * (frame + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        phones.iter_mut().for_each(Phone::receive);
        if done(phones) {
            return true;
        }
    }
    false
}

fn connect(engine: &EngineHandle, a: u64, b: u64) {
    for (from, to) in [(a, b), (b, a)] {
        let (from, to) = (PortId(from), PortId(to));
        engine.send(MediaCommand::Connect { from, to }).unwrap();
    }
}

#[test]
fn a_tone_crosses_from_g711_to_opus_and_back() {
    let (engine, events) = start(10, 100);
    let mut phones = [
        Phone::new(&engine, 1, Codec::Pcma, 440.0),
        Phone::new(&engine, 2, Codec::Opus, 1_000.0),
    ];
    connect(&engine, 1, 2);
    let heard = talk_until(&mut phones, |phones| {
        phones[1].hears(440.0) && phones[0].hears(1_000.0)
    });
    assert!(heard);
    let stats = engine.stats();
    assert_eq!((stats.ports, stats.refused, stats.send_failed), (2, 0, 0));
    engine.stop();
    let told: Vec<_> = events.iter().collect();
    let closed = |event: &MediaEvent| match event {
        MediaEvent::Closed { stats, .. } => stats.received > 15 && stats.sent > 15,
        _ => false,
    };
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(closed), "{told:?}");
}

#[test]
fn a_plain_call_is_forwarded_and_a_clip_is_heard_in_it() {
    let (engine, events) = start(10, 100);
    let mut phones = [
        Phone::new(&engine, 1, Codec::Pcmu, 440.0),
        Phone::new(&engine, 2, Codec::Pcmu, 1_000.0),
    ];
    connect(&engine, 1, 2);
    assert!(talk_until(&mut phones, |phones| phones[1].hears(440.0)));
    engine
        .send(MediaCommand::Disconnect {
            from: PortId(1),
            to: PortId(2),
        })
        .unwrap();
    let mut pcm_8k = vec![0; 8_000];
    ToneGenerator::new(Tone::sine(700.0, 1_000, -12.0), Rate::Hz8000).fill(&mut pcm_8k);
    let clip = ClipId(1);
    let prompt = Prompt {
        pcm_8k,
        pcm_16k: vec![],
        pcm_48k: vec![],
    };
    engine.load_clip(clip, Arc::new(prompt)).unwrap();
    engine
        .send(MediaCommand::Play {
            port: PortId(2),
            clip,
            repeat: false,
        })
        .unwrap();
    assert!(talk_until(&mut phones, |phones| phones[1].hears(700.0)));
    let port = PortId(2);
    let finished = MediaEvent::PlayFinished { port, clip };
    assert!(talk_until(&mut phones, |_| events.try_recv() == Ok(finished.clone())));
}

#[test]
fn ports_that_cannot_be_opened_are_told() {
    let (engine, events) = start(1, 100);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut local = taken.local_addr().unwrap();
    engine
        .send(MediaCommand::Open {
            port: PortId(1),
            local,
        })
        .unwrap();
    let wait = Duration::from_secs(10);
    assert_eq!(
        events.recv_timeout(wait),
        Ok(MediaEvent::OpenFailed { port: PortId(1) })
    );
    local = own_pair();
    engine
        .send(MediaCommand::Open {
            port: PortId(2),
            local,
        })
        .unwrap();
    let second = own_pair();
    engine
        .send(MediaCommand::Open {
            port: PortId(3),
            local: second,
        })
        .unwrap();
    // Only the second exceeds the limit.
    assert_eq!(
        events.recv_timeout(wait),
        Ok(MediaEvent::OpenFailed { port: PortId(3) })
    );
    // A closed port frees its sockets and its place at once.
    engine
        .send(MediaCommand::Close { port: PortId(2) })
        .unwrap();
    assert!(matches!(
        events.recv_timeout(wait),
        Ok(MediaEvent::Closed { .. })
    ));
    engine
        .send(MediaCommand::Open {
            port: PortId(4),
            local,
        })
        .unwrap();
    engine.stop();
    assert!(matches!(
        events.recv_timeout(wait),
        Ok(MediaEvent::Closed {
            port: PortId(4),
            ..
        })
    ));
}

#[test]
fn garbage_and_strangers_are_counted_and_change_nothing() {
    let (engine, _events) = start(10, 100);
    let mut phones = [
        Phone::new(&engine, 1, Codec::Pcma, 440.0),
        Phone::new(&engine, 2, Codec::Pcma, 1_000.0),
    ];
    connect(&engine, 1, 2);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = phones[0].port;
    let mut rtcp = port;
    rtcp.set_port(port.port() + 1);
    let heard = talk_until(&mut phones, |phones| {
        for length in [0, 1, 12, 172, 1_500, 1_501, 9_000] {
            stranger.send_to(&vec![0x80; length], port).unwrap();
            stranger.send_to(&vec![0x80; length], rtcp).unwrap();
            phones[0].socket.send_to(&vec![0x80; length], port).unwrap();
        }
        phones[1].hears(440.0) && engine.stats().refused > 100
    });
    assert!(heard, "{:?}", engine.stats());
}

#[test]
fn a_phone_that_moves_is_found_again_once_the_call_is_renegotiated() {
    let (engine, _events) = start(10, 100);
    let mut phones = [
        Phone::new(&engine, 1, Codec::Pcma, 440.0),
        Phone::new(&engine, 2, Codec::Pcma, 1_000.0),
    ];
    // Behind a NAT: the negotiated address is of no use.
    let private = SocketAddr::from(([127, 0, 0, 1], 9));
    configure(&engine, 1, Codec::Pcma, private, true);
    connect(&engine, 1, 2);
    assert!(talk_until(&mut phones, |phones| {
        phones[0].hears(1_000.0) && phones[1].hears(440.0)
    }));
    phones[0].socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    phones[0].socket.set_nonblocking(true).unwrap();
    phones.iter_mut().for_each(|phone| phone.heard.clear());
    configure(&engine, 1, Codec::Pcma, private, true);
    assert!(talk_until(&mut phones, |phones| {
        phones[0].hears(1_000.0) && phones[1].hears(440.0)
    }));
}

#[test]
fn a_phone_that_is_gone_for_a_moment_hears_every_packet_after_it() {
    let (engine, _events) = start(10, 100);
    let mut phones = [
        Phone::new(&engine, 1, Codec::Pcma, 440.0),
        Phone::new(&engine, 2, Codec::Pcma, 1_000.0),
    ];
    connect(&engine, 1, 2);
    assert!(talk_until(&mut phones, |phones| phones[0].hears(1_000.0)));
    // Nobody is at its address for a while: the system says so at each packet.
    let home = phones[0].socket.local_addr().unwrap();
    phones[0].socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut frames = 0;
    talk_until(&mut phones[1..], |_| {
        frames += 1;
        frames == 20
    });
    phones[0].socket = UdpSocket::bind(home).unwrap();
    phones[0].socket.set_nonblocking(true).unwrap();
    phones.iter_mut().for_each(|phone| phone.heard.clear());
    assert!(talk_until(&mut phones, |phones| {
        phones[0].hears(1_000.0) && phones[1].hears(440.0)
    }));
    assert_eq!(engine.stats().send_failed, 0);
}

#[test]
fn a_full_queue_says_so() {
    // The media thread is held up in its callback, as no callback should do.
    let (called, calls) = channel();
    let (release, held) = channel::<()>();
    let config = EngineConfig {
        sinks: Box::new(NoSinks),
        on_event: Box::new(move |_| {
            let _ = called.send(());
            let _ = held.recv();
        }),
        seed: 1,
        max_ports: 0,
        max_orders: 2,
        realtime: false,
    };
    let engine = Engine::start(config).unwrap();
    let local = own_pair();
    let order = || {
        engine.send(MediaCommand::Open {
            port: PortId(1),
            local,
        })
    };
    assert_eq!(order(), Ok(()));
    calls.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!([order(), order(), order()], [Ok(()), Ok(()), Err(Busy)]);
    drop(release);
    engine.stop();
    assert_eq!(calls.iter().count(), 2, "what was taken is carried out");
}
