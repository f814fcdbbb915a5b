//! A device against noise, and against genuine messages that somebody has altered.

#![cfg(feature = "mls")]
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod exercise;

use std::cell::RefCell;

use exercise::World;
use proptest::prelude::*;
use proptest::sample::Index;

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

#[test]
fn genuine_messages_are_taken() {
    for name in World::new().genuine.keys() {
        let mut world = World::new();
        let bytes = world.genuine[name].clone();
        let taken = exercise::messages(&mut world, &bytes);
        assert_eq!(taken, usize::from(*name != "stranger"), "{name}");
    }
}

proptest! {
    #[test]
    fn noise_is_refused_and_nothing_panics(
        kind in 0_u8..6,
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        // Version 1 of the protocol, and a kind of message.
        let bytes = [&[0, 1, 0, kind], &rest[..]].concat();
        WORLD.with_borrow_mut(|world| {
            exercise::messages(world, &bytes);
            exercise::messages(world, &rest);
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
            let genuine: Vec<_> = world.genuine.values().cloned().collect();
            let mut bytes = which.get(&genuine).clone();
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            if is_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            exercise::messages(world, &bytes);
        });
    }
}
