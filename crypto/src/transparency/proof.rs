//! Merkle trees of RFC 6962: proofs for any size that the log ever had.
//!
//! Proofs are made here, because witnesses confirm sizes that are no longer the
//! newest; they are checked by the crate `ct-merkle`.

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::{Digest, Sha256};

use super::error::FormatError;

/// The most hashes of a proof (c2sp.org/tlog-witness allows 63).
pub const MAX_PROOF_HASHES: usize = 63;
/// The most leaves of a log.
pub const MAX_TREE_SIZE: u64 = 1 << 48;

const HASH_BYTES: usize = 32;
const LEAF_PREFIX: [u8; 1] = [0];
const NODE_PREFIX: [u8; 1] = [1];

pub(super) type Hash = [u8; HASH_BYTES];

/// The hashes of an inclusion or consistency proof, in the order of RFC 6962
/// sections 2.1.1 and 2.1.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof(Vec<Hash>);

impl Proof {
    /// Takes the hashes of a proof.
    ///
    /// # Errors
    /// [`FormatError`] for more than [`MAX_PROOF_HASHES`].
    pub fn from_hashes(hashes: Vec<[u8; HASH_BYTES]>) -> Result<Self, FormatError> {
        if hashes.len() > MAX_PROOF_HASHES {
            return Err(FormatError {
                what: "a proof",
                why: "it has too many hashes",
            });
        }
        Ok(Self(hashes))
    }

    /// To send.
    pub fn hashes(&self) -> &[[u8; HASH_BYTES]] {
        &self.0
    }

    /// RFC 6962 section 2.1.2; an empty tree is a prefix of every tree.
    pub(super) fn shows_growth(&self, old: (u64, &Hash), new: (u64, &Hash)) -> bool {
        if old.0 == 0 || old == new {
            return self.0.is_empty() && (old.0 > 0 || *old.1 == empty_root());
        }
        let Ok(proof) = ConsistencyProof::<Sha256>::try_from_bytes(self.0.concat()) else {
            return false;
        };
        if old.0 >= new.0 || new.0 > MAX_TREE_SIZE {
            return false;
        }
        root(new).verify_consistency(&root(old), &proof).is_ok()
    }

    /// RFC 6962 section 2.1.1.
    pub(super) fn shows_entry(&self, entry: &[u8], index: u64, tree: (u64, &Hash)) -> bool {
        let Ok(proof) = InclusionProof::<Sha256>::try_from_bytes(self.0.concat()) else {
            return false;
        };
        if index >= tree.0 || tree.0 > MAX_TREE_SIZE {
            return false;
        }
        root(tree).verify_inclusion(&entry, index, &proof).is_ok()
    }
}

fn root((size, hash): (u64, &Hash)) -> RootHash<Sha256> {
    RootHash::new((*hash).into(), size)
}

/// The root of a tree without leaves.
pub(super) fn empty_root() -> Hash {
    Sha256::digest(b"").into()
}

/// The hashes of all complete subtrees: `rows[k][i]` is the root over the
/// leaves from `i · 2^k` up to `(i + 1) · 2^k`.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    rows: Vec<Vec<Hash>>,
}

impl Tree {
    pub(super) fn size(&self) -> u64 {
        self.rows.first().map_or(0, |leaves| leaves.len() as u64)
    }

    pub(super) fn push(&mut self, entry: &[u8]) {
        let mut hash: Hash = Sha256::new()
            .chain_update(LEAF_PREFIX)
            .chain_update(entry)
            .finalize()
            .into();
        let mut level = 0;
        loop {
            if self.rows.len() == level {
                self.rows.push(Vec::new());
            }
            let row = &mut self.rows[level];
            row.push(hash);
            let [.., left, right] = row.as_slice() else {
                return;
            };
            if !row.len().is_multiple_of(2) {
                return;
            }
            hash = node(left, right);
            level += 1;
        }
    }

    /// The root of the first `size` leaves; `None` when there are fewer.
    pub(super) fn root(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(empty_root()),
            _ => (size <= self.size()).then(|| self.range(0, size)),
        }
    }

    /// `PATH(index, D[size])`; `None` when there is no such leaf or size.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Option<Proof> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Some(Proof(path))
    }

    /// `PROOF(old, D[new])`, empty for an empty old tree; `None` when there are
    /// no such sizes.
    pub(super) fn consistency(&self, old: u64, new: u64) -> Option<Proof> {
        if old > new || new > self.size() {
            return None;
        }
        if old == 0 || old == new {
            return Some(Proof::default());
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, new);
        // Whether the old tree is a subtree that the verifier knows the root of.
        let mut known = true;
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
                known = false;
            }
        }
        if !known {
            path.push(self.range(start, end));
        }
        path.reverse();
        Some(Proof(path))
    }

    /// The root over the leaves from `start` up to `end`, which RFC 6962 cuts
    /// at a multiple of the largest power of two below its length.
    fn range(&self, start: u64, end: u64) -> Hash {
        let count = end - start;
        if count.is_power_of_two() {
            let level = count.trailing_zeros();
            return self.rows[level as usize][(start >> level) as usize];
        }
        let middle = start + split(count);
        node(&self.range(start, middle), &self.range(middle, end))
    }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    count.next_power_of_two() / 2
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update(NODE_PREFIX)
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    use super::*;

    #[test]
    fn roots_and_proofs_are_those_of_another_implementation() {
        let mut ours = Tree::default();
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        assert_eq!(
            ours.root(0),
            Some(theirs.root().as_bytes()[..].try_into().unwrap())
        );
        for size in 1..=70_u64 {
            let entry = vec![size as u8; 3];
            ours.push(&entry);
            theirs.push(entry);
            assert_eq!(ours.root(size).unwrap()[..], theirs.root().as_bytes()[..]);
            for index in 0..size {
                let proof = ours.inclusion(index, size).unwrap();
                let expected = theirs.prove_inclusion(index as usize);
                assert_eq!(proof.0.concat(), expected.as_bytes());
            }
            for old in 1..=size {
                let proof = ours.consistency(old, size).unwrap();
                let expected = theirs.prove_consistency((size - old) as usize);
                assert_eq!(proof.0.concat(), expected.as_bytes(), "{old} to {size}");
            }
        }
    }

    #[test]
    fn proofs_hold_for_sizes_that_are_past_and_for_nothing_else() {
        let mut tree = Tree::default();
        let entries: Vec<_> = (0..40_u8).map(|place| vec![place]).collect();
        entries.iter().for_each(|entry| tree.push(entry));
        for size in 1..=40 {
            let root = tree.root(size).unwrap();
            for index in 0..size {
                let proof = tree.inclusion(index, size).unwrap();
                for (place, entry) in (0..).zip(&entries) {
                    let shown = proof.shows_entry(entry, index, (size, &root));
                    assert_eq!(shown, place == index);
                }
            }
            for old in 0..=size {
                let proof = tree.consistency(old, size).unwrap();
                let old_root = tree.root(old).unwrap();
                assert!(proof.shows_growth((old, &old_root), (size, &root)));
                assert!(!proof.shows_growth((old, &[7; 32]), (size, &root)));
                let forged = proof.shows_growth((old, &old_root), (size, &[7; 32]));
                assert_eq!(forged, old == 0);
            }
        }
        assert!(tree.root(41).is_none() && tree.inclusion(40, 40).is_none());
        assert!(tree.consistency(3, 41).is_none() && tree.consistency(4, 3).is_none());
    }

    #[test]
    fn sizes_beyond_all_bounds_are_refused_without_a_panic() {
        let proof = Proof(vec![[1; 32]; MAX_PROOF_HASHES]);
        for size in [0, 1, MAX_TREE_SIZE, MAX_TREE_SIZE + 1, u64::MAX] {
            for other in [0, 1, MAX_TREE_SIZE, u64::MAX - 1, u64::MAX] {
                assert!(!proof.shows_entry(b"", other, (size, &[1; 32])));
                assert!(!proof.shows_growth((other, &[1; 32]), (size, &[2; 32])));
            }
        }
    }
}
