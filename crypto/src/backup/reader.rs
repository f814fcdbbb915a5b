//! Opening a backup from front to back.

use std::fmt;
use std::io::Read;

use zeroize::Zeroizing;

use super::error::BackupError;
use super::format::{BackupFacts, Front, MAX_FRONT_BYTES, body_context, wrap_info};
use crate::cobblestone::{Decryptor, SEALED_CHUNK_BYTES};
use crate::reader_key::ReaderSecretKey;

/// Sealed bytes that are read at once.
const READ_BYTES: usize = 16 * SEALED_CHUNK_BYTES;

/// An opened backup.
///
/// What it gives is authentic as far as it goes; it is whole only once
/// [`BackupReader::next_piece`] has returned `None`.
pub struct BackupReader<R> {
    source: R,
    facts: BackupFacts,
    /// `None` after the end, or an error.
    body: Option<Decryptor>,
    /// What was read with the front and belongs to the body.
    begun: Vec<u8>,
}

impl<R: Read> BackupReader<R> {
    /// Opens the backup that starts at the source's next byte.
    ///
    /// # Errors
    /// [`BackupError`]; that the body belongs to the key and the header is
    /// examined with its first piece.
    pub fn open(mut source: R, key: &ReaderSecretKey) -> Result<Self, BackupError> {
        let mut start = Vec::with_capacity(MAX_FRONT_BYTES);
        let limit = MAX_FRONT_BYTES as u64;
        source.by_ref().take(limit).read_to_end(&mut start)?;
        let front = Front::parse(&start)?;
        let reader = key.public_key().id();
        let wrap = front.wraps.iter().find(|(id, _)| *id == reader);
        let (_, sealed) = wrap.ok_or(BackupError::OtherKey)?;
        let content_key = key.open_key(&wrap_info(&front.header, reader), sealed)?;
        Ok(Self {
            source,
            facts: front.facts,
            body: Some(Decryptor::new(content_key, &body_context(&front.header))),
            begun: start.split_off(front.bytes),
        })
    }

    /// The facts of the backup.
    pub fn facts(&self) -> &BackupFacts {
        &self.facts
    }

    /// The next bytes, never empty; `None` after the authentic end.
    ///
    /// # Errors
    /// [`BackupError::Altered`], [`BackupError::CutOff`] or [`BackupError::Io`];
    /// nothing follows then.
    pub fn next_piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BackupError> {
        while let Some(mut body) = self.body.take() {
            let mut sealed = std::mem::take(&mut self.begun);
            let room = READ_BYTES as u64;
            let read = self.source.by_ref().take(room).read_to_end(&mut sealed)?;
            let mut plain = body.push(&sealed)?;
            if read < READ_BYTES {
                let last = body.finish()?;
                // In new memory: growing would leave what there was behind.
                plain = Zeroizing::new([plain.as_slice(), &last].concat());
            } else {
                self.body = Some(body);
            }
            if !plain.is_empty() {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }
}

impl<R> fmt::Debug for BackupReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupReader")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::BackupId;
    use super::super::{BackupWriter, MAX_BACKUP_READERS};
    use super::*;
    use crate::cobblestone::CHUNK_BYTES;
    use crate::{OsEntropy, ReaderPublicKey};

    fn facts() -> BackupFacts {
        BackupFacts {
            id: BackupId::generate(&mut OsEntropy).unwrap(),
            created_at_ms: 1_763_690_000_123,
        }
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|place| (place / 3 % 251) as u8).collect()
    }

    fn sealed(plain: &[u8], readers: &[&ReaderSecretKey]) -> Vec<u8> {
        let readers: Vec<ReaderPublicKey> = readers.iter().map(|key| *key.public_key()).collect();
        let (mut writer, mut out) = BackupWriter::new(&facts(), &readers, &mut OsEntropy).unwrap();
        for piece in plain.chunks(5_000) {
            out.extend(writer.push(piece).unwrap());
        }
        out.extend(writer.finish().unwrap());
        out
    }

    fn opened(sealed: &[u8], key: &ReaderSecretKey) -> Result<Vec<u8>, BackupError> {
        let mut reader = BackupReader::open(sealed, key)?;
        let mut plain = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            plain.extend_from_slice(&piece);
        }
        Ok(plain)
    }

    #[test]
    fn every_recovery_key_opens_what_was_sealed() {
        let keys = [(); 3].map(|()| ReaderSecretKey::generate().unwrap());
        let full = READ_BYTES / SEALED_CHUNK_BYTES * CHUNK_BYTES;
        for length in [0, 1, CHUNK_BYTES, full - 1, full, full + 1, 3 * full + 77] {
            let sealed = sealed(&bytes(length), &keys.each_ref());
            for key in &keys {
                assert!(opened(&sealed, key).unwrap() == bytes(length), "{length}");
            }
        }
    }

    #[test]
    fn another_key_is_told_that_it_is_another() {
        let [key, stranger] = [(); 2].map(|()| ReaderSecretKey::generate().unwrap());
        let sealed = sealed(b"rows", &[&key]);
        let refused = opened(&sealed, &stranger).unwrap_err();
        assert!(matches!(refused, BackupError::OtherKey), "{refused}");
        let refused = opened(b"PK\x03\x04 an archive of something else", &key);
        assert!(matches!(refused, Err(BackupError::NotABackup)));
    }

    #[test]
    fn no_changed_byte_and_no_cut_goes_unnoticed() {
        let key = ReaderSecretKey::generate().unwrap();
        let good = sealed(&bytes(2 * CHUNK_BYTES + 100), &[&key]);
        for place in (0..good.len()).step_by(97).chain(0..200) {
            let mut changed = good.clone();
            changed[place] ^= 4;
            assert!(opened(&changed, &key).is_err(), "changed at {place}");
            let cut = opened(&good[..place], &key).unwrap_err();
            let told = matches!(cut, BackupError::CutOff | BackupError::Altered);
            assert!(told || place == 0, "cut at {place}: {cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(opened(&longer, &key).is_err());
        let chunk = good.len() - 100 - 16 - SEALED_CHUNK_BYTES;
        let mut without = good.clone();
        without.drain(chunk..chunk + SEALED_CHUNK_BYTES);
        assert!(opened(&without, &key).is_err(), "a part is missing");
    }

    #[test]
    fn a_body_opens_under_its_own_header_only() {
        let key = ReaderSecretKey::generate().unwrap();
        let [first, second] = [b"one", b"two"].map(|plain| sealed(plain, &[&key]));
        let front = Front::parse(&first).unwrap().bytes;
        let swapped = [&first[..front], &second[front..]].concat();
        let refused = opened(&swapped, &key).unwrap_err();
        assert!(matches!(refused, BackupError::Altered), "{refused}");
    }

    #[test]
    fn a_backup_for_nobody_or_for_too_many_is_not_made() {
        let made = |readers: &[ReaderPublicKey]| {
            BackupWriter::new(&facts(), readers, &mut OsEntropy).map(drop)
        };
        assert!(matches!(made(&[]), Err(BackupError::NoReaders)));
        let key = *ReaderSecretKey::generate().unwrap().public_key();
        made(&[key; MAX_BACKUP_READERS + 1]).unwrap();
        let many = [(); MAX_BACKUP_READERS + 1]
            .map(|()| *ReaderSecretKey::generate().unwrap().public_key());
        let refused = made(&many);
        assert!(matches!(
            refused,
            Err(BackupError::TooManyReaders { given: 17 })
        ));
    }
}
