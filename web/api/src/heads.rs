//! The heads of the audit trails, which the server itself enters into the key-transparency log.

use store::AuditChain;

use crate::refusal::Refusal;
use crate::shared::Shared;

impl Shared {
    /// Enters the heads of all audit trails that have grown into the key-transparency log. To be
    /// called daily: from then on nobody rewrites them unseen.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn publish_audit_heads(&self) -> Result<(), Refusal> {
        self.publish_heads(|_| true).await.map(drop)
    }

    /// Publishes the heads of the `wanted` chains; returns them.
    pub(crate) async fn publish_heads(
        &self,
        wanted: impl Fn(AuditChain) -> bool,
    ) -> Result<Vec<store::AuditHead>, Refusal> {
        // One after the other: an older head never comes after a newer one.
        let _turn = self.chains.publishing.lock().await;
        let mut heads = self.store.unscoped().audit_heads().await?;
        heads.retain(|(chain, _)| wanted(*chain));
        let leaves = heads.iter().filter_map(|(chain, head)| {
            let head = crypto::audit::AuditHead {
                chain: public_chain(*chain),
                seqno: head.seqno,
                hash: head.hash,
            };
            head.leaf()
        });
        let leaves: Vec<_> = leaves.collect();
        self.commit_with_heads(store::Changes::new(), &leaves)
            .await?;
        Ok(heads.into_iter().map(|(_, head)| head).collect())
    }
}

/// A chain as the key log names it.
pub(crate) fn public_chain(chain: AuditChain) -> crypto::audit::AuditChain {
    match chain {
        AuditChain::Installation => crypto::audit::AuditChain::Installation,
        AuditChain::Hub(hub) => crypto::audit::AuditChain::Hub(crate::chains::hub_of(hub)),
    }
}
