//! The queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::error::StoreError;
use crate::row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallRow, CallStart, Caller, CallerHash, HotlineRow,
    OutcomeClass, RungRow, Transport, VoicemailRow, VoicemailStart,
};

/// Most calls that one query returns.
pub const MAX_CALLS_PER_QUERY: u32 = 1000;

/// Which calls to list, the newest first.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Only those of this hub.
    pub hub: Option<String>,
    /// Only those before this one, to turn the page.
    pub before: Option<u64>,
    /// At most so many; at most [`MAX_CALLS_PER_QUERY`].
    pub limit: u32,
}

/// Reads a database; knows no way to change it.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
    path: PathBuf,
}

impl Reader {
    pub(crate) fn new(pool: SqlitePool, path: PathBuf) -> Self {
        Self { pool, path }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The registrations, expired ones included, by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bindings(&self) -> Result<Vec<BindingRow>, StoreError> {
        let rows = self
            .rows(sqlx::query("SELECT * FROM binding ORDER BY id"))
            .await?;
        rows.iter().map(|row| self.decode(row, binding)).collect()
    }

    /// The hotline file in force.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hotline(&self) -> Result<Option<HotlineRow>, StoreError> {
        let query = sqlx::query(
            "SELECT revision, hash, body, applied_at FROM hotline \
             WHERE body IS NOT NULL ORDER BY revision DESC LIMIT 1",
        );
        let rows = self.rows(query).await?;
        rows.first()
            .map(|row| self.decode(row, hotline))
            .transpose()
    }

    /// The bans of `hub` that are in force at `at`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bans(&self, hub: &str, at: Timestamp) -> Result<Vec<BanRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM ban WHERE hub = $1 AND (expires_at IS NULL OR expires_at > $2) \
             ORDER BY created_at, caller",
        )
        .bind(hub)
        .bind(at.as_microsecond());
        let rows = self.rows(query).await?;
        rows.iter().map(|row| self.decode(row, ban)).collect()
    }

    /// The declared breaks.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn breaks(&self) -> Result<Vec<BreakRow>, StoreError> {
        let rows = self
            .rows(sqlx::query(
                "SELECT * FROM volunteer_break ORDER BY volunteer",
            ))
            .await?;
        rows.iter().map(|row| self.decode(row, on_break)).collect()
    }

    /// Calls, the newest first, live ones included.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM call WHERE ($1 IS NULL OR hub = $1) AND ($2 IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(&filter.hub)
        .bind(filter.before.map(u64::cast_signed))
        .bind(i64::from(filter.limit.min(MAX_CALLS_PER_QUERY)));
        let rows = self.rows(query).await?;
        let mut rung = match (rows.last(), rows.first()) {
            (Some(oldest), Some(newest)) => self.rung(oldest, newest).await?,
            _ => BTreeMap::new(),
        };
        rows.iter()
            .map(|row| self.decode(row, |row| call(row, &mut rung)))
            .collect()
    }

    /// The calls without outcome: live ones, or those that a crash cut off.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_calls(&self) -> Result<Vec<CallStart>, StoreError> {
        let rows = self
            .rows(sqlx::query(
                "SELECT * FROM call WHERE outcome IS NULL ORDER BY id",
            ))
            .await?;
        rows.iter()
            .map(|row| self.decode(row, call_start))
            .collect()
    }

    /// The recordings of `hub`, or of all hubs, the newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn voicemails(&self, hub: Option<&str>) -> Result<Vec<VoicemailRow>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM voicemail WHERE ($1 IS NULL OR hub = $1) ORDER BY recording DESC",
        )
        .bind(hub);
        let rows = self.rows(query).await?;
        rows.iter().map(|row| self.decode(row, voicemail)).collect()
    }

    /// The value of a counter; 0 before it was first counted.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn counter(&self, name: &str) -> Result<u64, StoreError> {
        let value: Option<i64> = sqlx::query_scalar("SELECT value FROM counter WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| StoreError::from_sqlx(error, &self.path))?;
        Ok(value.unwrap_or(0).cast_unsigned())
    }

    /// Who was rung in the calls between two, both included.
    async fn rung(
        &self,
        oldest: &SqliteRow,
        newest: &SqliteRow,
    ) -> Result<BTreeMap<u64, Vec<RungRow>>, StoreError> {
        let query = sqlx::query(
            "SELECT call, volunteer, rang FROM call_rung WHERE call BETWEEN $1 AND $2 \
             ORDER BY call, position",
        )
        .bind(self.decode(oldest, |row| row.try_get::<i64, _>("id"))?)
        .bind(self.decode(newest, |row| row.try_get::<i64, _>("id"))?);
        let mut by_call: BTreeMap<u64, Vec<RungRow>> = BTreeMap::new();
        for row in &self.rows(query).await? {
            let rung = self.decode(row, |row| {
                Ok(RungRow {
                    volunteer: row.try_get("volunteer")?,
                    rang: millis(row.try_get("rang")?),
                })
            })?;
            let call = self.decode(row, |row| id(row, "call"))?;
            by_call.entry(call).or_default().push(rung);
        }
        Ok(by_call)
    }

    async fn rows(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        query
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::from_sqlx(error, &self.path))
    }

    fn decode<T>(
        &self,
        row: &SqliteRow,
        decode: impl FnOnce(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        decode(row).map_err(|error| StoreError::Row(error.to_string()))
    }
}

fn binding(row: &SqliteRow) -> Result<BindingRow, sqlx::Error> {
    let path: String = row.try_get("path")?;
    Ok(BindingRow {
        id: id(row, "id")?,
        account: row.try_get("account")?,
        contact: row.try_get("contact")?,
        instance: row.try_get("instance")?,
        reg_id: row.try_get("reg_id")?,
        path: path.lines().map(str::to_owned).collect(),
        transport: word(row, "transport", Transport::parse)?,
        local: word(row, "local", |text| text.parse().ok())?,
        remote: word(row, "remote", |text| text.parse().ok())?,
        call_id: row.try_get("call_id")?,
        cseq: row.try_get("cseq")?,
        expires_at: time(row, "expires_at")?,
        user_agent: row.try_get("user_agent")?,
    })
}

fn hotline(row: &SqliteRow) -> Result<HotlineRow, sqlx::Error> {
    Ok(HotlineRow {
        revision: id(row, "revision")?,
        hash: row.try_get("hash")?,
        body: row.try_get("body")?,
        applied_at: time(row, "applied_at")?,
    })
}

fn ban(row: &SqliteRow) -> Result<BanRow, sqlx::Error> {
    Ok(BanRow {
        hub: row.try_get("hub")?,
        caller: hash(row.try_get("caller")?)?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        reason: row.try_get("reason")?,
    })
}

fn on_break(row: &SqliteRow) -> Result<BreakRow, sqlx::Error> {
    Ok(BreakRow {
        volunteer: row.try_get("volunteer")?,
        since: time(row, "since")?,
    })
}

fn call_start(row: &SqliteRow) -> Result<CallStart, sqlx::Error> {
    let caller: Option<&[u8]> = row.try_get("caller")?;
    Ok(CallStart {
        call: id(row, "id")?,
        hub: row.try_get("hub")?,
        trunk: row.try_get("trunk")?,
        caller: match caller {
            None => Caller::Anonymous,
            Some(bytes) => Caller::Known(hash(bytes)?),
        },
        started_at: time(row, "started_at")?,
    })
}

fn call(row: &SqliteRow, rung: &mut BTreeMap<u64, Vec<RungRow>>) -> Result<CallRow, sqlx::Error> {
    let start = call_start(row)?;
    let Some(ended_at) = optional_time(row, "ended_at")? else {
        return Ok(CallRow::Open(start));
    };
    let until_ring: Option<i64> = row.try_get("until_ring")?;
    let recording: Option<i64> = row.try_get("recording")?;
    let message: Option<i64> = row.try_get("message")?;
    Ok(CallRow::Ended(Box::new(CallEnd {
        rung: rung.remove(&start.call).unwrap_or_default(),
        start,
        ended_at,
        until_ring: until_ring.map(millis),
        wait: millis(row.try_get("wait")?),
        talk: millis(row.try_get("talk")?),
        voicemail: recording
            .zip(message)
            .map(|(recording, length)| (recording.cast_unsigned(), millis(length))),
        answered_by: row.try_get("answered_by")?,
        outcome: word(row, "outcome", OutcomeClass::parse)?,
        reason: row.try_get("reason")?,
    })))
}

fn voicemail(row: &SqliteRow) -> Result<VoicemailRow, sqlx::Error> {
    let length: Option<i64> = row.try_get("message")?;
    let complete: i64 = row.try_get("complete")?;
    Ok(VoicemailRow {
        start: VoicemailStart {
            recording: id(row, "recording")?,
            hub: row.try_get("hub")?,
            path: row.try_get("path")?,
            created_at: time(row, "created_at")?,
        },
        length: length.map(millis),
        complete: complete == 1,
    })
}

fn id(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}

fn hash(bytes: &[u8]) -> Result<CallerHash, sqlx::Error> {
    bytes
        .try_into()
        .map(CallerHash)
        .map_err(|_| unreadable("caller"))
}

fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(|_| unreadable(column))
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    match row.try_get::<Option<i64>, _>(column)? {
        None => Ok(None),
        Some(_) => time(row, column).map(Some),
    }
}

fn word<T>(
    row: &SqliteRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    parse(row.try_get(column)?).ok_or_else(|| unreadable(column))
}

fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: "value out of range".into(),
    }
}

/// Lengths are never negative in a database that this program wrote.
fn millis(length: i64) -> Duration {
    Duration::from_millis(u64::try_from(length).unwrap_or(0))
}
