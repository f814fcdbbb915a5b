//! G.711 against the recommendation itself, computed here from its tables:
//! segments, their chord ends and the even inversion of A-law.
#![allow(clippy::unwrap_used)]

use media::codec::{Codec, Rate, decoder, encoder};

fn decode_all(codec: Codec) -> Vec<i16> {
    let payload: Vec<u8> = (0..=255).collect();
    let mut pcm = [0; 960];
    let mut decoder = decoder(codec, Rate::Hz8000).unwrap();
    let samples = decoder.decode(&payload, &mut pcm).unwrap();
    pcm[..samples].to_vec()
}

fn encode_one(codec: Codec, sample: i16) -> u8 {
    let mut out = [0; 160];
    let mut encoder = encoder(codec, Rate::Hz8000).unwrap();
    encoder.encode(&[sample; 160], &mut out).unwrap();
    assert!(out.iter().all(|&byte| byte == out[0]));
    out[0]
}

/// Table 2a/2b of G.711, µ-law: the value of a code in 14-bit units.
fn mu_law_value(code: u8) -> i32 {
    let inverted = !code;
    let segment = i32::from(inverted >> 4 & 7);
    let step = i32::from(inverted & 15);
    // Segment 0 starts at 0 in steps of 2; segment n starts at 31, 95, 223, ...
    let start = (32 << segment) - 33 + (1 << segment);
    let value = start + step * (2 << segment);
    let value = if segment == 0 { step * 2 } else { value };
    if inverted & 0x80 == 0 { value } else { -value }
}

/// Table 1a/1b of G.711, A-law: the value of a code in 13-bit units.
fn a_law_value(code: u8) -> i32 {
    let even = code ^ 0x55;
    let segment = i32::from(even >> 4 & 7);
    let step = i32::from(even & 15);
    let value = match segment {
        0 => 2 * step + 1,
        n => (2 * step + 33) << (n - 1),
    };
    if even & 0x80 != 0 { value } else { -value }
}

#[test]
fn every_code_decodes_to_the_value_in_the_tables() {
    for (code, sample) in (0..=255u8).zip(decode_all(Codec::Pcmu)) {
        assert_eq!(i32::from(sample), mu_law_value(code) * 4, "PCMU {code}");
    }
    for (code, sample) in (0..=255u8).zip(decode_all(Codec::Pcma)) {
        assert_eq!(i32::from(sample), a_law_value(code) * 8, "PCMA {code}");
    }
}

#[test]
fn the_extreme_values_are_those_of_the_recommendation() {
    // 8031 in 14 bits and 4032 in 13 bits.
    assert_eq!(mu_law_value(0x80), 8031);
    assert_eq!(mu_law_value(0x00), -8031);
    assert_eq!(mu_law_value(0xff), 0);
    assert_eq!(a_law_value(0xaa), 4032);
    assert_eq!(a_law_value(0x2a), -4032);
    assert_eq!(a_law_value(0xd5), 1);
    assert_eq!(media::g711::Law::Mu.silence(), encode_one(Codec::Pcmu, 0));
    assert_eq!(media::g711::Law::A.silence(), encode_one(Codec::Pcma, 0));
}

/// The decision values of a law in 16-bit units, from the interval widths in
/// the tables: the k-th interval lies between the k-th value and the next.
fn decision_values(widths: impl Iterator<Item = i32>) -> Vec<i32> {
    widths
        .scan(0, |value, width| {
            let start = *value;
            *value += width;
            Some(start)
        })
        .collect()
}

#[test]
fn every_sample_encodes_to_its_interval_in_the_tables() {
    // µ-law in 14 bits: one interval of 1, fifteen of 2, then sixteen each of
    // 4, 8, ... 256. A-law in 13 bits: thirty-two of 2, then sixteen each of
    // 4, 8, ... 128.
    let mu = decision_values((0..128).map(|k| 4 * if k == 0 { 1 } else { 2 << (k / 16) }));
    let a = decision_values((0..128).map(|k| 8 * if k < 32 { 2 } else { 2 << (k / 16 - 1) }));
    for (codec, borders, inversion) in [(Codec::Pcmu, mu, 0xff), (Codec::Pcma, a, 0x55)] {
        let mut encoder = encoder(codec, Rate::Hz8000).unwrap();
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut codes = [0; 80];
        for chunk in samples.chunks(80) {
            let length = encoder.encode(&[chunk, &[0; 80]].concat()[..80], &mut codes);
            assert_eq!(length, Ok(80));
            for (&sample, &code) in chunk.iter().zip(&codes) {
                let magnitude = i32::from(sample).abs();
                let above = borders.iter().rposition(|&border| border <= magnitude);
                let below = borders.iter().rposition(|&border| border < magnitude);
                // A negative value on a border belongs to the lower magnitude.
                let interval = if sample < 0 { below } else { above }.unwrap_or(0);
                let wire = code ^ inversion;
                assert_eq!(usize::from(wire & 0x7f), interval, "{codec:?} {sample}");
                let sign_set = wire & 0x80 != 0;
                let expected = (sample < 0) == (codec == Codec::Pcmu);
                assert_eq!(sign_set, expected, "{codec:?} {sample}");
            }
        }
    }
}

#[test]
fn values_of_the_law_pass_unchanged() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        for (code, sample) in (0..=255u8).zip(decode_all(codec)) {
            // µ-law has two zeros; the positive one is sent.
            let expected = if codec == Codec::Pcmu && code == 0x7f {
                0xff
            } else {
                code
            };
            assert_eq!(encode_one(codec, sample), expected, "{codec:?} {sample}");
        }
    }
}
