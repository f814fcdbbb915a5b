//! What the effort of the Opus encoder costs and buys: for each complexity the
//! microseconds per 20 ms frame, how well speech survives and how well tones.
//!
//! `cargo run --release -p media --example opus_effort -- SPEECH.wav [bit/s]`
//!
//! The speech is a WAV file of 8 or 16 kHz, mono, 16 bits: for instance
//! `espeak-ng -w long.wav TEXT && sox long.wav -r 16000 speech.wav`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use media::codec::Rate;
use media::tone::{Tone, ToneGenerator, tone_level};
use opus_pure::{Application, OpusDecoder, OpusEncoder, RateControl, Signal};

/// The fastest of so many passes counts: the others were held up.
const PASSES: usize = 7;
/// Header of a plain WAV file, bytes.
const WAV_HEADER_BYTES: usize = 44;
/// Steady tones, Hz: beeps, keys, music.
const TONES_HZ: [f32; 5] = [350.0, 440.0, 697.0, 1_000.0, 1_400.0];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wav = std::fs::read(arguments.next().expect("a WAV file")).unwrap();
    let bits: i32 = arguments.next().map_or(24_000, |n| n.parse().unwrap());
    let hz = u32::from_le_bytes([wav[24], wav[25], wav[26], wav[27]]);
    let rate = Rate::ALL.into_iter().find(|rate| rate.hz() == hz).unwrap();
    let samples = wav[WAV_HEADER_BYTES..].chunks_exact(2);
    let speech: Vec<i16> = samples
        .map(|it| i16::from_le_bytes([it[0], it[1]]))
        .collect();
    println!(
        "{hz} Hz, {bits} bit/s, {} s of speech",
        speech.len() / hz as usize
    );
    println!("complexity  µs/frame  speech dB  worst tone (part kept)");
    for complexity in 0..=10 {
        let mut micros = f64::INFINITY;
        let mut heard = Vec::new();
        for _ in 0..PASSES {
            let (took, decoded) = round_trip(&speech, rate, bits, complexity);
            micros = micros.min(took);
            heard = decoded;
        }
        let speech_db = segmental_snr_db(&speech, &heard, rate);
        let tones = TONES_HZ.map(|tone| (kept(tone, rate, bits, complexity), tone));
        let (part, tone) = tones
            .into_iter()
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        println!("{complexity:>10}  {micros:>8.1}  {speech_db:>9.2}  {part:.3} at {tone} Hz");
    }
}

/// Microseconds of encoding per frame, and what is heard.
fn round_trip(pcm: &[i16], rate: Rate, bits: i32, complexity: i32) -> (f64, Vec<i16>) {
    let hz = rate.hz() as i32;
    let mut encoder = OpusEncoder::new(hz, 1, Application::Voip).unwrap();
    encoder.bitrate_bps = bits;
    encoder.complexity = complexity;
    encoder.rate_control = RateControl::Cbr;
    encoder.signal_type = Some(Signal::Voice);
    encoder.lsb_depth = 16;
    let mut decoder = OpusDecoder::new(hz, 1).unwrap();
    let (mut payload, mut heard, mut took) = ([0; 400], Vec::new(), 0.0);
    let frame = rate.samples_per_frame();
    let mut out = vec![0; frame];
    for sent in pcm.chunks_exact(frame) {
        let start = Instant::now();
        let bytes = encoder.encode_s16(sent, frame, &mut payload).unwrap();
        took += start.elapsed().as_secs_f64();
        decoder
            .decode_s16(&payload[..bytes], frame, &mut out)
            .unwrap();
        heard.extend_from_slice(&out);
    }
    (took * 1e6 / (heard.len() / frame) as f64, heard)
}

/// Mean over the frames with sound of signal to noise, dB, each within -10 to 35.
fn segmental_snr_db(sent: &[i16], heard: &[i16], rate: Rate) -> f64 {
    let delay = delay(sent, heard, rate);
    let frame = rate.samples_per_frame();
    let pairs = sent
        .chunks_exact(frame)
        .zip(heard[delay..].chunks_exact(frame));
    let (mut sum, mut count) = (0.0, 0.0);
    for (sent, heard) in pairs {
        let energy = |pcm: &mut dyn Iterator<Item = f64>| pcm.map(|it| it * it).sum::<f64>();
        let signal = energy(&mut sent.iter().map(|&it| f64::from(it)));
        let errors = sent.iter().zip(heard);
        let noise = energy(&mut errors.map(|(&a, &b)| f64::from(a) - f64::from(b)));
        if signal > 300.0 * 300.0 * frame as f64 {
            sum += (10.0 * (signal / noise.max(1.0)).log10()).clamp(-10.0, 35.0);
            count += 1.0;
        }
    }
    sum / count
}

/// How much later the codec gives out what it takes in, samples.
fn delay(sent: &[i16], heard: &[i16], rate: Rate) -> usize {
    let likeness = |delay: &usize| -> f64 {
        let pairs = sent.iter().zip(&heard[*delay..]);
        pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let delays = 0..rate.samples_per_frame();
    delays
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .unwrap()
}

/// The part of what is heard of a tone that is the tone, 0 to 1, times the
/// part of its energy that is heard.
fn kept(tone: f32, rate: Rate, bits: i32, complexity: i32) -> f64 {
    let mut pcm = vec![0; rate.samples_in_ms(1_000)];
    ToneGenerator::new(Tone::sine(tone, 1_000, -12.0), rate).fill(&mut pcm);
    let (_, heard) = round_trip(&pcm, rate, bits, complexity);
    let middle = rate.samples_in_ms(300)..rate.samples_in_ms(800);
    let energy = |pcm: &[i16]| pcm.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>();
    let louder = energy(&heard[middle.clone()]) / energy(&pcm[middle.clone()]);
    tone_level(&heard[middle], rate.hz(), f64::from(tone)) * louder.min(1.0)
}
