//! What a caller says after the beep: 16 kHz mono, handed on frame by frame.
//!
//! The recorder keeps no audio. A [`RecordSink`] takes it at once or refuses;
//! it is the near end of a bounded queue to whoever seals and stores it, so
//! that the media thread never waits for a disk.

use std::time::Duration;

use thiserror::Error;

use crate::codec::Rate;
use crate::control::{RecordingKey, RecordingStop};
use crate::level::SilenceDetector;
use crate::resample::Resampler;
use crate::tone::{Tone, ToneGenerator};

/// The rate of every recording.
pub const RECORDING_RATE: Rate = Rate::Hz16000;

/// Frames below this level are silent, dBov: above line noise, below a whisper.
const SILENCE_DBOV: f32 = -50.0;
/// Gaps between words shorter than this are no silence.
const SILENCE_HANG: Duration = Duration::from_millis(400);

/// The sink cannot take more audio: its queue is full or its reader gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the recording's queue is full")]
pub struct SinkFull;

/// Takes the audio of one recording. Must not block.
pub trait RecordSink: Send {
    /// Takes PCM at [`RECORDING_RATE`], at most one 20 ms frame.
    ///
    /// # Errors
    /// [`SinkFull`] ends the recording.
    fn write(&mut self, pcm: &[i16]) -> Result<(), SinkFull>;

    /// Nothing follows. Called once.
    fn finish(&mut self);
}

/// Opens sinks. Supplied by whoever runs the engine.
pub trait RecordSinks: Send {
    /// The sink of a recording that starts now. Must not block; a sink that
    /// cannot be opened is one that refuses the first write.
    fn open(&mut self, recording: RecordingKey) -> Box<dyn RecordSink>;
}

/// What to record and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingOrder {
    /// Names the recording.
    pub key: RecordingKey,
    /// Longest recording.
    pub max_length: Duration,
    /// This much silence ends it.
    pub max_silence: Duration,
}

/// One running recording: a beep to the caller, then the caller's voice.
pub struct Recorder {
    order: RecordingOrder,
    sink: Box<dyn RecordSink>,
    beep: Option<ToneGenerator>,
    rate: Rate,
    resampler: Option<Resampler>,
    resampled: Box<[i16]>,
    silence: SilenceDetector,
    max_samples: u64,
    written: u64,
}

impl Recorder {
    /// A recorder of a stream at `rate`.
    #[must_use]
    pub fn new(order: RecordingOrder, sink: Box<dyn RecordSink>, rate: Rate) -> Self {
        let nanos = order.max_length.as_nanos();
        let max_samples = nanos * u128::from(RECORDING_RATE.hz()) / 1_000_000_000;
        let mut recorder = Self {
            order,
            sink,
            beep: Some(ToneGenerator::new(Tone::beep(), rate)),
            rate,
            resampler: None,
            resampled: vec![0; RECORDING_RATE.samples_per_frame()].into(),
            silence: SilenceDetector::new(SILENCE_DBOV, SILENCE_HANG),
            max_samples: u64::try_from(max_samples).unwrap_or(u64::MAX),
            written: 0,
        };
        recorder.tune(rate);
        recorder
    }

    /// Names the recording.
    #[must_use]
    pub fn key(&self) -> RecordingKey {
        self.order.key
    }

    /// Follows a change of the stream's rate. A beep that sounds starts over.
    pub fn set_rate(&mut self, rate: Rate) {
        if rate != self.rate {
            self.tune(rate);
        }
    }

    /// Writes the next part of the beep; `false` when it is over.
    pub fn beep(&mut self, out: &mut [i16]) -> bool {
        let Some(beep) = &mut self.beep else {
            return false;
        };
        beep.fill(out);
        if beep.is_finished() {
            self.beep = None;
        }
        true
    }

    /// Hears one frame of the caller, at most 20 ms; tells when the recording
    /// is to end. What comes during the beep is not recorded.
    pub fn hear(&mut self, frame: &[i16]) -> Option<RecordingStop> {
        if self.beep.is_some() {
            return None;
        }
        let pcm = match &mut self.resampler {
            None => frame,
            Some(resampler) => {
                let samples = resampler.process(frame, &mut self.resampled);
                &self.resampled[..samples]
            }
        };
        let left = self.max_samples - self.written;
        let kept = pcm.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.sink.write(&pcm[..kept]).is_err() {
            return Some(RecordingStop::SinkFailed);
        }
        self.written += kept as u64;
        if self.written == self.max_samples {
            return Some(RecordingStop::MaxLength);
        }
        let silent = self.silence.feed(pcm, RECORDING_RATE);
        (silent >= self.order.max_silence && !silent.is_zero()).then_some(RecordingStop::Silence)
    }

    /// Closes the sink; returns the length of what it took.
    pub fn finish(mut self) -> Duration {
        self.sink.finish();
        Duration::from_nanos(self.written * 1_000_000_000 / u64::from(RECORDING_RATE.hz()))
    }

    fn tune(&mut self, rate: Rate) {
        self.rate = rate;
        self.resampler = (rate != RECORDING_RATE).then(|| Resampler::new(rate, RECORDING_RATE));
        if self.beep.is_some() {
            self.beep = Some(ToneGenerator::new(Tone::beep(), rate));
        }
    }
}
