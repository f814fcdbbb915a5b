//! Memory that is wiped before it is given back.
//!
//! Much of what is secret passes through buffers that no type wipes: the PIN as
//! the glue code copies it in, a text on its way out, a vector that grew. So
//! everything is wiped when it is freed, and the stack when a session locks.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

/// Rust's stack in WebAssembly is 1 MiB; no call here comes near this depth.
const STACK_BYTES: usize = 128 * 1024;

#[global_allocator]
static WIPING: Wiping = Wiping;

struct Wiping;

// SAFETY: both calls are passed on to `System` with the arguments that came in,
// so its promises are ours. The write covers `layout.size()` bytes from `place`:
// a block that `alloc` gave for this very layout, which nobody else uses any
// more, since the caller is freeing it. Growing goes through the default
// `realloc`, which allocates, copies and frees by these two.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            place.write_bytes(0, layout.size());
            // The compiler must not think that nobody will look.
            System.dealloc(black_box(place), layout);
        }
    }
}

/// Wipes what earlier calls have left on the stack.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut left = [0u8; STACK_BYTES];
    zeroize::Zeroize::zeroize(&mut left[..]);
    black_box(&left);
}
