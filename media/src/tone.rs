//! Telephone tones: generation with cadence, and measurement by frequency.

use std::f32::consts::TAU;

use crate::codec::Rate;

/// Rise and fall of every tone burst unless the tone says otherwise, milliseconds.
const EDGE_MS: u32 = 5;
/// Level of network tones, dBov per frequency.
const NETWORK_TONE_DBOV: f32 = -19.0;

/// Whose network tones to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// ETSI TR 101 041-2, 425 Hz: most of continental Europe.
    Europe,
    /// ATIS / Telcordia GR-506 precise tones: North America.
    NorthAmerica,
}

/// What a tone sounds like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// The frequencies sounded together, Hz; zero for none.
    hz: [f32; 2],
    /// RMS level of each frequency, dBov.
    level_dbov: f32,
    /// Sound and pause, milliseconds; a pause of zero makes the tone continuous.
    on_ms: u32,
    off_ms: u32,
    /// How often the cadence plays; `None` for ever.
    repeats: Option<u32>,
    edge_ms: u32,
}

impl Tone {
    /// The tone a caller hears while the other side rings.
    pub fn ringback(region: Region) -> Tone {
        match region {
            Region::Europe => Tone::network([425.0, 0.0], 1_000, 4_000),
            Region::NorthAmerica => Tone::network([440.0, 480.0], 2_000, 4_000),
        }
    }

    /// The tone of a line in use.
    pub fn busy(region: Region) -> Tone {
        match region {
            Region::Europe => Tone::network([425.0, 0.0], 500, 500),
            Region::NorthAmerica => Tone::network([480.0, 620.0], 500, 500),
        }
    }

    /// The beep before a voicemail recording: 1 kHz, 400 ms, soft edges.
    pub fn beep() -> Tone {
        Tone {
            edge_ms: 20,
            ..Tone::sine(1_000.0, 400, -15.0)
        }
    }

    /// One burst of one frequency. `level_dbov` of -3 is a full-scale sine.
    pub fn sine(hz: f32, ms: u32, level_dbov: f32) -> Tone {
        Tone::dual(hz, 0.0, ms, level_dbov)
    }

    /// One burst of two frequencies, each at `level_dbov`.
    pub fn dual(hz_a: f32, hz_b: f32, ms: u32, level_dbov: f32) -> Tone {
        Tone {
            hz: [hz_a, hz_b],
            level_dbov,
            on_ms: ms,
            off_ms: 0,
            repeats: Some(1),
            edge_ms: EDGE_MS,
        }
    }

    fn network(hz: [f32; 2], on_ms: u32, off_ms: u32) -> Tone {
        Tone {
            hz,
            level_dbov: NETWORK_TONE_DBOV,
            on_ms,
            off_ms,
            repeats: None,
            edge_ms: EDGE_MS,
        }
    }
}

/// Plays a [`Tone`] frame by frame.
pub struct ToneGenerator {
    rate: Rate,
    oscillators: [Oscillator; 2],
    amplitude: f32,
    on: u64,
    period: u64,
    edge: u64,
    at: u64,
    end: Option<u64>,
}

impl ToneGenerator {
    /// A generator at the start of `tone`.
    pub fn new(tone: Tone, rate: Rate) -> Self {
        let samples = |ms: u32| rate.samples_in_ms(ms as usize) as u64;
        let period = samples(tone.on_ms) + samples(tone.off_ms);
        Self {
            rate,
            oscillators: tone.hz.map(|hz| Oscillator::new(hz, rate.hz())),
            // RMS of a sine is its amplitude over the square root of two.
            amplitude: 32_768.0 * 10f32.powf(tone.level_dbov / 20.0) * 2f32.sqrt(),
            on: samples(tone.on_ms),
            period,
            edge: samples(tone.edge_ms).max(1),
            at: 0,
            end: tone.repeats.map(|repeats| period * u64::from(repeats)),
        }
    }

    /// The rate of the generated samples.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether the tone has ended.
    pub fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| self.at >= end)
    }

    /// Writes the next samples; returns how many belong to the tone. What
    /// follows its end is silence.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.at));
        let sounding = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        for slot in &mut out[..sounding] {
            *slot = self.next_sample();
        }
        out[sounding..].fill(0);
        sounding
    }

    fn next_sample(&mut self) -> i16 {
        let phase = if self.period == 0 {
            0
        } else {
            self.at % self.period
        };
        self.at += 1;
        let sum: f32 = self.oscillators.iter_mut().map(Oscillator::next).sum();
        if phase >= self.on {
            return 0;
        }
        (sum * self.amplitude * self.envelope(phase)) as i16
    }

    /// Raised-cosine edges at both ends of a burst.
    fn envelope(&self, phase: u64) -> f32 {
        let continuous = self.on == self.period && self.end.is_none();
        let to_edge = phase.min(self.on - 1 - phase);
        if continuous || to_edge >= self.edge {
            return 1.0;
        }
        let part = to_edge as f32 / self.edge as f32;
        0.5 - 0.5 * (part * TAU / 2.0).cos()
    }
}

/// A phase accumulator; silent at zero hertz.
struct Oscillator {
    turns: f32,
    step: f32,
}

impl Oscillator {
    fn new(hz: f32, rate_hz: u32) -> Self {
        Self {
            turns: 0.0,
            step: hz / rate_hz as f32,
        }
    }

    fn next(&mut self) -> f32 {
        let value = (self.turns * TAU).sin();
        self.turns = (self.turns + self.step).fract();
        value
    }
}

/// The part of the energy of `samples` that lies at `hz`, 0 to 1 (Goertzel's
/// algorithm). Its width in frequency is the inverse of the span: 50 Hz for
/// 20 ms, 1 Hz for a second. Silence has no part anywhere.
pub fn tone_level(samples: &[i16], rate_hz: u32, hz: f64) -> f64 {
    let total: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    if total == 0.0 {
        return 0.0;
    }
    let power = goertzel(samples, rate_hz, hz);
    (2.0 * power / (samples.len() as f64 * total)).min(1.0)
}

/// Squared magnitude of the Fourier sum of `samples` at `hz`.
fn goertzel(samples: &[i16], rate_hz: u32, hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / f64::from(rate_hz);
    let coefficient = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        let next = f64::from(sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    last * last + before * before - coefficient * last * before
}

/// Longest span [`dominant_hz`] looks at, samples.
const SPECTRUM_MAX: usize = 16_384;

/// The strongest frequency in the first part of `samples` (up to 16384 of
/// them), Hz, to a fraction of the spectrum's resolution. Zero for silence.
/// Allocates; for tests and tools, not for the media tick.
pub fn dominant_hz(samples: &[i16], rate_hz: u32) -> f64 {
    if samples.len() < 16 {
        return 0.0;
    }
    // The largest power of two that fits.
    let size = SPECTRUM_MAX.min(1 << samples.len().ilog2());
    let spectrum = power_spectrum(&samples[..size]);
    let power = |bin: usize| spectrum[bin];
    let peak = (1..size / 2)
        .max_by(|&a, &b| power(a).total_cmp(&power(b)))
        .unwrap_or(0);
    if power(peak) < 1.0 {
        return 0.0;
    }
    // A parabola through the logarithms of the peak and its neighbours.
    let [left, top, right] = [peak - 1, peak, peak + 1].map(|bin| power(bin).max(1e-9).ln());
    let bend = left - 2.0 * top + right;
    let offset = if bend == 0.0 {
        0.0
    } else {
        0.5 * (left - right) / bend
    };
    (peak as f64 + offset) * f64::from(rate_hz) / size as f64
}

/// The power of `samples` in each bin up to half the rate, without their mean,
/// through a Hann window. The length is a power of two.
pub(crate) fn power_spectrum(samples: &[i16]) -> Vec<f64> {
    let size = samples.len();
    let mean = samples.iter().map(|&s| f64::from(s)).sum::<f64>() / size as f64;
    let mut spectrum: Vec<(f64, f64)> = samples
        .iter()
        .enumerate()
        .map(|(n, &sample)| {
            let turn = std::f64::consts::TAU * n as f64 / size as f64;
            ((f64::from(sample) - mean) * (0.5 - 0.5 * turn.cos()), 0.0)
        })
        .collect();
    fft(&mut spectrum);
    spectrum.truncate(size / 2 + 1);
    spectrum.iter().map(|(re, im)| re * re + im * im).collect()
}

/// In-place radix-2 Fourier transform; the length is a power of two.
fn fft(values: &mut [(f64, f64)]) {
    let size = values.len();
    let bits = size.trailing_zeros();
    for i in 0..size {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            values.swap(i, j);
        }
    }
    let mut span = 1;
    while span < size {
        let turn = -std::f64::consts::PI / span as f64;
        for block in values.chunks_exact_mut(2 * span) {
            let (low, high) = block.split_at_mut(span);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let (sin, cos) = (turn * k as f64).sin_cos();
                let rotated = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - rotated.0, a.1 - rotated.1);
                *a = (a.0 + rotated.0, a.1 + rotated.1);
            }
        }
        span *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::level_dbov;

    fn play(tone: Tone, rate: Rate, ms: usize) -> Vec<i16> {
        let mut pcm = vec![0; rate.samples_in_ms(ms)];
        let mut generator = ToneGenerator::new(tone, rate);
        for frame in pcm.chunks_mut(rate.samples_per_frame()) {
            generator.fill(frame);
        }
        pcm
    }

    #[test]
    fn a_sine_is_found_at_its_frequency_and_nowhere_else() {
        for rate in Rate::ALL {
            for hz in [300.0, 440.0, 1000.0, 3400.0] {
                let pcm = play(Tone::sine(hz, 1000, -10.0), rate, 1000);
                let hz = f64::from(hz);
                assert!((dominant_hz(&pcm, rate.hz()) - hz).abs() < 1.0);
                assert!(tone_level(&pcm, rate.hz(), hz) > 0.98, "{hz} at {rate:?}");
                assert!(tone_level(&pcm, rate.hz(), hz + 100.0) < 0.001);
                assert!((level_dbov(&pcm) + 10.0).abs() < 0.2);
            }
        }
    }

    #[test]
    fn silence_has_no_tone() {
        assert_eq!(tone_level(&[0; 160], 8000, 1000.0), 0.0);
        assert_eq!(dominant_hz(&[0; 1600], 8000), 0.0);
        assert_eq!(dominant_hz(&[-70; 1600], 8000), 0.0);
    }

    #[test]
    fn the_beep_lasts_400_ms_and_starts_and_ends_softly() {
        let rate = Rate::Hz8000;
        let mut generator = ToneGenerator::new(Tone::beep(), rate);
        let mut pcm = vec![7i16; rate.samples_in_ms(500)];
        assert_eq!(generator.fill(&mut pcm), rate.samples_in_ms(400));
        assert!(generator.is_finished());
        assert!(pcm[3200..].iter().all(|&s| s == 0));
        let peak = |range: &[i16]| range.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(peak(&pcm[..16]) < peak(&pcm[800..2400]) / 20);
        assert!(peak(&pcm[3184..3200]) < peak(&pcm[800..2400]) / 20);
        assert!(tone_level(&pcm[400..2800], 8000, 1000.0) > 0.99);
    }

    #[test]
    fn ringback_follows_the_national_cadence() {
        let rate = Rate::Hz8000;
        let sounding = |tone, ms: usize| {
            let pcm = play(tone, rate, 12_000);
            let at = rate.samples_in_ms(ms);
            level_dbov(&pcm[at..at + 800]) > -40.0
        };
        let europe = Tone::ringback(Region::Europe);
        let pattern = [100, 800, 1100, 4800, 5100, 5900, 6100].map(|ms| sounding(europe, ms));
        assert_eq!(pattern, [true, true, false, false, true, true, false]);
        let america = Tone::ringback(Region::NorthAmerica);
        let pattern = [100, 1900, 2100, 5800, 6100].map(|ms| sounding(america, ms));
        assert_eq!(pattern, [true, true, false, false, true]);
    }

    #[test]
    fn north_american_tones_have_two_frequencies() {
        let pcm = play(Tone::busy(Region::NorthAmerica), Rate::Hz8000, 500);
        let [low, high] = [480.0, 620.0].map(|hz| tone_level(&pcm, 8000, hz));
        assert!(low > 0.45 && high > 0.45, "{low} {high}");
    }
}
