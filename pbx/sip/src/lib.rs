//! A sans-IO SIP stack.
//!
//! The grammar comes first: [`message`] frames bytes, [`header`], [`headers`], [`uri`],
//! [`name_addr`], [`via`] and [`params`] give values their types, [`build`] writes messages, and
//! [`sdp`] reads and writes session descriptions. Nothing here knows a socket or a clock.

pub mod build;
pub mod error;
pub mod header;
pub mod headers;
pub mod message;
pub mod name_addr;
pub mod params;
mod scan;
pub mod sdp;
pub mod text;
pub mod uri;
pub mod via;
