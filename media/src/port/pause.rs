//! Pauses: what is sent while nobody speaks. A peer that has listed comfort
//! noise (RFC 3389) gets its level now and then in place of encoded noise.

use crate::noise::build_payload;

/// A level that has lasted is repeated after this many frames, 400 ms: for
/// peers that have missed it, and that nobody takes the stream for dead.
const REPEAT_FRAMES: u32 = 20;
/// A change of level that is worth telling at once, dB.
const CHANGE_DB: f32 = 3.0;

/// Why a source has nothing to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// It has stopped sending and left noise of this level, dBov.
    Noise(f32),
    /// Its Opus encoder sends next to nothing, which is forwarded as it is.
    Dtx,
}

/// When comfort noise is due.
#[derive(Debug, Default)]
pub(super) struct NoiseSender {
    /// The level told last, dBov, and the frames since; `None` outside pauses.
    told: Option<(f32, u32)>,
}

impl NoiseSender {
    /// 20 ms of a pause with noise of `level_dbov`: returns the payload to be
    /// sent, if one is due.
    pub(super) fn poll(&mut self, level_dbov: f32) -> Option<[u8; 1]> {
        if let Some((told, frames)) = &mut self.told {
            *frames += 1;
            if *frames < REPEAT_FRAMES && (level_dbov - *told).abs() < CHANGE_DB {
                return None;
            }
        }
        self.told = Some((level_dbov, 0));
        Some(build_payload(level_dbov))
    }

    /// The pause is over.
    pub(super) fn end(&mut self) {
        self.told = None;
    }
}

/// The level of two noises that do not know of each other, dBov.
pub(super) fn sum_dbov(a: f32, b: f32) -> f32 {
    10.0 * (10f32.powf(a / 10.0) + 10f32.powf(b / 10.0)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_told_at_once_and_repeated_after_400_ms() {
        let mut noise = NoiseSender::default();
        assert_eq!(noise.poll(-60.0), Some([60]));
        let later: Vec<_> = (0..40).map(|_| noise.poll(-61.0)).collect();
        let told: Vec<_> = (0..40).filter(|&frame| later[frame].is_some()).collect();
        assert_eq!(told, [19, 39]);
        assert_eq!(noise.poll(-50.0), Some([50]), "louder");
        noise.end();
        assert_eq!(noise.poll(-50.0), Some([50]), "the next pause");
    }

    #[test]
    fn equal_noises_add_up_to_three_decibels_more() {
        assert!((sum_dbov(-60.0, -60.0) + 57.0).abs() < 0.02);
        assert!((sum_dbov(-60.0, -127.0) + 60.0).abs() < 0.02);
    }
}
