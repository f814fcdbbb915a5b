//! A voice and an ear for SIPp, which has neither: G.711 over RTP, written out by hand.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::codec::{Codec, Rate, decoder, encoder};

use crate::audio::Heard;
use crate::eventually;

const FRAME: usize = 160;
const FRAME_TIME: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(20);
const KEYS: &str = "0123456789*#ABCD";
const NO_KEY: u8 = u8::MAX;
const NO_NOISE: u8 = u8::MAX;
const COMFORT_NOISE: u8 = 13;
/// Names its stream in RTP and RTCP.
pub const SSRC: u32 = 0x0e2e_0e2e;
/// For a pair of free ports.
const TRIES: u32 = 1_000;
const AMPLITUDE: f64 = 8_000.0;

/// An RTP socket that says a tone and keeps what it hears.
pub struct Voice {
    socket: UdpSocket,
    shared: Arc<Shared>,
}

struct Shared {
    remote: Mutex<Option<SocketAddr>>,
    heard: Mutex<Vec<i16>>,
    packets: AtomicU32,
    speaks: AtomicBool,
    key: AtomicU8,
    noise: AtomicU8,
    over: AtomicBool,
}

impl Voice {
    /// Listens at `ip`; speaks with a tone of `hz`, 0 for silence, to whoever sends first.
    #[must_use]
    pub fn start(ip: IpAddr, hz: u32) -> Self {
        Self::start_on(UdpSocket::bind((ip, 0)).unwrap(), hz)
    }

    /// The same, and the socket to which reports about the stream come: one port above it.
    ///
    /// # Panics
    /// When no pair of ports is free.
    #[must_use]
    pub fn start_with_reports(ip: IpAddr, hz: u32) -> (Self, UdpSocket) {
        let pair = |_| {
            let media = UdpSocket::bind((ip, 0)).ok()?;
            let port = media.local_addr().ok()?.port();
            let reports = UdpSocket::bind((ip, port.checked_add(1)?)).ok()?;
            (port % 2 == 0).then_some((media, reports))
        };
        let (media, reports) = (0..TRIES).find_map(pair).unwrap();
        (Self::start_on(media, hz), reports)
    }

    fn start_on(socket: UdpSocket, hz: u32) -> Self {
        socket.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            remote: Mutex::new(None),
            heard: Mutex::default(),
            packets: AtomicU32::new(0),
            speaks: AtomicBool::new(true),
            key: AtomicU8::new(NO_KEY),
            noise: AtomicU8::new(NO_NOISE),
            over: AtomicBool::new(false),
        });
        let (ears, mouth) = (socket.try_clone().unwrap(), socket.try_clone().unwrap());
        let (heard, said) = (Arc::clone(&shared), Arc::clone(&shared));
        std::thread::spawn(move || listen(&ears, &heard));
        std::thread::spawn(move || speak(&mouth, &said, f64::from(hz)));
        Self { socket, shared }
    }

    /// Its address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.socket.local_addr().unwrap().ip()
    }

    /// Its port, as text for a scenario.
    #[must_use]
    pub fn port(&self) -> String {
        self.socket.local_addr().unwrap().port().to_string()
    }

    /// Speaks to `remote` from now on.
    pub fn speak_to(&self, remote: SocketAddr) {
        *self.shared.remote.lock().unwrap() = Some(remote);
    }

    /// Whom it speaks to.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        *self.shared.remote.lock().unwrap()
    }

    /// Sends nothing more, or again.
    pub fn speak(&self, on: bool) {
        self.shared.speaks.store(on, Ordering::Relaxed);
    }

    /// Presses a key (RFC 4733, payload type 101).
    pub fn press(&self, key: char) {
        let code = KEYS.find(key).and_then(|code| u8::try_from(code).ok());
        self.shared.key.store(code.unwrap(), Ordering::Relaxed);
    }

    /// Sends one packet that describes the noise of a pause (RFC 3389), `-level` dBov.
    pub fn describe_noise(&self, level: u8) {
        self.shared.noise.store(level, Ordering::Relaxed);
    }

    /// Audio packets received.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.shared.packets.load(Ordering::Relaxed)
    }

    /// What it has heard.
    #[must_use]
    pub fn heard(&self) -> Heard {
        Heard(self.shared.heard.lock().unwrap().clone())
    }

    /// Forgets what it has heard.
    pub fn forget(&self) {
        self.shared.heard.lock().unwrap().clear();
    }

    /// Waits until it has heard a tone for so long; how much it has heard.
    pub fn wait_hears(&self, hz: u32, seconds: f64) -> f64 {
        self.wait_hears_within(hz, seconds, WITHIN)
    }

    /// The same, with patience of one's own.
    pub fn wait_hears_within(&self, hz: u32, seconds: f64, within: Duration) -> f64 {
        eventually(&format!("{seconds} s of {hz} Hz"), within, || {
            let heard = self.heard().seconds_of(hz);
            (heard >= seconds).then_some(heard)
        })
    }
}

impl Drop for Voice {
    #[expect(clippy::print_stderr, reason = "a failed test tells what was heard")]
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if std::thread::panicking() {
            eprintln!("the voice heard {}", self.heard());
        }
    }
}

fn listen(socket: &UdpSocket, shared: &Shared) {
    let mut decoder = decoder(Codec::Pcmu, Rate::Hz8000).unwrap();
    let (mut packet, mut pcm) = ([0; 1_500], [0; FRAME * 8]);
    while !shared.over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        if length <= 12 || packet[0] >> 6 != 2 || packet[1] & 0x7f != 0 {
            continue;
        }
        shared.packets.fetch_add(1, Ordering::Relaxed);
        shared.remote.lock().unwrap().get_or_insert(from);
        let samples = decoder.decode(&packet[12..length], &mut pcm).unwrap();
        shared
            .heard
            .lock()
            .unwrap()
            .extend_from_slice(&pcm[..samples]);
    }
}

fn speak(socket: &UdpSocket, shared: &Shared, hz: f64) {
    let mut encoder = encoder(Codec::Pcmu, Rate::Hz8000).unwrap();
    let (mut sequence, mut timestamp, mut phase) = (1_u16, 1_u32, 0.0_f64);
    let mut next = Instant::now();
    while !shared.over.load(Ordering::Relaxed) {
        next += FRAME_TIME;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let remote = *shared.remote.lock().unwrap();
        let key = shared.key.swap(NO_KEY, Ordering::Relaxed);
        let noise = shared.noise.swap(NO_NOISE, Ordering::Relaxed);
        // Time goes on in pauses, too.
        timestamp = timestamp.wrapping_add(FRAME as u32);
        let Some(remote) = remote else {
            continue;
        };
        if noise != NO_NOISE {
            let mut packet = header(COMFORT_NOISE, sequence, timestamp).to_vec();
            packet.push(noise);
            let _ = socket.send_to(&packet, remote);
            sequence = sequence.wrapping_add(1);
            continue;
        }
        if !shared.speaks.load(Ordering::Relaxed) {
            continue;
        }
        // One lost packet is one lost packet.
        if key != NO_KEY {
            for repeat in 0..6_u16 {
                let mut packet = header(101, sequence, timestamp).to_vec();
                let end = if repeat > 2 { 0x80 } else { 0 };
                packet.extend([key, end | 10]);
                packet.extend((160 * (repeat.min(3) + 1)).to_be_bytes());
                let _ = socket.send_to(&packet, remote);
                sequence = sequence.wrapping_add(1);
            }
        }
        let mut pcm = [0_i16; FRAME];
        for sample in &mut pcm {
            phase = (phase + hz / 8_000.0).fract();
            *sample = (AMPLITUDE * (std::f64::consts::TAU * phase).sin()) as i16;
        }
        let mut packet = [0; 12 + FRAME];
        packet[..12].copy_from_slice(&header(0, sequence, timestamp));
        encoder.encode(&pcm, &mut packet[12..]).unwrap();
        let _ = socket.send_to(&packet, remote);
        sequence = sequence.wrapping_add(1);
    }
}

fn header(payload_type: u8, sequence: u16, timestamp: u32) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = 0x80;
    header[1] = payload_type;
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&SSRC.to_be_bytes());
    header
}
