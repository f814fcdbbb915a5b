//! Payloads from an attacker: any bytes, any order. Nothing panics, nothing
//! claims more samples than it wrote, and the stream goes on afterwards.
#![allow(clippy::unwrap_used)]

use media::codec::{Codec, CodecError, MAX_FRAME_BYTES, Rate, decoder, encoder};
use proptest::prelude::*;

fn codecs() -> impl Strategy<Value = Codec> {
    prop::sample::select(Codec::ALL.to_vec())
}

fn rates() -> impl Strategy<Value = Rate> {
    prop::sample::select(Rate::ALL.to_vec())
}

/// One thing that happens to a decoder.
#[derive(Clone, Debug)]
enum Step {
    Payload(Vec<u8>),
    Lost,
    Recover(Vec<u8>),
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(any::<u8>(), 0..2000),
        // A believable Opus header before garbage: every mode, codes 0 to 3.
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(toc, rest)| std::iter::once(toc).chain(rest).collect()),
        prop::collection::vec(Just(0xffu8), 0..1400),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => payloads().prop_map(Step::Payload),
        1 => Just(Step::Lost),
        1 => payloads().prop_map(Step::Recover),
    ];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_payload_is_decoded_or_refused(codec in codecs(), rate in rates(), steps in steps()) {
        let mut decoder = decoder(codec, rate).unwrap();
        let frame = rate.samples_per_frame();
        let mut out = vec![0; rate.samples_per_packet_max()];
        for step in steps {
            match step {
                Step::Payload(payload) => match decoder.decode(&payload, &mut out) {
                    Ok(samples) => prop_assert!(samples <= out.len()),
                    Err(error) => prop_assert!(
                        !matches!(error, CodecError::OutputTooSmall { .. } | CodecError::Internal(_)),
                        "{:?}", error
                    ),
                },
                Step::Lost => prop_assert_eq!(decoder.conceal(&mut out[..frame]), frame),
                Step::Recover(next) => {
                    prop_assert_eq!(decoder.recover(&next, &mut out[..frame]), frame);
                }
            }
        }
        // A good stream is heard afterwards.
        let mut encoder = encoder(codec, rate).unwrap();
        let mut payload = [0; MAX_FRAME_BYTES];
        let bytes = encoder.encode(&vec![0; frame], &mut payload).unwrap();
        prop_assert_eq!(decoder.decode(&payload[..bytes], &mut out), Ok(frame));
    }

    #[test]
    fn flipped_bits_and_cuts_of_real_packets_are_harmless(
        codec in codecs(),
        rate in rates(),
        at in 0usize..320,
        bit in 0u8..8,
        cut in 0usize..320,
    ) {
        let mut encoder = encoder(codec, rate).unwrap();
        let mut decoder = decoder(codec, rate).unwrap();
        let pcm: Vec<i16> = (0..rate.samples_per_frame())
            .map(|n| (n as i32 * 7919 % 20_011 - 10_000) as i16)
            .collect();
        let mut payload = [0; MAX_FRAME_BYTES];
        let mut out = vec![0; rate.samples_per_packet_max()];
        for _ in 0..3 {
            let bytes = encoder.encode(&pcm, &mut payload).unwrap();
            payload[at % bytes] ^= 1 << bit;
            if let Ok(samples) = decoder.decode(&payload[..bytes - cut % bytes], &mut out) {
                prop_assert!(samples <= out.len());
            }
        }
    }

    #[test]
    fn a_short_output_is_an_error_and_not_a_panic(
        codec in codecs(),
        rate in rates(),
        payload in payloads(),
        room in 0usize..400,
    ) {
        let mut decoder = decoder(codec, rate).unwrap();
        let mut out = vec![0; room];
        if let Ok(samples) = decoder.decode(&payload, &mut out) {
            prop_assert!(samples <= room);
        }
        prop_assert!(decoder.conceal(&mut out) <= room);
        prop_assert!(decoder.recover(&payload, &mut out) <= room);
    }
}

#[test]
fn empty_and_oversized_payloads_are_named() {
    let mut out = [0; Rate::MAX_SAMPLES_PER_PACKET];
    for codec in Codec::ALL {
        let mut decoder = decoder(codec, Rate::Hz48000).unwrap();
        assert_eq!(decoder.decode(&[], &mut out), Err(CodecError::EmptyPayload));
        assert_eq!(
            decoder.decode(&[0; 1501], &mut out),
            Err(CodecError::PayloadTooLong)
        );
    }
}
