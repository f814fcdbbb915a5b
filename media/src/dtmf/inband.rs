//! Keypad tones in the audio itself (ITU-T Q.23, Q.24), for trunks without
//! telephone events.

use super::Digit;
use crate::codec::Rate;
use crate::tone::Tone;

const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Keys by row (low tone) and column (high tone).
const GRID: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Length of one analysis, milliseconds. At 20 ms the bins are 50 Hz wide,
/// which separates the nearest pair of tones (73 Hz).
const BLOCK_MS: usize = 20;
/// Blocks that must agree before a key is told: 40 ms, what Q.24 asks for.
const BLOCKS_TO_PRESS: u8 = 2;
/// Blocks without the key before it may be told again.
const BLOCKS_TO_RELEASE: u8 = 2;
/// Quietest tone believed, dBov of the whole block.
const MIN_LEVEL_DBOV: f32 = -40.0;
/// Part of the block's energy the two tones must hold. Speech, which spreads
/// over harmonics, seldom reaches it.
const MIN_PURITY: f32 = 0.75;
/// Largest difference between the tones ("twist"), as a ratio of power: 8 dB.
const MAX_TWIST: f32 = 6.3;
/// How far a tone must stand out of its group, as a ratio of power.
const MIN_DISTINCTION: f32 = 6.0;

/// The tone pair of a key, at `level_dbov` for each tone.
pub fn digit_tone(digit: Digit, ms: u32, level_dbov: f32) -> Tone {
    let key = digit.reveal();
    let at = GRID.iter().flatten().position(|&k| k == key).unwrap_or(0);
    Tone::dual(LOW_HZ[at / 4], HIGH_HZ[at % 4], ms, level_dbov)
}

/// Finds keys in audio. Feed frames of any length in order.
pub struct InbandDetector {
    bins: [Goertzel; 8],
    energy: f32,
    filled: usize,
    block: usize,
    candidate: Option<Digit>,
    agreeing: u8,
    held: Option<Digit>,
    missing: u8,
}

impl InbandDetector {
    /// A detector for audio at `rate`.
    pub fn new(rate: Rate) -> Self {
        let hz = |at: usize| if at < 4 { LOW_HZ[at] } else { HIGH_HZ[at - 4] };
        Self {
            bins: std::array::from_fn(|at| Goertzel::new(hz(at), rate)),
            energy: 0.0,
            filled: 0,
            block: rate.samples_in_ms(BLOCK_MS),
            candidate: None,
            agreeing: 0,
            held: None,
            missing: 0,
        }
    }

    /// Hears audio; returns a key that has just been pressed, once for each
    /// press. A frame of more than 20 ms should be fed in parts.
    pub fn feed(&mut self, samples: &[i16]) -> Option<Digit> {
        let mut pressed = None;
        for &sample in samples {
            let sample = f32::from(sample) / 32_768.0;
            self.energy += sample * sample;
            for bin in &mut self.bins {
                bin.feed(sample);
            }
            self.filled += 1;
            if self.filled == self.block {
                let key = self.finish_block();
                pressed = self.decide(key).or(pressed);
            }
        }
        pressed
    }

    /// The key the block sounds like, if any.
    fn finish_block(&mut self) -> Option<Digit> {
        let count = self.block as f32;
        let energy = std::mem::take(&mut self.energy);
        self.filled = 0;
        let powers = self.bins.each_mut().map(Goertzel::take_power);
        let (low, high) = powers.split_at(4);
        let ((row, low), (column, high)) = (strongest(low)?, strongest(high)?);
        let level_dbov = 10.0 * (energy / count).max(1e-13).log10();
        let purity = 2.0 * (low + high) / (count * energy.max(1e-9));
        let twist = if low > high { low / high } else { high / low };
        if level_dbov < MIN_LEVEL_DBOV || purity < MIN_PURITY || twist > MAX_TWIST {
            return None;
        }
        Digit::new(GRID[row][column])
    }

    fn decide(&mut self, key: Option<Digit>) -> Option<Digit> {
        if self.held.is_some() {
            self.missing = if key == self.held {
                0
            } else {
                self.missing + 1
            };
            if self.missing >= BLOCKS_TO_RELEASE {
                self.held = None;
            }
        }
        self.agreeing = match key {
            Some(_) if key == self.candidate => self.agreeing.saturating_add(1),
            Some(_) => 1,
            None => 0,
        };
        self.candidate = key;
        if self.agreeing < BLOCKS_TO_PRESS || self.held == key {
            return None;
        }
        self.held = key;
        self.missing = 0;
        key
    }
}

/// The strongest bin of a group and its power, if it stands out.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (at, &power) = group.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let next = group
        .iter()
        .enumerate()
        .filter(|&(other, _)| other != at)
        .map(|(_, &power)| power)
        .fold(0.0, f32::max);
    (power > next * MIN_DISTINCTION).then_some((at, power))
}

/// Goertzel's filter for one frequency.
struct Goertzel {
    coefficient: f32,
    last: f32,
    before: f32,
}

impl Goertzel {
    fn new(hz: f32, rate: Rate) -> Self {
        let turn = std::f32::consts::TAU * hz / rate.hz() as f32;
        Self {
            coefficient: 2.0 * turn.cos(),
            last: 0.0,
            before: 0.0,
        }
    }

    fn feed(&mut self, sample: f32) {
        let next = sample + self.coefficient * self.last - self.before;
        self.before = self.last;
        self.last = next;
    }

    /// The squared magnitude since the last call.
    fn take_power(&mut self) -> f32 {
        let (last, before) = (self.last, self.before);
        (self.last, self.before) = (0.0, 0.0);
        last * last + before * before - self.coefficient * last * before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::ComfortNoise;
    use crate::tone::ToneGenerator;

    fn hear(detector: &mut InbandDetector, pcm: &[i16], rate: Rate) -> String {
        pcm.chunks(rate.samples_per_frame())
            .filter_map(|frame| detector.feed(frame))
            .map(Digit::reveal)
            .collect()
    }

    fn dial(keys: &str, on_ms: u32, off_ms: usize, level: f32, rate: Rate) -> Vec<i16> {
        let mut pcm = vec![0; 37];
        for key in keys.chars() {
            let tone = digit_tone(Digit::new(key).unwrap(), on_ms, level);
            let at = pcm.len();
            pcm.resize(at + rate.samples_in_ms(on_ms as usize + off_ms), 0);
            ToneGenerator::new(tone, rate).fill(&mut pcm[at..]);
        }
        pcm
    }

    #[test]
    fn every_key_is_heard_once_at_every_rate() {
        let keys = "1234567890*#ABCD1155";
        for rate in Rate::ALL {
            for level in [-9.0, -20.0, -33.0] {
                let pcm = dial(keys, 80, 80, level, rate);
                let heard = hear(&mut InbandDetector::new(rate), &pcm, rate);
                assert_eq!(heard, keys, "{level} dBov at {rate:?}");
            }
        }
    }

    #[test]
    fn keys_are_heard_over_line_noise() {
        let rate = Rate::Hz8000;
        let mut pcm = dial("7410", 100, 100, -15.0, rate);
        let mut noise = vec![0; pcm.len()];
        ComfortNoise::new(3, -35.0).fill(&mut noise);
        for (sample, noise) in pcm.iter_mut().zip(noise) {
            *sample = sample.saturating_add(noise);
        }
        assert_eq!(hear(&mut InbandDetector::new(rate), &pcm, rate), "7410");
    }

    #[test]
    fn noise_single_tones_and_short_blips_are_no_keys() {
        let rate = Rate::Hz8000;
        let mut noise = vec![0; 80_000];
        ComfortNoise::new(9, -20.0).fill(&mut noise);
        assert_eq!(hear(&mut InbandDetector::new(rate), &noise, rate), "");
        for hz in (300..3400).step_by(37) {
            let mut pcm = vec![0; 1600];
            ToneGenerator::new(Tone::sine(hz as f32, 200, -10.0), rate).fill(&mut pcm);
            let heard = hear(&mut InbandDetector::new(rate), &pcm, rate);
            assert_eq!(heard, "", "{hz} Hz alone");
        }
        let blip = dial("5", 20, 200, -10.0, rate);
        assert_eq!(hear(&mut InbandDetector::new(rate), &blip, rate), "");
    }
}
