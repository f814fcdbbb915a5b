//! Names of things: sixteen random bytes each, made by clients.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:032x})", stringify!($name), u128::from_be_bytes(self.0))
            }
        }
    )*};
}

ids! {
    /// A hub.
    HubId,
    /// A person.
    UserId,
    /// One of a person's devices.
    DeviceId,
    /// A record: a note, for example.
    RecordId,
    /// A role that a hub defined.
    RoleId,
    /// A vault that waits for its server share.
    VaultId,
    /// A login.
    SessionId,
}

/// Bytes that the server cannot read or need not: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// SHA-256 of a secret that only its holder has: a session's token, an invite's code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}
