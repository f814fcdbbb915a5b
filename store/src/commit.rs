//! The one way to write.

mod attachment;
mod audit;
mod erase;
mod exchange;
mod forgotten;
mod login;
mod plan;
mod record;
mod session;
mod vault;

pub(crate) use forgotten::ForgottenNames;
pub use session::{Refreshed, SessionRefresh};

use std::time::Duration;

use crate::audit::AuditEntry;
use crate::engine::{Transaction, args};
use crate::error::StoreError;
use crate::id::UserId;
use crate::login::LoginChange;
use crate::open::Store;
use crate::plan::HotlinePlan;
use crate::row::{BanRow, BindingRow, CallEnd, CallStart, CallerHash, VoicemailStart};
use crate::vault::{Erasure, VaultChange};
use forgotten::Before;
use jiff::Timestamp;

/// The counter from which call ids are taken.
const CALL_ID_COUNTER: &str = "call_id";

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A call began. Kept once; told again, for example because a commit is repeated after an
    /// error, it changes nothing.
    CallStarted(CallStart),
    /// A volunteer has the caller of a call. Nothing when the call is over, or not kept; the end
    /// tells it all anew.
    CallAnswered {
        /// The call.
        call: u64,
        /// Who, by their name in the hotline file.
        volunteer: String,
    },
    /// A call was reported as abuse; refused when it has been already, or is not kept.
    CallReported {
        /// The call.
        call: u64,
        /// Who said so.
        by: UserId,
        /// When.
        at: Timestamp,
    },
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
        /// What the server signed of the whole file.
        header: Option<Vec<u8>>,
    },
    /// Somebody has heard a recording; whoever was first stays.
    VoicemailHeard {
        /// The recording.
        recording: u64,
        /// Who.
        by: UserId,
        /// When.
        at: Timestamp,
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
    /// What people look at of the file that was applied in the same commit: replaces the shifts
    /// and groups of all hubs, and keeps which volunteer is which person.
    HotlinePlanned(Box<HotlinePlan>),
    /// A volunteer of the hotline file is this person, or nobody that is known; refused for a
    /// name that is in no hotline file.
    AccountLinked {
        /// The volunteer's name in the file.
        volunteer: String,
        /// Who they are.
        user: Option<UserId>,
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
    /// The rows are written with this key of the data folder from now on.
    KeyMarked {
        /// Which key.
        key: &'static str,
        /// What may be known of it.
        mark: [u8; 32],
    },
    /// A key is gone for good; the rows may go on with another one.
    KeyGivenUp {
        /// Which key.
        key: &'static str,
    },
    /// Something of the vault.
    Vault(VaultChange),
    /// Something about logins.
    Login(LoginChange),
    /// Something happened that the trail must tell, together with the change that it tells of.
    Audited(AuditEntry),
    /// Something is to be forgotten; [`Store::scrub`] then takes its traces from the disk.
    Erased(Erasure),
}

impl From<VaultChange> for Change {
    fn from(change: VaultChange) -> Self {
        Self::Vault(change)
    }
}

impl From<LoginChange> for Change {
    fn from(change: LoginChange) -> Self {
        Self::Login(change)
    }
}

impl From<AuditEntry> for Change {
    fn from(entry: AuditEntry) -> Self {
        Self::Audited(entry)
    }
}

impl From<Erasure> for Change {
    fn from(erasure: Erasure) -> Self {
        Self::Erased(erasure)
    }
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
    pub fn push(&mut self, change: impl Into<Change>) {
        self.0.push(change.into());
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
        let mut before = Vec::new();
        let kept = self.keep(&changes, &mut before).await;
        if kept.is_err() {
            // The latest first, in case that one commit erased a name twice.
            before.reverse();
            self.forgotten.restore(before);
        }
        kept.map_err(|refused| refused.into_error(self))
    }

    async fn keep(&self, changes: &Changes, before: &mut Before) -> Result<(), Refused> {
        let mut transaction = self.writer.begin().await?;
        for change in &changes.0 {
            apply(&mut transaction, change, self, before).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Sets `count` call ids aside, for good, and returns the first. Ids of a block that a
    /// crash left unused are never given again.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn allocate_call_ids(&self, count: u32) -> Result<u64, StoreError> {
        let rows = self
            .writer
            .rows(
                "INSERT INTO counter (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value \
                 RETURNING value",
                args![CALL_ID_COUNTER, i64::from(count)],
            )
            .await
            .map_err(|error| StoreError::from_sqlx(error, self.path()))?;
        let next: Option<i64> = rows
            .first()
            .map(|row| row.at(0))
            .transpose()
            .map_err(|error| StoreError::from_sqlx(error, self.path()))?;
        let next = next.ok_or_else(|| StoreError::Row("the counter of calls".to_owned()))?;
        Ok((next - i64::from(count)).cast_unsigned() + 1)
    }

    /// Ends every call whose process died: failed, crashed, at `at`; and tells the trails of the
    /// hubs that are known, unless the store was opened without a hash function for them. Returns
    /// the ids of the calls.
    ///
    /// # Errors
    /// See [`StoreError`]; no call is ended then.
    pub async fn close_crashed_calls(&self, at: Timestamp) -> Result<Vec<u64>, StoreError> {
        let failed = |error| StoreError::from_sqlx(error, self.path());
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        let closed = exchange::close_crashed_calls(&mut transaction, at, self.audit_hash)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(closed)
    }
}

/// Why one change was refused.
enum Refused {
    Sql(sqlx::Error),
    AlreadyEnded(u64),
    Conflict(&'static str),
    NoAuditHash,
}

impl Refused {
    fn into_error(self, store: &Store) -> StoreError {
        match self {
            Self::Sql(error) => StoreError::from_sqlx(error, store.path()),
            Self::AlreadyEnded(call) => StoreError::AlreadyEnded { call },
            Self::Conflict(what) => StoreError::Conflict { what },
            Self::NoAuditHash => StoreError::NoAuditHash,
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn apply(
    db: &mut Transaction,
    change: &Change,
    store: &Store,
    before: &mut Before,
) -> Result<(), Refused> {
    match change {
        Change::CallStarted(start) => exchange::start_call(db, start).await?,
        Change::CallAnswered { call, volunteer } => {
            exchange::answer_call(db, *call, volunteer).await?;
        }
        Change::CallReported { call, by, at } => {
            exchange::report_call(db, *call, *by, *at).await?;
        }
        Change::CallEnded(end) => {
            exchange::end_call(db, &store.forgotten.leave_out(end)).await?;
        }
        Change::VoicemailStarted(start) => exchange::start_voicemail(db, start).await?,
        Change::VoicemailCompleted {
            recording,
            length,
            header,
        } => exchange::complete_voicemail(db, *recording, *length, header.as_deref()).await?,
        Change::VoicemailHeard { recording, by, at } => {
            let sql = "UPDATE voicemail SET heard_at = $2, heard_by = $3 \
                       WHERE recording = $1 AND heard_at IS NULL";
            let args = args![recording.cast_signed(), at.as_microsecond(), &by.0];
            db.execute(sql, args).await?;
        }
        Change::VoicemailRemoved { recording } => {
            let sql = "DELETE FROM voicemail WHERE recording = $1";
            db.execute(sql, args![recording.cast_signed()]).await?;
        }
        Change::BindingUpserted(binding) => exchange::upsert_binding(db, binding).await?,
        Change::BindingRemoved { id } => {
            let sql = "DELETE FROM binding WHERE id = $1";
            db.execute(sql, args![id.cast_signed()]).await?;
        }
        Change::HotlineApplied {
            hash,
            body,
            applied_at,
        } => exchange::apply_hotline(db, hash, body, *applied_at).await?,
        Change::HotlinePlanned(plan) => plan::replace(db, plan).await?,
        Change::AccountLinked { volunteer, user } => {
            plan::link_account(db, volunteer, *user).await?;
        }
        Change::BanAdded(ban) => exchange::add_ban(db, ban).await?,
        Change::BanRemoved { hub, caller } => {
            let sql = "DELETE FROM ban WHERE hub = $1 AND caller = $2";
            db.execute(sql, args![hub, &caller.0]).await?;
        }
        Change::BreakChanged { volunteer, since } => {
            exchange::change_break(db, volunteer, *since).await?
        }
        Change::Counted { counter, by } => exchange::count(db, counter, *by).await?,
        Change::KeyMarked { key, mark } => {
            let sql = "INSERT INTO key_mark (key, mark) VALUES ($1, $2) \
                       ON CONFLICT (key) DO UPDATE SET mark = excluded.mark";
            db.execute(sql, args![*key, mark]).await?;
        }
        Change::KeyGivenUp { key } => {
            let sql = "DELETE FROM key_mark WHERE key = $1";
            db.execute(sql, args![*key]).await?;
        }
        Change::Vault(change) => vault::apply(db, change).await?,
        Change::Login(change) => login::apply(db, change).await?,
        Change::Audited(entry) => {
            let hash = store.audit_hash.ok_or(Refused::NoAuditHash)?;
            audit::append(db, entry, hash).await?;
        }
        Change::Erased(erasure) => {
            if let Erasure::User { user } = erasure {
                let names = erase::names_of(db, *user).await?;
                before.extend(store.forgotten.forget(names, Timestamp::now()));
            }
            erase::apply(db, erasure).await?;
        }
    }
    Ok(())
}
