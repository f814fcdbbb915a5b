//! G.711 (ITU-T G.711, RFC 3551 section 4.5.14): one byte for one 8 kHz sample.

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

    /// The code of a sample (G.711 tables 1 and 2). A value on the border of
    /// two intervals takes the one that lies further up.
    fn encode(self, sample: i16) -> u8 {
        let positive = sample >= 0;
        // One's complement mirrors the borders with the values.
        let magnitude = if positive { sample } else { !sample };
        let (code, flip) = match self {
            Law::Mu => (mu_magnitude(magnitude), 0xff),
            Law::A => (a_magnitude(magnitude), 0x55),
        };
        // The sign bit is set for positive values on the A-law wire; µ-law
        // inverts it along with the rest.
        let sign = match self {
            Law::Mu => u8::from(!positive) << 7,
            Law::A => u8::from(positive) << 7,
        };
        (sign | code) ^ flip
    }

    /// The sample of a code, in the middle of its interval.
    fn decode(self, code: u8) -> i16 {
        match self {
            Law::Mu => {
                let code = !code;
                let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
                let magnitude = (((2 * step + 33) << segment) - 33) * 4;
                if code & 0x80 == 0 {
                    magnitude
                } else {
                    -magnitude
                }
            }
            Law::A => {
                let code = code ^ 0x55;
                let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
                let magnitude = match segment {
                    0 => (2 * step + 1) * 8,
                    _ => ((2 * step + 33) << (segment - 1)) * 8,
                };
                if code & 0x80 != 0 {
                    magnitude
                } else {
                    -magnitude
                }
            }
        }
    }
}

/// Segment and step of a µ-law magnitude, before inversion. 14 bits with a
/// bias of 33, which makes every segment start at a power of two.
fn mu_magnitude(magnitude: i16) -> u8 {
    let biased = ((magnitude >> 2) + 33).min(0x1fff);
    let segment = biased.ilog2() - 5;
    ((segment as u8) << 4) | (biased >> (segment + 1) & 15) as u8
}

/// Segment and step of an A-law magnitude, before inversion. 12 bits; the
/// first two segments are one straight line.
fn a_magnitude(magnitude: i16) -> u8 {
    let value = magnitude >> 4;
    if value < 32 {
        return value as u8;
    }
    let segment = value.ilog2() - 3;
    ((segment as u8) << 4) | (value >> (segment - 1) & 15) as u8
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
        for (byte, &sample) in out.iter_mut().zip(pcm) {
            *byte = self.law.encode(sample);
        }
        Ok(pcm.len())
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
        let samples = payload.len();
        for (sample, &code) in out.iter_mut().zip(payload) {
            *sample = self.law.decode(code);
        }
        self.concealer.good_frame(&mut out[..samples]);
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) -> usize {
        self.concealer.conceal(out)
    }
}
