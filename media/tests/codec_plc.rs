//! What a listener hears when packets are lost.
#![allow(clippy::unwrap_used)]

use media::codec::{Codec, MAX_FRAME_BYTES, Rate, decoder, encoder};
use media::level::level_dbov;
use media::tone::{Tone, ToneGenerator, tone_level};

/// Sends a second of a 200 Hz buzz with the frames in `lost` concealed.
fn hear(codec: Codec, rate: Rate, lost: std::ops::Range<usize>) -> Vec<i16> {
    let mut pcm = vec![0; rate.samples_in_ms(1000)];
    ToneGenerator::new(Tone::dual(200.0, 600.0, 1000, -18.0), rate).fill(&mut pcm);
    let mut encoder = encoder(codec, rate).unwrap();
    let mut decoder = decoder(codec, rate).unwrap();
    let mut payload = [0; MAX_FRAME_BYTES];
    let mut heard = vec![0; pcm.len()];
    let frame = rate.samples_per_frame();
    let frames = pcm.chunks_exact(frame).zip(heard.chunks_exact_mut(frame));
    for (number, (sent, out)) in frames.enumerate() {
        let bytes = encoder.encode(sent, &mut payload).unwrap();
        let samples = if lost.contains(&number) {
            decoder.conceal(out)
        } else {
            decoder.decode(&payload[..bytes], out).unwrap()
        };
        assert_eq!(samples, frame);
    }
    heard
}

fn span(pcm: &[i16], rate: Rate, from_ms: usize, to_ms: usize) -> &[i16] {
    &pcm[rate.samples_in_ms(from_ms)..rate.samples_in_ms(to_ms)]
}

#[test]
fn a_lost_frame_goes_on_sounding_like_the_one_before() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        for rate in Rate::ALL {
            let heard = hear(codec, rate, 25..26);
            let gap = span(&heard, rate, 500, 520);
            let before = span(&heard, rate, 480, 500);
            let fall = level_dbov(before) - level_dbov(gap);
            assert!(fall < 6.0, "{codec:?} {rate:?}: falls by {fall:.1} dB");
            let buzz = tone_level(gap, rate.hz(), 200.0) + tone_level(gap, rate.hz(), 600.0);
            assert!(buzz > 0.75, "{codec:?} {rate:?}: {buzz:.2}");
        }
    }
}

#[test]
fn a_long_loss_fades_to_silence_within_60_ms() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        for rate in Rate::ALL {
            let heard = hear(codec, rate, 25..35);
            // Resampling lags by up to 3 ms.
            let levels = [(500, 520), (520, 540), (540, 560), (566, 700)]
                .map(|(from, to)| level_dbov(span(&heard, rate, from, to)));
            assert!(levels.is_sorted_by(|a, b| a > b), "{levels:?}");
            assert!(levels[3] < -80.0, "{codec:?} {rate:?}: {levels:?}");
            let after = level_dbov(span(&heard, rate, 740, 900));
            assert!(after > -17.0, "{codec:?} {rate:?}: {after:.1}");
        }
    }
}

#[test]
fn the_edges_of_a_gap_do_not_click() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let heard = hear(codec, Rate::Hz8000, 25..27);
        let steepest = |from, to| {
            span(&heard, Rate::Hz8000, from, to)
                .windows(2)
                .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
                .max()
                .unwrap()
        };
        let usual = steepest(300, 490);
        let around = steepest(495, 550);
        assert!(
            around < usual * 3 / 2,
            "{codec:?}: {around} against {usual}"
        );
    }
}

#[test]
fn opus_recovers_a_lost_frame_from_the_packet_after_it() {
    for rate in Rate::ALL {
        let frame = rate.samples_per_frame();
        // The pitch changes in the lost frame: concealment cannot know.
        let mut pcm = vec![0; rate.samples_in_ms(1000)];
        let half = pcm.len() / 2;
        ToneGenerator::new(Tone::dual(300.0, 600.0, 500, -15.0), rate).fill(&mut pcm[..half]);
        ToneGenerator::new(Tone::dual(500.0, 1000.0, 500, -15.0), rate).fill(&mut pcm[half..]);
        let mut encoder = encoder(Codec::Opus, rate).unwrap();
        encoder.expect_loss(20);
        let packets: Vec<Vec<u8>> = pcm
            .chunks_exact(frame)
            .map(|frame| {
                let mut payload = [0; MAX_FRAME_BYTES];
                let bytes = encoder.encode(frame, &mut payload).unwrap();
                payload[..bytes].to_vec()
            })
            .collect();
        // Frame 25, the first of the new pitch, is lost.
        let new_pitch = |recover: bool| {
            let mut decoder = decoder(Codec::Opus, rate).unwrap();
            let mut out = vec![0; frame];
            for packet in &packets[..25] {
                decoder.decode(packet, &mut out).unwrap();
            }
            if recover {
                decoder.recover(&packets[26], &mut out);
            } else {
                decoder.conceal(&mut out);
            }
            tone_level(&out, rate.hz(), 500.0) + tone_level(&out, rate.hz(), 1000.0)
        };
        let (recovered, concealed) = (new_pitch(true), new_pitch(false));
        // The copy is coarse, and the codec's delay leaves the frame's first
        // quarter to the old pitch.
        let told = format!("{rate:?}: {recovered:.2} recovered, {concealed:.2} concealed");
        assert!(recovered > 0.2 && recovered > 3.0 * concealed, "{told}");
    }
}

/// A voice whose pitch and loudness wander, so that no frame can be guessed
/// from the one before.
fn wandering_voice(rate: Rate, frames: usize) -> Vec<i16> {
    let (mut phase, hz) = (0.0f64, f64::from(rate.hz()));
    let sample = |at: usize| {
        let time = at as f64 / hz;
        let pitch = 160.0 + 70.0 * (time * 23.0).sin() + 30.0 * (time * 61.0).sin();
        phase += std::f64::consts::TAU * pitch / hz;
        let voice: f64 = (1..8)
            .map(|n| (phase * f64::from(n)).sin() / f64::from(n))
            .sum();
        let loudness = 0.55 + 0.45 * (time * 37.0).sin();
        (voice * loudness * 6_000.0) as i16
    };
    (0..frames * rate.samples_per_frame()).map(sample).collect()
}

/// Loses every tenth packet; returns what is heard in place of those against
/// what would have been heard, as signal to error, dB.
fn lost_frames_db(rate: Rate, expected_loss: u8) -> f64 {
    let mut encoder = encoder(Codec::Opus, rate).unwrap();
    encoder.expect_loss(expected_loss);
    let frame = rate.samples_per_frame();
    let pcm = wandering_voice(rate, 500);
    let packets: Vec<Vec<u8>> = pcm
        .chunks_exact(frame)
        .map(|sent| {
            let mut payload = [0; MAX_FRAME_BYTES];
            let bytes = encoder.encode(sent, &mut payload).unwrap();
            payload[..bytes].to_vec()
        })
        .collect();
    let mut whole = decoder(Codec::Opus, rate).unwrap();
    let mut lossy = decoder(Codec::Opus, rate).unwrap();
    let (mut meant, mut heard) = (vec![0; frame], vec![0; frame]);
    let (mut signal, mut error) = (0.0, 0.0);
    for (number, packet) in packets.iter().enumerate() {
        whole.decode(packet, &mut meant).unwrap();
        match packets.get(number + 1) {
            Some(next) if number % 10 == 9 => {
                lossy.recover(next, &mut heard);
                for (&meant, &heard) in meant.iter().zip(&heard) {
                    signal += f64::from(meant).powi(2);
                    error += (f64::from(meant) - f64::from(heard)).powi(2);
                }
            }
            _ => {
                lossy.decode(packet, &mut heard).unwrap();
            }
        }
    }
    10.0 * (signal / error).log10()
}

#[test]
fn opus_that_expects_loss_lets_lost_frames_be_heard() {
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        let (guessed, copied) = (lost_frames_db(rate, 0), lost_frames_db(rate, 10));
        assert!(
            copied > guessed + 4.0 && copied > 5.0,
            "{rate:?}: {guessed:.1} dB guessed, {copied:.1} dB from copies"
        );
    }
}
