//! A short rising tone sequence, where words cannot be had.

use media::codec::Rate;
use media::prompt::Prompt;
use media::tone::{Tone, ToneGenerator};

/// G, C, E: three soft notes that say "stay" rather than "error".
const NOTES_HZ: [f32; 3] = [392.0, 523.25, 659.25];
const NOTE_MS: u32 = 350;
const PAUSE_MS: u32 = 120;
const LEVEL_DBOV: f32 = -20.0;

/// The tones at every rate.
pub(super) fn in_place_of_words() -> Prompt {
    Prompt {
        pcm_8k: tones(Rate::Hz8000),
        pcm_16k: tones(Rate::Hz16000),
        pcm_48k: tones(Rate::Hz48000),
    }
}

fn tones(rate: Rate) -> Vec<i16> {
    let samples = |ms: u32| (rate.hz() / 1_000 * ms) as usize;
    let mut pcm = Vec::new();
    for hz in NOTES_HZ {
        let mut note = vec![0; samples(NOTE_MS)];
        ToneGenerator::new(Tone::sine(hz, NOTE_MS, LEVEL_DBOV), rate).fill(&mut note);
        pcm.extend(note);
        pcm.resize(pcm.len() + samples(PAUSE_MS), 0);
    }
    pcm
}
