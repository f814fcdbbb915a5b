//! A session against noise, and against genuine messages that somebody has altered.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod exercise;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use exercise::World;
use proptest::prelude::*;
use proptest::sample::Index;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fn genuine(world: &World) -> Vec<Vec<u8>> {
    world.genuine.values().cloned().collect()
}

#[test]
fn genuine_messages_are_taken_again_and_again() {
    WORLD.with_borrow_mut(|world| {
        for _ in 0..2 {
            for (name, bytes) in world.genuine.clone() {
                let taken = exercise::session(world, &bytes) > 0;
                // These belong to another conversation: the old device never says the same twice.
                let elsewhere = name.starts_with("reveal") || name.starts_with("hello");
                assert_eq!(taken, !elsewhere, "{name}");
            }
        }
    });
}

/// Functions that take bytes or text and are not exercised: why.
const NOT_EXERCISED: [(&str, &str); 4] = [
    (
        "change_passcode",
        "a code and shares of this device, as of seal_vault",
    ),
    ("finish_with", "a share, which has one length"),
    ("recover_with", "what recover calls"),
    ("reseal", "a share, which has one length"),
];

#[test]
fn whatever_takes_bytes_or_text_is_exercised() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exercised = std::fs::read_to_string(root.join("tests/exercise/mod.rs")).unwrap();
    let exercised: BTreeSet<&str> = exercised
        .split(|one: char| !(one.is_alphanumeric() || one == '_'))
        .collect();
    let mut taking = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("src")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let shipped = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for function in shipped.split("pub fn ").skip(1) {
            let (name, rest) = function.split_once('(').unwrap();
            let taken = rest.split(')').next().unwrap();
            if ["&[u8]", "&str", ": Vec<u8>"]
                .iter()
                .any(|it| taken.contains(it))
            {
                taking.insert(name.split('<').next().unwrap().to_owned());
            }
        }
    }
    assert!(taking.len() > 30, "{taking:?}");
    let forgotten = taking
        .iter()
        .map(String::as_str)
        .filter(|name| !exercised.contains(name));
    let known = NOT_EXERCISED.map(|(name, _)| name);
    assert_eq!(forgotten.collect::<Vec<_>>(), known);
}

proptest! {
    #[test]
    fn noise_is_refused_and_nothing_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in ".{0,60}",
        digits in "[0-9a-f]{30,34}",
    ) {
        WORLD.with_borrow_mut(|world| {
            for input in [&bytes, text.as_bytes(), digits.as_bytes()] {
                exercise::session(world, input);
            }
        });
    }

    #[test]
    fn altered_messages_are_nobody_s(
        which in any::<Index>(),
        flips in prop::collection::vec((any::<Index>(), 0_u8..8), 1..4),
        cut in any::<Index>(),
        is_cut: bool,
    ) {
        WORLD.with_borrow_mut(|world| {
            let genuine = genuine(world);
            let mut bytes = which.get(&genuine).clone();
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            if is_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            exercise::session(world, &bytes);
        });
    }
}
