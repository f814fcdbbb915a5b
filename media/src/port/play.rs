//! A clip being played.

use std::sync::Arc;

use crate::codec::Rate;
use crate::control::ClipId;
use crate::prompt::Prompt;

/// Plays one clip to one port.
pub(super) struct Player {
    name: ClipId,
    clip: Arc<Prompt>,
    /// The next sample, at the port's rate.
    at: usize,
    repeat: bool,
}

impl Player {
    pub(super) fn new(name: ClipId, clip: Arc<Prompt>, repeat: bool) -> Self {
        Self {
            name,
            clip,
            at: 0,
            repeat,
        }
    }

    pub(super) fn name(&self) -> ClipId {
        self.name
    }

    /// Goes on at the same moment of the clip at another rate.
    pub(super) fn set_rate(&mut self, from: Rate, to: Rate) {
        self.at = self.at * to.hz() as usize / from.hz() as usize;
    }

    /// Adds the next frame to `mix`; tells whether the clip has ended.
    pub(super) fn add_to(&mut self, mix: &mut [i32], rate: Rate) -> bool {
        let pcm = self.clip.pcm(rate);
        for sum in mix {
            if self.at >= pcm.len() {
                if !self.repeat || pcm.is_empty() {
                    return true;
                }
                self.at = 0;
            }
            *sum += i32::from(pcm[self.at]);
            self.at += 1;
        }
        !self.repeat && self.at >= pcm.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(samples: i16) -> Arc<Prompt> {
        Arc::new(Prompt {
            pcm_8k: (1..=samples).collect(),
            pcm_16k: Vec::new(),
            pcm_48k: Vec::new(),
        })
    }

    #[test]
    fn a_clip_is_added_and_ends_exactly() {
        let mut player = Player::new(ClipId(1), clip(5), false);
        let mut mix = [10; 3];
        assert!(!player.add_to(&mut mix, Rate::Hz8000));
        assert_eq!(mix, [11, 12, 13]);
        let mut mix = [0; 3];
        assert!(player.add_to(&mut mix, Rate::Hz8000));
        assert_eq!(mix, [4, 5, 0]);
    }

    #[test]
    fn a_repeated_clip_has_no_seam_and_an_empty_one_ends() {
        let mut player = Player::new(ClipId(1), clip(4), true);
        let mut mix = [0; 10];
        assert!(!player.add_to(&mut mix, Rate::Hz8000));
        assert_eq!(mix, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]);
        assert!(Player::new(ClipId(1), clip(0), true).add_to(&mut mix, Rate::Hz8000));
    }
}
