//! A call whose peer has gone mad: each input is a list of datagrams, with the
//! tick between them, at a port that is forwarded, transcoded and recorded.
#![no_main]

#[path = "../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::rtp(bytes));
