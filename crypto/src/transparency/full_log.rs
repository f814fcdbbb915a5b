//! All entries of a log, checked against a checkpoint.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::error::{LogAltered, OwnChainAltered};
use super::leaf::{Head, Leaf, Subject};
use super::proof::Tree;

/// What the log says about every chain. The same for everybody who has the same
/// checkpoint.
#[derive(Debug, Clone)]
pub struct FullLog {
    chains: BTreeMap<Subject, BTreeMap<u64, Head>>,
}

impl FullLog {
    pub(super) fn new(leaves: Vec<Leaf>, checkpoint: &Checkpoint) -> Result<Self, LogAltered> {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(&leaf.entry()));
        let size = leaves.len() as u64;
        if size != checkpoint.size || tree.root(size) != Some(checkpoint.root) {
            return Err(LogAltered::OtherEntries);
        }
        let mut chains = BTreeMap::<Subject, BTreeMap<u64, Head>>::new();
        for leaf in leaves {
            let chain = chains.entry(leaf.subject).or_default();
            let newest = chain.last_key_value();
            let repeats = newest == Some((&leaf.seqno, &leaf.head));
            let continues = newest.is_none_or(|(seqno, _)| leaf.seqno > *seqno);
            if !repeats && !continues {
                return Err(LogAltered::Contradiction(leaf.subject));
            }
            chain.insert(leaf.seqno, leaf.head);
        }
        Ok(Self { chains })
    }

    /// The newest entry of a chain: what the server gives out as this chain
    /// must end here, or begin with it if it was changed since the checkpoint.
    pub fn newest(&self, subject: &Subject) -> Option<Leaf> {
        let (seqno, head) = self.chains.get(subject)?.last_key_value()?;
        let (subject, seqno, head) = (*subject, *seqno, *head);
        Some(Leaf {
            subject,
            seqno,
            head,
        })
    }

    /// All entries of a chain, oldest first.
    pub fn heads(&self, subject: &Subject) -> impl Iterator<Item = (u64, &Head)> {
        let chain = self.chains.get(subject).into_iter().flatten();
        chain.map(|(seqno, head)| (*seqno, head))
    }

    /// Compares what the log says about a person's own chain with what their
    /// devices know: the head after each link, by its number.
    ///
    /// # Errors
    /// [`OwnChainAltered`]: somebody added to the chain, or its newest link is
    /// withheld from others.
    pub fn check_own(
        &self,
        subject: &Subject,
        own: &BTreeMap<u64, Head>,
    ) -> Result<(), OwnChainAltered> {
        for (seqno, head) in self.heads(subject) {
            if own.get(&seqno) != Some(head) {
                return Err(OwnChainAltered::Foreign { seqno });
            }
        }
        let newest = self.newest(subject).map(|leaf| leaf.seqno);
        match own.last_key_value() {
            Some((&seqno, _)) if newest != Some(seqno) => Err(OwnChainAltered::Withheld { seqno }),
            _ => Ok(()),
        }
    }
}
