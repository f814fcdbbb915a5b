//! Loudness of frames and detection of silence.

use std::time::Duration;

use crate::codec::Rate;

/// The level of digital silence, dBov (the floor of RFC 6464).
pub const SILENCE_DBOV: f32 = -127.0;

/// The RMS level of `samples`, dB relative to overload: 0 is a full-scale
/// square wave, -3 a full-scale sine, -127 silence (RFC 6464 section 3).
pub fn level_dbov(samples: &[i16]) -> f32 {
    let energy: u64 = samples
        .iter()
        .map(|&sample| u64::from(sample.unsigned_abs()).pow(2))
        .sum();
    if energy == 0 {
        return SILENCE_DBOV;
    }
    let mean_square = energy as f64 / samples.len() as f64;
    let level = 10.0 * (mean_square / f64::from(32_768u32).powi(2)).log10();
    (level as f32).max(SILENCE_DBOV)
}

/// Measures how long a stream has been silent without a break.
#[derive(Clone, Debug)]
pub struct SilenceDetector {
    threshold_dbov: f32,
    hang_time: Duration,
    quiet: Duration,
}

impl SilenceDetector {
    /// Frames below `threshold_dbov` are quiet. Quiet counts as silence once it
    /// has lasted `hang_time`, so that gaps between words do not.
    pub fn new(threshold_dbov: f32, hang_time: Duration) -> Self {
        Self {
            threshold_dbov,
            hang_time,
            quiet: Duration::ZERO,
        }
    }

    /// Hears the next frame; returns [`silence`](Self::silence) after it.
    pub fn feed(&mut self, frame: &[i16], rate: Rate) -> Duration {
        if level_dbov(frame) < self.threshold_dbov {
            let length = frame.len() as u64 * 1_000_000_000 / u64::from(rate.hz());
            self.quiet = self.quiet.saturating_add(Duration::from_nanos(length));
        } else {
            self.quiet = Duration::ZERO;
        }
        self.silence()
    }

    /// How long the stream has been silent up to now, counted from the last
    /// sound; zero until the hang time has passed.
    pub fn silence(&self) -> Duration {
        if self.quiet < self.hang_time {
            return Duration::ZERO;
        }
        self.quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_has_its_two_fixed_points() {
        assert!((level_dbov(&[i16::MIN; 160])).abs() < 0.001);
        assert_eq!(level_dbov(&[0; 160]), SILENCE_DBOV);
        assert_eq!(level_dbov(&[]), SILENCE_DBOV);
        // Half the amplitude is 6 dB less.
        assert!((level_dbov(&[16_384; 160]) + 6.02).abs() < 0.01);
    }

    #[test]
    fn gaps_between_words_are_not_silence_but_a_long_pause_is() {
        let mut detector = SilenceDetector::new(-45.0, Duration::from_millis(500));
        let (speech, pause) = ([3000i16; 160], [5i16; 160]);
        for _ in 0..10 {
            assert_eq!(detector.feed(&speech, Rate::Hz8000), Duration::ZERO);
            for _ in 0..24 {
                assert_eq!(detector.feed(&pause, Rate::Hz8000), Duration::ZERO);
            }
        }
        assert_eq!(
            detector.feed(&pause, Rate::Hz8000),
            Duration::from_millis(500)
        );
        assert_eq!(
            detector.feed(&pause, Rate::Hz8000),
            Duration::from_millis(520)
        );
        assert_eq!(detector.feed(&speech, Rate::Hz8000), Duration::ZERO);
    }
}
