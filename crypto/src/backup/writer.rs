//! Sealing a backup while it is made.

use std::fmt;

use super::error::BackupError;
use super::format::{BackupFacts, MAX_BACKUP_READERS, body_context, header, wrap_info};
use crate::cobblestone::{ContentKey, Encryptor};
use crate::entropy::Entropy;
use crate::reader_key::ReaderPublicKey;

/// Turns the bytes of a backup into bytes to append to a file. Does no input or
/// output.
///
/// The content key is forgotten as soon as it is wrapped: who makes a backup
/// cannot open it.
pub struct BackupWriter {
    body: Encryptor,
}

impl BackupWriter {
    /// Starts a backup for the given recovery keys; the returned bytes begin the
    /// file. A key given twice counts once.
    ///
    /// # Errors
    /// [`BackupError::NoReaders`], [`BackupError::TooManyReaders`] or
    /// [`BackupError::Entropy`].
    pub fn new(
        facts: &BackupFacts,
        readers: &[ReaderPublicKey],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, Vec<u8>), BackupError> {
        let readers = distinct(readers)?;
        let header = header(facts);
        let key = ContentKey::generate(entropy)?;
        let mut out = header.clone();
        // At most MAX_BACKUP_READERS.
        out.push(readers.len() as u8);
        for reader in readers {
            let sealed = reader.seal_key(&wrap_info(&header, reader.id()), &key, entropy)?;
            out.extend_from_slice(reader.id().as_bytes());
            out.extend_from_slice(&sealed);
        }
        let (body, prefix) = Encryptor::new(&key, &body_context(&header), entropy)?;
        out.extend_from_slice(&prefix);
        Ok((Self { body }, out))
    }

    /// Takes more; returns sealed bytes to append, often none.
    ///
    /// # Errors
    /// [`BackupError::TooLong`].
    pub fn push(&mut self, plain: &[u8]) -> Result<Vec<u8>, BackupError> {
        Ok(self.body.push(plain)?)
    }

    /// Ends the backup; returns the last bytes to append, without which it does
    /// not open.
    ///
    /// # Errors
    /// [`BackupError::TooLong`].
    pub fn finish(self) -> Result<Vec<u8>, BackupError> {
        Ok(self.body.finish()?)
    }
}

impl fmt::Debug for BackupWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupWriter({:?})", self.body)
    }
}

fn distinct(readers: &[ReaderPublicKey]) -> Result<Vec<&ReaderPublicKey>, BackupError> {
    let mut found: Vec<&ReaderPublicKey> = Vec::with_capacity(readers.len());
    for reader in readers {
        if !found.contains(&reader) {
            found.push(reader);
        }
    }
    match found.len() {
        0 => Err(BackupError::NoReaders),
        1..=MAX_BACKUP_READERS => Ok(found),
        given => Err(BackupError::TooManyReaders { given }),
    }
}
