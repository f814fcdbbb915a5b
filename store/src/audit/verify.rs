//! Whether a chain is whole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSummary {
    /// Its end; `None` while it is empty.
    pub head: Option<AuditHead>,
    /// How many entries are there and fit.
    pub verified: u64,
    /// How many expired before them.
    pub expired: u64,
    /// How many of the heads that were kept elsewhere lie in it.
    pub compared: u64,
    /// Numbers of the heads that nothing can be said about: their entries expired.
    pub uncompared: Vec<u64>,
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
    #[error(
        "the trail was rewritten: it no longer contains the head that was kept elsewhere as number {seqno}"
    )]
    Rewritten {
        /// The number of that head.
        seqno: u64,
    },
    /// A head that was kept elsewhere is beyond the end of this chain.
    #[error("the trail was cut off: it once reached entry {seqno}")]
    Cut {
        /// The number of that head.
        seqno: u64,
    },
    /// Entries are said to have expired, but are there, or none of what follows tells of it.
    #[error("entries up to {seqno} are said to have expired, but the trail does not tell of it")]
    Untold {
        /// The number of the last of them.
        seqno: u64,
    },
    /// The installation's chain has nothing in it, although a hotline was applied.
    #[error("the trail is empty, although a hotline was applied: all of it was removed")]
    Emptied,
}

/// An entry as listings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditLine {
    /// One that can be read.
    Entry(AuditRow),
    /// One that says what none of ours says: it was changed.
    Unreadable {
        /// Its number.
        seqno: u64,
        /// When, if that can be read.
        at: Option<Timestamp>,
    },
}

impl AuditLine {
    /// Its number in the chain.
    #[must_use]
    pub fn seqno(&self) -> u64 {
        match self {
            Self::Entry(row) => row.seqno,
            Self::Unreadable { seqno, .. } => *seqno,
        }
    }
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

    /// All chains that there should or may be: the installation's, those of the hubs, and whatever
    /// else has entries, expired ones or an end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit_chains(self) -> Result<BTreeSet<AuditChain>, StoreError> {
        let sql = "SELECT id AS chain FROM hub UNION SELECT chain FROM audit_head \
                   UNION SELECT chain FROM audit UNION SELECT chain FROM audit_segment";
        let chain = |row: &Row| Ok(AuditChain::from_bytes(fixed(row, "chain")?));
        let found = self.reader.query(sql, &[], chain).await?.into_iter();
        Ok(found.chain([AuditChain::Installation]).collect())
    }

    /// Computes a whole chain again. `kept` are heads that were kept elsewhere, if there are any.
    ///
    /// # Errors
    /// See [`StoreError`]. A chain that is not whole is no error of the store: see the inner
    /// result.
    pub async fn verify_audit(
        self,
        chain: AuditChain,
        hash: AuditHash,
        kept: impl IntoIterator<Item = AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.reader
            .verify_chain(chain, hash, kept.into_iter().collect())
            .await
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
        self.reader
            .audit_page(chain, after, at_most(limit), audit_row)
            .await
    }

    /// As [`audit_trail`](Self::audit_trail), for people: an entry that cannot be read is
    /// shown as such.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn audit_lines(
        self,
        chain: AuditChain,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditLine>, StoreError> {
        self.reader
            .audit_page(chain, after, at_most(limit), audit_line)
            .await
    }
}

impl Scoped<'_> {
    /// Entries of the hub's trail after the one numbered `after`, the oldest first; at most 1000.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_AUDIT`]; see [`StoreError`].
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        self.require(Permissions::READ_AUDIT)?;
        let chain = AuditChain::Hub(self.hub().id);
        self.reader()
            .audit_page(chain, after, at_most(limit), audit_line)
            .await
    }

    /// Computes the hub's chain again. `kept` are heads that were kept elsewhere, if there are any.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_AUDIT`]; see [`StoreError`]. A chain
    /// that is not whole is no error of the store: see the inner result.
    pub async fn verify_audit(
        &self,
        hash: AuditHash,
        kept: impl IntoIterator<Item = AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.require(Permissions::READ_AUDIT)?;
        let chain = AuditChain::Hub(self.hub().id);
        self.reader()
            .verify_chain(chain, hash, kept.into_iter().collect())
            .await
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
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let chain = AuditChain::Installation;
        self.0
            .audit_page(chain, after, at_most(limit), audit_line)
            .await
    }

    /// Computes the installation's chain again. `kept` are heads that were kept elsewhere, if
    /// there are any.
    ///
    /// # Errors
    /// See [`StoreError`]. A chain that is not whole is no error of the store: see the inner
    /// result.
    pub async fn verify_audit(
        &self,
        hash: AuditHash,
        kept: impl IntoIterator<Item = AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        self.0
            .verify_chain(AuditChain::Installation, hash, kept.into_iter().collect())
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
        kept: Vec<AuditHead>,
    ) -> Result<Result<AuditSummary, AuditFault>, StoreError> {
        // What is appended or expires meanwhile would look as if somebody had meddled.
        let mut database = self.snapshot().await?;
        let bytes = chain.bytes();
        let sql = "SELECT last, hash, expired_at FROM audit_segment WHERE chain = $1 ORDER BY last";
        let segments = database.query(sql, args![&bytes], segment).await?;
        let mut walk = match Walk::begin(&segments, &kept) {
            Ok(walk) => walk,
            Err(fault) => return Ok(Err(fault)),
        };
        let sql = "SELECT seqno FROM audit WHERE chain = $1 AND seqno <= $2 LIMIT 1";
        let args = args![&bytes, walk.expired.cast_signed()];
        let left = database.query(sql, args, |row| id(row, "seqno")).await?;
        if !left.is_empty() {
            return Ok(Err(walk.untold()));
        }
        loop {
            let after = walk.end.map_or(0, |end| end.seqno);
            let args = args![&bytes, after.cast_signed(), PAGE_ENTRIES];
            let page = database.query(PAGE_SQL, args, chained_row).await?;
            for (found, row) in &page {
                if let Err(fault) = walk.step(*found, row.as_ref(), hash) {
                    return Ok(Err(fault));
                }
            }
            if (page.len() as u64) < PAGE_ENTRIES.unsigned_abs() {
                break;
            }
        }
        let sql = "SELECT seqno, hash FROM audit_head WHERE chain = $1";
        let noted = database.query(sql, args![&bytes], head).await?.pop();
        if walk.end.is_none() && chain == AuditChain::Installation {
            let sql = "SELECT revision FROM hotline LIMIT 1";
            let applied = database.query(sql, &[], |row| id(row, "revision")).await?;
            if !applied.is_empty() {
                return Ok(Err(AuditFault::Emptied));
            }
        }
        Ok(walk.finish(noted))
    }

    async fn audit_page<T>(
        &self,
        chain: AuditChain,
        after: u64,
        limit: i64,
        decode: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let chain = chain.bytes();
        // No number is beyond what the databases count to.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.query(PAGE_SQL, args![&chain, after, limit], decode)
            .await
    }
}

/// What is left of entries that expired.
struct Segment {
    last: AuditHead,
    /// In microseconds since 1970, as the entry that tells of it has it.
    expired_at: i64,
}

/// How far a chain was followed.
struct Walk {
    end: Option<AuditHead>,
    /// The number of the last entry that expired.
    expired: u64,
    /// When it expired, until an entry told of that.
    untold: Option<i64>,
    /// What is to be compared yet.
    kept: BTreeMap<u64, [u8; 32]>,
    compared: u64,
    uncompared: Vec<u64>,
}

impl Walk {
    fn begin(segments: &[Segment], kept: &[AuditHead]) -> Result<Self, AuditFault> {
        let newest = segments.last();
        let expired = newest.map_or(0, |newest| newest.last.seqno);
        let mut walk = Self {
            end: newest.map(|newest| newest.last),
            expired,
            untold: newest.map(|newest| newest.expired_at),
            kept: BTreeMap::new(),
            compared: 0,
            uncompared: Vec::new(),
        };
        // None was ever numbered 0, or beyond what the databases count to.
        let numbers = 1..=i64::MAX.cast_unsigned();
        if segments.iter().any(|s| !numbers.contains(&s.last.seqno)) {
            return Err(walk.untold());
        }
        for AuditHead { seqno, hash } in kept {
            let other = walk.kept.insert(*seqno, *hash);
            if *seqno == 0 || other.is_some_and(|other| other != *hash) {
                return Err(AuditFault::Rewritten { seqno: *seqno });
            }
        }
        for segment in segments {
            walk.compare(segment.last)?;
        }
        // Within what expired, only the ends of segments can be compared.
        let beyond = walk.kept.split_off(&(expired + 1));
        walk.uncompared = walk.kept.into_keys().collect();
        walk.kept = beyond;
        Ok(walk)
    }

    fn step(
        &mut self,
        found: u64,
        row: Option<&AuditRow>,
        hash: AuditHash,
    ) -> Result<(), AuditFault> {
        let (seqno, previous) = self
            .end
            .map_or((1, [0; 32]), |end| (end.seqno + 1, end.hash));
        if found != seqno {
            return Err(AuditFault::Missing { seqno });
        }
        let row = row.ok_or(AuditFault::Changed { seqno })?;
        if hash(&previous, &row.entry.canonical(seqno)) != row.hash {
            return Err(AuditFault::Changed { seqno });
        }
        let here = AuditHead {
            seqno,
            hash: row.hash,
        };
        self.compare(here)?;
        let entry = &row.entry;
        if entry.kind == AuditKind::AuditExpired && self.untold == Some(entry.at.as_microsecond()) {
            self.untold = None;
        }
        self.end = Some(here);
        Ok(())
    }

    /// Compares what was kept elsewhere of the number of `here`.
    fn compare(&mut self, here: AuditHead) -> Result<(), AuditFault> {
        match self.kept.remove(&here.seqno) {
            None => Ok(()),
            Some(kept) if kept == here.hash => {
                self.compared += 1;
                Ok(())
            }
            Some(_) => Err(AuditFault::Rewritten { seqno: here.seqno }),
        }
    }

    /// `noted` is the end that the database notes beside the entries.
    fn finish(self, noted: Option<AuditHead>) -> Result<AuditSummary, AuditFault> {
        if noted != self.end {
            return Err(AuditFault::End);
        }
        if let Some((seqno, _)) = self.kept.last_key_value() {
            return Err(AuditFault::Cut { seqno: *seqno });
        }
        // Each time entries expire, an entry is appended that tells of it.
        if self.untold.is_some() {
            return Err(self.untold());
        }
        Ok(AuditSummary {
            head: self.end,
            verified: self.end.map_or(0, |end| end.seqno) - self.expired,
            expired: self.expired,
            compared: self.compared,
            uncompared: self.uncompared,
        })
    }

    fn untold(&self) -> AuditFault {
        AuditFault::Untold {
            seqno: self.expired,
        }
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

fn segment(row: &Row) -> Result<Segment, sqlx::Error> {
    Ok(Segment {
        last: AuditHead {
            seqno: id(row, "last")?,
            hash: fixed(row, "hash")?,
        },
        expired_at: row.get("expired_at")?,
    })
}

/// An entry, or what can be told of one that says what none of ours says.
fn audit_line(row: &Row) -> Result<AuditLine, sqlx::Error> {
    Ok(match audit_row(row) {
        Ok(row) => AuditLine::Entry(row),
        Err(_) => AuditLine::Unreadable {
            seqno: id(row, "seqno")?,
            at: time(row, "at").ok(),
        },
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
