//! Memory that is wiped before it is given back.
//!
//! Much of what is secret passes through buffers that no type wipes: a PIN as
//! the foreign language's glue copies it in, a text on its way out, a vector
//! that grew. So a shell can have everything wiped when it is freed.

#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

/// A `#[global_allocator]` that wipes what is freed.
#[derive(Debug)]
pub struct Wiping<A = System>(A);

impl Wiping {
    /// Over the operating system's own.
    pub const fn new() -> Self {
        Self(System)
    }
}

impl Default for Wiping {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: both calls are passed on with the arguments that came in, so the
// promises of what is below are ours. The write covers `layout.size()` bytes
// from `place`: a block that `alloc` gave for this very layout, which nobody
// else uses any more, since the caller is freeing it. Growing goes through the
// default `realloc`, which allocates, copies and frees by these two.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            place.write_bytes(0, layout.size());
            // The compiler must not think that nobody will look.
            self.0.dealloc(black_box(place), layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Looks at what it is given back, before it is.
    #[derive(Default)]
    struct Looking {
        freed: Cell<usize>,
        left: Cell<usize>,
    }

    // SAFETY: passed on to `System`; the look is at a block that is still there.
    unsafe impl GlobalAlloc for Looking {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as above.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
            // SAFETY: as above; the test has written all of it.
            let block = unsafe { std::slice::from_raw_parts(place, layout.size()) };
            let left = block.iter().filter(|byte| **byte != 0).count();
            self.freed.set(self.freed.get() + 1);
            self.left.set(self.left.get() + left);
            // SAFETY: as above.
            unsafe { System.dealloc(place, layout) }
        }
    }

    #[test]
    fn what_is_freed_or_outgrown_is_wiped() {
        let wiping = Wiping(Looking::default());
        let layout = Layout::new::<[u8; 40]>();
        let grown = Layout::new::<[u8; 400]>();
        // SAFETY: each block is written within its layout and freed once, by it.
        unsafe {
            let small = wiping.alloc(layout);
            small.write_bytes(0xa5, layout.size());
            let large = wiping.realloc(small, layout, grown.size());
            assert_eq!(large.add(layout.size() - 1).read(), 0xa5);
            large.write_bytes(0x5a, grown.size());
            wiping.dealloc(large, grown);
        }
        assert_eq!((wiping.0.freed.get(), wiping.0.left.get()), (2, 0));
    }
}
