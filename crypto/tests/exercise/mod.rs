//! What must hold for any bytes at all: nothing panics, what is taken is written again as it was,
//! and what opens is what was sealed. The property tests and the fuzz targets share it.
#![allow(dead_code)] // Each user calls a part.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod formats;
mod insider;
mod moves;
mod openers;
mod rules;
mod texts;
mod world;

pub use insider::{Chains, links};
pub use moves::{moves, some_moves};
pub use world::World;

/// Gives the bytes to everything that reads; returns how many took them.
pub fn decoders(world: &World, bytes: &[u8]) -> usize {
    let text = str::from_utf8(bytes);
    let read = text.map_or(0, |text| texts::texts(world, text));
    formats::formats(bytes) + openers::openers(world, bytes) + read
}

/// Genuine messages, by name.
pub fn seeds(world: &World) -> impl Iterator<Item = (&'static str, &[u8])> {
    let named = world.genuine.iter();
    named.map(|(name, bytes)| (*name, bytes.as_slice()))
}
