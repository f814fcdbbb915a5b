//! A session against noise, and against genuine messages that somebody has altered.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod exercise;

use std::cell::RefCell;

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
