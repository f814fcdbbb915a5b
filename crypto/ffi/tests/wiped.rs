//! What stays in memory of a text that has gone through the bindings.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crypto_ffi::{Expectation, People, Place, Session};

const TEXT_BYTES: usize = 400;
/// Where in the text the search begins: the allocator writes its own over the front of what is freed.
const FROM: usize = 100;

/// The text, one byte after the other, which nowhere stands in one piece until somebody asks.
fn letter(place: usize) -> u8 {
    (place.wrapping_mul(151) ^ (place >> 3)) as u8
}

/// How often a long part of the text stands in what this process may write.
fn copies() -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut block = vec![0; 1 << 20];
    let mut found = 0;
    for map in maps.lines().filter(|map| map.contains(" rw")) {
        let (from, to) = map.split_once(' ').unwrap().0.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let mut at = number(from);
        while at < number(to) {
            let some = usize::try_from(number(to) - at).unwrap().min(block.len());
            // Some maps cannot be read.
            let read = memory.read_at(&mut block[..some], at).unwrap_or(0);
            let is_text = |piece: &[u8]| (FROM..).zip(piece).all(|(at, byte)| *byte == letter(at));
            found += block[..read]
                .windows(TEXT_BYTES / 2)
                .filter(|it| is_text(it))
                .count();
            at += some as u64;
        }
    }
    found
}

#[test]
fn a_text_is_gone_with_its_note() {
    let ana = Session::create(None).unwrap();
    ana.begin_sigchain(1).unwrap();
    let place = Place::new("note", &"1".repeat(32), &"2".repeat(32)).unwrap();
    let people = People::new();
    let text: Vec<u8> = (0..TEXT_BYTES).map(letter).collect();
    let sealed = ana.seal_note(&place, &text, Vec::new(), &people).unwrap();
    let expected = Expectation::new(&place, &ana.user(), vec![ana.user()]).unwrap();
    let opened = ana.open_note(&sealed.record, &expected, &people).unwrap();
    let returned = opened.plaintext();
    assert_eq!(returned, text);
    assert!(copies() > 0, "the search finds nothing");
    drop((text, returned, opened));
    assert_eq!(copies(), 0);
}
