//! Prompts: an uploaded audio file becomes PCM at every bridge rate, once, so
//! that playing it during calls is copying.
//!
//! Decoding parses files from outside and takes memory (about 350 MB for the
//! longest prompt): run it away from the media thread.

mod cache;
mod decode;
mod loudness;
mod opus_file;
pub(crate) mod rates;

use thiserror::Error;

use crate::codec::Rate;

/// Largest file taken, bytes (32 MiB).
pub const MAX_PROMPT_BYTES: usize = 32 * 1024 * 1024;
/// Longest prompt taken, seconds.
pub const MAX_PROMPT_SECONDS: usize = 900;

/// Mono audio at every bridge rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The audio at 8 kHz.
    pub pcm_8k: Vec<i16>,
    /// The audio at 16 kHz.
    pub pcm_16k: Vec<i16>,
    /// The audio at 48 kHz.
    pub pcm_48k: Vec<i16>,
}

impl Prompt {
    /// The audio at `rate`.
    pub fn pcm(&self, rate: Rate) -> &[i16] {
        match rate {
            Rate::Hz8000 => &self.pcm_8k,
            Rate::Hz16000 => &self.pcm_16k,
            Rate::Hz48000 => &self.pcm_48k,
        }
    }

    /// How long the prompt plays, milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.pcm_8k.len() as u64 * 1000 / u64::from(Rate::Hz8000.hz())
    }

    /// The prompt as the bytes of a cache file.
    pub fn write_cache(&self) -> Vec<u8> {
        cache::write(self)
    }

    /// A prompt from the bytes of a cache file.
    ///
    /// # Errors
    /// [`PromptError::Cache`] when they are not what
    /// [`write_cache`](Self::write_cache) writes.
    pub fn read_cache(bytes: &[u8]) -> Result<Prompt, PromptError> {
        cache::read(bytes).ok_or(PromptError::Cache)
    }
}

/// Why a file cannot be a prompt. The texts are meant for the person who
/// uploaded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PromptError {
    /// Larger than [`MAX_PROMPT_BYTES`].
    #[error("the file is larger than 32 MiB: save it as MP3, OGG or Opus, or shorten it")]
    TooLarge,
    /// Longer than [`MAX_PROMPT_SECONDS`].
    #[error("the recording is longer than 15 minutes: shorten it")]
    TooLong,
    /// Not one of the file types read.
    #[error("the file is not WAV, MP3, OGG, Opus or FLAC: save it as one of these")]
    UnknownFormat,
    /// A known container with audio in a codec not read.
    #[error(
        "the audio inside the file is of a kind that is not read: save it as WAV, MP3, OGG, Opus or FLAC"
    )]
    UnknownCodec,
    /// A sample rate outside 8 to 192 kHz.
    #[error("the sample rate is {0} Hz: save the file with 8000 to 192000 Hz, best with 48000")]
    SampleRate(u32),
    /// No sound at all.
    #[error("the file holds no sound: check the recording and upload it again")]
    NoSound,
    /// The file breaks off or contradicts itself.
    #[error("the file is damaged: save it anew from the original recording")]
    Damaged,
    /// A cache file is not readable.
    #[error("the prepared copy of the prompt is damaged: upload the prompt again")]
    Cache,
}

/// Decodes a WAV, MP3, OGG Vorbis, Opus or FLAC file, mixes it to mono, sets it
/// to about -16 dBov RMS (never so loud that it clips) and resamples it to
/// every bridge rate.
///
/// # Errors
/// See [`PromptError`].
pub fn decode_prompt(bytes: &[u8]) -> Result<Prompt, PromptError> {
    if bytes.len() > MAX_PROMPT_BYTES {
        return Err(PromptError::TooLarge);
    }
    let mut audio = if opus_file::is_opus(bytes) {
        opus_file::decode(bytes)?
    } else {
        decode::decode(bytes)?
    };
    loudness::normalise(&mut audio)?;
    rates::prompt_from_48k(&audio)
}

/// Collects mono audio at 48 kHz, whatever rate it arrives in, up to the
/// longest prompt.
struct Collector {
    resampler: Option<rates::OfflineResampler>,
    /// The newest piece, mono, at the rate it came in.
    mono: Vec<f32>,
    audio: Vec<f32>,
}

impl Collector {
    /// A collector of audio at `from_hz`.
    fn new(from_hz: u32) -> Result<Self, PromptError> {
        if !(8_000..=192_000).contains(&from_hz) {
            return Err(PromptError::SampleRate(from_hz));
        }
        let to_hz = Rate::Hz48000.hz();
        let resampler = if from_hz == to_hz {
            None
        } else {
            Some(rates::OfflineResampler::new(from_hz, to_hz)?)
        };
        Ok(Self {
            resampler,
            mono: Vec::new(),
            audio: Vec::new(),
        })
    }

    /// Takes interleaved samples of `channels` channels.
    fn push(&mut self, interleaved: &[f32], channels: usize) -> Result<(), PromptError> {
        let channels = channels.max(1);
        let scale = 1.0 / channels as f32;
        self.mono.clear();
        self.mono.extend(
            interleaved
                .chunks_exact(channels)
                .map(|frame| frame.iter().sum::<f32>() * scale)
                .map(|sample| if sample.is_finite() { sample } else { 0.0 }),
        );
        match &mut self.resampler {
            None => self.audio.extend_from_slice(&self.mono),
            Some(resampler) => resampler.push(&self.mono, &mut self.audio)?,
        }
        if self.audio.len() > MAX_PROMPT_SECONDS * Rate::Hz48000.hz() as usize {
            return Err(PromptError::TooLong);
        }
        Ok(())
    }

    /// The audio at 48 kHz.
    fn finish(mut self) -> Result<Vec<f32>, PromptError> {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut self.audio)?;
        }
        Ok(self.audio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_past_the_limit_is_refused_whatever_a_header_said() {
        let mut collector = Collector::new(48_000).unwrap();
        collector.audio = vec![0.0; MAX_PROMPT_SECONDS * 48_000 - 1];
        assert_eq!(collector.push(&[0.0; 2], 2), Ok(()));
        assert_eq!(collector.push(&[0.0; 2], 2), Err(PromptError::TooLong));
    }

    #[test]
    fn samples_that_are_no_numbers_become_silence() {
        let mut collector = Collector::new(48_000).unwrap();
        collector.push(&[f32::NAN, 0.5, f32::INFINITY], 1).unwrap();
        assert_eq!(collector.finish(), Ok(vec![0.0, 0.5, 0.0]));
    }
}
