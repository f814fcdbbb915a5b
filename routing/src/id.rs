//! Names of things, one type each.

use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }
    };
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Wraps a name from the hotline file.
            #[must_use]
            pub fn new(name: &str) -> Self {
                Self(name.into())
            }

            /// The name as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

number_id! {
    /// One caller's call, from the first sign of it to its record. Unique on a node, also across restarts.
    CallId
}
number_id! {
    /// One party's path. The router picks the ids of legs that it dials; a back
    /// end picks those of legs that come in, from its own [`LegId::incoming`] range.
    LegId
}
number_id! {
    /// Something registered that can be rung: one contact of one account.
    DeviceId
}
number_id! {
    /// One voicemail recording. Equal to the id of its call.
    RecordingId
}
name_id! {
    /// A hub: one hotline with its own numbers, people and settings.
    HubId
}
name_id! {
    /// A volunteer. An opaque id to the server; names live elsewhere, sealed.
    VolunteerId
}
name_id! {
    /// A phone account (for SIP the AOR's user part).
    AccountId
}
name_id! {
    /// A trunk.
    TrunkId
}

impl LegId {
    /// The `sequence`-th incoming leg of the `back_end`-th back end.
    ///
    /// The top byte keeps the ranges of the back ends and of the router apart.
    #[must_use]
    pub fn incoming(back_end: u8, sequence: u64) -> Self {
        debug_assert!(
            sequence < 1 << 56,
            "56 bits of sequence outlast any process"
        );
        Self((u64::from(back_end) + 1) << 56 | sequence)
    }
}
