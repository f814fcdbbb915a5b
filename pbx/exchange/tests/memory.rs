//! What a live call costs, counted by the allocator itself.
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use routing::{Command, LegId};
use support::{World, addr, ms, phone};

/// The budget of one live call: caller and phone, with the transactions that still linger.
const MAX_BYTES_PER_CALL: usize = 64 * 1024;
const CALLS: usize = 200;

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged; counting
// touches an atomic only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that are freed with the exchange, after so many calls were set up.
fn bytes_held(calls: usize) -> usize {
    let mut world = World::new(1);
    world.keep_wire = false;
    for number in 0..calls {
        let leg = LegId(1000 + number as u64);
        let caller = world.call();
        world.order(Command::Answer { leg: caller });
        world.dial(leg, 1);
        world.run(ms(50));
        let now = world.now;
        world.phone(1).pick_up(now);
        world.run(ms(50));
        world.order(Command::Bridge { a: caller, b: leg });
    }
    assert_eq!(world.exchange.counts().legs, 2 * calls);
    assert_eq!(world.engine.ports.len(), 2 * calls);
    for at in [addr(support::TRUNK), phone(1)] {
        world.peers.remove(&at);
    }
    let World {
        exchange,
        peers,
        events,
        ..
    } = world;
    drop((peers, events));
    let before = LIVE.load(Ordering::Relaxed);
    drop(exchange);
    before - LIVE.load(Ordering::Relaxed)
}

#[test]
fn a_live_call_stays_within_its_budget() {
    let idle = bytes_held(0);
    let busy = bytes_held(CALLS);
    let per_call = (busy - idle) / CALLS;
    println!("{per_call} bytes for each live call");
    assert!(
        per_call < MAX_BYTES_PER_CALL,
        "{per_call} bytes for each call"
    );
    assert!(per_call > 1024, "the measurement measures something");
}
