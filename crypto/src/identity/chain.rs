//! What sigchains and rosters have in common: links that name their
//! predecessor by its hash, and the file that holds them.

use crate::encoding::{Cursor, ReadError, push_vector};
use crate::label::Label;
use crate::primitive;

const VERSION: u8 = 1;
/// The longest link, in bytes: what an `opaque<V>` holds.
pub(crate) const MAX_LINK_BYTES: usize = 16_000;

/// How far a chain goes: names every link up to the newest.
///
/// Whoever has seen a head remembers it and demands that every later answer
/// of the server contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of the newest link, from 1.
    pub seqno: u32,
    /// Hash of the newest link.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// Bytes of an encoded head.
    pub const BYTES: usize = 36;

    /// The number (big-endian), then the hash.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..4].copy_from_slice(&self.seqno.to_be_bytes());
        out[4..].copy_from_slice(&self.hash);
        out
    }

    /// Takes what [`ChainHead::encode`] made.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, hash @ ..] = *bytes;
        Self {
            seqno: u32::from_be_bytes([a, b, c, d]),
            hash,
        }
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        Ok(Self::decode(&cursor.array()?))
    }
}

/// How a chain disagrees with a head that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disagreement {
    /// The chain ends before the head.
    Rollback,
    /// The chain has another link in its place.
    Fork,
}

/// Whether `hashes` (of the links from number 1 on) contain `seen`.
pub(crate) fn contains(hashes: &[[u8; 32]], seen: &ChainHead) -> Result<(), Disagreement> {
    let place = usize::try_from(seen.seqno).unwrap_or(usize::MAX);
    let Some(place) = place.checked_sub(1) else {
        return Err(Disagreement::Fork);
    };
    match hashes.get(place) {
        None => Err(Disagreement::Rollback),
        Some(hash) if *hash != seen.hash => Err(Disagreement::Fork),
        Some(_) => Ok(()),
    }
}

/// The hash by which the next link names this one, signature included.
///
/// Links of different chains begin with different magic bytes, so one hash
/// serves them all.
pub(crate) fn link_hash(link: &[u8]) -> [u8; 32] {
    primitive::hash(&Label::SigchainHash.bind(link))
}

/// Writes a whole chain: `magic || version || u16 count || opaque link<V> …`.
pub(crate) fn encode_links(magic: [u8; 4], links: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(7 + links.iter().map(|link| link.len() + 2).sum::<usize>());
    out.extend_from_slice(&magic);
    out.push(VERSION);
    let count = u16::try_from(links.len()).expect("chains are limited below 65536 links");
    out.extend_from_slice(&count.to_be_bytes());
    links.iter().for_each(|link| push_vector(&mut out, link));
    out
}

/// Why the file around the links cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainFileError {
    Magic,
    Version(u8),
    TooLong,
    Malformed,
}

impl From<ReadError> for ChainFileError {
    fn from(_: ReadError) -> Self {
        Self::Malformed
    }
}

/// Splits what [`encode_links`] wrote; the links themselves are not read yet.
pub(crate) fn decode_links(
    magic: [u8; 4],
    limit: usize,
    input: &[u8],
) -> Result<Vec<&[u8]>, ChainFileError> {
    let mut cursor = Cursor::new(input);
    if cursor.array()? != magic {
        return Err(ChainFileError::Magic);
    }
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(ChainFileError::Version(version));
    }
    let count = usize::from(cursor.u16()?);
    if count > limit {
        return Err(ChainFileError::TooLong);
    }
    let mut links = Vec::new();
    for _ in 0..count {
        links.push(cursor.vector(MAX_LINK_BYTES)?);
    }
    if cursor.position() != input.len() {
        return Err(ChainFileError::Malformed);
    }
    Ok(links)
}
