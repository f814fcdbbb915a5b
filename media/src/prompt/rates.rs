//! High-quality resampling of whole prompts.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

use super::{Prompt, PromptError};
use crate::codec::Rate;

/// Frames taken at a time; also the resolution of the filter.
const CHUNK: usize = 1024;

/// Resamples one mono stream piece by piece, without delay.
pub(crate) struct OfflineResampler {
    inner: Fft<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Outputs still to drop: the filter's delay.
    skip: usize,
    taken: u64,
    given: u64,
    ratio: (u64, u64),
}

impl OfflineResampler {
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Result<Self, PromptError> {
        let inner = Fft::new_custom(
            from_hz as usize,
            to_hz as usize,
            CHUNK,
            1,
            1,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|_| PromptError::SampleRate(from_hz))?;
        Ok(Self {
            input: Vec::with_capacity(inner.input_frames_max()),
            output: vec![0.0; inner.output_frames_max()],
            skip: inner.output_delay(),
            inner,
            taken: 0,
            given: 0,
            ratio: (u64::from(to_hz), u64::from(from_hz)),
        })
    }

    /// Takes samples; appends what has become ready to `out`.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), PromptError> {
        self.taken += samples.len() as u64;
        let mut rest = samples;
        while !rest.is_empty() {
            let missing = self.inner.input_frames_next() - self.input.len();
            let (now, later) = rest.split_at(missing.min(rest.len()));
            self.input.extend_from_slice(now);
            rest = later;
            if now.len() == missing {
                self.run(out)?;
            }
        }
        Ok(())
    }

    /// Appends the rest, so that input and output last equally long.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), PromptError> {
        let owed = self.taken * self.ratio.0 / self.ratio.1;
        while self.given < owed {
            self.run(out)?;
        }
        out.truncate(out.len() - (self.given - owed) as usize);
        Ok(())
    }

    /// Runs one chunk, the last one filled up with silence.
    fn run(&mut self, out: &mut Vec<f32>) -> Result<(), PromptError> {
        let wanted = self.inner.input_frames_next();
        let indexing = Indexing::new().partial_len(self.input.len());
        self.input.resize(wanted, 0.0);
        let room = self.output.len();
        let input = InterleavedSlice::new(self.input.as_slice(), 1, wanted);
        let output = InterleavedSlice::new_mut(self.output.as_mut_slice(), 1, room);
        let (Ok(input), Ok(mut output)) = (input, output) else {
            return Err(PromptError::Damaged);
        };
        let (_, written) = self
            .inner
            .process_into_buffer(&input, &mut output, Some(&indexing))
            .map_err(|_| PromptError::Damaged)?;
        self.input.clear();
        let dropped = self.skip.min(written);
        self.skip -= dropped;
        out.extend_from_slice(&self.output[dropped..written]);
        self.given += (written - dropped) as u64;
        Ok(())
    }
}

/// The prompt of audio at 48 kHz, full scale 1.0.
pub(super) fn prompt_from_48k(audio: &[f32]) -> Result<Prompt, PromptError> {
    let lower = |rate: Rate| -> Result<Vec<i16>, PromptError> {
        let from_hz = Rate::Hz48000.hz();
        let mut resampler = OfflineResampler::new(from_hz, rate.hz())?;
        let ratio = (from_hz / rate.hz()) as usize;
        let mut resampled = Vec::with_capacity(audio.len() / ratio + 2 * CHUNK);
        resampler.push(audio, &mut resampled)?;
        resampler.finish(&mut resampled)?;
        Ok(to_i16(&resampled))
    };
    Ok(Prompt {
        pcm_8k: lower(Rate::Hz8000)?,
        pcm_16k: lower(Rate::Hz16000)?,
        pcm_48k: to_i16(audio),
    })
}

/// Full scale 1.0 to 16 bits; what is beyond saturates.
pub(crate) fn to_i16(audio: &[f32]) -> Vec<i16> {
    audio
        .iter()
        .map(|sample| (sample * 32_768.0).round() as i16)
        .collect()
}
