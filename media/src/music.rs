//! The hold music every installation starts with: soft plucked chords over a
//! pad, composed and synthesised here, so that nobody's licence is involved.
//!
//! Twelve bars at 75 beats per minute, 38.4 s. Notes are written into the loop
//! as into a ring: what rings past the end is heard at the beginning, so the
//! repetition has no seam. All of it lies between 320 and 3300 Hz, which a
//! telephone carries whole.

use std::f32::consts::TAU;

use crate::codec::Rate;
use crate::prompt::Prompt;
use crate::prompt::rates::{OfflineResampler, to_i16};

/// Rate of the synthesis.
const RATE: Rate = Rate::Hz16000;
/// Samples in one eighth note: 400 ms.
const EIGHTH: usize = 6_400;
const EIGHTHS_PER_BAR: usize = 8;
/// Highest partial sounded, Hz.
const TOP_HZ: f32 = 3_300.0;
/// RMS of the music, dBov: well below speech.
const LEVEL_DBOV: f32 = -24.0;

/// The chords, one for each bar, five notes from the lowest (MIDI numbers).
const CHORDS: [[u8; 5]; 12] = [
    [64, 67, 71, 74, 79], // Cmaj9
    [64, 67, 69, 72, 76], // Am7
    [65, 69, 72, 76, 81], // Fmaj7
    [67, 71, 74, 76, 79], // G6
    [64, 67, 71, 74, 76], // Em7
    [64, 67, 71, 72, 76], // Am9
    [65, 69, 72, 74, 77], // Dm7
    [65, 67, 72, 74, 79], // G7sus4
    [64, 67, 71, 72, 76], // Cmaj7
    [65, 69, 72, 76, 79], // Fmaj9
    [65, 69, 72, 76, 77], // Dm9
    [65, 69, 71, 74, 79], // G9
];
/// Which note of the chord is plucked at each eighth, and how hard.
const ARPEGGIO: [(usize, f32); EIGHTHS_PER_BAR] = [
    (0, 1.0),
    (2, 0.6),
    (3, 0.75),
    (1, 0.5),
    (4, 0.9),
    (3, 0.6),
    (2, 0.7),
    (1, 0.5),
];

/// How an instrument sounds.
struct Timbre {
    /// Loudness of each partial.
    partials: &'static [f32],
    attack_s: f32,
    /// Time for the fundamental to fall by 60 dB, seconds. Higher partials
    /// fall faster.
    decay_s: f32,
    /// Part of a note that is held before it decays, seconds.
    hold_s: f32,
}

const PLUCK: Timbre = Timbre {
    partials: &[1.0, 0.36, 0.14, 0.06],
    attack_s: 0.006,
    decay_s: 2.6,
    hold_s: 0.0,
};
const BELL: Timbre = Timbre {
    partials: &[1.0, 0.0, 0.12],
    attack_s: 0.012,
    decay_s: 4.0,
    hold_s: 0.0,
};
const PAD: Timbre = Timbre {
    partials: &[1.0, 0.22, 0.08],
    attack_s: 1.0,
    decay_s: 2.4,
    hold_s: 2.6,
};

/// The default hold music, a loop at every bridge rate. Takes some tens of
/// milliseconds of computing; keep the result.
pub fn default_hold_music() -> Prompt {
    let mut ring = vec![0.0f32; CHORDS.len() * EIGHTHS_PER_BAR * EIGHTH];
    for (bar, chord) in CHORDS.iter().enumerate() {
        play_bar(&mut ring, bar, chord);
    }
    let energy: f64 = ring.iter().map(|x| f64::from(x * x)).sum();
    let rms = (energy / ring.len() as f64).sqrt() as f32;
    let gain = 10f32.powf(LEVEL_DBOV / 20.0) / rms;
    for sample in &mut ring {
        *sample *= gain;
    }
    Prompt {
        pcm_8k: resample_ring(&ring, Rate::Hz8000),
        pcm_16k: to_i16(&ring),
        pcm_48k: resample_ring(&ring, Rate::Hz48000),
    }
}

fn play_bar(ring: &mut [f32], bar: usize, chord: &[u8; 5]) {
    let start = bar * EIGHTHS_PER_BAR * EIGHTH;
    for &note in &chord[..4] {
        // Two voices a little apart, which beat slowly.
        for detune_hz in [-0.4, 0.4] {
            add_note(ring, start, pitch_hz(note) + detune_hz, 0.055, &PAD);
        }
    }
    for (eighth, &(voice, strength)) in ARPEGGIO.iter().enumerate() {
        let at = start + eighth * EIGHTH;
        add_note(ring, at, pitch_hz(chord[voice]), 0.3 * strength, &PLUCK);
    }
    if bar.is_multiple_of(2) {
        let at = start + 4 * EIGHTH;
        add_note(ring, at, pitch_hz(chord[4] + 12), 0.09, &BELL);
    }
}

fn pitch_hz(note: u8) -> f32 {
    440.0 * 2f32.powf((f32::from(note) - 69.0) / 12.0)
}

/// Adds a note to the ring, partial by partial.
fn add_note(ring: &mut [f32], start: usize, hz: f32, loudness: f32, timbre: &Timbre) {
    let rate_hz = RATE.hz() as f32;
    for (index, &share) in timbre.partials.iter().enumerate() {
        let order = (index + 1) as f32;
        if hz * order > TOP_HZ || share == 0.0 {
            continue;
        }
        let decay_s = timbre.decay_s / order.sqrt();
        let attack = (timbre.attack_s * rate_hz) as usize;
        let hold = attack.max((timbre.hold_s * rate_hz) as usize);
        let length = hold + (decay_s * rate_hz) as usize;
        // -60 dB at the end of the decay.
        let fall = 10f32.powf(-3.0 / (decay_s * rate_hz));
        // A phasor turned by one multiplication each sample.
        let (turn_sin, turn_cos) = (TAU * hz * order / rate_hz).sin_cos();
        let (mut sin, mut cos, mut level) = (0.0f32, 1.0f32, loudness * share);
        let mut at = start % ring.len();
        for n in 0..length {
            let rise = if n < attack {
                0.5 - 0.5 * (TAU / 2.0 * n as f32 / attack as f32).cos()
            } else {
                1.0
            };
            ring[at] += sin * level * rise;
            (sin, cos) = (
                sin * turn_cos + cos * turn_sin,
                cos * turn_cos - sin * turn_sin,
            );
            if n >= hold {
                level *= fall;
            }
            at += 1;
            if at == ring.len() {
                at = 0;
            }
        }
    }
}

/// The ring at another rate, still seamless: resampled with its own end before
/// it and its own beginning after it.
fn resample_ring(ring: &[f32], to: Rate) -> Vec<i16> {
    let margin = EIGHTH;
    let convert = |samples: usize| samples * to.hz() as usize / RATE.hz() as usize;
    let mut out = Vec::with_capacity(convert(ring.len() + 3 * margin));
    let before = &ring[ring.len() - margin..];
    // The two rates are constants, which the resampler takes.
    let resampled = OfflineResampler::new(RATE.hz(), to.hz()).and_then(|mut resampler| {
        for piece in [before, ring, &ring[..margin]] {
            resampler.push(piece, &mut out)?;
        }
        resampler.finish(&mut out)
    });
    debug_assert!(resampled.is_ok());
    let start = convert(margin);
    let end = start + convert(ring.len());
    to_i16(out.get(start..end).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::level::level_dbov;
    use crate::tone::power_spectrum;

    static MUSIC: LazyLock<Prompt> = LazyLock::new(default_hold_music);

    #[test]
    fn the_loop_has_the_same_length_at_every_rate() {
        let music = &*MUSIC;
        assert_eq!(music.duration_ms(), 38_400);
        for rate in Rate::ALL {
            assert_eq!(music.pcm(rate).len(), rate.samples_in_ms(38_400));
        }
    }

    #[test]
    fn it_is_quiet_even_and_the_same_every_time() {
        let music = &*MUSIC;
        assert_eq!(*music, default_hold_music());
        for rate in Rate::ALL {
            let pcm = music.pcm(rate);
            assert!((level_dbov(pcm) - LEVEL_DBOV).abs() < 0.3, "{rate:?}");
            assert!(pcm.iter().all(|s| s.unsigned_abs() < 16_384));
            for second in pcm.chunks(rate.hz() as usize) {
                let level = level_dbov(second);
                assert!((-30.0..=-18.0).contains(&level), "{level} at {rate:?}");
            }
        }
    }

    #[test]
    fn the_end_joins_the_beginning() {
        let music = &*MUSIC;
        for rate in Rate::ALL {
            let pcm = music.pcm(rate);
            let bend = |i: usize| {
                let at = |k: usize| i32::from(pcm[(i + k) % pcm.len()]);
                (at(0) - 2 * at(1) + at(2)).abs()
            };
            // A click is a bend sharper than any the music has itself. Notes
            // begin at the seam, as they do at every eighth.
            let sharpest = (0..pcm.len() - 2).map(bend).max().unwrap();
            let seam = (pcm.len() - 2..pcm.len()).map(bend).max().unwrap();
            assert!(seam <= sharpest / 2, "{seam} of {sharpest} at {rate:?}");
        }
    }

    #[test]
    fn it_lies_in_the_telephone_band() {
        let music = &*MUSIC;
        let size = 16_384;
        for block in music.pcm_16k.chunks_exact(size) {
            let spectrum = power_spectrum(block);
            let bin = |hz: usize| hz * size / 16_000;
            let total: f64 = spectrum.iter().sum();
            let inside: f64 = spectrum[bin(300)..bin(3400)].iter().sum();
            assert!(inside > 0.99 * total, "{}", inside / total);
        }
    }
}
