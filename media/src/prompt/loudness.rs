//! One loudness for all prompts, so that callers need not reach for the volume.

use super::PromptError;

/// RMS aimed at, dBov.
const TARGET_DBOV: f32 = -16.0;
/// Loudest peak allowed, dBov. Leaves room for the overshoot of resampling.
const CEILING_DBOV: f32 = -1.5;
/// Most amplification, dB: a quiet recording is lifted, its noise not beyond use.
const MAX_GAIN_DB: f32 = 24.0;
/// Blocks quieter than this are pauses and do not count, dBov.
const PAUSE_DBOV: f32 = -50.0;
/// Peak below which a file is silent, dBov.
const SILENT_DBOV: f32 = -80.0;
/// 20 ms at 48 kHz.
const BLOCK: usize = 960;

/// Scales `audio` (full scale 1.0). One gain for the whole prompt: no
/// compression, and no clipping.
pub(super) fn normalise(audio: &mut [f32]) -> Result<(), PromptError> {
    let peak = audio.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
    if peak < amplitude(SILENT_DBOV) {
        return Err(PromptError::NoSound);
    }
    // Without a block above the pause level, everything counts.
    let rms = speech_rms(audio, amplitude(PAUSE_DBOV)).or_else(|| speech_rms(audio, 0.0));
    let wanted = amplitude(TARGET_DBOV) / rms.unwrap_or(peak);
    let gain = wanted
        .min(amplitude(CEILING_DBOV) / peak)
        .min(amplitude(MAX_GAIN_DB));
    for sample in audio {
        *sample *= gain;
    }
    Ok(())
}

/// RMS over the blocks louder than `floor`.
fn speech_rms(audio: &[f32], floor: f32) -> Option<f32> {
    let (sum, count) = audio
        .chunks(BLOCK)
        .map(|block| (block.iter().map(|x| x * x).sum::<f32>(), block.len()))
        .filter(|&(energy, length)| energy > floor * floor * length as f32)
        .fold((0.0f64, 0usize), |(sum, count), (energy, length)| {
            (sum + f64::from(energy), count + length)
        });
    (count > 0).then(|| (sum / count as f64).sqrt() as f32)
}

fn amplitude(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(level: f32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| level * (n as f32 * 0.13).sin())
            .collect()
    }

    fn dbov(audio: &[f32]) -> f32 {
        20.0 * speech_rms(audio, 0.0).unwrap().log10()
    }

    #[test]
    fn loud_and_quiet_recordings_meet_in_the_middle() {
        for level in [1.0, 0.1, 0.02] {
            let mut audio = sine(level, 48_000);
            normalise(&mut audio).unwrap();
            assert!((dbov(&audio) + 16.0).abs() < 0.1, "from {level}");
        }
    }

    #[test]
    fn pauses_do_not_make_speech_louder() {
        let mut audio = sine(0.1, 48_000);
        audio.resize(480_000, 0.0);
        normalise(&mut audio).unwrap();
        assert!((dbov(&audio[..48_000]) + 16.0).abs() < 0.1);
    }

    #[test]
    fn peaks_are_kept_below_full_scale() {
        let mut audio = sine(0.01, 48_000);
        audio[777] = 1.0;
        normalise(&mut audio).unwrap();
        assert!((audio[777] - amplitude(CEILING_DBOV)).abs() < 1e-4);
    }

    #[test]
    fn noise_is_not_lifted_without_limit_and_silence_is_refused() {
        let mut audio = sine(0.0005, 48_000);
        normalise(&mut audio).unwrap();
        assert!(dbov(&audio) < -40.0);
        assert_eq!(normalise(&mut [0.0; 48_000]), Err(PromptError::NoSound));
        assert_eq!(normalise(&mut []), Err(PromptError::NoSound));
    }
}
