//! An allocator that looks into every block before it is given back.
//!
//! It sees the heap and not the stack: a value is put into a box to be seen when
//! it is dropped. What moves out of a box leaves its bytes there, so nothing that
//! a later step takes by value is boxed.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::mem::ManuallyDrop;

use crypto::{Entropy, EntropyError};

/// Half of a key: as much as half of it left behind is too much.
pub const NEEDLE_BYTES: usize = 16;
const MAX_NEEDLES: usize = 128;

struct Watching;

#[global_allocator]
static WATCHING: Watching = Watching;

#[derive(Clone, Copy)]
struct Needles {
    count: usize,
    bytes: [[u8; NEEDLE_BYTES]; MAX_NEEDLES],
    /// Which bytes a needle begins with.
    first: [bool; 256],
}

const NONE: Needles = Needles {
    count: 0,
    bytes: [[0; NEEDLE_BYTES]; MAX_NEEDLES],
    first: [false; 256],
};

// Of each thread, because tests run side by side. Neither needs memory of its
// own, so the allocator may use them.
thread_local! {
    static NEEDLES: RefCell<Needles> = const { RefCell::new(NONE) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all calls are passed on with the arguments that came in. A block is
// read within its layout, before it is given back. Growing goes through the
// default `realloc`, which allocates, copies and frees by these two.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // So that what is read later was written, if only here.
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let block = unsafe { std::slice::from_raw_parts(place, layout.size()) };
        NEEDLES.with_borrow(|needles| {
            if needles.count > 0 && holds(block, needles) {
                FOUND.set(FOUND.get() + 1);
            }
        });
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

fn holds(block: &[u8], needles: &Needles) -> bool {
    let ends = block.len().saturating_sub(NEEDLE_BYTES - 1);
    (0..ends).any(|at| {
        needles.first[usize::from(block[at])]
            && needles.bytes[..needles.count].contains(
                block[at..]
                    .first_chunk()
                    .expect("the loop ends a needle before the block"),
            )
    })
}

/// How many blocks that `work` frees hold half of one of the secrets.
pub fn left_by<T>(secrets: &[&[u8]], work: impl FnOnce() -> T) -> usize {
    let halves = secrets.iter().flat_map(|secret| {
        let (halves, _) = secret.as_chunks::<NEEDLE_BYTES>();
        assert!(!halves.is_empty(), "too short to look for");
        halves
    });
    let mut needles = NONE;
    for half in halves {
        needles.first[usize::from(half[0])] = true;
        needles.bytes[needles.count] = *half;
        needles.count += 1;
    }
    FOUND.set(0);
    NEEDLES.set(needles);
    drop(work());
    NEEDLES.set(NONE);
    FOUND.get()
}

/// Gives the block of a value back as it is, without what its type would do.
fn free_undropped<T>(value: Box<T>) {
    let place = Box::into_raw(value).cast::<ManuallyDrop<T>>();
    // SAFETY: the block is this box's, and `ManuallyDrop` has the layout of what
    // is in it.
    drop(unsafe { Box::from_raw(place) });
}

/// Demands that a value has the secrets in it, and that neither making and using
/// it nor its drop leaves one behind.
pub fn assert_wiped<T>(secrets: &[&[u8]], make: impl Fn() -> T, using: impl Fn(&T)) {
    let value = Box::new(make());
    let held = left_by(secrets, || free_undropped(value));
    assert!(held > 0, "the value does not hold the secret at all");
    assert_left_nothing(secrets, || {
        let value = Box::new(make());
        using(&value);
    });
}

/// Demands that no block which `work` frees has a secret in it.
pub fn assert_left_nothing<T>(secrets: &[&[u8]], work: impl FnOnce() -> T) {
    assert_eq!(left_by(secrets, work), 0, "blocks were freed with a secret");
}

/// Randomness that is the same each time, and is kept.
pub struct Still {
    next: u64,
    pub fills: usize,
    made: [[u8; 32]; 64],
}

impl Still {
    pub fn new(seed: u64) -> Self {
        Self {
            next: seed,
            fills: 0,
            made: [[0; 32]; 64],
        }
    }

    /// What fill number `number` gave, from 0 on.
    pub fn made(&self, number: usize) -> [u8; 32] {
        assert!(number < self.fills, "there were {} fills", self.fills);
        self.made[number]
    }
}

impl Entropy for Still {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in &mut *out {
            // xorshift64*, which has no zero state.
            self.next ^= self.next >> 12;
            self.next ^= self.next << 25;
            self.next ^= self.next >> 27;
            *byte = (self.next.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
        }
        let kept = out.len().min(32);
        self.made[self.fills][..kept].copy_from_slice(&out[..kept]);
        self.fills += 1;
        Ok(())
    }
}

#[test]
fn what_is_freed_or_outgrown_with_a_secret_is_seen() {
    let secret = *b"a secret that nobody has cleared";
    // A block that nobody looks at may be optimised away.
    let kept = |bytes: &[u8]| black_box(bytes.to_vec());
    assert_eq!(left_by(&[&secret], || drop(kept(&secret))), 1);
    assert_eq!(left_by(&[&secret], || drop(kept(&secret[16..]))), 1);
    let grow = || {
        let mut grown = kept(&secret);
        grown.extend([7; 4_096]);
        grown[..32].fill(0);
        drop(black_box(grown));
    };
    assert_eq!(left_by(&[&secret], grow), 1);
    let wiped = || {
        let mut wiped = kept(&secret);
        wiped.fill(0);
        drop(black_box(wiped));
    };
    assert_eq!(left_by(&[&secret], wiped), 0);
    assert_eq!(
        left_by(&[&secret], || free_undropped(black_box(Box::new(secret)))),
        1
    );
}
