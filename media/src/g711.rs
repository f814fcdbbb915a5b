//! G.711 (ITU-T G.711, RFC 3551 section 4.5.14): one byte for one 8 kHz sample.

use audio_codec::{
    Decoder as _, Encoder as _,
    pcma::{PcmaDecoder, PcmaEncoder},
    pcmu::{PcmuDecoder, PcmuEncoder},
};

use crate::codec::{
    CodecError, Decoder, Encoder, Rate, check_frame_length, check_payload, check_room,
};
use crate::plc::Concealer;

/// 64 kbit/s.
const BYTES_PER_MS: usize = 8;

/// The two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, North America and Japan.
    Mu,
    /// A-law, everywhere else.
    A,
}

impl Law {
    /// The byte a silent line carries.
    pub fn silence(self) -> u8 {
        match self {
            Law::Mu => 0xff,
            Law::A => 0xd5,
        }
    }
}

/// Encodes 8 kHz PCM.
pub struct G711Encoder {
    law: Law,
}

impl G711Encoder {
    /// An encoder of `law`.
    pub fn new(law: Law) -> Self {
        Self { law }
    }
}

impl Encoder for G711Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        check_frame_length(pcm.len(), Rate::Hz8000)?;
        check_room(out.len(), pcm.len())?;
        match self.law {
            Law::Mu => PcmuEncoder::new().encode_into(pcm, out),
            Law::A => PcmaEncoder::new().encode_into(pcm, out),
        }
        .map_err(|_| CodecError::Internal("G.711 encoder"))
    }
}

/// Decodes to 8 kHz PCM.
pub struct G711Decoder {
    law: Law,
    concealer: Concealer,
}

impl G711Decoder {
    /// A decoder of `law`.
    pub fn new(law: Law) -> Self {
        Self {
            law,
            concealer: Concealer::new(Rate::Hz8000),
        }
    }
}

impl Decoder for G711Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        check_payload(payload, BYTES_PER_MS)?;
        check_room(out.len(), payload.len())?;
        let samples = match self.law {
            Law::Mu => PcmuDecoder::new().decode_into(payload, out),
            Law::A => PcmaDecoder::new().decode_into(payload, out),
        }
        .map_err(|_| CodecError::Malformed)?;
        self.concealer.good_frame(&mut out[..samples]);
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) -> usize {
        self.concealer.conceal(out)
    }
}
