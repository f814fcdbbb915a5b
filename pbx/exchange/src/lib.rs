//! The native back end: SIP legs and media ports in the service of the router.
//!
//! [`Exchange`] owns a SIP user agent, the table of legs and the media ports of
//! the box, and speaks to the router through [`telephony::Telephony`]. It is
//! sans-IO: no socket, clock or randomness of its own.
//!
//! Each leg is a call of its own. Nothing of one leg's signalling reaches
//! another leg's: a phone that rings is told the hub's name, and the caller's
//! number, name, Call-ID and session description stay on the caller's side.

mod audio;
mod called;
mod commands;
mod config;
mod devices;
mod digits;
mod exchange;
mod leg;
pub mod negotiation;
mod ports;
mod probe;
mod signalling;
mod status;

pub use called::CalledNumbers;
pub use config::{ExchangeConfig, MAX_LEGS, MAX_QUEUED_EVENTS, MAX_QUEUED_OUTPUTS};
pub use devices::{BindingChange, TrunkState};
pub use exchange::{Exchange, ExchangeCounts};
pub use probe::PROBE_EVERY;
