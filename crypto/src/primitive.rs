//! The few primitives that the formats are made of, each with one way to use it.
//!
//! Whatever goes in as `bound` was made with [`crate::Label::bind`]: no key is
//! derived, nothing is signed and nothing is sealed without saying what for.

mod kdf;
mod secret_box;
mod signature;
#[cfg(test)]
mod vectors;

pub(crate) use kdf::{derive, hash};
pub(crate) use secret_box::{BOX_OVERHEAD_BYTES, open_box, seal_box};
pub use signature::{Signature, SignatureRefused, SigningKey, VerifyingKey};
