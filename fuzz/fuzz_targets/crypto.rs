//! Everything that the cryptography reads from others.
#![no_main]

#[path = "../../crypto/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::decoders(bytes));
