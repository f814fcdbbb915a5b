//! Comfort noise (RFC 3389): what a line sounds like when nobody speaks.

/// Quietest level the payload can carry, dBov.
const MIN_LEVEL_DBOV: f32 = -127.0;
/// Shape of the noise: a one-pole low-pass, close to the slope of room noise.
const SMOOTHING: f32 = 0.6;

/// The level in a comfort noise payload, dBov (RFC 3389 section 3.1). The
/// spectral information that may follow is left out: our noise has one fixed
/// shape. `None` for an empty payload.
pub fn parse_level_dbov(payload: &[u8]) -> Option<f32> {
    // The most significant bit is reserved and ignored.
    let level = payload.first()? & 0x7f;
    Some(-f32::from(level))
}

/// The one-byte payload that asks for noise of `level_dbov`.
pub fn build_payload(level_dbov: f32) -> [u8; 1] {
    [(-level_dbov).round().clamp(0.0, 127.0) as u8]
}

/// Generates soft low-passed noise. The same seed gives the same noise.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u64,
    smoothed: f32,
    amplitude: f32,
}

impl ComfortNoise {
    /// Noise of `level_dbov` (RMS).
    pub fn new(seed: u64, level_dbov: f32) -> Self {
        let mut noise = Self {
            // Any state but zero; the constant spreads small seeds.
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            smoothed: 0.0,
            amplitude: 0.0,
        };
        noise.set_level(level_dbov);
        noise
    }

    /// Follows a change of level.
    pub fn set_level(&mut self, level_dbov: f32) {
        let rms = 32_768.0 * 10f32.powf(level_dbov.clamp(MIN_LEVEL_DBOV, -6.0) / 20.0);
        // Uniform noise has a variance of a third; the filter
        // y = a*y + (1-a)*x keeps (1-a)/(1+a) of it.
        let kept = (1.0 - SMOOTHING) / (1.0 + SMOOTHING);
        self.amplitude = rms * (3.0 / kept).sqrt();
    }

    /// Writes noise.
    pub fn fill(&mut self, out: &mut [i16]) {
        for slot in out {
            let white = self.next_uniform();
            self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * white;
            *slot = (self.smoothed * self.amplitude).round() as i16;
        }
    }

    /// Uniform in -1 to 1 (Marsaglia's xorshift, 64 bits).
    fn next_uniform(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let top = (self.state >> 40) as f32 / (1u64 << 24) as f32;
        2.0 * top - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::level_dbov;
    use crate::tone::tone_level;

    #[test]
    fn noise_has_the_level_asked_for() {
        for asked in [-30.0, -50.0, -66.0] {
            let mut pcm = [0i16; 16_000];
            ComfortNoise::new(7, asked).fill(&mut pcm);
            let got = level_dbov(&pcm);
            assert!((got - asked).abs() < 0.5, "asked {asked}, got {got}");
        }
    }

    #[test]
    fn noise_is_reproducible_and_has_no_pitch() {
        let (mut a, mut b, mut c) = ([0i16; 8000], [0i16; 8000], [0i16; 8000]);
        ComfortNoise::new(1, -40.0).fill(&mut a);
        ComfortNoise::new(1, -40.0).fill(&mut b);
        ComfortNoise::new(2, -40.0).fill(&mut c);
        assert_eq!(a, b);
        assert_ne!(a, c);
        for hz in (100..3900).step_by(50) {
            assert!(tone_level(&a, 8000, f64::from(hz)) < 0.02);
        }
    }

    #[test]
    fn the_level_byte_survives_a_round_trip() {
        assert_eq!(parse_level_dbov(&build_payload(-60.0)), Some(-60.0));
        assert_eq!(parse_level_dbov(&[0x80 | 40, 1, 2, 3]), Some(-40.0));
        assert_eq!(parse_level_dbov(&[]), None);
        assert_eq!(build_payload(-300.0), [127]);
        assert_eq!(build_payload(5.0), [0]);
    }
}
