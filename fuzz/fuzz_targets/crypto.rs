//! Everything that the cryptography reads from others.
#![no_main]

use std::sync::LazyLock;

#[path = "../../crypto/tests/exercise/mod.rs"]
mod exercise;
#[path = "../seeds.rs"]
mod seeds;

static WORLD: LazyLock<exercise::World> = LazyLock::new(exercise::World::new);

libfuzzer_sys::fuzz_target!(
    init: seeds::write(exercise::seeds(&WORLD).map(|(_, bytes)| bytes)),
    |bytes: &[u8]| {
        exercise::decoders(&WORLD, bytes);
    }
);
