//! One RTCP datagram, read to its end and handed to a port.
#![no_main]

#[path = "../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::rtcp(bytes));
