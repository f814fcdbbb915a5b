//! The whole voice control plane on a virtual clock and a virtual network, from a seed.
//!
//! [`world::run`] lives one world: phones and a carrier of our own making speak SIP to an
//! [`exchange::Exchange`] in front of a [`routing::Router`], while a reference model ([`watch`])
//! checks after every step that nobody is forgotten. Nothing in it is random but by the seed, so
//! that a failing world can be lived again. See `docs/SIMULATION.md`.

pub mod duty;
pub mod endpoint;
pub mod fault;
pub mod hotline;
pub mod media;
pub mod net;
pub mod rng;
pub mod watch;
pub mod world;
