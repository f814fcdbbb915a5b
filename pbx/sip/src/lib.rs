//! A sans-IO SIP stack.
//!
//! The grammar comes first: [`message`] frames bytes, [`header`], [`headers`], [`uri`],
//! [`name_addr`], [`via`] and [`params`] give values their types, [`build`] writes messages, and
//! [`sdp`] reads and writes session descriptions. On it stand [`transaction`], [`dialog`],
//! [`digest`] and [`registrar`], and [`ua::UserAgent`], which ties them together. Nothing here
//! knows a socket or a clock.

pub mod build;
pub mod dialog;
pub mod digest;
pub mod entropy;
pub mod error;
pub mod header;
pub mod headers;
pub mod message;
pub mod name_addr;
pub mod nonce;
pub mod params;
pub mod registrar;
mod scan;
pub mod sdp;
pub mod text;
pub mod timer;
pub mod transaction;
pub mod ua;
pub mod uri;
pub mod via;
