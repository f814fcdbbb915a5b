//! The four transaction state machines of RFC 3261 17 with RFC 6026.
//!
//! They know neither messages nor addresses: they take status codes, ACKs and
//! the time, and say what to do. Their owner keeps the bytes.

mod client;
mod ok;
mod server;

pub use client::{ClientAction, ClientKind, ClientTransaction};
pub use ok::{OkAction, OkRetransmission};
pub use server::{ServerAction, ServerKind, ServerTransaction};
