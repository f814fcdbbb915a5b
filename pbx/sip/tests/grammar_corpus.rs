//! Replays the seeds of the fuzz targets, and what they once found.

mod exercise;

use std::path::PathBuf;

use sip::message::{Framing, Message};

/// The files of one folder of the corpus.
fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/corpus")
        .join(folder);
    let seeds: Vec<Vec<u8>> = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| std::fs::read(entry.expect("folder entry").path()).expect("seed"))
        .collect();
    assert!(!seeds.is_empty(), "no seeds in {folder}");
    seeds
}

#[test]
fn messages() {
    for seed in seeds("message") {
        exercise::message(&seed);
        exercise::stream(&seed);
        match Message::parse(seed.into(), Framing::Datagram).unwrap() {
            Message::Request(request) => request.validate().unwrap(),
            Message::Response(response) => response.validate().unwrap(),
        }
    }
}

#[test]
fn streams() {
    for seed in seeds("stream") {
        exercise::stream(&seed);
    }
}

#[test]
fn session_descriptions() {
    for seed in seeds("sdp") {
        exercise::sdp(&seed);
        assert!(sip::sdp::SessionDescription::parse(&seed).is_ok());
    }
}
