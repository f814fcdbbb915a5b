//! Lists of devices and members that one of them extends, and signs.
#![no_main]

use std::sync::LazyLock;

#[path = "../../crypto/tests/exercise/mod.rs"]
mod exercise;
#[path = "../seeds.rs"]
mod seeds;

static CHAINS: LazyLock<exercise::Chains> =
    LazyLock::new(|| exercise::Chains::new(&exercise::World::new()));

libfuzzer_sys::fuzz_target!(
    init: seeds::write(CHAINS.seeds().iter().map(Vec::as_slice)),
    |bytes: &[u8]| {
        exercise::links(&CHAINS, bytes);
    }
);
