//! The one way to write.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::StoreError;
use crate::open::Store;
use crate::row::{
    BanRow, BindingRow, CallEnd, CallStart, Caller, CallerHash, OutcomeClass, VoicemailStart,
};

/// The counter from which call ids are taken.
const CALL_ID_COUNTER: &str = "call_id";

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A call began. Kept once; told again, for example because a commit is repeated after an
    /// error, it changes nothing.
    CallStarted(CallStart),
    /// A call is over. Its beginning need not have been kept.
    CallEnded(Box<CallEnd>),
    /// A recording began. Kept once, as a call's beginning is.
    VoicemailStarted(VoicemailStart),
    /// A recording is finished in order.
    VoicemailCompleted {
        /// The recording.
        recording: u64,
        /// Its length.
        length: Duration,
    },
    /// A recording was deleted.
    VoicemailRemoved {
        /// The recording.
        recording: u64,
    },
    /// A phone registered, anew or again.
    BindingUpserted(Box<BindingRow>),
    /// A registration ended.
    BindingRemoved {
        /// Which.
        id: u64,
    },
    /// A hotline file was applied; it gets the next revision number.
    HotlineApplied {
        /// Fingerprint of the body.
        hash: String,
        /// The canonical form.
        body: HotlineBody,
        /// When.
        applied_at: Timestamp,
    },
    /// A number was banned, or its ban changed.
    BanAdded(BanRow),
    /// A ban was lifted.
    BanRemoved {
        /// The hub.
        hub: String,
        /// The keyed hash of the number.
        caller: CallerHash,
    },
    /// A volunteer declared a break, or ended it.
    BreakChanged {
        /// Who.
        volunteer: String,
        /// Since when; `None` when it ended.
        since: Option<Timestamp>,
    },
    /// Something was counted.
    Counted {
        /// The counter's name.
        counter: &'static str,
        /// How much it grows.
        by: u32,
    },
}

/// The canonical form of a hotline file. Never printed, because it holds the trunks' passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct HotlineBody(pub String);

impl std::fmt::Debug for HotlineBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HotlineBody(…)")
    }
}

/// What is kept together or not at all, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, change: Change) {
        self.0.push(change);
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Change> for Changes {
    fn from(change: Change) -> Self {
        Self(vec![change])
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}

impl Store {
    /// Keeps all of `changes`, or none. They are on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing of `changes` is kept then.
    pub async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let failed = |error| StoreError::from_sqlx(error, self.path());
        let mut transaction = self
            .writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)?;
        for change in &changes.0 {
            apply(&mut transaction, change)
                .await
                .map_err(|refused| refused.into_error(self))?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Sets `count` call ids aside, for good, and returns the first. Ids of a block that a
    /// crash left unused are never given again.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn allocate_call_ids(&self, count: u32) -> Result<u64, StoreError> {
        let next: i64 = sqlx::query_scalar(
            "INSERT INTO counter (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value \
             RETURNING value",
        )
        .bind(CALL_ID_COUNTER)
        .bind(i64::from(count))
        .fetch_one(&self.writer)
        .await
        .map_err(|error| StoreError::from_sqlx(error, self.path()))?;
        Ok((next - i64::from(count)).cast_unsigned() + 1)
    }

    /// Ends every call whose process died: failed, crashed, at `at`. Returns their ids.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn close_crashed_calls(&self, at: Timestamp) -> Result<Vec<u64>, StoreError> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "UPDATE call SET ended_at = $1, wait = 0, talk = 0, outcome = $2, reason = 'crashed' \
             WHERE outcome IS NULL RETURNING id",
        )
        .bind(at.as_microsecond())
        .bind(OutcomeClass::Failed.as_str())
        .fetch_all(&self.writer)
        .await
        .map_err(|error| StoreError::from_sqlx(error, self.path()))?;
        Ok(ids.into_iter().map(i64::cast_unsigned).collect())
    }
}

/// Why one change was refused.
enum Refused {
    Sql(sqlx::Error),
    AlreadyEnded(u64),
}

impl Refused {
    fn into_error(self, store: &Store) -> StoreError {
        match self {
            Self::Sql(error) => StoreError::from_sqlx(error, store.path()),
            Self::AlreadyEnded(call) => StoreError::AlreadyEnded { call },
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn apply(db: &mut SqliteConnection, change: &Change) -> Result<(), Refused> {
    match change {
        Change::CallStarted(start) => start_call(db, start).await?,
        Change::CallEnded(end) => end_call(db, end).await?,
        Change::VoicemailStarted(start) => start_voicemail(db, start).await?,
        Change::VoicemailCompleted { recording, length } => {
            sqlx::query("UPDATE voicemail SET message = $2, complete = 1 WHERE recording = $1")
                .bind(recording.cast_signed())
                .bind(millis(*length))
                .execute(db)
                .await?;
        }
        Change::VoicemailRemoved { recording } => {
            sqlx::query("DELETE FROM voicemail WHERE recording = $1")
                .bind(recording.cast_signed())
                .execute(db)
                .await?;
        }
        Change::BindingUpserted(binding) => upsert_binding(db, binding).await?,
        Change::BindingRemoved { id } => {
            sqlx::query("DELETE FROM binding WHERE id = $1")
                .bind(id.cast_signed())
                .execute(db)
                .await?;
        }
        Change::HotlineApplied {
            hash,
            body,
            applied_at,
        } => apply_hotline(db, hash, body, *applied_at).await?,
        Change::BanAdded(ban) => add_ban(db, ban).await?,
        Change::BanRemoved { hub, caller } => {
            sqlx::query("DELETE FROM ban WHERE hub = $1 AND caller = $2")
                .bind(hub)
                .bind(caller.0.as_slice())
                .execute(db)
                .await?;
        }
        Change::BreakChanged { volunteer, since } => change_break(db, volunteer, *since).await?,
        Change::Counted { counter, by } => count(db, counter, *by).await?,
    }
    Ok(())
}

async fn start_call(db: &mut SqliteConnection, start: &CallStart) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO call (id, hub, trunk, caller, started_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(start.call.cast_signed())
    .bind(&start.hub)
    .bind(&start.trunk)
    .bind(caller_bytes(&start.caller))
    .bind(start.started_at.as_microsecond())
    .execute(db)
    .await
    .map(drop)
}

async fn end_call(db: &mut SqliteConnection, end: &CallEnd) -> Result<(), Refused> {
    let call = end.start.call.cast_signed();
    let kept = sqlx::query(
        "INSERT INTO call (id, hub, trunk, caller, started_at, ended_at, until_ring, wait, talk, \
         answered_by, recording, message, outcome, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (id) DO UPDATE SET hub = excluded.hub, trunk = excluded.trunk, \
         caller = excluded.caller, started_at = excluded.started_at, \
         ended_at = excluded.ended_at, until_ring = excluded.until_ring, wait = excluded.wait, \
         talk = excluded.talk, answered_by = excluded.answered_by, \
         recording = excluded.recording, message = excluded.message, \
         outcome = excluded.outcome, reason = excluded.reason \
         WHERE call.outcome IS NULL",
    )
    .bind(call)
    .bind(&end.start.hub)
    .bind(&end.start.trunk)
    .bind(caller_bytes(&end.start.caller))
    .bind(end.start.started_at.as_microsecond())
    .bind(end.ended_at.as_microsecond())
    .bind(end.until_ring.map(millis))
    .bind(millis(end.wait))
    .bind(millis(end.talk))
    .bind(&end.answered_by)
    .bind(end.voicemail.map(|(recording, _)| recording.cast_signed()))
    .bind(end.voicemail.map(|(_, length)| millis(length)))
    .bind(end.outcome.as_str())
    .bind(&end.reason)
    .execute(&mut *db)
    .await?;
    if kept.rows_affected() == 0 {
        return Err(Refused::AlreadyEnded(end.start.call));
    }
    for (position, rung) in (1_i64..).zip(&end.rung) {
        sqlx::query(
            "INSERT INTO call_rung (call, position, volunteer, rang) VALUES ($1, $2, $3, $4)",
        )
        .bind(call)
        .bind(position)
        .bind(&rung.volunteer)
        .bind(millis(rung.rang))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn start_voicemail(
    db: &mut SqliteConnection,
    start: &VoicemailStart,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO voicemail (recording, hub, path, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (recording) DO NOTHING",
    )
    .bind(start.recording.cast_signed())
    .bind(&start.hub)
    .bind(&start.path)
    .bind(start.created_at.as_microsecond())
    .execute(db)
    .await
    .map(drop)
}

async fn upsert_binding(db: &mut SqliteConnection, row: &BindingRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO binding (id, account, contact, instance, reg_id, path, transport, local, \
         remote, call_id, cseq, expires_at, user_agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (id) DO UPDATE SET account = excluded.account, contact = excluded.contact, \
         instance = excluded.instance, reg_id = excluded.reg_id, path = excluded.path, \
         transport = excluded.transport, local = excluded.local, remote = excluded.remote, \
         call_id = excluded.call_id, cseq = excluded.cseq, expires_at = excluded.expires_at, \
         user_agent = excluded.user_agent",
    )
    .bind(row.id.cast_signed())
    .bind(&row.account)
    .bind(&row.contact)
    .bind(&row.instance)
    .bind(row.reg_id.map(i64::from))
    .bind(row.path.join("\n"))
    .bind(row.transport.as_str())
    .bind(row.local.to_string())
    .bind(row.remote.to_string())
    .bind(&row.call_id)
    .bind(i64::from(row.cseq))
    .bind(row.expires_at.as_microsecond())
    .bind(&row.user_agent)
    .execute(db)
    .await
    .map(drop)
}

async fn apply_hotline(
    db: &mut SqliteConnection,
    hash: &str,
    body: &HotlineBody,
    applied_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE hotline SET body = NULL WHERE body IS NOT NULL")
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "INSERT INTO hotline (revision, hash, body, applied_at) \
         SELECT coalesce(max(revision), 0) + 1, $1, $2, $3 FROM hotline",
    )
    .bind(hash)
    .bind(&body.0)
    .bind(applied_at.as_microsecond())
    .execute(db)
    .await
    .map(drop)
}

async fn add_ban(db: &mut SqliteConnection, ban: &BanRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO ban (hub, caller, created_at, expires_at, reason) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (hub, caller) DO UPDATE SET created_at = excluded.created_at, \
         expires_at = excluded.expires_at, reason = excluded.reason",
    )
    .bind(&ban.hub)
    .bind(ban.caller.0.as_slice())
    .bind(ban.created_at.as_microsecond())
    .bind(ban.expires_at.map(Timestamp::as_microsecond))
    .bind(&ban.reason)
    .execute(db)
    .await
    .map(drop)
}

async fn change_break(
    db: &mut SqliteConnection,
    volunteer: &str,
    since: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    let query = match since {
        Some(since) => sqlx::query(
            "INSERT INTO volunteer_break (volunteer, since) VALUES ($1, $2) \
             ON CONFLICT (volunteer) DO NOTHING",
        )
        .bind(volunteer)
        .bind(since.as_microsecond()),
        None => sqlx::query("DELETE FROM volunteer_break WHERE volunteer = $1").bind(volunteer),
    };
    query.execute(db).await.map(drop)
}

async fn count(db: &mut SqliteConnection, counter: &str, by: u32) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO counter (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value",
    )
    .bind(counter)
    .bind(i64::from(by))
    .execute(db)
    .await
    .map(drop)
}

fn caller_bytes(caller: &Caller) -> Option<&[u8]> {
    match caller {
        Caller::Anonymous => None,
        Caller::Known(hash) => Some(&hash.0),
    }
}

/// Whole milliseconds; lengths beyond 292 million years are cut.
fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
