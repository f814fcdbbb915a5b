//! The hotline file: everything that an operator decides, in one TOML text.
//!
//! [`read`] turns the text into a [`Hotline`], or tells everything that is wrong with it at once,
//! each with its place and what to do. A [`Hotline`] has a canonical form (stable JSON) that is
//! stored and fingerprinted, a [`diff`] for people, and conversions into what the router and the
//! exchange need. Passwords of phones do not get past [`read`]: only their digest secrets do.

mod convert;
mod demo;
mod diff;
mod handles;
mod model;
mod problem;
mod read;
mod secret;
mod section;

pub use convert::{MAX_REGISTRATION, MIN_REGISTRATION, PromptPlan};
pub use demo::{DEMO_NUMBER, Demo, DemoPorts, OLD_PHONE, demo_hotline};
pub use diff::{Change, ChangeKind, diff};
pub use handles::telling_handles;
pub use model::{
    Certificate, Digest, Hotline, Hub, Limits, Network, PasskeyRule, PortRange, PromptSource,
    Prompts, RateLimit, Screening, Shift, Transport, Trunk, Volunteer, Web, Weekday,
};
pub use problem::{Problem, Report, Severity};
pub use read::{MAX_FILE_BYTES, Read, fingerprint, parse, read};
pub use secret::{Number, ReaderKey, Secret, Zone};

#[cfg(test)]
mod tests;
