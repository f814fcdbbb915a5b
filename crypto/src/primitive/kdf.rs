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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_case_3_of_rfc_5869() {
        let expected = b"\x8d\xa4\xe7\x75\xa5\x63\xc1\x8f\x71\x5f\x80\x2a\x06\x3c\x5a\x31\
            \xb8\xa1\x1f\x5c\x5e\xe1\x87\x9e\xc3\x45\x4e\x5f\x3c\x73\x8d\x2d\
            \x9d\x20\x13\x95\xfa\xa4\xb6\x1a\x96\xc8";
        assert_eq!(*derive::<42>(&[0x0b; 22], b""), *expected);
    }
}
