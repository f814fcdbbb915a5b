//! The four transaction state machines of RFC 3261 17 with RFC 6026.
//!
//! They know neither messages nor addresses: they take status codes, ACKs and
//! the time, and say what to do. Their owner keeps the bytes.

mod client;
mod clock;
mod ok;
mod server;

pub use client::{ClientAction, ClientKind, ClientTransaction};
pub use ok::{OkAction, OkRetransmission};
pub use server::{ServerAction, ServerKind, ServerTransaction};

/// Runs a machine without any input and records (milliseconds, action).
#[cfg(test)]
fn run_alone<M, A>(
    machine: &mut M,
    start: std::time::Instant,
    next: impl Fn(&M) -> Option<std::time::Instant>,
    handle: impl Fn(&mut M, &crate::timer::Timers, std::time::Instant) -> A,
) -> Vec<(u128, A)> {
    let mut log = Vec::new();
    while let Some(at) = next(machine) {
        let action = handle(machine, &crate::timer::Timers::RFC3261, at);
        log.push(((at - start).as_millis(), action));
    }
    log
}
