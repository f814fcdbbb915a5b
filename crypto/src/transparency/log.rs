//! The server's side: an append-only list of entries.

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::leaf::Leaf;
use super::note::NoteName;
use super::proof::{Proof, Tree};
use super::signer::LogSigner;
use super::witness::AddCheckpoint;

/// A log in memory; the caller stores its leaves, in order, before it publishes
/// a checkpoint over them.
#[derive(Debug, Clone)]
pub struct Log {
    origin: NoteName,
    leaves: Vec<Leaf>,
    tree: Tree,
}

impl Log {
    /// An empty log.
    pub fn new(origin: NoteName) -> Self {
        Self {
            origin,
            leaves: Vec::new(),
            tree: Tree::default(),
        }
    }

    /// A log from its stored leaves.
    pub fn from_leaves(origin: NoteName, leaves: impl IntoIterator<Item = Leaf>) -> Self {
        let mut log = Self::new(origin);
        for leaf in leaves {
            log.append(leaf);
        }
        log
    }

    /// Adds an entry; gives its place, from 0.
    pub fn append(&mut self, leaf: Leaf) -> u64 {
        let place = self.size();
        self.tree.push(&leaf.entry());
        self.leaves.push(leaf);
        place
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The entries, to download.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The state now.
    pub fn checkpoint(&self) -> Checkpoint {
        let root = self.tree.root(self.size());
        Checkpoint {
            origin: self.origin.clone(),
            size: self.size(),
            root: root.expect("a tree has a root at its own size"),
        }
    }

    /// The state now, signed.
    pub fn sign(&self, signer: &LogSigner) -> SignedCheckpoint {
        SignedCheckpoint::sign(&self.checkpoint(), signer)
    }

    /// That an entry is among the first `size`; `None` when there is no such
    /// entry or size.
    pub fn prove_inclusion(&self, place: u64, size: u64) -> Option<Proof> {
        self.tree.inclusion(place, size)
    }

    /// That the first `old` entries are still the same among the first `new`;
    /// `None` when there are no such sizes.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Option<Proof> {
        self.tree.consistency(old, new)
    }

    /// The request to a witness whose last size was `old`; `None` when the
    /// checkpoint is older than that, or not of this log.
    pub fn request(&self, old: u64, checkpoint: &SignedCheckpoint) -> Option<AddCheckpoint> {
        Some(AddCheckpoint {
            old,
            proof: self.prove_consistency(old, checkpoint.checkpoint().size)?,
            checkpoint: checkpoint.clone(),
        })
    }
}
