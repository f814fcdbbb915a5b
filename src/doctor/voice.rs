//! Whether voice comes out of every codec as it went in.

use media::codec::{Codec, CodecError, FRAME_MS, MAX_FRAME_BYTES, Rate, decoder, encoder};
use media::level::level_dbov;
use media::tone::{Tone, ToneGenerator, tone_level};

use super::Finding;

const TONE_HZ: f32 = 1_000.0;
const TONE_DBOV: f32 = -20.0;
/// Frames of the test, and those at its beginning that a codec may need to settle.
const FRAMES: usize = 50;
const SETTLING_FRAMES: usize = 10;
/// Part of the energy that must be at the tone's frequency.
const MIN_PURITY: f64 = 0.9;
const MAX_LEVEL_ERROR_DB: f32 = 3.0;

/// A tone goes through every codec and back.
pub(super) fn codecs() -> Vec<Finding> {
    let check = |codec: Codec| {
        let name = codec.encoding_name();
        match round_trip(codec) {
            Ok(pcm) if is_the_tone(&pcm, codec.best_rate()) => None,
            Ok(_) => Some(Finding::fail(format!(
                "the codec {name} garbles a tone. Install centralita anew for this kind of processor"
            ))),
            Err(error) => Some(Finding::fail(format!(
                "the codec {name} does not work: {error}. Install centralita anew"
            ))),
        }
    };
    let broken: Vec<Finding> = Codec::ALL.into_iter().filter_map(check).collect();
    if !broken.is_empty() {
        return broken;
    }
    let names = Codec::ALL.map(Codec::encoding_name).join(", ");
    vec![Finding::ok(format!(
        "a tone passes through {names} unharmed"
    ))]
}

/// What remains of the tone after encoding and decoding, without the beginning.
fn round_trip(codec: Codec) -> Result<Vec<i16>, CodecError> {
    let rate = codec.best_rate();
    let (mut encoder, mut decoder) = (encoder(codec, rate)?, decoder(codec, rate)?);
    let length_ms = (FRAMES * FRAME_MS) as u32;
    let mut tone = ToneGenerator::new(Tone::sine(TONE_HZ, length_ms, TONE_DBOV), rate);
    let mut frame = vec![0; rate.samples_per_frame()];
    let mut payload = [0; MAX_FRAME_BYTES];
    let mut heard = Vec::new();
    for index in 0..FRAMES {
        tone.fill(&mut frame);
        let bytes = encoder.encode(&frame, &mut payload)?;
        let samples = decoder.decode(&payload[..bytes], &mut frame)?;
        if index >= SETTLING_FRAMES {
            heard.extend_from_slice(&frame[..samples]);
        }
    }
    Ok(heard)
}

fn is_the_tone(pcm: &[i16], rate: Rate) -> bool {
    let pure = tone_level(pcm, rate.hz(), f64::from(TONE_HZ)) > MIN_PURITY;
    pure && (level_dbov(pcm) - TONE_DBOV).abs() < MAX_LEVEL_ERROR_DB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_codecs_pass_and_noise_would_not() {
        let findings = codecs();
        assert!(
            findings.iter().all(|f| f.verdict == Verdict::Ok),
            "{findings:?}"
        );
        let hiss: Vec<i16> = (0..8_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as u16)
            .map(|noise| (noise % 6_000) as i16 - 3_000)
            .collect();
        assert!(!is_the_tone(&hiss, Rate::Hz8000));
        assert!(!is_the_tone(&[0; 8_000], Rate::Hz8000));
    }
}
