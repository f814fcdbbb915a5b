//! The media tick does not allocate: counted by the allocator itself.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use media::codec::{Codec, MAX_FRAME_BYTES, Rate, decoder, encoder};
use media::dtmf::{Digit, EventReceiver, EventSender, InbandDetector};
use media::level::SilenceDetector;
use media::noise::ComfortNoise;
use media::resample::Resampler;
use media::tone::{Region, Tone, ToneGenerator};

/// Allocations inside the Opus library for one frame encoded, or one lost
/// frame filled in.
const OPUS_ALLOWANCE: usize = 10;
const FRAMES: usize = 50;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged; counting
// touches a thread-local cell that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread in `FRAMES` runs, after a few to warm up.
fn count(mut frame: impl FnMut()) -> usize {
    (0..10).for_each(|_| frame());
    let before = COUNT.get();
    (0..FRAMES).for_each(|_| frame());
    COUNT.get() - before
}

fn speech(rate: Rate) -> Vec<i16> {
    let mut pcm = vec![0; rate.samples_per_frame()];
    ComfortNoise::new(1, -20.0).fill(&mut pcm);
    pcm
}

#[test]
fn the_counter_counts() {
    assert_eq!(count(|| drop(std::hint::black_box(Box::new(7u64)))), FRAMES);
}

#[test]
fn encoding_does_not_allocate() {
    for codec in Codec::ALL {
        for rate in Rate::ALL {
            let mut encoder = encoder(codec, rate).unwrap();
            let pcm = speech(rate);
            let mut out = [0; MAX_FRAME_BYTES];
            let allocations = count(|| {
                encoder.encode(&pcm, &mut out).unwrap();
            });
            let allowed = match codec {
                Codec::Opus => OPUS_ALLOWANCE * FRAMES,
                _ => 0,
            };
            assert!(
                allocations <= allowed,
                "{codec:?} at {rate:?}: {allocations} in {FRAMES} frames"
            );
        }
    }
}

#[test]
fn decoding_does_not_allocate_and_concealing_only_inside_opus() {
    for codec in Codec::ALL {
        for rate in Rate::ALL {
            let mut payload = [0; MAX_FRAME_BYTES];
            let mut encoder = encoder(codec, rate).unwrap();
            let bytes = encoder.encode(&speech(rate), &mut payload).unwrap();
            let mut decoder = decoder(codec, rate).unwrap();
            let mut out = vec![0; rate.samples_per_packet_max()];
            let decoding = count(|| {
                decoder.decode(&payload[..bytes], &mut out).unwrap();
            });
            assert_eq!(decoding, 0, "{codec:?} at {rate:?}");
            let concealing = count(|| {
                decoder.conceal(&mut out);
            });
            let recovering = count(|| {
                decoder.recover(&payload[..bytes], &mut out);
            });
            let allowed = match codec {
                Codec::Opus => OPUS_ALLOWANCE * FRAMES,
                _ => 0,
            };
            assert!(
                concealing <= allowed && recovering <= allowed,
                "{codec:?} at {rate:?}: {concealing} and {recovering}"
            );
        }
    }
}

#[test]
fn resampling_does_not_allocate() {
    for from in Rate::ALL {
        for to in Rate::ALL {
            let mut resampler = Resampler::new(from, to);
            let pcm = speech(from);
            let mut out = vec![0; to.samples_per_frame()];
            let allocations = count(|| {
                resampler.process(&pcm, &mut out);
            });
            assert_eq!(allocations, 0, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn tones_digits_noise_and_levels_do_not_allocate() {
    let rate = Rate::Hz16000;
    let mut pcm = speech(rate);
    let mut tone = ToneGenerator::new(Tone::ringback(Region::Europe), rate);
    let mut noise = ComfortNoise::new(5, -60.0);
    let mut silence = SilenceDetector::new(-50.0, std::time::Duration::ZERO);
    let mut inband = InbandDetector::new(rate);
    let mut sender = EventSender::new(8000);
    let mut receiver = EventReceiver::new(8000);
    let digit = Digit::new('5').unwrap();
    let now = std::time::Instant::now();
    let mut timestamp = 0;
    let allocations = count(|| {
        tone.fill(&mut pcm);
        silence.feed(&pcm, rate);
        inband.feed(&pcm);
        noise.fill(&mut pcm);
        sender.start(digit, 40);
        timestamp += 160;
        if let Some(packet) = sender.poll_packet(timestamp) {
            receiver.handle_packet(packet.timestamp, &packet.payload, now);
        }
        while receiver.poll_event().is_some() {}
    });
    assert_eq!(allocations, 0);
}
