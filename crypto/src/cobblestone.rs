//! The content layer: C2SP *chunked-encryption* in its instance Cobblestone-256
//! (HKDF-Expand-SHA-512, AES-256-GCM), <https://c2sp.org/chunked-encryption>.
//!
//! A message is cut into chunks of 16 KiB, of which the last is always shorter
//! (and may be empty), so that its length says where the message ends. A sealed
//! message is `salt[24] || commitment[32] || chunk*`, and chunk `k` starts at
//! byte `56 + k * 16400`. Key and context are committed to: a sealed message
//! opens under one pair of them only.
//!
//! Contexts are made with [`crate::Label::bind`]. The formats of this crate do
//! that; other crates use those formats and not this module.

mod open;
mod seal;

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use hmac::{Hmac, Mac};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

pub use open::{ChunkOpener, Decryptor};
pub use seal::Encryptor;

use crate::entropy::{Entropy, EntropyError};
use crate::error::Error;

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes that sealing adds to a chunk.
pub const TAG_BYTES: usize = 16;
/// Sealed bytes of every chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Bytes before the first chunk: salt and commitment.
pub const PREFIX_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;
/// The most chunks of one message (4 PiB).
pub const MAX_CHUNKS: u64 = 1 << 38;

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 24;
const COMMITMENT_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const DERIVED_BYTES: usize = KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES;
const INFO_PREFIX: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// The key of one message. Wiped from memory when dropped.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; KEY_BYTES]>);

impl ContentKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *key)?;
        Ok(Self(key))
    }

    /// Takes 32 uniformly random bytes.
    ///
    /// # Errors
    /// [`Error::ContentKeyLength`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let key = bytes
            .try_into()
            .map_err(|_| Error::ContentKeyLength { given: bytes.len() })?;
        Ok(Self(Zeroizing::new(key)))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

/// Seals and opens single chunks of one message.
struct ChunkCipher {
    aead: Aes256Gcm,
    base_nonce: [u8; NONCE_BYTES],
    commitment: [u8; COMMITMENT_BYTES],
}

impl ChunkCipher {
    fn derive(key: &ContentKey, salt: &[u8; SALT_BYTES], context: &[u8]) -> Self {
        let derived = expand(key, &[INFO_PREFIX, salt, context]);
        let (aead_key, rest) = derived.split_at(KEY_BYTES);
        let (nonce, commitment) = rest.split_at(NONCE_BYTES);
        let mut cipher = Self {
            aead: Aes256Gcm::new_from_slice(aead_key).expect("the slice has the key's length"),
            base_nonce: [0; NONCE_BYTES],
            commitment: [0; COMMITMENT_BYTES],
        };
        cipher.base_nonce.copy_from_slice(nonce);
        cipher.commitment.copy_from_slice(commitment);
        cipher
    }

    fn commits_to(&self, commitment: &[u8]) -> bool {
        self.commitment.ct_eq(commitment).into()
    }

    /// Appends the sealed chunk to `out`.
    fn seal(&self, index: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = self.nonce(index)?;
        out.reserve(plain.len() + TAG_BYTES);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self
            .aead
            .encrypt_inout_detached(&nonce, b"", (&mut out[start..]).into())
            .expect("AES-GCM takes 16 KiB");
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// The plaintext of a sealed chunk.
    fn open(&self, index: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let nonce = self.nonce(index)?;
        let corrupt = Error::ChunkCorrupt { index };
        let Some((body, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else {
            return Err(corrupt);
        };
        let mut plain = Zeroizing::new(body.to_vec());
        let opened = self.aead.decrypt_inout_detached(
            &nonce,
            b"",
            plain.as_mut_slice().into(),
            &Tag::from(*tag),
        );
        match opened {
            Ok(()) => Ok(plain),
            Err(_) => Err(corrupt),
        }
    }

    /// The base nonce XOR the chunk number, big-endian.
    fn nonce(
        &self,
        index: u64,
    ) -> Result<Nonce<<Aes256Gcm as aes_gcm::AeadCore>::NonceSize>, Error> {
        if index >= MAX_CHUNKS {
            return Err(Error::TooLong);
        }
        let mut nonce = self.base_nonce;
        let counter = index.to_be_bytes();
        for (place, byte) in nonce[NONCE_BYTES - counter.len()..].iter_mut().zip(counter) {
            *place ^= byte;
        }
        Ok(nonce.into())
    }
}

impl Drop for ChunkCipher {
    fn drop(&mut self) {
        // The AEAD wipes its own key schedule.
        self.base_nonce.zeroize();
    }
}

/// HKDF-Expand of RFC 5869 section 2.3 with SHA-512, written over HMAC because
/// the key is shorter than the hash, as the specification has it.
fn expand(key: &ContentKey, info: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut derived = Zeroizing::new(Vec::with_capacity(DERIVED_BYTES + 64));
    let mut block = Zeroizing::new(Vec::with_capacity(64));
    for counter in 1u8.. {
        let mut mac =
            Hmac::<Sha512>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
        mac.update(&block);
        info.iter().for_each(|part| mac.update(part));
        mac.update(&[counter]);
        let mut output = mac.finalize().into_bytes();
        block.clear();
        block.extend_from_slice(&output);
        output.as_mut_slice().zeroize();
        derived.extend_from_slice(&block);
        if derived.len() >= DERIVED_BYTES {
            break;
        }
    }
    derived.truncate(DERIVED_BYTES);
    derived
}
