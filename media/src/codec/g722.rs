//! G.722 at 64 kbit/s: 16 kHz audio, one byte for two samples.

use audio_codec::{Decoder as _, Encoder as _, g722};

use super::{CodecError, Decoder, Encoder, Rate, check_frame_length, check_payload, check_room};
use crate::plc::Concealer;

/// 64 kbit/s.
const BYTES_PER_MS: usize = 8;
const SAMPLES_PER_BYTE: usize = 2;

/// Encodes 16 kHz PCM.
pub(super) struct G722Encoder {
    inner: g722::G722Encoder,
}

impl G722Encoder {
    pub(super) fn new() -> Self {
        Self {
            inner: g722::G722Encoder::new(),
        }
    }
}

impl Encoder for G722Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        check_frame_length(pcm.len(), Rate::Hz16000)?;
        check_room(out.len(), pcm.len() / SAMPLES_PER_BYTE)?;
        self.inner
            .encode_into(pcm, out)
            .map_err(|_| CodecError::Internal("G.722 encoder"))
    }
}

/// Decodes to 16 kHz PCM.
pub(super) struct G722Decoder {
    inner: g722::G722Decoder,
    concealer: Concealer,
}

impl G722Decoder {
    pub(super) fn new() -> Self {
        Self {
            inner: g722::G722Decoder::new(),
            concealer: Concealer::new(Rate::Hz16000),
        }
    }
}

impl Decoder for G722Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        check_payload(payload, BYTES_PER_MS)?;
        check_room(out.len(), payload.len() * SAMPLES_PER_BYTE)?;
        let samples = self
            .inner
            .decode_into(payload, out)
            .map_err(|_| CodecError::Malformed)?;
        self.concealer.good_frame(&mut out[..samples]);
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) -> usize {
        self.concealer.conceal(out)
    }
}
