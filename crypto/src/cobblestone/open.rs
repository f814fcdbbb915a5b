//! Opening, by chunk or from front to back.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    CHUNK_BYTES, ChunkCipher, ContentKey, PREFIX_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES,
};
use crate::error::Error;

/// Opens the chunks of one message in any order.
///
/// Each chunk is authentic for its place. That the message *ends* where it
/// seems to is known only once [`ChunkOpener::open_last`] has opened its end.
pub struct ChunkOpener {
    cipher: ChunkCipher,
}

impl ChunkOpener {
    /// Checks that the message was sealed under this key and context.
    ///
    /// # Errors
    /// [`Error::BodyMismatch`] when it was not.
    pub fn new(
        key: &ContentKey,
        context: &[u8],
        prefix: &[u8; PREFIX_BYTES],
    ) -> Result<Self, Error> {
        let (salt, commitment) = prefix.split_at(SALT_BYTES);
        let salt = salt.try_into().expect("the prefix starts with the salt");
        let cipher = ChunkCipher::derive(key, salt, context);
        if !cipher.commits_to(commitment) {
            return Err(Error::BodyMismatch);
        }
        Ok(Self { cipher })
    }

    /// Opens a chunk that is not the last.
    ///
    /// # Errors
    /// [`Error::ChunkCorrupt`] when it is altered, moved or not whole.
    pub fn open_whole(&self, index: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if sealed.len() != SEALED_CHUNK_BYTES {
            return Err(Error::ChunkCorrupt { index });
        }
        self.cipher.open(index, sealed)
    }

    /// Opens the last chunk: all the bytes from its start to the message's end.
    ///
    /// # Errors
    /// [`Error::BodyTruncated`] when they are too few to be a chunk or are a
    /// whole one, [`Error::ChunkCorrupt`] when they do not open.
    pub fn open_last(&self, index: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if sealed.len() < TAG_BYTES || sealed.len() >= SEALED_CHUNK_BYTES {
            return Err(Error::BodyTruncated);
        }
        self.cipher.open(index, sealed)
    }
}

impl fmt::Debug for ChunkOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkOpener(…)")
    }
}

/// Opens one message from front to back. Strict: a message without its last
/// chunk is an error, reported by [`Decryptor::finish`].
pub struct Decryptor {
    key: ContentKey,
    context: Vec<u8>,
    /// Sealed bytes that do not yet make a prefix or a chunk.
    pending: Vec<u8>,
    progress: Progress,
}

enum Progress {
    Prefix,
    Chunks { opener: Box<ChunkOpener>, next: u64 },
    Failed,
}

impl Decryptor {
    /// Awaits a message sealed under this key and context.
    pub fn new(key: ContentKey, context: &[u8]) -> Self {
        Self {
            key,
            context: context.to_vec(),
            pending: Vec::new(),
            progress: Progress::Prefix,
        }
    }

    /// Takes more sealed bytes; returns the plaintext of the chunks that became
    /// whole, each of them authentic.
    ///
    /// # Errors
    /// [`Error::BodyMismatch`] or [`Error::ChunkCorrupt`]. Plaintext of chunks
    /// before the bad one in the same call is lost, and every later call fails
    /// with [`Error::BodyTruncated`].
    pub fn push(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.pending.extend_from_slice(sealed);
        match self.open_pending() {
            Ok(plain) => Ok(plain),
            Err(error) => {
                self.progress = Progress::Failed;
                Err(error)
            }
        }
    }

    /// Says that there is no more; returns the plaintext of the last chunk.
    ///
    /// # Errors
    /// [`Error::BodyTruncated`] when the message has no end,
    /// [`Error::ChunkCorrupt`] when its end does not open.
    pub fn finish(self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self.progress {
            Progress::Chunks { opener, next } => opener.open_last(next, &self.pending),
            Progress::Prefix | Progress::Failed => Err(Error::BodyTruncated),
        }
    }

    fn open_pending(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut rest = self.pending.as_slice();
        if let Progress::Prefix = self.progress {
            let Some((prefix, after)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
                return Ok(Zeroizing::default());
            };
            let opener = Box::new(ChunkOpener::new(&self.key, &self.context, prefix)?);
            self.progress = Progress::Chunks { opener, next: 0 };
            rest = after;
        }
        let Progress::Chunks { opener, next } = &mut self.progress else {
            return Err(Error::BodyTruncated);
        };
        // Never grows: no copy of plaintext stays behind.
        let whole = rest.len() / SEALED_CHUNK_BYTES * CHUNK_BYTES;
        let mut plain = Zeroizing::new(Vec::with_capacity(whole));
        while let Some((chunk, after)) = rest.split_first_chunk::<SEALED_CHUNK_BYTES>() {
            plain.extend_from_slice(&opener.open_whole(*next, chunk)?);
            *next += 1;
            rest = after;
        }
        self.pending = rest.to_vec();
        Ok(plain)
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decryptor(…)")
    }
}
