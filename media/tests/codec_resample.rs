//! The resamplers keep what belongs and remove what does not.
#![allow(clippy::unwrap_used)]

use media::codec::Rate;
use media::level::level_dbov;
use media::resample::Resampler;
use media::tone::{Tone, ToneGenerator, tone_level};

fn resample(pcm: &[i16], from: Rate, to: Rate) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to);
    let mut heard = Vec::new();
    let mut out = vec![0; to.samples_per_frame()];
    for frame in pcm.chunks_exact(from.samples_per_frame()) {
        assert_eq!(resampler.output_len(frame.len()), out.len());
        assert_eq!(resampler.process(frame, &mut out), out.len());
        heard.extend_from_slice(&out);
    }
    heard
}

fn tone(hz: f32, rate: Rate) -> Vec<i16> {
    let mut pcm = vec![0; rate.samples_in_ms(1000)];
    ToneGenerator::new(Tone::sine(hz, 1000, -6.0), rate).fill(&mut pcm);
    pcm
}

fn middle(pcm: &[i16], rate: Rate) -> &[i16] {
    &pcm[rate.samples_in_ms(300)..rate.samples_in_ms(800)]
}

fn pairs() -> impl Iterator<Item = (Rate, Rate)> {
    Rate::ALL
        .into_iter()
        .flat_map(|from| Rate::ALL.map(|to| (from, to)))
}

#[test]
fn tones_within_the_band_keep_their_level_and_stay_alone() {
    for (from, to) in pairs() {
        let lower = from.min(to);
        let highest = lower.hz() as f32 * 0.425; // 3400 Hz at 8 kHz
        for hz in [100.0, 300.0, 1000.0, 2500.0, highest] {
            let sent = tone(hz, from);
            let heard = resample(&sent, from, to);
            let heard = middle(&heard, to);
            let change = level_dbov(heard) - level_dbov(middle(&sent, from));
            assert!(
                change.abs() < 0.5,
                "{from:?} to {to:?} {hz}: {change:.2} dB"
            );
            // Images and distortion together are 50 dB below the tone.
            let other = 1.0 - tone_level(heard, to.hz(), f64::from(hz));
            assert!(other < 1e-5, "{from:?} to {to:?} {hz}: {other:e}");
        }
    }
}

#[test]
fn tones_above_the_band_do_not_come_back_as_aliases() {
    for (from, to) in pairs().filter(|(from, to)| from > to) {
        let half = to.hz() as f32 / 2.0;
        let top = from.hz() as f32 / 2.0;
        for part in [1.07, 1.2, 1.5, 1.9, 2.5] {
            let hz = half * part;
            if hz >= top {
                continue;
            }
            let sent = tone(hz, from);
            let heard = resample(&sent, from, to);
            let alias = level_dbov(middle(&heard, to)) - level_dbov(middle(&sent, from));
            assert!(alias < -50.0, "{from:?} to {to:?} {hz}: {alias:.1} dB");
        }
    }
}

#[test]
fn odd_lengths_give_the_same_stream_as_whole_frames() {
    for (from, to) in pairs() {
        let sent = tone(777.0, from);
        let whole = resample(&sent, from, to);
        let mut resampler = Resampler::new(from, to);
        let mut heard = Vec::new();
        for chunk in sent.chunks(61) {
            let mut out = vec![0; resampler.output_len(chunk.len())];
            let written = resampler.process(chunk, &mut out);
            heard.extend_from_slice(&out[..written]);
        }
        assert_eq!(heard, whole, "{from:?} to {to:?}");
    }
}

#[test]
fn full_scale_saturates_instead_of_wrapping() {
    for (from, to) in pairs() {
        let square: Vec<i16> = (0..from.samples_in_ms(200))
            .map(|n| if n % 40 < 20 { i16::MAX } else { i16::MIN })
            .collect();
        let heard = resample(&square, from, to);
        // A wrap would be a jump over the whole range between neighbours
        // far from the square's own edges; its level would rise, too.
        assert!(level_dbov(&heard[to.samples_in_ms(20)..]) <= 0.0);
        let loud = heard.iter().filter(|s| s.unsigned_abs() > 30_000).count();
        assert!(loud > heard.len() / 10, "{from:?} to {to:?}");
    }
}
