//! A mixer under a virtual clock with simulated peers at its ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::codec::{Codec, Decoder, Encoder, Rate, decoder, encoder};
use media::control::{Direction, MediaCommand, MediaEvent, PortFormat, PortId, RecordingKey};
use media::level::level_dbov;
use media::mixer::{Mixer, Outbox};
use media::port::Refused;
use media::record::{RecordSink, RecordSinks, SinkFull};
use media::rtcp::NtpTime;
use media::rtp::{Header, Packet};
use media::tone::{Tone, ToneGenerator, dominant_hz, tone_level};

/// `telephone-event` as a peer sends and receives it; the two differ so that a
/// missing translation shows.
pub const EVENTS: (u8, u8) = (101, 97);

/// What recordings took.
#[derive(Clone, Default)]
pub struct Tapes(pub Arc<Mutex<BTreeMap<RecordingKey, Tape>>>);

#[derive(Default)]
pub struct Tape {
    pub pcm: Vec<i16>,
    pub finished: bool,
    /// Samples after which the sink refuses.
    pub room: Option<usize>,
}

struct Recording(RecordingKey, Tapes);

impl RecordSinks for Tapes {
    fn open(&mut self, recording: RecordingKey) -> Box<dyn RecordSink> {
        Box::new(Recording(recording, self.clone()))
    }
}

impl RecordSink for Recording {
    fn write(&mut self, pcm: &[i16]) -> Result<(), SinkFull> {
        let mut tapes = self.1.0.lock().unwrap();
        let tape = tapes.entry(self.0).or_default();
        if tape
            .room
            .is_some_and(|room| tape.pcm.len() + pcm.len() > room)
        {
            return Err(SinkFull);
        }
        tape.pcm.extend_from_slice(pcm);
        Ok(())
    }

    fn finish(&mut self) {
        let mut tapes = self.1.0.lock().unwrap();
        tapes.entry(self.0).or_default().finished = true;
    }
}

/// What the mixer sent.
#[derive(Default)]
pub struct Post {
    pub rtp: Vec<(usize, SocketAddr, Vec<u8>)>,
    pub rtcp: Vec<(usize, SocketAddr, Vec<u8>)>,
}

impl Outbox for Post {
    fn send_rtp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]) {
        self.rtp.push((place, to, datagram.to_vec()));
    }

    fn send_rtcp(&mut self, place: usize, to: SocketAddr, datagram: &[u8]) {
        self.rtcp.push((place, to, datagram.to_vec()));
    }
}

/// The phone at one port.
pub struct Peer {
    pub id: PortId,
    pub format: PortFormat,
    pub address: SocketAddr,
    rate: Rate,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    tone: Option<ToneGenerator>,
    /// Whether it sends at all.
    pub sends: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// The packets it got.
    pub got: Vec<(Header, Vec<u8>)>,
    /// Where packets to it were sent.
    pub got_at: Vec<SocketAddr>,
    /// The audio it got.
    pub heard: Vec<i16>,
}

impl Peer {
    fn new(number: u64, codec: Codec) -> Self {
        let address = SocketAddr::from(([192, 0, 2, number as u8], 4_000));
        // The payload type tells the codec, and both ways differ for Opus.
        let (send, receive) = match codec.static_payload_type() {
            Some(fixed) => (fixed, fixed),
            None => (111, 96),
        };
        let rate = codec.best_rate().min(Rate::Hz16000);
        Self {
            id: PortId(number),
            format: PortFormat {
                remote: address,
                remote_rtcp: SocketAddr::from(([192, 0, 2, number as u8], 4_001)),
                codec,
                send_payload_type: send,
                receive_payload_type: receive,
                telephone_event: Some(EVENTS),
                comfort_noise: None,
                direction: Direction::SendRecv,
                latch: false,
            },
            address,
            rate,
            encoder: encoder(codec, rate).unwrap(),
            decoder: decoder(codec, rate).unwrap(),
            tone: None,
            sends: true,
            sequence: 65_000 + number as u16,
            timestamp: u32::MAX - 40_000 * number as u32,
            ssrc: 0xaa00 + number as u32,
            got: Vec::new(),
            got_at: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Sends a tone from now on; `None` for silence.
    pub fn sing(&mut self, hz: Option<f32>) {
        let tone = |hz| ToneGenerator::new(Tone::sine(hz, 1_000_000, -12.0), self.rate);
        self.tone = hz.map(tone);
    }

    /// The next 20 ms as a packet.
    pub fn next_packet(&mut self) -> Vec<u8> {
        let mut pcm = vec![0; self.rate.samples_per_frame()];
        if let Some(tone) = &mut self.tone {
            tone.fill(&mut pcm);
        }
        self.packet_of(&pcm)
    }

    /// 20 ms of PCM as a packet.
    pub fn packet_of(&mut self, pcm: &[i16]) -> Vec<u8> {
        let mut payload = [0; 320];
        let bytes = self.encoder.encode(pcm, &mut payload).unwrap();
        let datagram = self.packet(self.format.receive_payload_type, &payload[..bytes]);
        self.timestamp = self
            .timestamp
            .wrapping_add(self.format.codec.timestamp_step());
        datagram
    }

    /// A packet of `payload` with the next number, at the present time.
    pub fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut datagram = header.build().to_vec();
        datagram.extend_from_slice(payload);
        datagram
    }

    fn take(&mut self, to: SocketAddr, datagram: &[u8]) {
        let packet = Packet::parse(datagram).unwrap();
        let payload = packet.payload(datagram);
        self.got.push((packet.header, payload.to_vec()));
        self.got_at.push(to);
        if packet.header.payload_type == self.format.send_payload_type {
            let mut pcm = vec![0; self.rate.samples_per_packet_max()];
            let samples = self.decoder.decode(payload, &mut pcm).unwrap();
            self.heard.extend_from_slice(&pcm[..samples]);
        }
    }

    /// The strongest frequency of the last 400 ms heard, if it is a clear tone.
    pub fn pitch(&self) -> Option<f64> {
        let span = self.rate.samples_in_ms(400);
        let recent = &self.heard[self.heard.len().checked_sub(span)?..];
        if level_dbov(recent) < -60.0 {
            return None;
        }
        let hz = dominant_hz(recent, self.rate.hz());
        (tone_level(recent, self.rate.hz(), hz) > 0.5).then_some(hz)
    }

    /// How much of the last 400 ms heard is a tone of `hz`, 0 to 1.
    pub fn part_of(&self, hz: f64) -> f64 {
        let span = self.rate.samples_in_ms(400);
        let recent = &self.heard[self.heard.len() - span..];
        tone_level(recent, self.rate.hz(), hz)
    }

    /// Whether numbers and times of what it got run on without a break.
    pub fn assert_one_stream(&self) {
        let step = self.format.codec.timestamp_step();
        let audio = self.format.send_payload_type;
        for pair in self.got.windows(2) {
            let (before, after) = (&pair[0].0, &pair[1].0);
            assert_eq!(before.ssrc, after.ssrc);
            assert_eq!(
                before.sequence.wrapping_add(1),
                after.sequence,
                "{before:?} {after:?}"
            );
            if before.payload_type == audio && after.payload_type == audio {
                let ahead = after.timestamp.wrapping_sub(before.timestamp);
                let steps = ahead / step;
                assert!(
                    ahead.is_multiple_of(step) && (1..=10).contains(&steps),
                    "{before:?} {after:?}"
                );
            }
        }
    }
}

pub struct Rig {
    pub mixer: Mixer,
    pub start: Instant,
    pub ms: u64,
    pub peers: Vec<Peer>,
    pub post: Post,
    pub events: Vec<(u64, MediaEvent)>,
    pub tapes: Tapes,
}

impl Rig {
    /// Ports with these codecs, configured and not connected.
    pub fn new(codecs: &[Codec]) -> Self {
        let tapes = Tapes::default();
        let mut rig = Self {
            mixer: Mixer::new(Box::new(tapes.clone()), 42),
            start: Instant::now(),
            ms: 0,
            peers: Vec::new(),
            post: Post::default(),
            events: Vec::new(),
            tapes,
        };
        for (number, &codec) in (1..).zip(codecs) {
            let peer = Peer::new(number, codec);
            let (port, local) = (peer.id, SocketAddr::from(([127, 0, 0, 1], 0)));
            rig.peers.push(peer);
            rig.order(MediaCommand::Open { port, local });
            rig.configure(number as usize - 1);
        }
        rig
    }

    pub fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }

    pub fn ntp(&self) -> NtpTime {
        NtpTime((1_000 << 32) + (self.ms << 32) / 1000)
    }

    pub fn order(&mut self, command: MediaCommand) {
        let (now, ntp) = (self.now(), self.ntp());
        self.mixer.handle_command(command, now, ntp, &mut self.post);
        self.deliver();
    }

    /// Tells the mixer a peer's format as it now is; no media for two seconds is a loss.
    pub fn configure(&mut self, peer: usize) {
        self.order(MediaCommand::Configure {
            port: self.peers[peer].id,
            format: self.peers[peer].format.clone(),
            media_timeout: Duration::from_secs(2),
        });
    }

    pub fn connect(&mut self, a: usize, b: usize) {
        let (a, b) = (self.peers[a].id, self.peers[b].id);
        self.order(MediaCommand::Connect { from: a, to: b });
        self.order(MediaCommand::Connect { from: b, to: a });
    }

    pub fn disconnect(&mut self, a: usize, b: usize) {
        let (a, b) = (self.peers[a].id, self.peers[b].id);
        self.order(MediaCommand::Disconnect { from: a, to: b });
        self.order(MediaCommand::Disconnect { from: b, to: a });
    }

    /// A datagram to a peer's port, from `source`.
    pub fn send(
        &mut self,
        peer: usize,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Refused> {
        let place = self.mixer.place(self.peers[peer].id).unwrap();
        let mut datagram = datagram.to_vec();
        let now = self.now();
        let taken = self
            .mixer
            .handle_rtp(place, source, &mut datagram, now, &mut self.post);
        self.deliver();
        taken
    }

    /// The next packet of a peer, from its own address.
    pub fn send_next(&mut self, peer: usize) -> Result<(), Refused> {
        let datagram = self.peers[peer].next_packet();
        self.send(peer, self.peers[peer].address, &datagram)
    }

    /// Lets time pass; every sending peer sends every 20 ms.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            for peer in 0..self.peers.len() {
                if self.peers[peer].sends && self.ms % 20 == (7 * peer as u64 + 3) % 20 {
                    // Closed and held ports refuse; tests look at what is heard.
                    if self.mixer.place(self.peers[peer].id).is_some() {
                        let _ = self.send_next(peer);
                    }
                }
            }
            if self.ms.is_multiple_of(5) {
                let (now, ntp) = (self.now(), self.ntp());
                self.mixer.tick(now, ntp, &mut self.post);
                self.deliver();
            }
            self.ms += 1;
        }
    }

    /// Hands what was sent to the peers, by the port it left from.
    fn deliver(&mut self) {
        for (place, to, datagram) in self.post.rtp.drain(..) {
            let owner = |peer: &&mut Peer| self.mixer.place(peer.id) == Some(place);
            let peer = self.peers.iter_mut().find(owner).unwrap();
            peer.take(to, &datagram);
        }
        while let Some(event) = self.mixer.poll_event() {
            self.events.push((self.ms, event));
        }
    }

    pub fn is_forwarding(&self, peer: usize) -> bool {
        self.mixer.is_forwarding(self.peers[peer].id)
    }

    /// What happened, without the times.
    pub fn happened(&self) -> Vec<MediaEvent> {
        self.events.iter().map(|(_, event)| event.clone()).collect()
    }

    /// The digits a port has told.
    pub fn digits(&self, peer: usize) -> String {
        let id = self.peers[peer].id;
        let told = |event: &MediaEvent| match event {
            MediaEvent::Digit { port, digit } if *port == id => Some(digit.reveal()),
            _ => None,
        };
        self.events
            .iter()
            .filter_map(|(_, event)| told(event))
            .collect()
    }
}
