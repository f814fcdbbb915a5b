//! Making each guess of a code slow.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::passcode::Passcode;

pub(super) const SALT_BYTES: usize = 32;
pub(super) const STRETCHED_BYTES: usize = 32;

const PBKDF2_ROUNDS: u32 = 600_000;
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 1;

/// How a code becomes a key. The cost belongs to the id and not to the file, so
/// that no file can ask for more memory or time than these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kdf {
    /// PBKDF2-HMAC-SHA256 (RFC 8018), 600,000 rounds. Read, never written.
    Pbkdf2 = 1,
    /// Argon2id (RFC 9106), 64 MiB, three passes, one lane.
    Argon2id = 2,
}

impl Kdf {
    /// What new vaults are sealed with.
    pub const CURRENT: Self = Self::Argon2id;

    pub(super) fn from_id(id: u8) -> Result<Self, VaultError> {
        match id {
            1 => Ok(Self::Pbkdf2),
            2 => Ok(Self::Argon2id),
            _ => Err(VaultError::UnknownKdf(id)),
        }
    }

    pub(super) fn stretch(
        self,
        passcode: &Passcode,
        salt: &[u8; SALT_BYTES],
    ) -> Result<Zeroizing<[u8; STRETCHED_BYTES]>, VaultError> {
        let mut out = Zeroizing::new([0; STRETCHED_BYTES]);
        let code = passcode.as_bytes();
        match self {
            Self::Pbkdf2 => pbkdf2::pbkdf2_hmac::<Sha256>(code, salt, PBKDF2_ROUNDS, &mut *out),
            Self::Argon2id => {
                let params = Params::new(
                    ARGON2_MEMORY_KIB,
                    ARGON2_PASSES,
                    ARGON2_LANES,
                    Some(STRETCHED_BYTES),
                )
                .expect("the cost is within the limits of RFC 9106");
                let mut memory = memory(params.block_count())?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into_with_memory(code, salt, &mut *out, &mut *memory)
                    .map_err(|_| VaultError::OutOfMemory)?;
            }
        }
        Ok(out)
    }
}

/// What Argon2 works in. A code can be tried on any block of it far faster than
/// on the whole, so it is wiped, which freeing alone does not do.
fn memory(blocks: usize) -> Result<Zeroizing<Box<[Block]>>, VaultError> {
    let mut memory = Vec::new();
    let reserved = memory.try_reserve_exact(blocks);
    reserved.map_err(|_| VaultError::OutOfMemory)?;
    memory.resize(blocks, Block::new());
    Ok(Zeroizing::new(memory.into_boxed_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_refused() {
        assert_eq!(memory(3).unwrap().len(), 3);
        let refused = memory(isize::MAX as usize / Block::SIZE);
        assert!(matches!(refused, Err(VaultError::OutOfMemory)));
    }
}
