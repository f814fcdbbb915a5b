//! Memory that is wiped before it is given back, and the stack when a session
//! locks.

use std::hint::black_box;

use crypto_session::Wiping;

/// Rust's stack in WebAssembly is 1 MiB; no call here comes near this depth.
const STACK_BYTES: usize = 128 * 1024;

#[global_allocator]
static WIPING: Wiping = Wiping::new();

/// Wipes what earlier calls have left on the stack.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut left = [0u8; STACK_BYTES];
    zeroize::Zeroize::zeroize(&mut left[..]);
    black_box(&left);
}
