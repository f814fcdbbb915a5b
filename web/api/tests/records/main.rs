//! What the people of a hotline do with its server, told by clients with keys of their own.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod audit;
mod calls;
mod exports;
mod files;
mod notes;
mod pages;
mod people;
mod readers;
mod roster;
mod town;
