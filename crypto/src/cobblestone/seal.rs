//! Sealing as the message arrives.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{CHUNK_BYTES, ChunkCipher, ContentKey, PREFIX_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES};
use crate::entropy::Entropy;
use crate::error::Error;

/// Seals one message from front to back, holding less than one chunk of it.
pub struct Encryptor {
    cipher: ChunkCipher,
    /// Shorter than a chunk between calls. Never grows beyond its first
    /// allocation, so no copy of plaintext stays behind.
    pending: Zeroizing<Vec<u8>>,
    next_chunk: u64,
}

impl Encryptor {
    /// Starts a message; the returned bytes go before all others.
    ///
    /// # Errors
    /// [`Error::Entropy`] when there is no randomness for the salt.
    pub fn new(
        key: &ContentKey,
        context: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, [u8; PREFIX_BYTES]), Error> {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt)?;
        let cipher = ChunkCipher::derive(key, &salt, context);
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..SALT_BYTES].copy_from_slice(&salt);
        prefix[SALT_BYTES..].copy_from_slice(&cipher.commitment);
        let encryptor = Self {
            cipher,
            pending: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)),
            next_chunk: 0,
        };
        Ok((encryptor, prefix))
    }

    /// Takes more of the message; returns the chunks that became whole, sealed.
    ///
    /// # Errors
    /// [`Error::TooLong`] beyond [`super::MAX_CHUNKS`]; the message cannot then
    /// be continued.
    pub fn push(&mut self, mut plain: &[u8]) -> Result<Vec<u8>, Error> {
        let whole = (self.pending.len() + plain.len()) / CHUNK_BYTES;
        let mut out = Vec::with_capacity(whole * SEALED_CHUNK_BYTES);
        while !plain.is_empty() {
            let room = CHUNK_BYTES - self.pending.len();
            let (taken, rest) = plain.split_at(room.min(plain.len()));
            self.pending.extend_from_slice(taken);
            plain = rest;
            if self.pending.len() == CHUNK_BYTES {
                self.seal_pending(&mut out)?;
            }
        }
        Ok(out)
    }

    /// Ends the message; returns its last, short chunk.
    ///
    /// # Errors
    /// [`Error::TooLong`] beyond [`super::MAX_CHUNKS`].
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.seal_pending(&mut out)?;
        Ok(out)
    }

    fn seal_pending(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.cipher.seal(self.next_chunk, &self.pending, out)?;
        self.next_chunk += 1;
        // Wipes the bytes and keeps the allocation.
        self.pending.zeroize();
        Ok(())
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encryptor(chunk {}, …)", self.next_chunk)
    }
}
