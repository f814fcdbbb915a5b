//! Concealment of lost frames for codecs without their own (G.711, G.722).
//!
//! After G.711 appendix I in spirit: repeat the last pitch period, fade to
//! silence over 60 ms, and blend back into the first frame that arrives.

use crate::codec::Rate;

/// Loss after which a concealed stream is silent, milliseconds.
const FADE_MS: usize = 60;
/// Shortest and longest pitch period looked for, in tenths of a millisecond:
/// voices between 66 and 400 Hz.
const PITCH_MIN_TENTHS_MS: usize = 25;
const PITCH_MAX_TENTHS_MS: usize = 150;
/// Span over which two periods are compared, milliseconds.
const MATCH_MS: usize = 15;
/// Blend between repeated and real audio, milliseconds.
const BLEND_MS: usize = 5;

/// Remembers what one stream sounded like and fills its gaps.
pub struct Concealer {
    rate: Rate,
    /// The newest audio, oldest first.
    history: Box<[i16]>,
    /// Samples of the running loss already filled in; zero outside a loss.
    concealed: usize,
    /// Length of the period under repetition, samples.
    period: usize,
}

impl Concealer {
    /// A concealer that has heard silence so far.
    pub fn new(rate: Rate) -> Self {
        let length = tenths_ms(rate, PITCH_MAX_TENTHS_MS) + rate.samples_in_ms(MATCH_MS);
        Self {
            rate,
            history: vec![0; length].into_boxed_slice(),
            concealed: 0,
            period: 0,
        }
    }

    /// Hears a decoded frame. After a loss, blends the frame's first 5 ms with
    /// the continued repetition.
    pub fn good_frame(&mut self, frame: &mut [i16]) {
        if self.concealed > 0 {
            let blend = self.rate.samples_in_ms(BLEND_MS).min(frame.len());
            for (i, sample) in frame[..blend].iter_mut().enumerate() {
                let weight = (i + 1) as f32 / (blend + 1) as f32;
                let repeated = self.repeated(i);
                *sample = (f32::from(*sample) * weight + repeated * (1.0 - weight)) as i16;
            }
            self.concealed = 0;
        }
        self.remember(frame);
    }

    /// Fills `out`, at most one 20 ms frame, with a continuation of what was
    /// heard last; returns the samples written.
    pub fn conceal(&mut self, out: &mut [i16]) -> usize {
        let samples = out.len().min(self.rate.samples_per_frame());
        if self.concealed == 0 {
            self.period = self.find_period();
        }
        for (i, slot) in out[..samples].iter_mut().enumerate() {
            *slot = self.repeated(i) as i16;
        }
        self.concealed += samples;
        samples
    }

    /// The repetition `ahead` samples after what has been concealed, faded.
    fn repeated(&self, ahead: usize) -> f32 {
        let at = self.concealed + ahead;
        let fade = self.rate.samples_in_ms(FADE_MS);
        if at >= fade || self.period == 0 {
            return 0.0;
        }
        let start = self.history.len() - self.period;
        let phase = at % self.period;
        let sample = f32::from(self.history[start + phase]);
        // The last quarter of a period leans over to what led into it, so that
        // the seam does not click.
        let before = f32::from(self.history[start + phase - self.period]);
        let lead = self.period - self.period / 4;
        let lean = phase.saturating_sub(lead) as f32 / (self.period - lead) as f32;
        let joined = sample * (1.0 - lean) + before * lean;
        joined * (1.0 - at as f32 / fade as f32)
    }

    /// The lag at which the end of the history resembles itself most.
    fn find_period(&self) -> usize {
        let span = self.rate.samples_in_ms(MATCH_MS);
        let (past, recent) = self.history.split_at(self.history.len() - span);
        let longest = past.len();
        let shortest = tenths_ms(self.rate, PITCH_MIN_TENTHS_MS);
        // Coarsely on every other lag and sample at 16 kHz, which is the
        // resolution of an 8 kHz search; then the neighbours.
        let step = (self.rate.hz() as usize / 8_000).max(1);
        let score = |lag: &usize| self.similarity(recent, *lag, step);
        let coarse = (shortest..=longest)
            .step_by(step)
            .map(|lag| (lag, score(&lag)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(shortest, |(lag, _)| lag);
        let low = coarse.saturating_sub(step - 1).max(shortest);
        let high = (coarse + step - 1).min(longest);
        (low..=high)
            .map(|lag| (lag, self.similarity(recent, lag, 1)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(coarse, |(lag, _)| lag)
    }

    /// Normalised correlation of the newest audio with that `lag` earlier.
    fn similarity(&self, recent: &[i16], lag: usize, step: usize) -> f32 {
        let start = self.history.len() - recent.len() - lag;
        let earlier = &self.history[start..start + recent.len()];
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (&a, &b) in recent.iter().zip(earlier).step_by(step) {
            product += f32::from(a) * f32::from(b);
            energy += f32::from(b) * f32::from(b);
        }
        product / energy.sqrt()
    }

    fn remember(&mut self, frame: &[i16]) {
        let keep = self.history.len().saturating_sub(frame.len());
        let old = self.history.len() - keep;
        self.history.copy_within(old.., 0);
        let newest = &frame[frame.len() - old.min(frame.len())..];
        self.history[keep..].copy_from_slice(newest);
    }
}

fn tenths_ms(rate: Rate, tenths: usize) -> usize {
    rate.hz() as usize * tenths / 10_000
}
