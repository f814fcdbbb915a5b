//! Opening a body as it arrives.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::body::{LENGTH_BYTES, MAX_ATTACHMENT_BYTES, commitment, padded_bytes};
use super::error::RecordError;
use crate::cobblestone::{ContentKey, Decryptor, PREFIX_BYTES};

/// Opens a body from front to back, in pieces of any size. Does no input or
/// output, and holds no more than a chunk.
///
/// Every piece that comes out is authentic for its place, to everybody but the
/// other readers. Only [`BodyOpener::finish`] says that it was all, and what
/// the author signed: when that fails, what came out before is thrown away.
pub struct BodyOpener {
    decryptor: Decryptor,
    hasher: Sha256,
    body_hash: [u8; 32],
    named: [u8; 32],
    /// The first bytes, until they show whose body it is.
    prefix: Vec<u8>,
    framing: Framing,
}

/// Where the text or file begins and ends within the plaintext.
#[derive(Default)]
struct Framing {
    /// Plaintext bytes so far, with length and padding.
    padded: u64,
    length: Option<u64>,
    /// Bytes of the text or file that did not come out yet.
    left: u64,
}

impl BodyOpener {
    pub(super) fn new(
        key: ContentKey,
        context: &[u8],
        named: &[u8; 32],
        body_hash: &[u8; 32],
    ) -> Self {
        Self {
            decryptor: Decryptor::new(key, context),
            hasher: Sha256::new(),
            body_hash: *body_hash,
            named: *named,
            prefix: Vec::with_capacity(PREFIX_BYTES),
            framing: Framing::default(),
        }
    }

    /// Takes more of the body; returns what opened.
    ///
    /// # Errors
    /// [`RecordError::BodyMismatch`], [`RecordError::BodyAltered`] or
    /// [`RecordError::Malformed`].
    pub fn push(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        self.hasher.update(sealed);
        let missing = (PREFIX_BYTES - self.prefix.len()).min(sealed.len());
        self.prefix.extend_from_slice(&sealed[..missing]);
        let prefix = <&[u8; PREFIX_BYTES]>::try_from(self.prefix.as_slice());
        if prefix.is_ok_and(|prefix| commitment(prefix) != self.named) {
            return Err(RecordError::BodyMismatch);
        }
        let plain = self.decryptor.push(sealed)?;
        self.framing.text_of(&plain)
    }

    /// Says that there is no more; returns the rest.
    ///
    /// # Errors
    /// [`RecordError::BodyCutOff`] or [`RecordError::BodyAltered`] when it is
    /// not the whole body, or not the one that the author signed;
    /// [`RecordError::Malformed`] when it is not padded as it must be.
    pub fn finish(self) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let plain = self.decryptor.finish()?;
        if <[u8; 32]>::from(self.hasher.finalize()) != self.body_hash {
            return Err(RecordError::BodyAltered);
        }
        let mut framing = self.framing;
        let text = framing.text_of(&plain)?;
        let whole = framing
            .length
            .is_some_and(|length| framing.left == 0 && padded_bytes(length) == framing.padded);
        match whole {
            true => Ok(text),
            false => Err(RecordError::Malformed(
                "the text is not padded as it must be",
            )),
        }
    }

    /// Bytes of the text or file, once its first chunk is open.
    pub fn plaintext_bytes(&self) -> Option<u64> {
        self.framing.length
    }
}

impl Framing {
    /// Takes the length off the front and the padding off the end.
    fn text_of(&mut self, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        self.padded += plain.len() as u64;
        let mut rest = plain;
        if self.length.is_none() && !plain.is_empty() {
            let front = plain.split_first_chunk::<LENGTH_BYTES>();
            let (length, after) = front.ok_or(RecordError::Malformed("the text has no length"))?;
            let length = u64::from(u32::from_be_bytes(*length));
            if length > MAX_ATTACHMENT_BYTES {
                return Err(RecordError::Malformed("the text is too long"));
            }
            (self.length, self.left, rest) = (Some(length), length, after);
        }
        let taken = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (text, zeros) = rest.split_at(taken);
        self.left -= taken as u64;
        match zeros.iter().all(|byte| *byte == 0) {
            true => Ok(Zeroizing::new(text.to_vec())),
            false => Err(RecordError::Malformed("the padding is not zeros")),
        }
    }
}

impl fmt::Debug for BodyOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyOpener(…)")
    }
}
