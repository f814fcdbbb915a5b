//! Appending to the audit trail, and letting its oldest part expire.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::audit::{AuditChain, AuditEntry, AuditHash, AuditKind, AuditSubject};
use crate::decode::{fixed, id};
use crate::engine::{Transaction, args};
use crate::error::StoreError;
use crate::open::Store;

/// Chains `entry` to the newest of its chain, unless it is there already.
pub(super) async fn append(
    db: &mut Transaction,
    entry: &AuditEntry,
    hash: AuditHash,
) -> Result<(), sqlx::Error> {
    let chain = entry.chain.bytes();
    let (subject_kind, subject) = entry.subject.encode();
    let actor = entry.actor.as_ref().map(|actor| actor.0.as_slice());
    let at = entry.at.as_microsecond();
    let kind = i64::from(entry.kind.code());
    let known = db
        .rows(
            "SELECT seqno FROM audit WHERE chain = $1 AND at = $2 AND kind = $3 \
             AND actor IS NOT DISTINCT FROM $4 AND subject_kind = $5 AND subject = $6",
            args![&chain, at, kind, actor, i64::from(subject_kind), &subject],
        )
        .await?;
    if !known.is_empty() {
        return Ok(());
    }
    let sql = "SELECT seqno, hash FROM audit_head WHERE chain = $1";
    let (seqno, previous) = match db.rows(sql, args![&chain]).await?.first() {
        Some(head) => (id(head, "seqno")? + 1, fixed(head, "hash")?),
        None => (1, [0; 32]),
    };
    let hash = hash(&previous, &entry.canonical(seqno));
    let seqno = seqno.cast_signed();
    db.execute(
        "INSERT INTO audit_head (chain, seqno, hash) VALUES ($1, $2, $3) \
         ON CONFLICT (chain) DO UPDATE SET seqno = excluded.seqno, hash = excluded.hash",
        args![&chain, seqno, &hash],
    )
    .await?;
    db.execute(
        "INSERT INTO audit (chain, seqno, at, kind, actor, subject_kind, subject, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            &chain,
            seqno,
            at,
            kind,
            actor,
            i64::from(subject_kind),
            &subject,
            &hash
        ],
    )
    .await
    .map(drop)
}

impl Store {
    /// Lets the entries of `chain` expire up to the first one that is not older than `before`,
    /// keeps the hash of the last of them, and tells of it in the same chain and commit. Returns
    /// how many expired.
    ///
    /// # Errors
    /// [`StoreError::NoAuditHash`]; see [`StoreError`]. Nothing expired then.
    pub async fn expire_audit(
        &self,
        chain: AuditChain,
        before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let hash = self.audit_hash.ok_or(StoreError::NoAuditHash)?;
        let failed = |error| StoreError::from_sqlx(error, self.path());
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        let expired = expire(&mut transaction, chain.bytes(), before, at)
            .await
            .map_err(failed)?;
        if expired == 0 {
            return Ok(0);
        }
        let entry = AuditEntry {
            chain,
            at,
            kind: AuditKind::AuditExpired,
            actor: None,
            subject: AuditSubject::Whole,
        };
        append(&mut transaction, &entry, hash)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(expired)
    }

    /// Lets the old entries of `chains` expire, as [`expire_audit`](Self::expire_audit) does.
    /// Returns the chains from which entries expired, and how many.
    ///
    /// # Errors
    /// [`StoreError::NoAuditHash`]; see [`StoreError`]. Chains before the one that failed have
    /// let go of theirs; the call may be repeated.
    pub async fn expire_audits(
        &self,
        chains: &BTreeSet<AuditChain>,
        before: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<(AuditChain, u64)>, StoreError> {
        let mut all = Vec::new();
        for chain in chains.iter().copied() {
            let expired = self.expire_audit(chain, before, at).await?;
            if expired > 0 {
                all.push((chain, expired));
            }
        }
        Ok(all)
    }
}

async fn expire(
    db: &mut Transaction,
    chain: [u8; 16],
    before: Timestamp,
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    db.execute(
        "INSERT INTO audit_segment (chain, last, hash, last_at, expired_at) \
         SELECT chain, seqno, hash, at, $3 FROM audit WHERE chain = $1 AND seqno = \
         (SELECT max(seqno) FROM audit WHERE chain = $1 AND seqno < \
         (SELECT coalesce(min(seqno), 9223372036854775807) FROM audit \
         WHERE chain = $1 AND at >= $2))",
        args![&chain, before.as_microsecond(), at.as_microsecond()],
    )
    .await?;
    db.execute(
        "DELETE FROM audit WHERE chain = $1 AND seqno <= \
         (SELECT coalesce(max(last), 0) FROM audit_segment WHERE chain = $1)",
        args![&chain],
    )
    .await
}
