//! Uploaded files of every kind, made on the spot with SoX.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use media::codec::Rate;
use media::level::level_dbov;
use media::prompt::{MAX_PROMPT_BYTES, Prompt, PromptError, decode_prompt};
use media::tone::{dominant_hz, tone_level};
use opus_pure::{Application, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead};

/// Runs `sox -n -r <rate> -c <channels> <file> synth <effect>` and returns the file.
fn sox(name: &str, format: &[&str], synth: &str) -> Vec<u8> {
    let path: PathBuf = std::env::temp_dir().join(format!("prompt-{}-{name}", std::process::id()));
    let status = Command::new("sox")
        .args(["-V1", "-n"])
        .args(format)
        .arg(&path)
        .arg("synth")
        .args(synth.split_whitespace())
        .status()
        .expect("this test makes its audio files with SoX: install the package `sox`");
    assert!(status.success(), "sox could not write {name}");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

/// Rate of the hand-made MP3 file.
const MP3_HZ: f64 = 44_100.0;

/// An MP3 file made by hand, because SoX seldom comes with an encoder: MPEG-1
/// layer III, 128 kbit/s mono, in which nothing but spectral line `line` of 576
/// sounds (ISO/IEC 11172-3 section 2.4).
fn hand_made_mp3(line: usize, frames: usize) -> Vec<u8> {
    const FRAME_BYTES: usize = 144 * 128_000 / 44_100;
    // The coefficients up to the line, in fours with code table B: four bits,
    // inverted, and a sign for the one that is not zero.
    let mut data = String::new();
    for _ in 0..line / 4 {
        data += "1111";
    }
    let code = !(8u8 >> (line % 4)) & 15;
    data += &format!("{code:04b}0");
    // Side information: no borrowed bits; per granule the length, a gain
    // below full scale, long blocks, code table B.
    let granule = format!("{:012b}{:09b}{:08b}{:029b}1", data.len(), 0, 200, 0);
    let bits = format!("{:018b}{granule}{granule}{data}{data}", 0);
    let mut frame = vec![0xff, 0xfb, 0x90, 0xc0];
    frame.extend(bits.as_bytes().chunks(8).map(|byte| {
        let text = format!("{:0<8}", std::str::from_utf8(byte).unwrap());
        u8::from_str_radix(&text, 2).unwrap()
    }));
    frame.resize(FRAME_BYTES, 0);
    frame.repeat(frames)
}

fn assert_tone(prompt: &Prompt, hz: f64, ms: u64) {
    let off = prompt.duration_ms().abs_diff(ms);
    assert!(off <= 60, "lasts {} ms", prompt.duration_ms());
    for rate in Rate::ALL {
        let pcm = prompt.pcm(rate);
        let length = rate.samples_in_ms(500);
        let middle = &pcm[rate.samples_in_ms(300)..][..length];
        let found = dominant_hz(middle, rate.hz());
        assert!((found - hz).abs() < 2.0, "{found} Hz at {rate:?}");
        let part = tone_level(middle, rate.hz(), hz);
        assert!(part > 0.98, "{part} at {rate:?}");
        let level = level_dbov(middle);
        assert!((level + 16.0).abs() < 1.0, "{level} dBov at {rate:?}");
        let expected = prompt.pcm_8k.len() as f64 * f64::from(rate.hz()) / 8000.0;
        assert!((pcm.len() as f64 - expected).abs() <= 6.0);
    }
}

#[test]
fn wav_ogg_and_flac_become_the_tone_they_hold() {
    for (name, format, synth) in [
        (
            "a.wav",
            vec!["-r", "44100", "-c", "2"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "b.wav",
            vec!["-r", "8000", "-c", "1"],
            "1.2 sine 1000 vol 0.1",
        ),
        ("c.wav", vec!["-r", "48000", "-b", "24"], "1.2 sine 1000"),
        (
            "d.wav",
            vec!["-r", "8000", "-e", "mu-law"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "e.wav",
            vec!["-r", "96000", "-e", "float"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "h.ogg",
            vec!["-r", "48000", "-c", "1"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "i.ogg",
            vec!["-r", "44100", "-c", "2"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "j.flac",
            vec!["-r", "16000", "-c", "1"],
            "1.2 sine 1000 vol 0.5",
        ),
        (
            "k.flac",
            vec!["-r", "44100", "-c", "6"],
            "1.2 sine 1000 vol 0.5",
        ),
    ] {
        let bytes = sox(name, &format, synth);
        let prompt = decode_prompt(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_tone(&prompt, 1000.0, 1200);
    }
}

#[test]
fn mp3_files_become_the_tone_they_hold() {
    for line in [12, 26, 60] {
        let prompt = decode_prompt(&hand_made_mp3(line, 60)).unwrap();
        // Sixty frames of 1152 samples.
        assert!(prompt.duration_ms().abs_diff(1567) < 60);
        let expected = (line as f64 + 0.5) * MP3_HZ / 1152.0;
        for rate in Rate::ALL {
            let found = dominant_hz(&prompt.pcm(rate)[rate.samples_in_ms(300)..], rate.hz());
            // A line is 38 Hz wide.
            assert!((found - expected).abs() < 39.0, "{found} for {expected}");
            let level = level_dbov(prompt.pcm(rate));
            assert!((level + 16.0).abs() < 1.0, "{level} dBov at {rate:?}");
        }
    }
}

#[test]
fn opus_files_become_the_tone_they_hold() {
    for channels in [1usize, 2] {
        let mut encoder = OpusEncoder::new(48_000, channels, Application::Audio).unwrap();
        encoder.bitrate_bps = 64_000;
        let head = OpusHead::for_encoder(&encoder, 48_000);
        let mut writer = OggOpusWriter::new(Vec::new(), head).unwrap();
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let pcm: Vec<f32> = (0..57_600 * channels)
            .map(|n| ((n / channels) as f32 * std::f32::consts::TAU / 48.0).sin() * 0.3)
            .collect();
        for block in pcm.chunks_exact(960 * channels) {
            let bytes = encoder.encode(block, 960, &mut packet).unwrap();
            writer.write_packet(&packet[..bytes]).unwrap();
        }
        let file = writer.finish().unwrap();
        assert_tone(&decode_prompt(&file).unwrap(), 1000.0, 1200);
        // Cut off in the middle of a page, or with a byte wrong.
        assert!(decode_prompt(&file[..file.len() / 2]).is_err());
        let mut wrong = file.clone();
        wrong[file.len() / 2] ^= 1;
        assert_eq!(decode_prompt(&wrong), Err(PromptError::Damaged));
    }
}

#[test]
fn the_telephone_rates_do_not_alias() {
    // 5 kHz fits 16 kHz and must vanish at 8 kHz, not come back as 3 kHz.
    let bytes = sox(
        "alias.wav",
        &["-r", "44100"],
        "1.2 sine 5000 sine mix 500 vol 0.5",
    );
    let prompt = decode_prompt(&bytes).unwrap();
    let middle = &prompt.pcm_8k[2400..6400];
    assert!(tone_level(middle, 8000, 3000.0) < 1e-6);
    assert!(tone_level(middle, 8000, 500.0) > 0.999);
    let middle = &prompt.pcm_16k[4800..12_800];
    assert!(tone_level(middle, 16_000, 5000.0) > 0.3);
}

#[test]
fn the_cache_gives_back_the_same_prompt() {
    let prompt = decode_prompt(&sox("cache.wav", &["-r", "8000"], "0.5 sine 700")).unwrap();
    assert_eq!(Prompt::read_cache(&prompt.write_cache()), Ok(prompt));
}

#[test]
fn unusable_files_are_refused_with_the_reason() {
    assert_eq!(decode_prompt(b""), Err(PromptError::UnknownFormat));
    assert_eq!(
        decode_prompt(b"%PDF-1.7 a letter, not a recording"),
        Err(PromptError::UnknownFormat)
    );
    assert_eq!(
        decode_prompt(&vec![0; MAX_PROMPT_BYTES + 1]),
        Err(PromptError::TooLarge)
    );
    let silent = sox("silent.wav", &["-r", "8000"], "1 sine 500 vol 0");
    assert_eq!(decode_prompt(&silent), Err(PromptError::NoSound));
    let slow = sox("slow.wav", &["-r", "4000"], "1 sine 500");
    assert_eq!(decode_prompt(&slow), Err(PromptError::SampleRate(4000)));
    let long = sox("long.flac", &["-r", "8000"], "905 sine 500");
    assert_eq!(decode_prompt(&long), Err(PromptError::TooLong));
}

#[test]
fn damaged_files_end_in_an_error_or_a_prompt_and_never_in_a_panic() {
    let mut files = vec![("x.mp3", hand_made_mp3(20, 20))];
    for (name, format) in [
        ("x.wav", ["-r", "16000"]),
        ("x.ogg", ["-r", "44100"]),
        ("x.flac", ["-r", "44100"]),
    ] {
        files.push((name, sox(name, &format, "0.3 sine 600 vol 0.5")));
    }
    for (name, good) in files {
        let mut seed = 12345u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..20 {
            let mut bytes = good.clone();
            for _ in 0..1 + random(8) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(bytes.len()));
            if let Ok(prompt) = decode_prompt(&bytes) {
                assert!(!prompt.pcm_8k.is_empty(), "{name}");
            }
        }
    }
}
