//! Keys from secrets, and hashes.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// HKDF-SHA256 (RFC 5869) without salt: `secret` is the input keying material,
/// `bound` the info.
pub(crate) fn derive<const N: usize>(secret: &[u8], bound: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "RFC 5869 section 2.3") };
    let mut key = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(None, secret)
        .expand(bound, &mut *key)
        .expect("the length is within the limit of RFC 5869");
    key
}

/// SHA-256.
pub(crate) fn hash(bound: &[u8]) -> [u8; 32] {
    Sha256::digest(bound).into()
}
