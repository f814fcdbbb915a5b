//! Messages of groups.
#![no_main]

use std::cell::RefCell;

#[path = "../../crypto/mls/tests/exercise/mod.rs"]
mod exercise;
#[path = "../seeds.rs"]
mod seeds;

thread_local! {
    static WORLD: RefCell<exercise::World> = RefCell::new(exercise::World::new());
}

libfuzzer_sys::fuzz_target!(
    init: WORLD.with_borrow(|world| seeds::write(world.genuine.values().map(Vec::as_slice))),
    |bytes: &[u8]| {
        WORLD.with_borrow_mut(|world| exercise::messages(world, bytes));
    }
);
