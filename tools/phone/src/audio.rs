//! The phone's ear and mouth: G.711 µ-law over RTP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use media::codec::{self, Codec, Decoder, Encoder, Rate};
use media::tone::{dominant_hz, tone_level};

/// Samples in 20 ms at 8 kHz.
const FRAME: usize = 160;
/// Frames that one judgement of what is heard spans: half a second.
const EAR_FRAMES: usize = 25;
/// Part of the energy at one frequency that makes a sound a tone.
const TONE_PART: f64 = 0.8;
/// Mean absolute sample below which there is silence.
const SILENCE_LEVEL: u64 = 60;
/// Amplitude of the tone that stands for a voice.
const VOICE_AMPLITUDE: f64 = 8_000.0;

/// What a person would say they hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Nothing.
    Silence,
    /// One steady tone, rounded to 10 Hz.
    Tone(u32),
    /// Speech or music.
    SpeechOrMusic,
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("silence"),
            Self::Tone(hz) => write!(f, "a tone of {hz} Hz"),
            Self::SpeechOrMusic => f.write_str("speech or music"),
        }
    }
}

/// One RTP stream pair.
pub(crate) struct Audio {
    socket: UdpSocket,
    remote: Option<SocketAddr>,
    voice_hz: f64,
    phase: f64,
    sequence: u16,
    timestamp: u32,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    heard: Vec<i16>,
    last: Option<Sound>,
    event: Option<KeyEvent>,
}

struct KeyEvent {
    code: u8,
    started_at: u32,
    sent: u16,
}

impl Audio {
    pub(crate) fn new(local: SocketAddr, voice_hz: u32) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        let failed = |_| io::Error::other("G.711 is always there");
        Ok(Self {
            socket,
            remote: None,
            voice_hz: f64::from(voice_hz),
            phase: 0.0,
            sequence: 1,
            timestamp: 1,
            encoder: codec::encoder(Codec::Pcmu, Rate::Hz8000).map_err(failed)?,
            decoder: codec::decoder(Codec::Pcmu, Rate::Hz8000).map_err(failed)?,
            heard: Vec::new(),
            last: None,
            event: None,
        })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    pub(crate) fn connect(&mut self, remote: Option<SocketAddr>) {
        self.remote = remote;
        if remote.is_none() {
            self.heard.clear();
            self.last = None;
        }
    }

    pub(crate) fn press(&mut self, key: char) {
        let code = "0123456789*#ABCD".find(key.to_ascii_uppercase());
        if let Some(code) = code.and_then(|code| u8::try_from(code).ok()) {
            self.event = Some(KeyEvent {
                code,
                started_at: self.timestamp,
                sent: 0,
            });
        }
    }

    /// Sends what is due for these 20 ms and tells when the sound that is heard changed.
    pub(crate) fn tick(&mut self) -> Option<Sound> {
        self.speak();
        self.listen()
    }

    fn speak(&mut self) {
        let Some(remote) = self.remote else { return };
        let mut packet = [0_u8; 12 + FRAME];
        let length = match &mut self.event {
            Some(event) => {
                event.sent += 1;
                let last = event.sent > 5;
                let duration = (event.sent * 160).to_be_bytes();
                header(
                    &mut packet,
                    101,
                    event.sent == 1,
                    self.sequence,
                    event.started_at,
                );
                packet[12] = event.code;
                packet[13] = if last { 0x80 | 10 } else { 10 };
                packet[14..16].copy_from_slice(&duration);
                if event.sent == 8 {
                    self.event = None;
                }
                16
            }
            None => {
                header(&mut packet, 0, false, self.sequence, self.timestamp);
                let mut pcm = [0_i16; FRAME];
                for sample in &mut pcm {
                    self.phase = (self.phase + self.voice_hz / 8_000.0).fract();
                    *sample = (VOICE_AMPLITUDE * (std::f64::consts::TAU * self.phase).sin()) as i16;
                }
                12 + self.encoder.encode(&pcm, &mut packet[12..]).unwrap_or(0)
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        // A lost packet is a lost packet.
        let _ = self.socket.send_to(&packet[..length], remote);
    }

    fn listen(&mut self) -> Option<Sound> {
        let mut packet = [0_u8; 1_500];
        let mut pcm = [0_i16; FRAME * 6];
        while let Ok((length, _)) = self.socket.recv_from(&mut packet) {
            let is_pcmu = length > 12 && packet[0] >> 6 == 2 && packet[1] & 0x7f == 0;
            if self.remote.is_some() && is_pcmu {
                let samples = self
                    .decoder
                    .decode(&packet[12..length], &mut pcm)
                    .unwrap_or(0);
                self.heard.extend_from_slice(&pcm[..samples]);
            }
        }
        if self.heard.len() < FRAME * EAR_FRAMES {
            return None;
        }
        let sound = judge(&self.heard);
        self.heard.clear();
        (self.last != Some(sound)).then(|| {
            self.last = Some(sound);
            sound
        })
    }
}

fn judge(pcm: &[i16]) -> Sound {
    let loudness: u64 = pcm
        .iter()
        .map(|sample| u64::from(sample.unsigned_abs()))
        .sum();
    if loudness / (pcm.len() as u64) < SILENCE_LEVEL {
        return Sound::Silence;
    }
    let hz = dominant_hz(pcm, 8_000);
    if tone_level(pcm, 8_000, hz) > TONE_PART {
        Sound::Tone((hz / 10.0).round() as u32 * 10)
    } else {
        Sound::SpeechOrMusic
    }
}

fn header(packet: &mut [u8], payload_type: u8, marker: bool, sequence: u16, timestamp: u32) {
    packet[0] = 0x80;
    packet[1] = payload_type | u8::from(marker) << 7;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet[8..12].copy_from_slice(&0x00c0_ffee_u32.to_be_bytes());
}
