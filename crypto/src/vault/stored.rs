//! How everything that is stored here begins: four letters and a version.

use super::error::VaultError;
use crate::encoding::Cursor;

/// Reads the beginning; the rest is the caller's.
pub(super) fn begin<'a>(
    input: &'a [u8],
    magic: &[u8; 4],
    known: u8,
    what: &'static str,
) -> Result<Cursor<'a>, VaultError> {
    let mut cursor = Cursor::new(input);
    if cursor.bytes(magic.len()) != Ok(magic) {
        return Err(VaultError::NotThis(what));
    }
    let malformed = |_| VaultError::Malformed {
        what,
        why: "it is cut off",
    };
    match cursor.u8().map_err(malformed)? {
        version if version == known => Ok(cursor),
        version => Err(VaultError::UnknownVersion { what, version }),
    }
}
