//! The heads of the audit trails, which the server itself enters into the key-transparency log:
//! only of trails that are whole and contain every head that is in the log already. Devices would
//! believe whatever it signs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use crypto::transparency::Leaf;
use store::{AuditChain, AuditFault, AuditHead, HubId};
use tokio::sync::MutexGuard;

use crate::refusal::Refusal;
use crate::shared::Shared;

/// When somebody is to ask again who asks for a head while others are published.
const PUBLISHED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What became of the heads that were to be published.
#[derive(Default)]
pub(crate) struct Published {
    /// The heads that are in the log now.
    pub(crate) heads: Vec<AuditHead>,
    /// What is wrong with the trails whose heads were not entered.
    pub(crate) faults: Vec<AuditFault>,
}

impl Shared {
    /// Enters the heads of all audit trails that have grown into the key-transparency log. To be
    /// called daily: from then on nobody rewrites them unseen. What is found wrong with a trail
    /// is logged, and kept for [`audit_problems`](Self::audit_problems).
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn publish_audit_heads(&self) -> Result<(), Refusal> {
        let turn = self.chains.publishing.lock().await;
        self.publish_heads(turn, |_| true).await.map(drop)
    }

    /// What was wrong with audit trails when their heads were to be published last, a sentence
    /// for each.
    #[must_use]
    pub fn audit_problems(&self) -> Vec<String> {
        let broken = self.chains.broken_trails.lock();
        let broken = broken.unwrap_or_else(PoisonError::into_inner);
        broken.values().cloned().collect()
    }

    /// The heads of a trail that are in the log.
    pub(crate) async fn published_heads(&self, chain: AuditChain) -> Vec<AuditHead> {
        let leaves = self.keylog.leaves(0, usize::MAX).await;
        heads_by_trail(&leaves).remove(&chain).unwrap_or_default()
    }

    /// Publishes the head of one chain for somebody who asks.
    ///
    /// # Errors
    /// [`Refusal::too_many`] while others are published: each takes the reading of a whole trail.
    pub(crate) async fn publish_head(&self, chain: AuditChain) -> Result<Published, Refusal> {
        let turn = self.chains.publishing.try_lock();
        let turn = turn.map_err(|_| Refusal::too_many(PUBLISHED_AGAIN_AFTER))?;
        self.publish_heads(turn, |found| found == chain).await
    }

    /// Publishes the heads of the `wanted` chains; one after the other, so that an older head
    /// never comes after a newer one.
    async fn publish_heads(
        &self,
        _turn: MutexGuard<'_, ()>,
        wanted: impl Fn(AuditChain) -> bool,
    ) -> Result<Published, Refusal> {
        let leaves = self.keylog.leaves(0, usize::MAX).await;
        let mut known = heads_by_trail(&leaves);
        let mut chains: BTreeSet<_> = self.store.unscoped().audit_chains().await?;
        chains.extend(known.keys());
        let mut published = Published::default();
        let mut leaves = Vec::new();
        for chain in chains.into_iter().filter(|chain| wanted(*chain)) {
            let known = known.remove(&chain).unwrap_or_default();
            let all = self.store.unscoped();
            let verdict = all.verify_audit(chain, crypto::audit::entry_hash, known);
            let verdict = verdict.await?;
            self.note_problem(chain, verdict.as_ref().err()).await?;
            match verdict {
                Err(fault) => published.faults.push(fault),
                Ok(sound) => {
                    let leaf = sound.head.and_then(|head| leaf(chain, head));
                    published.heads.extend(leaf.and(sound.head));
                    leaves.extend(leaf);
                }
            }
        }
        self.commit_with_heads(store::Changes::new(), &leaves)
            .await?;
        Ok(published)
    }

    async fn note_problem(
        &self,
        chain: AuditChain,
        fault: Option<&AuditFault>,
    ) -> Result<(), Refusal> {
        let problem = match fault {
            None => None,
            Some(fault) => {
                let trail = match chain {
                    AuditChain::Installation => "the installation".to_owned(),
                    AuditChain::Hub(hub) => format!("hub {}", self.name_of(hub).await?),
                };
                tracing::error!(
                    trail,
                    %fault,
                    "an audit trail is not what it was: its head does not go into the key log. \
                     Run `centralita audit verify`"
                );
                Some(format!("the audit trail of {trail}: {fault}"))
            }
        };
        let broken = self.chains.broken_trails.lock();
        let mut broken = broken.unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => broken.insert(chain, problem),
            None => broken.remove(&chain),
        };
        Ok(())
    }

    /// Its name, or its id when it is gone.
    async fn name_of(&self, hub: HubId) -> Result<String, Refusal> {
        let mut hubs = self.store.unscoped().hubs().await?.into_iter();
        let found = hubs.find(|known| known.id == hub).map(|known| known.name);
        Ok(found.unwrap_or_else(|| crate::chains::hub_of(hub).to_string()))
    }
}

/// The heads of audit trails that are among entries of the key log, by trail and in the order of
/// the log.
#[must_use]
pub fn heads_by_trail(leaves: &[Leaf]) -> BTreeMap<AuditChain, Vec<AuditHead>> {
    let mut heads = BTreeMap::<_, Vec<_>>::new();
    for head in leaves.iter().filter_map(crypto::audit::AuditHead::of_leaf) {
        let chain = match head.chain {
            crypto::audit::AuditChain::Installation => AuditChain::Installation,
            crypto::audit::AuditChain::Hub(hub) => AuditChain::Hub(HubId(*hub.as_bytes())),
        };
        heads.entry(chain).or_default().push(AuditHead {
            seqno: head.seqno,
            hash: head.hash,
        });
    }
    heads
}

fn leaf(chain: AuditChain, head: AuditHead) -> Option<Leaf> {
    let chain = match chain {
        AuditChain::Installation => crypto::audit::AuditChain::Installation,
        AuditChain::Hub(hub) => crypto::audit::AuditChain::Hub(crate::chains::hub_of(hub)),
    };
    let AuditHead { seqno, hash } = head;
    crypto::audit::AuditHead { chain, seqno, hash }.leaf()
}
