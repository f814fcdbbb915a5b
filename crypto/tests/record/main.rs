//! Sealed records: what people can do with them, what a server and a fellow
//! reader cannot, and other implementations in both directions.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod damage;
mod life;
mod peers;
mod support;
mod threats;
