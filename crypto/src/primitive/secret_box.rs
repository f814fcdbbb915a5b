//! Small secrets under a symmetric key: XChaCha20-Poly1305.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Bytes that sealing adds: the random nonce in front and the tag at the end.
pub(crate) const BOX_OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// Seals `plaintext`: `nonce || ciphertext || tag`, with `bound` as the associated data.
pub(crate) fn seal_box(
    key: &[u8; KEY_BYTES],
    bound: &[u8],
    plaintext: &[u8],
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<Vec<u8>, EntropyError> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce)?;
    let payload = Payload {
        msg: plaintext,
        aad: bound,
    };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), payload)
        .expect("what is boxed is far shorter than 256 GiB");
    let mut out = Vec::with_capacity(plaintext.len() + BOX_OVERHEAD_BYTES);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal_box`] made with the same key and `bound`; `None` when anything differs.
pub(crate) fn open_box(
    key: &[u8; KEY_BYTES],
    bound: &[u8],
    boxed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = boxed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: sealed,
        aad: bound,
    };
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;

    #[test]
    fn opens_only_with_its_key_its_purpose_and_all_its_bytes() {
        let key = [7; KEY_BYTES];
        let boxed = seal_box(&key, b"purpose", b"secret", &mut OsEntropy).unwrap();
        assert_eq!(boxed.len(), 6 + BOX_OVERHEAD_BYTES);
        assert_eq!(*open_box(&key, b"purpose", &boxed).unwrap(), b"secret");
        assert!(open_box(&[8; KEY_BYTES], b"purpose", &boxed).is_none());
        assert!(open_box(&key, b"other", &boxed).is_none());
        for length in 0..boxed.len() {
            assert!(open_box(&key, b"purpose", &boxed[..length]).is_none());
        }
        for place in 0..boxed.len() {
            let mut altered = boxed.clone();
            altered[place] ^= 1;
            assert!(open_box(&key, b"purpose", &altered).is_none());
        }
    }
}
