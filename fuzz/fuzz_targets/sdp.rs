//! A session description.
#![no_main]

#[path = "../../pbx/sip/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::sdp(bytes));
