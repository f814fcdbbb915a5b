//! What devices and members do to the lists of devices and members, in any order.
#![no_main]

use std::sync::LazyLock;

#[path = "../../crypto/tests/exercise/mod.rs"]
mod exercise;
#[path = "../seeds.rs"]
mod seeds;

static CHAINS: LazyLock<exercise::Chains> =
    LazyLock::new(|| exercise::Chains::new(&exercise::World::new()));

libfuzzer_sys::fuzz_target!(
    init: seeds::write(exercise::some_moves().iter().map(Vec::as_slice)),
    |bytes: &[u8]| {
        exercise::moves(&CHAINS, bytes);
    }
);
