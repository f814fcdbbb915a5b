//! A person's client, as a command line: what an app for phones or browsers does, without the
//! screen.
//!
//! A folder is a device: its vault, sealed under a PIN, and what it has seen of everybody's
//! device lists. All cryptography is that of `crypto-session`; all talk is HTTPS to the real
//! server. The client believes the server as little as an app must: device lists and rosters
//! are verified from their first link and must continue what was seen, both must agree with the
//! key-transparency log, and a record must be by whom and for whom the roster says.

mod client;
mod devices;
mod failure;
mod folder;
mod hub;
mod line;
mod log;
mod people;
mod record;
mod voicemail;
mod wire;

pub use client::Client;
pub use devices::NewDevice;
pub use failure::Failure;
pub use folder::{Folder, Invitation, Server};
pub use hub::Hub;
pub use line::Line;
pub use record::{Sort, Taken, TakenRevision};
pub use wire::{Answer, Wire};
