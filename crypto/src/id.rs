//! Who and what: random 128-bit names, which say nothing about what they name.

use std::fmt;

use crate::entropy::{Entropy, EntropyError};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; Self::BYTES]);

        impl $name {
            /// Bytes of an id.
            pub const BYTES: usize = 16;

            /// Makes a new id.
            ///
            /// # Errors
            /// [`EntropyError`] when the source fails.
            pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
                let mut bytes = [0; Self::BYTES];
                entropy.fill(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// Takes an id that was stored or sent.
            pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
                Self(bytes)
            }

            /// To store or send.
            pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
                &self.0
            }
        }

        /// 32 hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

ids! {
    /// A person with an account.
    UserId;
    /// One of a person's devices, with keys of its own.
    DeviceId;
    /// A hotline.
    HubId;
    /// A note, a report, an attachment: anything sealed that has revisions.
    RecordId;
    /// A call, while it lasts.
    CallId;
}
