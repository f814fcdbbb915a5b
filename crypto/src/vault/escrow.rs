//! A secret under a recovery key or a backup code, kept by the server.

use std::fmt;

use zeroize::Zeroizing;

use super::error::VaultError;
use crate::encoding::Cursor;
use crate::entropy::Entropy;
use crate::id::UserId;
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, open_box, seal_box};

/// The most that an escrow holds, in bytes.
pub const MAX_ESCROW_BYTES: usize = 1024;

const WHAT: &str = "backup";
const MAGIC: &[u8; 4] = b"HLES";
const VERSION: u8 = 1;
const KINDS: [u8; 2] = [1, 2];
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + 2 + UserId::BYTES + SALT_BYTES;

/// What opens an escrow: [`super::RecoveryKey`] or [`super::BackupCode`].
/// Both have at least 110 random bits, so no slow derivation is needed.
pub trait EscrowKey: Opens {}

/// How such a key opens; out of reach of other crates.
pub trait Opens {
    /// The kind byte in the header.
    const KIND: u8;

    /// The key for the escrow with this header.
    fn kek(&self, header: &[u8]) -> Zeroizing<[u8; 32]>;
}

/// A sealed secret (the seed of a person's own key) that outlives their devices.
#[derive(Clone, PartialEq, Eq)]
pub struct Escrow {
    header: [u8; HEADER_BYTES],
    boxed: Vec<u8>,
}

impl Escrow {
    /// Seals `secret` of `user` under `key`.
    ///
    /// # Errors
    /// [`VaultError::EscrowLength`] for nothing or too much,
    /// [`VaultError::Entropy`].
    pub fn seal<K: EscrowKey>(
        user: UserId,
        secret: &[u8],
        key: &K,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, VaultError> {
        if secret.is_empty() || secret.len() > MAX_ESCROW_BYTES {
            let given = secret.len();
            return Err(VaultError::EscrowLength { given });
        }
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt)?;
        let mut header = [0; HEADER_BYTES];
        let parts = [MAGIC, &[VERSION, K::KIND][..], user.as_bytes(), &salt].concat();
        header.copy_from_slice(&parts);
        let boxed = seal_box(&key.kek(&header), &associated(&header), secret, entropy)?;
        Ok(Self { header, boxed })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`VaultError::EscrowRefused`] when it is another person's, another
    /// key's, or altered.
    pub fn open<K: EscrowKey>(
        &self,
        user: UserId,
        key: &K,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let expected = [MAGIC, &[VERSION, K::KIND][..], user.as_bytes()].concat();
        if !self.header.starts_with(&expected) {
            return Err(VaultError::EscrowRefused);
        }
        let kek = key.kek(&self.header);
        open_box(&kek, &associated(&self.header), &self.boxed).ok_or(VaultError::EscrowRefused)
    }

    /// To store.
    pub fn encode(&self) -> Vec<u8> {
        [&self.header[..], &self.boxed].concat()
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`VaultError`] for anything but exactly one escrow that this build knows.
    pub fn decode(input: &[u8]) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { what: WHAT, why };
        let ended = |_| malformed("it is cut off");
        if input.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(VaultError::NotThis(WHAT));
        }
        let mut cursor = Cursor::new(input);
        let header: [u8; HEADER_BYTES] = cursor.array().map_err(ended)?;
        let [version, kind] = [header[MAGIC.len()], header[MAGIC.len() + 1]];
        if version != VERSION {
            return Err(VaultError::UnknownVersion {
                what: WHAT,
                version,
            });
        }
        if !KINDS.contains(&kind) {
            return Err(malformed("its kind is unknown"));
        }
        let boxed = input.get(HEADER_BYTES..).unwrap_or_default();
        let least = BOX_OVERHEAD_BYTES + 1;
        if !(least..=BOX_OVERHEAD_BYTES + MAX_ESCROW_BYTES).contains(&boxed.len()) {
            return Err(malformed("its length is out of bounds"));
        }
        let boxed = boxed.to_vec();
        Ok(Self { header, boxed })
    }
}

impl fmt::Debug for Escrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Escrow({} bytes)", self.boxed.len())
    }
}

fn associated(header: &[u8]) -> Vec<u8> {
    Label::EscrowBlob.bind(header)
}
