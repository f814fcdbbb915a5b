//! What the exchange keeps of a hub: its calls, its messages, its bans.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Scoped;
use crate::decode::{fixed, id, optional_fixed, optional_time, time};
use crate::engine::{Row, args};
use crate::error::StoreError;
use crate::id::{Sealed, UserId};
use crate::role::Permissions;
use crate::row::{BanRow, CallReport, CallRow, CallStart, CallerHash, VoicemailRow};
use crate::unscoped::{CallFilter, VoicemailFilter, ban, call_start, voicemail};

/// Most bans that one query returns.
pub const MAX_BANS_PER_QUERY: u32 = 500;

/// Which bans to list, the oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct BanFilter {
    /// Only those that are in force then.
    pub at: Timestamp,
    /// Only those that were made then or later, to turn the page.
    pub since: Option<Timestamp>,
    /// Of those that were made at exactly `since`, only those of callers after this one.
    pub after: Option<CallerHash>,
    /// At most so many; at most [`MAX_BANS_PER_QUERY`].
    pub limit: u32,
}

/// Which messages the caller of the first argument left in the hub of the second, or in any when
/// that is NULL. A message that a crash cut off is not named by the row of its call, whose number
/// it has.
macro_rules! left_by_caller_sql {
    () => {
        "($2 IS NULL OR voicemail.hub = $2) AND recording IN \
         (SELECT id FROM call WHERE caller = $1 UNION \
         SELECT call.recording FROM call WHERE caller = $1 AND call.recording IS NOT NULL)"
    };
}
pub(crate) use left_by_caller_sql;

impl Scoped<'_> {
    /// The hub's calls, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_CALLS`]; see [`StoreError`].
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        self.require(Permissions::READ_CALLS)?;
        let all = self.reader.unscoped();
        all.calls(Some(&self.hub.name), filter).await
    }

    /// The volunteers who were rung in the hub's calls from `first` to `last`, by their names in
    /// the hotline file, and the persons that they are known to be.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_CALLS`]; see [`StoreError`].
    pub async fn people_rung(
        &self,
        first: u64,
        last: u64,
    ) -> Result<BTreeMap<String, UserId>, StoreError> {
        self.require(Permissions::READ_CALLS)?;
        let sql = "SELECT volunteer, person FROM phone_account WHERE person IS NOT NULL \
                   AND volunteer IN (SELECT call_rung.volunteer FROM call_rung \
                   JOIN call ON call.id = call_rung.call \
                   WHERE call.hub = $1 AND call.id BETWEEN $2 AND $3)";
        let args = args![&self.hub.name, first.cast_signed(), last.cast_signed()];
        let known = |row: &Row| Ok((row.get("volunteer")?, UserId(fixed(row, "person")?)));
        Ok(self
            .reader
            .query(sql, args, known)
            .await?
            .into_iter()
            .collect())
    }

    /// Which of the hub's calls from `first` to `last` were reported as abuse.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_CALLS`]; see [`StoreError`].
    pub async fn reports(
        &self,
        first: u64,
        last: u64,
    ) -> Result<BTreeMap<u64, CallReport>, StoreError> {
        self.require(Permissions::READ_CALLS)?;
        let sql = "SELECT id, reported_at, reported_by FROM call \
                   WHERE hub = $1 AND id BETWEEN $2 AND $3 AND reported_at IS NOT NULL";
        let args = args![&self.hub.name, first.cast_signed(), last.cast_signed()];
        let reported = |row: &Row| Ok((id(row, "id")?, report(row)?));
        let found = self.reader.query(sql, args, reported).await?;
        Ok(found.into_iter().collect())
    }

    /// Whether a call was reported as abuse, for whoever may report it; nothing for a call that
    /// is not the hub's.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] unless they have [`Permissions::READ_CALLS`] or answered the
    /// call; see [`StoreError`].
    pub async fn is_reported(&self, call: u64) -> Result<Option<bool>, StoreError> {
        self.require_any(&[Permissions::READ_CALLS, Permissions::TAKE_CALLS])?;
        // Who took over is told apart from who was only rung since the third schema.
        let sql = "SELECT call.reported_at, (SELECT count(*) FROM phone_account AS mine \
                   WHERE mine.person = $3 AND (mine.volunteer = call.answered_by OR EXISTS \
                   (SELECT 1 FROM call_rung WHERE call_rung.call = call.id AND \
                   call_rung.volunteer = mine.volunteer AND call_rung.answered = 1))) AS took \
                   FROM call WHERE call.hub = $1 AND call.id = $2";
        let args = args![&self.hub.name, call.cast_signed(), &self.user.0];
        let found = |row: &Row| {
            let reported = optional_time(row, "reported_at")?.is_some();
            Ok((reported, row.get::<i64>("took")? > 0))
        };
        match self.reader.query(sql, args, found).await?.pop() {
            None => Ok(None),
            Some((reported, took)) if took || self.permissions.has(Permissions::READ_CALLS) => {
                Ok(Some(reported))
            }
            Some(_) => Err(StoreError::NotAllowed),
        }
    }

    /// How one of the hub's calls began, for whoever does something about a call.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] for those who have nothing to do with calls; see [`StoreError`].
    pub async fn call(&self, call: u64) -> Result<Option<CallStart>, StoreError> {
        self.require_any(&[
            Permissions::READ_CALLS,
            Permissions::READ_CALLERS,
            Permissions::MANAGE_BANS,
            Permissions::WRITE_RECORDS,
            Permissions::ERASE,
        ])?;
        let sql = "SELECT * FROM call WHERE hub = $1 AND id = $2";
        let args = args![&self.hub.name, call.cast_signed()];
        Ok(self.reader.query(sql, args, call_start).await?.pop())
    }

    /// The sealed number of a call's caller.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::READ_CALLERS`]; see [`StoreError`].
    pub async fn caller_of(&self, call: u64) -> Result<Option<Sealed>, StoreError> {
        self.require(Permissions::READ_CALLERS)?;
        let sql = "SELECT caller_sealed FROM call WHERE hub = $1 AND id = $2";
        let args = args![&self.hub.name, call.cast_signed()];
        let found = self.reader.query(sql, args, |row| row.get("caller_sealed"));
        Ok(found.await?.pop().flatten().map(Sealed))
    }

    /// The hub's messages, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::HEAR_VOICEMAIL`]; see [`StoreError`].
    pub async fn voicemails(
        &self,
        filter: VoicemailFilter,
    ) -> Result<Vec<VoicemailRow>, StoreError> {
        self.require(Permissions::HEAR_VOICEMAIL)?;
        let all = self.reader.unscoped();
        all.voicemails(Some(&self.hub.name), filter).await
    }

    /// One of the hub's messages.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::HEAR_VOICEMAIL`] or
    /// [`Permissions::ERASE`]; see [`StoreError`].
    pub async fn voicemail(&self, recording: u64) -> Result<Option<VoicemailRow>, StoreError> {
        self.require_any(&[Permissions::HEAR_VOICEMAIL, Permissions::ERASE])?;
        let sql = "SELECT * FROM voicemail WHERE hub = $1 AND recording = $2";
        let args = args![&self.hub.name, recording.cast_signed()];
        Ok(self.reader.query(sql, args, voicemail).await?.pop())
    }

    /// The messages that a caller left in this hub, those that a crash cut off included: what
    /// [`Erasure::Caller`](crate::Erasure::Caller) deletes.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::ERASE`]; see [`StoreError`].
    pub async fn voicemails_of(&self, caller: CallerHash) -> Result<Vec<VoicemailRow>, StoreError> {
        self.require(Permissions::ERASE)?;
        let sql = concat!(
            "SELECT * FROM voicemail WHERE ",
            left_by_caller_sql!(),
            " ORDER BY recording"
        );
        let args = args![&caller.0, &self.hub.name];
        self.reader.query(sql, args, voicemail).await
    }

    /// The messages from `first` to `last` that this person may open, with the wrapped key where
    /// it is not in the file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn my_voicemail(
        &self,
        first: u64,
        last: u64,
    ) -> Result<Vec<(u64, Option<Sealed>)>, StoreError> {
        let sql = "SELECT voicemail.recording, voicemail_reader.wrap FROM voicemail \
                   JOIN voicemail_reader ON voicemail_reader.recording = voicemail.recording \
                   WHERE voicemail.hub = $1 AND voicemail_reader.person = $2 \
                   AND voicemail.recording BETWEEN $3 AND $4 \
                   ORDER BY voicemail.recording DESC";
        let decode = |row: &Row| {
            let wrap: Option<Vec<u8>> = row.get("wrap")?;
            Ok((id(row, "recording")?, wrap.map(Sealed)))
        };
        let args = args![
            &self.hub.name,
            &self.user.0,
            first.cast_signed(),
            last.cast_signed()
        ];
        self.reader.query(sql, args, decode).await
    }

    /// The hub's bans, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_BANS`]; see [`StoreError`].
    pub async fn bans(&self, filter: BanFilter) -> Result<Vec<BanRow>, StoreError> {
        self.require(Permissions::MANAGE_BANS)?;
        let sql = "SELECT * FROM ban WHERE hub = $1 AND (expires_at IS NULL OR expires_at > $2) \
                   AND created_at >= $3 AND (created_at > $3 OR $4 IS NULL OR caller > $4) \
                   ORDER BY created_at, caller LIMIT $5";
        let since = filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
        let after = filter.after.as_ref().map(|after| after.0.as_slice());
        let limit = i64::from(filter.limit.min(MAX_BANS_PER_QUERY));
        let at = filter.at.as_microsecond();
        let args = args![&self.hub.name, at, since, after, limit];
        self.reader.query(sql, args, ban).await
    }
}

fn report(row: &Row) -> Result<CallReport, sqlx::Error> {
    Ok(CallReport {
        at: time(row, "reported_at")?,
        by: optional_fixed(row, "reported_by")?.map(UserId),
    })
}
