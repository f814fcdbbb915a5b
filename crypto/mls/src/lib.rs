//! Group keys for many devices: MLS (RFC 9420).
//!
//! A `MlsDevice` publishes key packages, creates a `Group` or is added to
//! one, and the members send each other messages and agree on the key of a call
//! (`Group::call_key`). Whoever is added sees nothing from before, whoever is
//! removed nothing from after, and keys that leak heal with the next change.
//!
//! MLS says which signature key a member has, not whose it is. So nobody is in a
//! group whose key is not in their sigchain: every operation that brings in
//! others takes a `Directory`.
//!
//! Built with the feature `mls` only; OpenMLS does the protocol, over the same
//! primitives as everything else here. Cipher suite 3,
//! MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519. What is ours about it is
//! in `docs/protocol/mls-v1.md`.

#![cfg(feature = "mls")]

mod device;
mod error;
mod group;
mod provider;

pub use device::{Directory, MlsDevice};
pub use error::MlsError;
pub use group::{Group, Invitation, MAX_MEMBERS, MAX_MESSAGE_BYTES, Received};
