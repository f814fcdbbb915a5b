//! What goes into a codec comes out again: checked by tone, level and noise.
#![allow(clippy::unwrap_used)]

use media::codec::{Codec, MAX_FRAME_BYTES, Rate, decoder, encoder};
use media::level::level_dbov;
use media::tone::{Tone, ToneGenerator, dominant_hz, tone_level};

fn tone(hz: f32, rate: Rate, ms: u32) -> Vec<i16> {
    let mut pcm = vec![0; rate.samples_in_ms(ms as usize)];
    ToneGenerator::new(Tone::sine(hz, ms, -12.0), rate).fill(&mut pcm);
    pcm
}

fn round_trip(codec: Codec, rate: Rate, pcm: &[i16]) -> Vec<i16> {
    let mut encoder = encoder(codec, rate).unwrap();
    let mut decoder = decoder(codec, rate).unwrap();
    let mut payload = [0; MAX_FRAME_BYTES];
    let mut out = vec![0; rate.samples_per_packet_max()];
    let mut heard = Vec::new();
    for frame in pcm.chunks_exact(rate.samples_per_frame()) {
        let bytes = encoder.encode(frame, &mut payload).unwrap();
        let samples = decoder.decode(&payload[..bytes], &mut out).unwrap();
        assert_eq!(samples, frame.len(), "{codec:?} at {rate:?}");
        heard.extend_from_slice(&out[..samples]);
    }
    heard
}

/// Signal to noise of a lone tone, dB: its own energy against all else.
fn snr_db(pcm: &[i16], rate: Rate, hz: f64) -> f64 {
    let part = tone_level(pcm, rate.hz(), hz);
    10.0 * (part / (1.0 - part).max(1e-12)).log10()
}

/// The middle of a second, whole periods of every tone used: 500 ms.
fn middle(pcm: &[i16], rate: Rate) -> &[i16] {
    &pcm[rate.samples_in_ms(300)..rate.samples_in_ms(800)]
}

#[test]
fn g711_keeps_a_tone_above_30_db_at_every_bridge_rate() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        for rate in Rate::ALL {
            for hz in [400.0, 1010.0, 3000.0] {
                let sent = tone(hz, rate, 1000);
                let heard = round_trip(codec, rate, &sent);
                let heard = middle(&heard, rate);
                let snr = snr_db(heard, rate, f64::from(hz));
                assert!(snr > 30.0, "{codec:?} {rate:?} {hz} Hz: {snr:.1} dB");
                let change = level_dbov(heard) - level_dbov(middle(&sent, rate));
                assert!(change.abs() < 0.5, "{codec:?} {rate:?} {hz}: {change:.2}");
            }
        }
    }
}

#[test]
fn g722_keeps_a_tone_above_20_db_at_every_bridge_rate() {
    for rate in Rate::ALL {
        let highest = if rate == Rate::Hz8000 { 3000.0 } else { 6000.0 };
        for hz in [400.0, 1010.0, highest] {
            let sent = tone(hz, rate, 1000);
            let heard = round_trip(Codec::G722, rate, &sent);
            let heard = middle(&heard, rate);
            let snr = snr_db(heard, rate, f64::from(hz));
            assert!(snr > 20.0, "{rate:?} {hz} Hz: {snr:.1} dB");
            let change = level_dbov(heard) - level_dbov(middle(&sent, rate));
            assert!(change.abs() < 1.0, "{rate:?} {hz}: {change:.2}");
        }
    }
}

#[test]
fn opus_keeps_a_tone_and_its_level_at_every_bridge_rate() {
    for rate in Rate::ALL {
        for hz in [440.0, 1000.0, 2400.0] {
            let sent = tone(hz, rate, 1000);
            let heard = round_trip(Codec::Opus, rate, &sent);
            let heard = middle(&heard, rate);
            let part = tone_level(heard, rate.hz(), f64::from(hz));
            assert!(part > 0.9, "{rate:?} {hz} Hz: {part:.3}");
            assert!((dominant_hz(heard, rate.hz()) - f64::from(hz)).abs() < 3.0);
            let change = level_dbov(heard) - level_dbov(middle(&sent, rate));
            assert!(change.abs() < 2.0, "{rate:?} {hz}: {change:.2}");
        }
    }
}

#[test]
fn opus_packets_have_one_size_whatever_is_said() {
    for rate in Rate::ALL {
        let mut encoder = encoder(Codec::Opus, rate).unwrap();
        let mut pcm = tone(700.0, rate, 500);
        pcm.resize(rate.samples_in_ms(1500), 0);
        let mut payload = [0; MAX_FRAME_BYTES];
        for frame in pcm.chunks_exact(rate.samples_per_frame()) {
            assert_eq!(encoder.encode(frame, &mut payload), Ok(60), "{rate:?}");
        }
    }
}

#[test]
fn opus_crosses_from_one_bridge_rate_to_another() {
    let mut encoder = encoder(Codec::Opus, Rate::Hz48000).unwrap();
    let mut decoder = decoder(Codec::Opus, Rate::Hz8000).unwrap();
    let mut payload = [0; MAX_FRAME_BYTES];
    let mut out = [0; 960];
    let mut heard = Vec::new();
    for frame in tone(1000.0, Rate::Hz48000, 1000).chunks_exact(960) {
        let bytes = encoder.encode(frame, &mut payload).unwrap();
        let samples = decoder.decode(&payload[..bytes], &mut out).unwrap();
        heard.extend_from_slice(&out[..samples]);
    }
    assert_eq!(heard.len(), 8000);
    assert!(tone_level(middle(&heard, Rate::Hz8000), 8000, 1000.0) > 0.9);
}

#[test]
fn every_codec_takes_10_40_and_60_ms_as_well() {
    for codec in Codec::ALL {
        for rate in Rate::ALL {
            for ms in [10, 40, 60] {
                let mut encoder = encoder(codec, rate).unwrap();
                let mut decoder = decoder(codec, rate).unwrap();
                let frame = vec![100; rate.samples_in_ms(ms)];
                let mut payload = [0; 1500];
                let mut out = vec![0; frame.len()];
                let bytes = encoder.encode(&frame, &mut payload).unwrap();
                let samples = decoder.decode(&payload[..bytes], &mut out);
                assert_eq!(samples, Ok(frame.len()), "{codec:?} {rate:?} {ms} ms");
            }
        }
    }
}
