//! Whom a record can be sealed to.

use crate::id::UserId;
use crate::reader_key::ReaderPublicKey;

/// A person's public key of one generation, as their verified sigchain names it.
///
/// One made by hand from what a server said proves nothing: take it from
/// [`crate::identity::SigchainState::reader`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// Who can open what is sealed to the key.
    pub user: UserId,
    /// Generation of the per-user key, from 1.
    pub generation: u32,
    /// Seals to that generation.
    pub key: ReaderPublicKey,
}
