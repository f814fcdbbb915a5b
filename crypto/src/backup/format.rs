//! The front of a backup: header and wraps.

use std::fmt;

use super::error::BackupError;
use crate::cobblestone::PREFIX_BYTES;
use crate::encoding::Cursor;
use crate::entropy::{Entropy, EntropyError};
use crate::label::Label;
use crate::reader_key::{ReaderKeyId, WRAP_BYTES};

/// The most recovery keys of one backup.
pub const MAX_BACKUP_READERS: usize = 16;

const MAGIC: &[u8; 4] = b"HLBK";
const VERSION: u8 = 1;
/// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; Cobblestone-256.
const SUITE: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 2 + BackupId::BYTES + 8;
const ENTRY_BYTES: usize = ReaderKeyId::BYTES + WRAP_BYTES;
/// The longest front, up to and including the body's salt and commitment.
pub(super) const MAX_FRONT_BYTES: usize =
    HEADER_BYTES + 1 + MAX_BACKUP_READERS * ENTRY_BYTES + PREFIX_BYTES;

/// Names one backup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId([u8; Self::BYTES]);

impl BackupId {
    /// Length in bytes.
    pub const BYTES: usize = 16;

    /// Draws a new one.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::BYTES];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupId({self})")
    }
}

/// The facts of a backup. They stand unencrypted (but authenticated) in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupFacts {
    /// Names it.
    pub id: BackupId,
    /// When it was begun, in milliseconds since 1970-01-01 00:00 UTC.
    pub created_at_ms: u64,
}

/// Everything before the first chunk but the body's salt and commitment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) facts: BackupFacts,
    /// The header's exact bytes, which wraps and body are bound to.
    pub(super) header: Vec<u8>,
    pub(super) wraps: Vec<(ReaderKeyId, [u8; WRAP_BYTES])>,
    /// Offset of the body.
    pub(super) bytes: usize,
}

impl Front {
    /// Reads a front from the first bytes of a backup: all of them, or at least
    /// [`MAX_FRONT_BYTES`].
    pub(super) fn parse(input: &[u8]) -> Result<Self, BackupError> {
        let mut cursor = Cursor::new(input);
        if !input.iter().zip(MAGIC).all(|(found, known)| found == known) || input.is_empty() {
            return Err(BackupError::NotABackup);
        }
        cursor.bytes(MAGIC.len())?;
        match cursor.u8()? {
            VERSION => {}
            other => return Err(BackupError::UnknownVersion(other)),
        }
        match cursor.u8()? {
            SUITE => {}
            other => return Err(BackupError::UnknownSuite(other)),
        }
        let facts = BackupFacts {
            id: BackupId(cursor.array()?),
            created_at_ms: cursor.u64()?,
        };
        let header = input[..cursor.position()].to_vec();
        let count = usize::from(cursor.u8()?);
        if !(1..=MAX_BACKUP_READERS).contains(&count) {
            return Err(BackupError::Malformed("its number of keys is impossible"));
        }
        let wraps = (0..count).map(|_| {
            let reader = ReaderKeyId::from_bytes(cursor.array()?);
            Ok((reader, cursor.array()?))
        });
        let wraps = wraps.collect::<Result<_, BackupError>>()?;
        Ok(Self {
            facts,
            header,
            wraps,
            bytes: cursor.position(),
        })
    }
}

/// Writes the header of a new backup.
pub(super) fn header(facts: &BackupFacts) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION, SUITE]);
    out.extend_from_slice(facts.id.as_bytes());
    out.extend_from_slice(&facts.created_at_ms.to_be_bytes());
    out
}

/// The HPKE `info` of one reader's wrap.
pub(super) fn wrap_info(header: &[u8], reader: ReaderKeyId) -> Vec<u8> {
    Label::BackupKeyWrap.bind(&[header, reader.as_bytes()].concat())
}

/// The Cobblestone context of the body.
pub(super) fn body_context(header: &[u8]) -> Vec<u8> {
    Label::BackupBody.bind(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn front(readers: u8, fill: u8, created_at_ms: u64) -> Vec<u8> {
        let facts = BackupFacts {
            id: BackupId([fill; 16]),
            created_at_ms,
        };
        let mut bytes = header(&facts);
        bytes.push(readers);
        bytes.extend(vec![fill; usize::from(readers) * ENTRY_BYTES]);
        bytes
    }

    #[test]
    fn the_longest_front_fits_the_bytes_that_are_read_for_it() {
        let longest = front(MAX_BACKUP_READERS as u8, 3, 9);
        assert_eq!(longest.len() + PREFIX_BYTES, MAX_FRONT_BYTES);
        assert_eq!(Front::parse(&longest).unwrap().bytes, longest.len());
        for readers in [0, MAX_BACKUP_READERS as u8 + 1] {
            let refused = Front::parse(&front(readers, 3, 9));
            assert!(matches!(refused, Err(BackupError::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn any_front_reads_back(readers in 1u8..5, fill: u8, created_at_ms: u64) {
            let bytes = front(readers, fill, created_at_ms);
            let found = Front::parse(&bytes).unwrap();
            prop_assert_eq!(header(&found.facts), found.header);
            prop_assert_eq!(found.wraps.len(), usize::from(readers));
            prop_assert_eq!(found.facts.created_at_ms, created_at_ms);
            prop_assert!(matches!(Front::parse(&[]), Err(BackupError::NotABackup)));
            for end in 1..bytes.len() {
                prop_assert!(matches!(Front::parse(&bytes[..end]), Err(BackupError::CutOff)));
            }
        }

        #[test]
        fn no_bytes_make_parsing_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool,
        ) {
            let mut input = if magic { b"HLBK\x01\x01".to_vec() } else { Vec::new() };
            input.extend(bytes);
            if let Ok(front) = Front::parse(&input) {
                prop_assert_eq!(header(&front.facts), front.header);
            }
        }
    }
}
