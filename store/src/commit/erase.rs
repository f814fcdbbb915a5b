//! Forgetting.

use std::time::Duration;

use jiff::Timestamp;

use super::vault::{expect, expect_super_admin, has_super_admin};
use super::{Refused, exchange};
use crate::engine::{Pool, Transaction, args, postgres, sqlite};
use crate::error::{Place, StoreError};
use crate::id::{HubId, RecordId, Sealed, UserId};
use crate::open::Store;
use crate::row::CallerHash;
use crate::scope::calls::left_by_caller_sql;
use crate::vault::Erasure;

/// How often the log of SQLite is tried to be folded in, and the pause between.
const FOLD_TRIES: u32 = 5;
const FOLD_PAUSE: Duration = Duration::from_millis(200);

/// A record, and the files that go with it.
macro_rules! with_files_sql {
    () => {
        "(SELECT $2 UNION SELECT record FROM attachment WHERE hub = $1 AND attached_to = $2)"
    };
}

/// How many erasures there have been, and of how many the disk has no traces any more.
const ERASURES_COUNTER: &str = "erasures";
const SCRUBBED_COUNTER: &str = "erasures_scrubbed";

pub(super) async fn apply(db: &mut Transaction, erasure: &Erasure) -> Result<(), Refused> {
    exchange::count(db, ERASURES_COUNTER, 1).await?;
    match erasure {
        Erasure::Caller {
            caller,
            hub,
            keep_bans,
        } => caller_of(db, *caller, hub.as_deref(), *keep_bans).await,
        Erasure::Record {
            hub,
            record,
            tombstone,
            at,
        } => {
            let place = (*hub, *record);
            record_of(db, place, tombstone, *at).await
        }
        Erasure::User { user } => person(db, *user).await,
    }
}

/// A record and the files that go with it, whoever may see them: each leaves the same mark.
async fn record_of(
    db: &mut Transaction,
    (hub, record): (HubId, RecordId),
    tombstone: &Sealed,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE record SET header = NULL, body = NULL, manifest = NULL \
               WHERE hub = $1 AND id = $2";
    let erased = db.execute(sql, args![&hub.0, &record.0]).await?;
    expect(erased, "a record that is not here")?;
    db.execute(
        concat!(
            "INSERT INTO tombstone (hub, record, body, erased_at) \
             SELECT DISTINCT hub, id, $3, $4 FROM record WHERE hub = $1 AND id IN ",
            with_files_sql!(),
            " ON CONFLICT (hub, record) DO NOTHING"
        ),
        args![&hub.0, &record.0, &tombstone.0, at.as_microsecond()],
    )
    .await?;
    for sql in [
        concat!(
            "UPDATE record SET header = NULL, body = NULL, manifest = NULL \
             WHERE hub = $1 AND id IN ",
            with_files_sql!()
        ),
        concat!(
            "DELETE FROM record_token WHERE hub = $1 AND record IN ",
            with_files_sql!()
        ),
        "DELETE FROM attachment WHERE hub = $1 AND (record = $2 OR attached_to = $2)",
    ] {
        db.execute(sql, args![&hub.0, &record.0]).await?;
    }
    Ok(())
}

async fn caller_of(
    db: &mut Transaction,
    caller: CallerHash,
    hub: Option<&str>,
    keep_bans: bool,
) -> Result<(), Refused> {
    let hub = crate::engine::Arg::Text(hub);
    let caller = crate::engine::Arg::from(&caller.0);
    // Before the calls no longer tell whose messages they are.
    let sql = concat!("DELETE FROM voicemail WHERE ", left_by_caller_sql!());
    db.execute(sql, &[caller, hub]).await?;
    let sql = "UPDATE call SET caller = NULL, caller_sealed = NULL \
               WHERE caller = $1 AND ($2 IS NULL OR hub = $2)";
    db.execute(sql, &[caller, hub]).await?;
    if !keep_bans {
        let sql = "DELETE FROM ban WHERE caller = $1 AND ($2 IS NULL OR hub = $2)";
        db.execute(sql, &[caller, hub]).await?;
    }
    Ok(())
}

/// The records that a person began and whose newest revision is private. Whoever saw an earlier
/// revision has lost it already.
macro_rules! private_sql {
    () => {
        "(SELECT begun.hub, begun.id FROM record AS begun JOIN record AS newest \
         ON newest.hub = begun.hub AND newest.id = begun.id \
         WHERE begun.revision = 1 AND begun.author = $1 AND newest.visibility = 1 \
         AND newest.revision = (SELECT max(revision) FROM record AS any_revision \
         WHERE any_revision.hub = begun.hub AND any_revision.id = begun.id))"
    };
}

/// The names that a person had in hotline files, of now and of before.
macro_rules! names_sql {
    () => {
        "(SELECT account.volunteer FROM phone_account AS account WHERE account.person = $1)"
    };
}

/// The names that erasing this person takes from the calls.
pub(super) async fn names_of(db: &mut Transaction, user: UserId) -> Result<Vec<String>, Refused> {
    let sql = "SELECT volunteer FROM phone_account WHERE person = $1";
    let rows = db.rows(sql, args![&user.0]).await?;
    let names = rows.iter().map(|row| row.get("volunteer"));
    Ok(names.collect::<Result<_, _>>()?)
}

async fn person(db: &mut Transaction, user: UserId) -> Result<(), Refused> {
    let had = has_super_admin(db).await?;
    // Here and not only where it is asked for: a roster may list them in the meantime.
    let sql = "UPDATE person SET status = 'erased', profile = NULL, super_admin = 0 WHERE id = $1 \
               AND NOT EXISTS (SELECT 1 FROM membership WHERE membership.person = $1)";
    let erased = db.execute(sql, args![&user.0]).await?;
    expect(erased, "a person who is still a member, or is not here")?;
    expect_super_admin(db, had).await?;
    for sql in [
        "DELETE FROM session WHERE person = $1",
        "DELETE FROM passkey WHERE person = $1",
        "DELETE FROM vault_share WHERE person = $1",
        "DELETE FROM recovery_escrow WHERE person = $1",
        "DELETE FROM device WHERE person = $1",
        "DELETE FROM backup_code WHERE person = $1",
        "DELETE FROM items_key WHERE person = $1",
        "DELETE FROM attachment WHERE author = $1 AND complete = 0",
        concat!(
            "DELETE FROM record_token WHERE (hub, record) IN ",
            private_sql!()
        ),
        concat!(
            "DELETE FROM attachment WHERE (hub, record) IN ",
            private_sql!()
        ),
        concat!("DELETE FROM record WHERE (hub, id) IN ", private_sql!()),
        // Revisions that were private before the record was shared.
        "DELETE FROM record WHERE visibility = 1 AND EXISTS (SELECT 1 FROM record AS begun \
         WHERE begun.hub = record.hub AND begun.id = record.id AND begun.revision = 1 \
         AND begun.author = $1)",
        concat!(
            "UPDATE call SET answered_by = 'erased' WHERE answered_by IN ",
            names_sql!()
        ),
        concat!(
            "UPDATE call_rung SET volunteer = 'erased' WHERE volunteer IN ",
            names_sql!()
        ),
        concat!(
            "DELETE FROM volunteer_break WHERE volunteer IN ",
            names_sql!()
        ),
        concat!(
            "DELETE FROM shift_member WHERE kind = 'volunteer' AND name IN ",
            names_sql!()
        ),
        concat!(
            "DELETE FROM ring_group_member WHERE volunteer IN ",
            names_sql!()
        ),
        "DELETE FROM phone_account WHERE person = $1",
        "DELETE FROM hub_key_wrap WHERE person = $1",
        "DELETE FROM voicemail_reader WHERE person = $1",
        "UPDATE voicemail SET heard_by = NULL WHERE heard_by = $1",
        "UPDATE call SET reported_by = NULL WHERE reported_by = $1",
        "DELETE FROM invite WHERE invited_by = $1 AND used_at IS NULL",
    ] {
        db.execute(sql, args![&user.0]).await?;
    }
    Ok(())
}

impl Store {
    /// Takes from the disk what erased rows leave behind there: SQLite's log, and the copies
    /// that were made before migrations. PostgreSQL writes its tables anew, which takes as long
    /// as they are large, and keeps commits waiting for one table at a time; see the ADR for
    /// what its own log still holds.
    ///
    /// # Errors
    /// [`StoreError::NotScrubbed`] while somebody reads; see [`StoreError`]. The rows are erased
    /// in any case, and this may be repeated.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        if let Place::File(database) = self.path() {
            sqlite::remove_copies(database)?;
        }
        match &self.writer {
            Pool::Sqlite(pool) => self.fold_log(pool).await,
            Pool::Postgres(_) => {
                // Not where it would be ended after a minute.
                let Pool::Postgres(pool) = self.reader().pool() else {
                    unreachable!("the readers' engine is the writer's");
                };
                match postgres::scrub(pool, self.path()).await {
                    // Somebody reads a table, or backs it up.
                    Err(StoreError::InUse { place }) => Err(StoreError::NotScrubbed { place }),
                    scrubbed => scrubbed,
                }
            }
        }
    }

    /// How many erasures there have been whose traces may still be on the disk: some failed to be
    /// taken from there before the process ended. To be asked before a [`Store::scrub`], and told
    /// to [`Store::note_scrubbed`] after it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn unscrubbed(&self) -> Result<Option<u64>, StoreError> {
        let counters = self.reader().unscoped();
        let erasures = counters.counter(ERASURES_COUNTER).await?;
        let scrubbed = counters.counter(SCRUBBED_COUNTER).await?;
        Ok((scrubbed < erasures).then_some(erasures))
    }

    /// Of so many erasures nothing is on the disk any more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_scrubbed(&self, erasures: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO counter (name, value) VALUES ($1, $2) ON CONFLICT (name) \
                   DO UPDATE SET value = excluded.value WHERE counter.value < excluded.value";
        let args = args![SCRUBBED_COUNTER, erasures.cast_signed()];
        let noted = self.writer.rows(sql, args).await;
        noted
            .map(drop)
            .map_err(|error| StoreError::from_sqlx(error, self.path()))
    }

    async fn fold_log(&self, pool: &sqlx::SqlitePool) -> Result<(), StoreError> {
        for tried in 1..=FOLD_TRIES {
            let folded = sqlite::fold_log(pool).await;
            if folded.map_err(|error| StoreError::from_sqlx(error, self.path()))? {
                return Ok(());
            }
            // Commits go on between the tries.
            if tried < FOLD_TRIES {
                tokio::time::sleep(FOLD_PAUSE).await;
            }
        }
        Err(StoreError::NotScrubbed {
            place: self.path().clone(),
        })
    }
}
