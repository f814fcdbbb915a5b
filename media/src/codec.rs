//! Speech codecs behind one pair of traits.
//!
//! A bridge processes audio at one [`Rate`]; every leg's codec is asked for an
//! [`Encoder`] and a [`Decoder`] at that rate and nothing downstream knows which
//! codec it talks to. Opus runs natively at each rate. G.711 (8 kHz) and G.722
//! (16 kHz) carry a resampler inside when the bridge runs at another rate.
//!
//! Nothing here allocates per frame, except Opus inside its library: a few
//! scratch buffers in the encoder and in concealment, none in decoding.

mod g722;
mod opus;
mod resampled;

use thiserror::Error;

use crate::g711::{G711Decoder, G711Encoder, Law};
use g722::{G722Decoder, G722Encoder};
use opus::{OpusDecoder, OpusEncoder};
use resampled::{ResampledDecoder, ResampledEncoder};

/// Length of one media frame, milliseconds.
pub const FRAME_MS: usize = 20;
/// Longest packet any of our codecs may carry, milliseconds (RFC 6716 section 3.2.5).
pub const MAX_PACKET_MS: usize = 120;
/// Output size that holds every 20 ms frame of every codec, bytes.
pub const MAX_FRAME_BYTES: usize = 320;

/// The codecs a leg can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 6716), spoken in mono.
    Opus,
}

impl Codec {
    /// Every codec, in declaration order.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The name in `a=rtpmap` (RFC 3551 section 6, RFC 7587 section 7). SDP compares it without case.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The codec of an `a=rtpmap` encoding name, compared without case.
    pub fn from_encoding_name(name: &str) -> Option<Codec> {
        Codec::ALL
            .into_iter()
            .find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
    }

    /// The RTP timestamp clock, Hz. G.722 says 8000 although it samples at
    /// 16 kHz (RFC 3551 section 4.5.2); Opus is always 48000 (RFC 7587 section 4.1).
    pub fn rtp_clock_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// The channel count written in `a=rtpmap`: two for Opus even when mono is
    /// sent (RFC 7587 section 7), one otherwise.
    pub fn channels_in_sdp(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
            Codec::Opus => 2,
        }
    }

    /// The static RTP payload type (RFC 3551 table 4); Opus has none.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The rate at which the codec itself runs in a bridge of rate `bridge`.
    pub fn native_rate(self, bridge: Rate) -> Rate {
        match self {
            Codec::Pcmu | Codec::Pcma => Rate::Hz8000,
            Codec::G722 => Rate::Hz16000,
            Codec::Opus => bridge,
        }
    }

    /// [`native_rate`](Self::native_rate) in Hz.
    pub fn sample_rate_hz(self, bridge: Rate) -> u32 {
        self.native_rate(bridge).hz()
    }

    /// The highest bridge rate this codec makes use of. A bridge runs at the
    /// lowest of its legs' best rates.
    pub fn best_rate(self) -> Rate {
        match self {
            Codec::Pcmu | Codec::Pcma => Rate::Hz8000,
            Codec::G722 => Rate::Hz16000,
            Codec::Opus => Rate::Hz48000,
        }
    }

    /// How far the RTP timestamp advances in one 20 ms frame.
    pub fn timestamp_step(self) -> u32 {
        self.rtp_clock_hz() / 1000 * FRAME_MS as u32
    }
}

/// The processing rate of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Narrowband, 8 kHz.
    Hz8000,
    /// Wideband, 16 kHz.
    Hz16000,
    /// Fullband, 48 kHz.
    Hz48000,
}

impl Rate {
    /// Every rate, lowest first.
    pub const ALL: [Rate; 3] = [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000];
    /// The largest [`samples_per_frame`](Self::samples_per_frame) of any rate.
    pub const MAX_SAMPLES_PER_FRAME: usize = Rate::Hz48000.samples_per_frame();
    /// The largest [`samples_per_packet_max`](Self::samples_per_packet_max) of any rate.
    pub const MAX_SAMPLES_PER_PACKET: usize = Rate::Hz48000.samples_per_packet_max();

    /// The rate in Hz.
    pub const fn hz(self) -> u32 {
        match self {
            Rate::Hz8000 => 8_000,
            Rate::Hz16000 => 16_000,
            Rate::Hz48000 => 48_000,
        }
    }

    /// Samples in one 20 ms frame: 160, 320 or 960.
    pub const fn samples_per_frame(self) -> usize {
        self.samples_in_ms(FRAME_MS)
    }

    /// Samples in the longest legal packet (120 ms): 960, 1920 or 5760. An
    /// output of this size never makes [`Decoder::decode`] fail for lack of room.
    pub const fn samples_per_packet_max(self) -> usize {
        self.samples_in_ms(MAX_PACKET_MS)
    }

    /// Samples in `ms` milliseconds.
    pub const fn samples_in_ms(self, ms: usize) -> usize {
        self.hz() as usize / 1000 * ms
    }
}

/// Why a frame could not be coded. None of them ends a stream: drop the frame
/// (or conceal it) and carry on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The payload holds nothing (padding-only packets do this).
    #[error("the payload is empty")]
    EmptyPayload,
    /// The payload claims more audio than a packet may carry (120 ms).
    #[error("the payload is longer than 120 ms of audio")]
    PayloadTooLong,
    /// The payload is not a packet of this codec.
    #[error("the payload is malformed")]
    Malformed,
    /// The PCM handed to an encoder is not 10, 20, 40 or 60 ms long.
    #[error("{0} samples are not 10, 20, 40 or 60 ms of audio")]
    FrameLength(usize),
    /// The output slice is too short.
    #[error("the output needs room for {needed} elements")]
    OutputTooSmall {
        /// Elements (bytes or samples) the output must hold.
        needed: usize,
    },
    /// The codec library refused its settings or failed inside.
    #[error("the codec failed: {0}")]
    Internal(&'static str),
}

/// Turns PCM of one stream into payloads.
pub trait Encoder: Send {
    /// Encodes 10, 20, 40 or 60 ms of mono PCM at the bridge rate into `out`;
    /// returns the bytes written. [`MAX_FRAME_BYTES`] is enough for 20 ms.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`], [`CodecError::OutputTooSmall`] or
    /// [`CodecError::Internal`].
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError>;

    /// Tells how much of the stream the far end loses, per cent, as its RTCP
    /// receiver reports say (RFC 3550 section 6.4.1). Opus then spends bits on
    /// copies of earlier frames (in-band FEC); without loss it spends none,
    /// because they cost quality. Other codecs have nothing to spend.
    fn expect_loss(&mut self, percent: u8) {
        let _ = percent;
    }
}

/// Turns payloads of one stream into PCM.
pub trait Decoder: Send {
    /// Decodes one payload of any legal duration (up to 120 ms) to mono PCM at
    /// the bridge rate; returns the samples written.
    ///
    /// # Errors
    /// [`CodecError::EmptyPayload`], [`CodecError::PayloadTooLong`],
    /// [`CodecError::Malformed`] or [`CodecError::OutputTooSmall`].
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills in for one lost 20 ms frame; returns the samples written, which is
    /// a whole frame or, when `out` is shorter, `out.len()`.
    fn conceal(&mut self, out: &mut [i16]) -> usize;

    /// Fills in for one lost 20 ms frame with the payload that came after it,
    /// which may carry a copy of what was lost (Opus in-band FEC, RFC 6716
    /// section 2.1.7). `next` is decoded afterwards as usual. Codecs without
    /// such a copy conceal.
    fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        let _ = next;
        self.conceal(out)
    }
}

/// An encoder that takes PCM at `rate`.
///
/// # Errors
/// [`CodecError::Internal`] when the codec library refuses its settings.
pub fn encoder(codec: Codec, rate: Rate) -> Result<Box<dyn Encoder>, CodecError> {
    Ok(match codec {
        Codec::Pcmu => at_rate(G711Encoder::new(Law::Mu), Rate::Hz8000, rate),
        Codec::Pcma => at_rate(G711Encoder::new(Law::A), Rate::Hz8000, rate),
        Codec::G722 => at_rate(G722Encoder::new(), Rate::Hz16000, rate),
        Codec::Opus => Box::new(OpusEncoder::new(rate)?),
    })
}

/// A decoder that yields PCM at `rate`.
///
/// # Errors
/// [`CodecError::Internal`] when the codec library refuses its settings.
pub fn decoder(codec: Codec, rate: Rate) -> Result<Box<dyn Decoder>, CodecError> {
    Ok(match codec {
        Codec::Pcmu => from_rate(G711Decoder::new(Law::Mu), Rate::Hz8000, rate),
        Codec::Pcma => from_rate(G711Decoder::new(Law::A), Rate::Hz8000, rate),
        Codec::G722 => from_rate(G722Decoder::new(), Rate::Hz16000, rate),
        Codec::Opus => Box::new(OpusDecoder::new(rate)?),
    })
}

fn at_rate<E: Encoder + 'static>(inner: E, native: Rate, bridge: Rate) -> Box<dyn Encoder> {
    if native == bridge {
        return Box::new(inner);
    }
    Box::new(ResampledEncoder::new(inner, native, bridge))
}

fn from_rate<D: Decoder + 'static>(inner: D, native: Rate, bridge: Rate) -> Box<dyn Decoder> {
    if native == bridge {
        return Box::new(inner);
    }
    Box::new(ResampledDecoder::new(inner, native, bridge))
}

/// Checks that `samples` at `rate` is a frame length every codec can encode.
pub(crate) fn check_frame_length(samples: usize, rate: Rate) -> Result<(), CodecError> {
    let unit = rate.samples_in_ms(10);
    if [1, 2, 4, 6].iter().any(|units| units * unit == samples) {
        return Ok(());
    }
    Err(CodecError::FrameLength(samples))
}

/// Checks that an output of `have` elements can hold `needed`.
pub(crate) fn check_room(have: usize, needed: usize) -> Result<(), CodecError> {
    if have < needed {
        return Err(CodecError::OutputTooSmall { needed });
    }
    Ok(())
}

/// Checks the length of a payload of a codec with a constant `bytes_per_ms`.
pub(crate) fn check_payload(payload: &[u8], bytes_per_ms: usize) -> Result<(), CodecError> {
    if payload.is_empty() {
        return Err(CodecError::EmptyPayload);
    }
    if payload.len() > bytes_per_ms * MAX_PACKET_MS {
        return Err(CodecError::PayloadTooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdp_facts_follow_the_rfcs() {
        assert_eq!(Codec::G722.rtp_clock_hz(), 8000);
        assert_eq!(Codec::G722.sample_rate_hz(Rate::Hz48000), 16000);
        assert_eq!(Codec::Opus.rtp_clock_hz(), 48000);
        assert_eq!(Codec::Opus.channels_in_sdp(), 2);
        assert_eq!(Codec::Opus.timestamp_step(), 960);
        assert_eq!(Codec::G722.timestamp_step(), 160);
        assert_eq!(Codec::from_encoding_name("OPUS"), Some(Codec::Opus));
        assert_eq!(Codec::from_encoding_name("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::from_encoding_name("GSM"), None);
    }

    #[test]
    fn a_frame_is_twenty_milliseconds() {
        let frames = Rate::ALL.map(Rate::samples_per_frame);
        assert_eq!(frames, [160, 320, 960]);
        assert_eq!(Rate::MAX_SAMPLES_PER_PACKET, 5760);
    }

    #[test]
    fn odd_lengths_are_refused_by_every_codec() {
        let mut out = [0u8; 4000];
        for codec in Codec::ALL {
            for rate in Rate::ALL {
                let mut encoder = encoder(codec, rate).unwrap();
                for samples in [0, 1, rate.samples_per_frame() - 1, rate.samples_in_ms(30)] {
                    let pcm = vec![0i16; samples];
                    assert_eq!(
                        encoder.encode(&pcm, &mut out),
                        Err(CodecError::FrameLength(samples)),
                        "{codec:?} at {rate:?}"
                    );
                }
            }
        }
    }
}
