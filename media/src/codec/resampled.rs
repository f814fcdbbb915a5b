//! A codec of a fixed rate inside a bridge of another rate.

use super::{CodecError, Decoder, Encoder, MAX_PACKET_MS, Rate, check_frame_length, check_room};
use crate::resample::Resampler;

/// Resamples PCM from the bridge rate before it reaches the encoder.
pub(super) struct ResampledEncoder<E> {
    inner: E,
    bridge: Rate,
    resampler: Resampler,
    scratch: Box<[i16]>,
}

impl<E: Encoder> ResampledEncoder<E> {
    pub(super) fn new(inner: E, native: Rate, bridge: Rate) -> Self {
        Self {
            inner,
            bridge,
            resampler: Resampler::new(bridge, native),
            scratch: packet_buffer(native),
        }
    }
}

impl<E: Encoder> Encoder for ResampledEncoder<E> {
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        check_frame_length(pcm.len(), self.bridge)?;
        let samples = self.resampler.process(pcm, &mut self.scratch);
        self.inner.encode(&self.scratch[..samples], out)
    }
}

/// Resamples what the decoder yields to the bridge rate.
pub(super) struct ResampledDecoder<D> {
    inner: D,
    native: Rate,
    resampler: Resampler,
    scratch: Box<[i16]>,
}

impl<D: Decoder> ResampledDecoder<D> {
    pub(super) fn new(inner: D, native: Rate, bridge: Rate) -> Self {
        Self {
            inner,
            native,
            resampler: Resampler::new(native, bridge),
            scratch: packet_buffer(native),
        }
    }
}

impl<D: Decoder> Decoder for ResampledDecoder<D> {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.inner.decode(payload, &mut self.scratch)?;
        check_room(out.len(), self.resampler.output_len(samples))?;
        Ok(self.resampler.process(&self.scratch[..samples], out))
    }

    fn conceal(&mut self, out: &mut [i16]) -> usize {
        let frame = self.native.samples_per_frame();
        let samples = self.inner.conceal(&mut self.scratch[..frame]);
        self.resampler.process(&self.scratch[..samples], out)
    }
}

fn packet_buffer(rate: Rate) -> Box<[i16]> {
    vec![0; rate.samples_in_ms(MAX_PACKET_MS)].into_boxed_slice()
}
