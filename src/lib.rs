//! The box: command line, configuration, and the composition of the parts.
//!
//! The binary is a thin shell around this library so that tests can look inside.

mod applied;
mod authority;
pub mod backup;
pub mod cli;
pub mod control;
pub mod database;
mod demo;
pub mod doctor;
pub mod hotline;
pub mod keys;
mod open_files;
mod private_file;
pub mod prompts;
pub mod serve;
mod trail;
pub mod witness;
