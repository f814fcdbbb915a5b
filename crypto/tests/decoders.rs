//! Every decoder against noise that begins like something.

mod exercise;

use proptest::prelude::*;

const MAGICS: [&[u8; 4]; 20] = [
    b"HLTA", b"HLSC", b"HLLC", b"HLLP", b"HLRP", b"HLDC", b"HLRO", b"HLHK", b"HLES", b"HLBC",
    b"HLVT", b"HLSS", b"HLRC", b"HLEX", b"HLRE", b"HLPQ", b"HLIK", b"HLIP", b"HLHS", b"HLCK",
];

proptest! {
    #[test]
    fn noise_is_refused_and_nothing_panics(
        magic in prop::sample::select(&MAGICS[..]),
        version in 0_u8..3,
        rest in prop::collection::vec(any::<u8>(), 0..600),
        bare in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = magic.to_vec();
        bytes.push(version);
        bytes.extend(rest);
        exercise::decoders(&bytes);
        exercise::decoders(&bare);
    }
}
