//! Whether a chain is whole.

use super::{AuditChain, AuditEntry, AuditHash, AuditKind, AuditRow, AuditSubject};
use crate::decode::{fixed, id, optional_fixed, small, time, unreadable};
use crate::engine::{Row, args};
use crate::error::StoreError;
use crate::id::UserId;
use crate::read::Reader;
use crate::role::Permissions;
use crate::scope::Scoped;
use crate::unscoped::Unscoped;
use crate::vault::UserStatus;

/// Most entries of the trail that one query returns.
const MAX_AUDIT_PER_QUERY: u32 = 1000;
/// Entries that are read at once.
const PAGE_ENTRIES: i64 = 500;
const PAGE_SQL: &str =
    "SELECT * FROM audit WHERE chain = $1 AND seqno > $2 ORDER BY seqno LIMIT $3";

/// The end of a chain. Who keeps one elsewhere can later tell whether the chain was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of its last entry.
    pub seqno: u64,
    /// The hash of that entry.
    pub hash: [u8; 32],
}

/// What verification found in a sound chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSummary {
    /// Its end; `None` while it is empty.
    pub head: Option<AuditHead>,
    /// How many entries are there and fit.
    pub verified: u64,
    /// How many expired before them.
    pub expired: u64,
}

/// Why a chain is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// An entry was removed: this one is not where it should be.
    #[error("entry {seqno} is missing")]
    Missing {
        /// Its number.
        seqno: u64,
    },
    /// An entry was changed, or one before it.
    #[error("entry {seqno} was changed")]
    Changed {
        /// Its number.
        seqno: u64,
    },
    /// The last entries were cut off, or the head was changed.
    #[error("the end of the trail is not where it was")]
    End,
    /// A head that was kept elsewhere is not in this chain.
    #[error("the trail was rewritten: it no longer contains the head that was kept elsewhere")]
    Rewritten,
}

impl Unscoped<'_> {
    /// The ends of all chains.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit_heads(self) -> Result<Vec<(AuditChain, AuditHead)>, StoreError> {
        let sql = "SELECT chain, seqno, hash FROM audit_head ORDER BY chain";
        self.reader
            .query(sql, &[], |row| {
                Ok((AuditChain::from_bytes(fixed(row, "chain")?), head(row)?))
            })
            .await
    }

    /// Computes a whole chain again. `kept` is a head that was kept elsewhere, if there is one.
    ///
    /// # Errors
    /// See [`StoreError`]. A chain that is not whole is no error of the store: see the inner
    /// result.
    pub async fn verify_audit(
        self,
        chain: AuditChain,
        hash: AuditHash,
        kept: Option<AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.reader.verify_chain(chain, hash, kept).await
    }

    /// Entries of `chain` after the one numbered `after`, the oldest first; at most 1000.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit_trail(
        self,
        chain: AuditChain,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.reader.audit_page(chain, after, at_most(limit)).await
    }
}

impl Scoped<'_> {
    /// Entries of the hub's trail after the one numbered `after`, the oldest first; at most 1000.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_AUDIT`]; see [`StoreError`].
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.require(Permissions::READ_AUDIT)?;
        let chain = AuditChain::Hub(self.hub().id);
        self.reader().audit_page(chain, after, at_most(limit)).await
    }

    /// Computes the hub's chain again. `kept` is a head that was kept elsewhere, if there is one.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_AUDIT`]; see [`StoreError`]. A chain
    /// that is not whole is no error of the store: see the inner result.
    pub async fn verify_audit(
        &self,
        hash: AuditHash,
        kept: Option<AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.require(Permissions::READ_AUDIT)?;
        let chain = AuditChain::Hub(self.hub().id);
        self.reader().verify_chain(chain, hash, kept).await
    }
}

/// The view of the installation for a person who runs it: its own trail. Those of the hubs are
/// read through their scopes.
#[derive(Debug)]
pub struct Installation<'a>(&'a Reader);

impl Installation<'_> {
    /// Entries of the installation's trail after the one numbered `after`, the oldest first; at
    /// most 1000.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let chain = AuditChain::Installation;
        self.0.audit_page(chain, after, at_most(limit)).await
    }

    /// Computes the installation's chain again. `kept` is a head that was kept elsewhere, if there
    /// is one.
    ///
    /// # Errors
    /// See [`StoreError`]. A chain that is not whole is no error of the store: see the inner
    /// result.
    pub async fn verify_audit(
        &self,
        hash: AuditHash,
        kept: Option<AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.0
            .verify_chain(AuditChain::Installation, hash, kept)
            .await
    }
}

impl Reader {
    /// What `user` may see of the installation.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] unless `user` is active and a super-admin; see [`StoreError`].
    pub async fn installation(&self, user: UserId) -> Result<Installation<'_>, StoreError> {
        let found = self.user(user).await?;
        match found {
            Some(found) if found.super_admin && found.status == UserStatus::Active => {
                Ok(Installation(self))
            }
            _ => Err(StoreError::NotAllowed),
        }
    }

    async fn verify_chain(
        &self,
        chain: AuditChain,
        hash: AuditHash,
        kept: Option<AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        // What is appended or expires meanwhile would look as if somebody had meddled.
        let mut database = self.snapshot().await?;
        let bytes = chain.bytes();
        let sql = "SELECT last AS seqno, hash FROM audit_segment WHERE chain = $1 ORDER BY last";
        let segments = database.query(sql, args![&bytes], head).await?;
        let mut end = segments.last().copied();
        let expired = end.map_or(0, |end| end.seqno);
        let mut kept_is_there = kept.is_none_or(|kept| {
            // Within what expired, only the ends of segments can be compared.
            segments.contains(&kept)
                || (kept.seqno < expired && segments.iter().all(|s| s.seqno != kept.seqno))
        });
        loop {
            let after = end.map_or(0, |end| end.seqno);
            let args = args![&bytes, after.cast_signed(), PAGE_ENTRIES];
            let page = database.query(PAGE_SQL, args, chained_row).await?;
            for (found, row) in &page {
                let (seqno, previous) = end.map_or((1, [0; 32]), |end| (end.seqno + 1, end.hash));
                if *found != seqno {
                    return Ok(Err(AuditFault::Missing { seqno }));
                }
                let Some(row) = row else {
                    return Ok(Err(AuditFault::Changed { seqno }));
                };
                if hash(&previous, &row.entry.canonical(seqno)) != row.hash {
                    return Ok(Err(AuditFault::Changed { seqno }));
                }
                let here = AuditHead {
                    seqno,
                    hash: row.hash,
                };
                kept_is_there |= kept == Some(here);
                end = Some(here);
            }
            if (page.len() as u64) < PAGE_ENTRIES.unsigned_abs() {
                break;
            }
        }
        let sql = "SELECT seqno, hash FROM audit_head WHERE chain = $1";
        if database.query(sql, args![&bytes], head).await?.pop() != end {
            return Ok(Err(AuditFault::End));
        }
        if !kept_is_there {
            return Ok(Err(AuditFault::Rewritten));
        }
        Ok(Ok(AuditSummary {
            head: end,
            verified: end.map_or(0, |end| end.seqno) - expired,
            expired,
        }))
    }

    async fn audit_page(
        &self,
        chain: AuditChain,
        after: u64,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let chain = chain.bytes();
        // No number is beyond what the databases count to.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.query(PAGE_SQL, args![&chain, after, limit], audit_row)
            .await
    }
}

fn at_most(limit: u32) -> i64 {
    i64::from(limit.min(MAX_AUDIT_PER_QUERY))
}

fn head(row: &Row) -> Result<AuditHead, sqlx::Error> {
    Ok(AuditHead {
        seqno: id(row, "seqno")?,
        hash: fixed(row, "hash")?,
    })
}

/// The number of an entry, and the entry unless it says what none of ours says.
fn chained_row(row: &Row) -> Result<(u64, Option<AuditRow>), sqlx::Error> {
    Ok((id(row, "seqno")?, audit_row(row).ok()))
}

fn audit_row(row: &Row) -> Result<AuditRow, sqlx::Error> {
    let kind = AuditKind::from_code(small(row, "kind")?);
    let subject = AuditSubject::decode(small(row, "subject_kind")?, fixed(row, "subject")?);
    Ok(AuditRow {
        seqno: id(row, "seqno")?,
        entry: AuditEntry {
            chain: AuditChain::from_bytes(fixed(row, "chain")?),
            at: time(row, "at")?,
            kind: kind.ok_or_else(|| unreadable("kind"))?,
            actor: optional_fixed(row, "actor")?.map(UserId),
            subject: subject.ok_or_else(|| unreadable("subject"))?,
        },
        hash: fixed(row, "hash")?,
    })
}
