//! The fuzz targets' exercises, on random input near what they take.

mod exercise;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mad_streams_never_panic(
        choice: u8,
        packets in prop::collection::vec(
            (0u8..4, any::<u8>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..230)),
            0..40,
        ),
    ) {
        let mut bytes = vec![choice];
        for (number, (payload_type, flags, time, payload)) in packets.iter().enumerate() {
            bytes.push(12 + payload.len() as u8);
            // Mostly well formed: every eighth has odd flags.
            let first = if flags % 8 == 0 { *flags } else { 0x80 };
            bytes.extend_from_slice(&[first, *payload_type, 0, number as u8]);
            bytes.extend_from_slice(&u32::from(*time).to_be_bytes());
            bytes.extend_from_slice(&[0, 0, 0, flags >> 7]);
            bytes.extend_from_slice(payload);
        }
        exercise::rtp(&bytes);
    }

    #[test]
    fn mad_reports_never_panic(
        packets in prop::collection::vec(
            (0x80u8..0xc0, 192u8..224, 0u8..20, prop::collection::vec(any::<u8>(), 0..80)),
            1..4,
        ),
    ) {
        let mut bytes = Vec::new();
        for (first, kind, words, body) in packets {
            bytes.extend_from_slice(&[first, kind, 0, words]);
            bytes.extend_from_slice(&body[..body.len().min(4 * usize::from(words))]);
        }
        exercise::rtcp(&bytes);
    }
}
