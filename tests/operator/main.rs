//! What an operator does with the built program, as processes: databases, backups, trails.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod backup;
mod export;
mod full;
mod installed;
mod keys;
mod postgres;
mod stopped;
mod unheard;
