//! Opus (RFC 6716) for speech: mono, constant bit rate, in-band FEC.
//!
//! Constant bit rate and no DTX on purpose: packet sizes that follow the
//! speech tell an eavesdropper of encrypted media what is said (RFC 6562).

use opus_pure::{Application, RateControl, Signal, packet};

use super::{CodecError, Decoder, Encoder, Rate, check_frame_length, check_room};

/// Target bit rate at every bridge rate, bit/s.
///
/// SILK squeezed into packets of a fixed size garbles steady tones (beeps,
/// music) when the size is short: at 8 kHz and 12 kbit/s a 1 kHz tone keeps a
/// quarter of its energy, in libopus as well. With 24 kbit/s it keeps all.
const BITRATE_BPS: i32 = 24_000;
/// Effort of the encoder at telephone rates, 0 to 10.
///
/// At 24 kbit/s the lowest that keeps tones (0.95 of a steady tone at least,
/// 0 keeps 0.85). It takes half the time of 5, and of speech it keeps as much
/// at 8 kHz and 0.2 dB less at 16 kHz (`examples/opus_effort.rs`).
const COMPLEXITY: i32 = 1;
/// The same at 48 kHz, which only calls from Opus to Opus have: from 1 to 4,
/// speech gains 1 dB; more gains nothing that is heard.
const FULLBAND_COMPLEXITY: i32 = 4;
/// Most loss the encoder is told to prepare for, per cent: beyond it, the
/// copies cost more than they save.
const MAX_EXPECTED_LOSS_PERCENT: u8 = 25;
/// Longest packet worth parsing, bytes: one Ethernet frame.
const MAX_PAYLOAD_BYTES: usize = 1500;

/// Encodes PCM natively at the bridge rate.
pub(super) struct OpusEncoder {
    inner: opus_pure::OpusEncoder,
    rate: Rate,
}

impl OpusEncoder {
    pub(super) fn new(rate: Rate) -> Result<Self, CodecError> {
        let mut inner = opus_pure::OpusEncoder::new(rate.hz() as i32, 1, Application::Voip)
            .map_err(|_| CodecError::Internal("Opus encoder settings"))?;
        inner.bitrate_bps = BITRATE_BPS;
        inner.complexity = match rate {
            Rate::Hz8000 | Rate::Hz16000 => COMPLEXITY,
            Rate::Hz48000 => FULLBAND_COMPLEXITY,
        };
        inner.rate_control = RateControl::Cbr;
        inner.use_inband_fec = true;
        inner.signal_type = Some(Signal::Voice);
        inner.lsb_depth = 16;
        Ok(Self { inner, rate })
    }

    /// Bytes of one packet of `samples`, rounded up.
    fn packet_bytes(&self, samples: usize) -> usize {
        (BITRATE_BPS as usize * samples).div_ceil(8 * self.rate.hz() as usize)
    }
}

impl Encoder for OpusEncoder {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        check_frame_length(pcm.len(), self.rate)?;
        check_room(out.len(), self.packet_bytes(pcm.len()))?;
        self.inner
            .encode_s16(pcm, pcm.len(), out)
            .map_err(|_| CodecError::Internal("Opus encoder"))
    }

    fn expect_loss(&mut self, percent: u8) {
        self.inner.packet_loss_perc = i32::from(percent.min(MAX_EXPECTED_LOSS_PERCENT));
    }
}

/// Decodes natively to the bridge rate, mixing stereo packets to mono.
pub(super) struct OpusDecoder {
    inner: opus_pure::OpusDecoder,
    rate: Rate,
}

impl OpusDecoder {
    pub(super) fn new(rate: Rate) -> Result<Self, CodecError> {
        let inner = opus_pure::OpusDecoder::new(rate.hz() as i32, 1)
            .map_err(|_| CodecError::Internal("Opus decoder settings"))?;
        Ok(Self { inner, rate })
    }

    /// The samples a payload decodes to, from its header alone.
    fn samples_in(&self, payload: &[u8]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::EmptyPayload);
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(CodecError::PayloadTooLong);
        }
        packet::samples(payload, self.rate.hz() as i32).map_err(|_| CodecError::Malformed)
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples_in(payload)?;
        check_room(out.len(), samples)?;
        self.inner
            .decode_s16(payload, samples, &mut out[..samples])
            .map_err(|_| CodecError::Malformed)
    }

    fn conceal(&mut self, out: &mut [i16]) -> usize {
        let Some(frame) = out.get_mut(..self.rate.samples_per_frame()) else {
            out.fill(0);
            return out.len();
        };
        let written = self.inner.decode_s16(&[], frame.len(), frame).unwrap_or(0);
        frame[written..].fill(0);
        frame.len()
    }

    fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        let frame = self.rate.samples_per_frame();
        if out.len() < frame || self.samples_in(next).is_err() {
            return self.conceal(out);
        }
        match self.inner.decode_fec_s16(next, frame, &mut out[..frame]) {
            Ok(written) if written == frame => frame,
            _ => self.conceal(out),
        }
    }
}
