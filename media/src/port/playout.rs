//! From a peer's packets to even 20 ms frames of PCM.

use std::time::Instant;

use crate::codec::{Codec, CodecError, Decoder, Rate, decoder};
use crate::jitter::{Incoming, JitterBuffer, JitterStats, Pulled};
use crate::level::level_dbov;
use crate::noise::{ComfortNoise, parse_level_dbov};

/// Rounds in which one frame is put together; the shortest packets (2.5 ms of
/// Opus) need eight.
const MAX_ROUNDS: usize = 16;

/// The receiving side of a port while somebody listens.
pub(super) struct Playout {
    jitter: JitterBuffer,
    codec: Codec,
    decoder: Box<dyn Decoder>,
    rate: Rate,
    /// Decoded audio not played yet; holds the longest packet beside a frame.
    queue: Box<[i16]>,
    queued: usize,
    frame: Box<[i16]>,
    /// Noise in pauses, as the peer has described it.
    noise: Option<ComfortNoise>,
    seed: u64,
    /// Whether the peer's Opus encoder has stopped sending speech.
    dtx: bool,
    /// Whether what was queued last, and the last frame, hold nothing but the
    /// noise of a pause.
    queued_pause: bool,
    frame_is_pause: bool,
}

impl Playout {
    pub(super) fn new(codec: Codec, rate: Rate, seed: u64) -> Result<Self, CodecError> {
        Ok(Self {
            jitter: JitterBuffer::new(codec.rtp_clock_hz()),
            codec,
            decoder: decoder(codec, rate)?,
            rate,
            queue: queue(rate),
            queued: 0,
            frame: vec![0; rate.samples_per_frame()].into(),
            noise: None,
            seed,
            dtx: false,
            queued_pause: false,
            frame_is_pause: false,
        })
    }

    /// Goes on at another rate. What was decoded is dropped.
    pub(super) fn set_rate(&mut self, rate: Rate) -> Result<(), CodecError> {
        if rate != self.rate {
            self.decoder = decoder(self.codec, rate)?;
            self.rate = rate;
            self.queue = queue(rate);
            self.queued = 0;
            self.frame = vec![0; rate.samples_per_frame()].into();
        }
        Ok(())
    }

    /// Takes a packet.
    pub(super) fn insert(&mut self, packet: &Incoming<'_>, now: Instant) {
        // What became of it is in the buffer's counters.
        let _ = self.jitter.insert(packet, now);
    }

    /// The peer has started a new stream or numbering.
    pub(super) fn reset(&mut self) {
        self.jitter.reset();
    }

    /// Nobody listens any more: drops what waits.
    pub(super) fn clear(&mut self) {
        self.jitter.reset();
        self.queued = 0;
        self.noise = None;
        (self.dtx, self.frame_is_pause) = (false, false);
        self.frame.fill(0);
    }

    /// Makes the next frame.
    pub(super) fn advance(&mut self, now: Instant) {
        let wanted = self.frame.len();
        let mut blend_at = None;
        self.frame_is_pause = self.queued == 0 || self.queued_pause;
        for _ in 0..MAX_ROUNDS {
            if self.queued >= wanted && blend_at.is_none() {
                break;
            }
            self.fill(now, &mut blend_at);
            self.frame_is_pause &= self.queued_pause;
        }
        let ready = self.queued.min(wanted);
        self.frame[..ready].copy_from_slice(&self.queue[..ready]);
        self.frame[ready..].fill(0);
        self.queue.copy_within(ready..self.queued, 0);
        self.queued -= ready;
    }

    /// The frame made last.
    pub(super) fn frame(&self) -> &[i16] {
        &self.frame
    }

    /// The level of the frame made last, when it is the noise of a pause.
    pub(super) fn pause_level_dbov(&self) -> Option<f32> {
        self.frame_is_pause.then(|| level_dbov(&self.frame))
    }

    pub(super) fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }

    /// Appends what is heard next to the queue. Audio to be blended into what
    /// follows starts at `blend_at`.
    fn fill(&mut self, now: Instant, blend_at: &mut Option<usize>) {
        let frame = self.rate.samples_per_frame();
        let room = &mut self.queue[self.queued..];
        let added = match self.jitter.pull(now) {
            Pulled::Noise(payload) => {
                let level = parse_level_dbov(payload);
                match (level, &mut self.noise) {
                    (Some(level), Some(noise)) => noise.set_level(level),
                    (level, noise) => {
                        *noise = level.map(|level| ComfortNoise::new(self.seed, level));
                    }
                }
                return;
            }
            Pulled::Squeeze(payload) => {
                self.dtx = is_dtx(self.codec, payload);
                *blend_at = blend_at.or(Some(self.queued));
                decode(&mut *self.decoder, payload, room)
            }
            Pulled::Audio(payload) => {
                self.noise = None;
                self.dtx = is_dtx(self.codec, payload);
                decode(&mut *self.decoder, payload, room)
            }
            Pulled::Lost { next: Some(next) } => self.decoder.recover(next, room),
            Pulled::Lost { next: None } | Pulled::Empty => self.decoder.conceal(room),
            Pulled::Pause => {
                let room = &mut room[..frame];
                match &mut self.noise {
                    Some(noise) => noise.fill(room),
                    // Goes on with the noise that the encoder has described.
                    None if self.dtx => {
                        self.decoder.conceal(room);
                    }
                    None => room.fill(0),
                }
                frame
            }
        };
        self.queued_pause = self.dtx || self.noise.is_some();
        let start = self.queued;
        self.queued += added;
        if let Some(at) = *blend_at
            && at != start
        {
            self.blend(at, start);
            *blend_at = None;
        }
    }

    /// Fades from the audio at `at` to the audio at `start`, which follows it,
    /// so that both together last as long as the second.
    fn blend(&mut self, at: usize, start: usize) {
        let span = (start - at).min(self.queued - start);
        for i in 0..span {
            let (old, new) = (
                i32::from(self.queue[at + i]),
                i32::from(self.queue[start + i]),
            );
            let (i, span) = (i as i32, span as i32);
            self.queue[start + i as usize] = ((old * (span - i) + new * i) / span) as i16;
        }
        self.queue.copy_within(start..self.queued, at);
        self.queued -= start - at;
    }
}

/// Decodes; a payload that is none is concealed. The room holds the longest
/// packet.
fn decode(decoder: &mut dyn Decoder, payload: &[u8], room: &mut [i16]) -> usize {
    match decoder.decode(payload, room) {
        Ok(samples) => samples,
        Err(_) => decoder.conceal(room),
    }
}

/// Room for a frame, a packet to be squeezed and the longest packet after it.
fn queue(rate: Rate) -> Box<[i16]> {
    vec![0; rate.samples_per_frame() + 2 * rate.samples_per_packet_max()].into()
}

/// How long the audio of a payload lasts, RTP ticks. For an Opus payload that
/// is none, a frame.
pub(super) fn payload_ticks(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        // One byte for each tick of the 8000 Hz clock.
        Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len() as u32,
        Codec::Opus => opus_ticks(payload).unwrap_or(codec.timestamp_step()),
    }
}

/// Whether a packet says that the encoder has stopped sending speech: one of
/// at most two bytes holds no audio (RFC 6716 section 3.1).
pub(super) fn is_dtx(codec: Codec, payload: &[u8]) -> bool {
    codec == Codec::Opus && payload.len() <= 2
}

/// The duration in an Opus packet's first two bytes (RFC 6716 section 3.1),
/// ticks of 48 kHz; `None` beyond 120 ms.
fn opus_ticks(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    let ticks = frame * frames;
    (1..=5_760).contains(&ticks).then_some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_know_how_long_they_last() {
        assert_eq!(payload_ticks(Codec::Pcma, &[0; 240]), 240);
        assert_eq!(payload_ticks(Codec::G722, &[0; 160]), 160);
        // Configuration 31 (CELT, 20 ms), one frame; 16 (2.5 ms), two frames.
        assert_eq!(payload_ticks(Codec::Opus, &[31 << 3]), 960);
        assert_eq!(payload_ticks(Codec::Opus, &[16 << 3 | 1]), 240);
        // Configuration 3 (SILK, 60 ms): two frames are 120 ms, three too many.
        assert_eq!(payload_ticks(Codec::Opus, &[3 << 3 | 3, 2]), 5_760);
        assert_eq!(opus_ticks(&[3 << 3 | 3, 3]), None);
        assert_eq!(payload_ticks(Codec::Opus, &[]), 960);
    }
}
