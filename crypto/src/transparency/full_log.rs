//! All entries of a log, checked against a checkpoint.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::error::{LogAltered, OwnChainAltered};
use super::leaf::{Leaf, Subject};
use super::proof::Tree;
use crate::identity::{ChainHead, Sigchain, SigchainError};

/// What the log says about every chain. The same for everybody who has the same
/// checkpoint.
#[derive(Debug, Clone)]
pub struct FullLog {
    chains: BTreeMap<Subject, Vec<ChainHead>>,
}

impl FullLog {
    pub(super) fn new(leaves: Vec<Leaf>, checkpoint: &Checkpoint) -> Result<Self, LogAltered> {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(&leaf.entry()));
        let size = leaves.len() as u64;
        if size != checkpoint.size || tree.root(size) != Some(checkpoint.root) {
            return Err(LogAltered::OtherEntries);
        }
        let mut chains = BTreeMap::<Subject, Vec<ChainHead>>::new();
        for Leaf { subject, head } in leaves {
            let chain = chains.entry(subject).or_default();
            match chain.last() {
                Some(newest) if *newest == head => {}
                Some(newest) if newest.seqno >= head.seqno => {
                    return Err(LogAltered::Contradiction(subject));
                }
                _ => chain.push(head),
            }
        }
        Ok(Self { chains })
    }

    /// How far a chain has come: what the server gives out as this chain must
    /// contain this head ([`Sigchain::check_contains`]), or it is another chain
    /// or an old state of it.
    pub fn newest(&self, subject: &Subject) -> Option<ChainHead> {
        self.heads(subject).last().copied()
    }

    /// All that the log ever said about a chain, oldest first.
    pub fn heads(&self, subject: &Subject) -> &[ChainHead] {
        self.chains.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Compares what the log says about a person with `own`, the chain as their
    /// own devices know it: not as the server just sent it.
    ///
    /// # Errors
    /// [`OwnChainAltered`]: somebody put keys under this name, or the newest
    /// change is withheld from the others.
    pub fn check_own(&self, own: &Sigchain) -> Result<(), OwnChainAltered> {
        let heads = self.heads(&Subject::User(own.user()));
        for head in heads {
            let seqno = head.seqno;
            match own.check_contains(head) {
                Ok(()) => {}
                Err(SigchainError::Rollback) => return Err(OwnChainAltered::Unknown { seqno }),
                Err(_) => return Err(OwnChainAltered::Foreign { seqno }),
            }
        }
        let seqno = own.head().seqno;
        if heads.last().is_none_or(|newest| newest.seqno < seqno) {
            return Err(OwnChainAltered::Withheld { seqno });
        }
        Ok(())
    }
}
