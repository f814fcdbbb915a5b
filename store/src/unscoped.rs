//! All hubs at once.

use std::collections::BTreeMap;

use crate::decode::{fixed, hash, id, millis, optional_fixed, optional_time, small, time, word};
use crate::engine::{Arg, Row, args};
use crate::error::StoreError;
use crate::id::UserId;
use crate::open::Store;
use crate::read::Reader;
use crate::row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallRow, CallStart, Caller, HotlineRow, OutcomeClass,
    RungRow, Transport, VoicemailRow, VoicemailStart,
};
use jiff::Timestamp;

/// Most calls that one query returns.
pub const MAX_CALLS_PER_QUERY: u32 = 1000;

/// Most messages that one query returns.
pub const MAX_VOICEMAILS_PER_QUERY: u32 = 500;

/// Which messages to list, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoicemailFilter {
    /// Only those before this one, to turn the page.
    pub before: Option<u64>,
    /// At most so many; at most [`MAX_VOICEMAILS_PER_QUERY`].
    pub limit: u32,
}

/// Which calls to list, the newest first.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Only those before this one, to turn the page.
    pub before: Option<u64>,
    /// At most so many; at most [`MAX_CALLS_PER_QUERY`].
    pub limit: u32,
}

/// What the box itself reads in order to work, and whoever operates it with commands on the
/// machine: the rows of all hubs, without a person whose role would allow it. Nothing that is
/// asked for over the network goes through this; `cargo xtask check` refuses its name in the
/// panel's code but where the server itself acts.
#[derive(Clone, Copy, Debug)]
pub struct Unscoped<'a> {
    pub(crate) reader: &'a Reader,
}

impl Store {
    /// See [`Reader::unscoped`].
    #[must_use]
    pub fn unscoped(&self) -> Unscoped<'_> {
        self.reader().unscoped()
    }
}

impl<'a> Unscoped<'a> {
    pub(crate) fn new(reader: &'a Reader) -> Self {
        Self { reader }
    }

    /// The registrations, expired ones included, by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bindings(self) -> Result<Vec<BindingRow>, StoreError> {
        self.reader
            .query("SELECT * FROM binding ORDER BY id", &[], binding)
            .await
    }

    /// The hotline file in force.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hotline(self) -> Result<Option<HotlineRow>, StoreError> {
        let sql = "SELECT revision, hash, body, applied_at FROM hotline \
                   WHERE body IS NOT NULL ORDER BY revision DESC LIMIT 1";
        Ok(self.reader.query(sql, &[], hotline).await?.pop())
    }

    /// The bans of `hub` that are in force at `at`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bans(self, hub: &str, at: Timestamp) -> Result<Vec<BanRow>, StoreError> {
        let sql = "SELECT * FROM ban WHERE hub = $1 AND (expires_at IS NULL OR expires_at > $2) \
                   ORDER BY created_at, caller";
        self.reader
            .query(sql, args![hub, at.as_microsecond()], ban)
            .await
    }

    /// The declared breaks.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn breaks(self) -> Result<Vec<BreakRow>, StoreError> {
        let sql = "SELECT * FROM volunteer_break ORDER BY volunteer";
        self.reader.query(sql, &[], on_break).await
    }

    /// The calls of `hub`, or of all hubs, the newest first, live ones included.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn calls(
        self,
        hub: Option<&str>,
        filter: &CallFilter,
    ) -> Result<Vec<CallRow>, StoreError> {
        let sql = "SELECT * FROM call WHERE ($1 IS NULL OR hub = $1) AND ($2 IS NULL OR id < $2) \
                   ORDER BY id DESC LIMIT $3";
        // No number is beyond what the databases count to.
        let before = filter
            .before
            .map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        let limit = i64::from(filter.limit.min(MAX_CALLS_PER_QUERY));
        let rows = self
            .reader
            .rows(sql, &[Arg::Text(hub), Arg::from(before), Arg::from(limit)])
            .await?;
        let mut rung = match (rows.last(), rows.first()) {
            (Some(oldest), Some(newest)) => self.rung(oldest, newest).await?,
            _ => BTreeMap::new(),
        };
        rows.iter()
            .map(|row| call(row, &mut rung).map_err(|error| self.reader.failed(error)))
            .collect()
    }

    /// The calls without outcome: live ones, or those that a crash cut off.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_calls(self) -> Result<Vec<CallStart>, StoreError> {
        let sql = "SELECT * FROM call WHERE outcome IS NULL ORDER BY id";
        self.reader.query(sql, &[], call_start).await
    }

    /// The recordings of `hub`, or of all hubs, the newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn voicemails(
        self,
        hub: Option<&str>,
        filter: VoicemailFilter,
    ) -> Result<Vec<VoicemailRow>, StoreError> {
        let sql = "SELECT * FROM voicemail WHERE ($1 IS NULL OR hub = $1) \
                   AND ($2 IS NULL OR recording < $2) ORDER BY recording DESC LIMIT $3";
        // No number is beyond what the databases count to.
        let before = filter
            .before
            .map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        let limit = i64::from(filter.limit.min(MAX_VOICEMAILS_PER_QUERY));
        let args = [Arg::Text(hub), Arg::from(before), Arg::from(limit)];
        self.reader.query(sql, &args, voicemail).await
    }

    /// The value of a counter; 0 before it was first counted.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn counter(self, name: &str) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = $1";
        let found = self
            .reader
            .query(sql, args![name], |row| id(row, "value"))
            .await?;
        Ok(found.first().copied().unwrap_or(0))
    }

    /// What may be known of a key of the data folder with which rows are written; `None` before
    /// the first use of one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn key_mark(self, key: &str) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = "SELECT mark FROM key_mark WHERE key = $1";
        let found = self
            .reader
            .query(sql, args![key], |row| fixed(row, "mark"))
            .await?;
        Ok(found.first().copied())
    }

    /// Who was rung in the calls between two, both included.
    async fn rung(
        self,
        oldest: &Row,
        newest: &Row,
    ) -> Result<BTreeMap<u64, Vec<RungRow>>, StoreError> {
        let sql = "SELECT call, volunteer, rang, answered FROM call_rung \
                   WHERE call BETWEEN $1 AND $2 ORDER BY call, position";
        let bound = |row: &Row| {
            row.get::<i64>("id")
                .map_err(|error| self.reader.failed(error))
        };
        let rung = |row: &Row| {
            let rung = RungRow {
                volunteer: row.get("volunteer")?,
                rang: millis(row.get("rang")?),
                answered: row.get::<i64>("answered")? == 1,
            };
            Ok((id(row, "call")?, rung))
        };
        let mut by_call: BTreeMap<u64, Vec<RungRow>> = BTreeMap::new();
        for (call, rung) in self
            .reader
            .query(sql, args![bound(oldest)?, bound(newest)?], rung)
            .await?
        {
            by_call.entry(call).or_default().push(rung);
        }
        Ok(by_call)
    }
}

fn binding(row: &Row) -> Result<BindingRow, sqlx::Error> {
    let path: String = row.get("path")?;
    Ok(BindingRow {
        id: id(row, "id")?,
        account: row.get("account")?,
        contact: row.get("contact")?,
        instance: row.get("instance")?,
        reg_id: row
            .get::<Option<i64>>("reg_id")?
            .map(|_| small(row, "reg_id"))
            .transpose()?,
        path: path.lines().map(str::to_owned).collect(),
        transport: word(row, "transport", Transport::parse)?,
        local: word(row, "local", |text| text.parse().ok())?,
        remote: word(row, "remote", |text| text.parse().ok())?,
        call_id: row.get("call_id")?,
        cseq: small(row, "cseq")?,
        expires_at: time(row, "expires_at")?,
        user_agent: row.get("user_agent")?,
    })
}

fn hotline(row: &Row) -> Result<HotlineRow, sqlx::Error> {
    Ok(HotlineRow {
        revision: id(row, "revision")?,
        hash: row.get("hash")?,
        body: row.get("body")?,
        applied_at: time(row, "applied_at")?,
    })
}

pub(crate) fn ban(row: &Row) -> Result<BanRow, sqlx::Error> {
    Ok(BanRow {
        hub: row.get("hub")?,
        caller: hash(&row.get::<Vec<u8>>("caller")?)?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        reason: row.get("reason")?,
    })
}

fn on_break(row: &Row) -> Result<BreakRow, sqlx::Error> {
    Ok(BreakRow {
        volunteer: row.get("volunteer")?,
        since: time(row, "since")?,
    })
}

pub(crate) fn call_start(row: &Row) -> Result<CallStart, sqlx::Error> {
    let caller: Option<Vec<u8>> = row.get("caller")?;
    Ok(CallStart {
        call: id(row, "id")?,
        hub: row.get("hub")?,
        trunk: row.get("trunk")?,
        caller: match caller {
            None => Caller::Anonymous,
            Some(bytes) => Caller::Known(hash(&bytes)?),
        },
        started_at: time(row, "started_at")?,
    })
}

fn call(row: &Row, rung: &mut BTreeMap<u64, Vec<RungRow>>) -> Result<CallRow, sqlx::Error> {
    let start = call_start(row)?;
    let Some(ended_at) = optional_time(row, "ended_at")? else {
        return Ok(CallRow::Open(start));
    };
    let until_ring: Option<i64> = row.get("until_ring")?;
    let recording: Option<i64> = row.get("recording")?;
    let message: Option<i64> = row.get("message")?;
    Ok(CallRow::Ended(Box::new(CallEnd {
        rung: rung.remove(&start.call).unwrap_or_default(),
        start,
        ended_at,
        until_ring: until_ring.map(millis),
        wait: millis(row.get("wait")?),
        talk: millis(row.get("talk")?),
        voicemail: recording
            .zip(message)
            .map(|(recording, length)| (recording.cast_unsigned(), millis(length))),
        answered_by: row.get("answered_by")?,
        outcome: word(row, "outcome", OutcomeClass::parse)?,
        reason: row.get("reason")?,
    })))
}

pub(crate) fn voicemail(row: &Row) -> Result<VoicemailRow, sqlx::Error> {
    let length: Option<i64> = row.get("message")?;
    let complete: i64 = row.get("complete")?;
    Ok(VoicemailRow {
        start: VoicemailStart {
            recording: id(row, "recording")?,
            hub: row.get("hub")?,
            path: row.get("path")?,
            created_at: time(row, "created_at")?,
        },
        length: length.map(millis),
        complete: complete == 1,
        header: row.get("header")?,
        heard_at: optional_time(row, "heard_at")?,
        heard_by: optional_fixed(row, "heard_by")?.map(UserId),
    })
}
