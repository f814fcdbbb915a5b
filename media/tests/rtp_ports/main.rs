//! Ports and the mixer, heard from outside: simulated phones under a virtual clock.
#![allow(clippy::unwrap_used)]

mod calls;
mod hold;
mod keys;
mod pauses;
mod recording;
mod reports;
mod rig;
mod sources;
