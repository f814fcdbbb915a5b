//! Files: sealed bodies that come in pieces and are read in pieces.
//!
//! A file is a record whose body is too long for a row. Its pieces come first; the record, with
//! an empty body, is added in the commit that completes it, and decides who may read it.

use crate::decode::{fixed, id, optional_fixed, time};
use crate::engine::{Arg, Row};
use crate::error::StoreError;
use crate::id::{HubId, RecordId, UserId};
use crate::scope::Scoped;
use jiff::Timestamp;

/// Longest file as it is sealed, in bytes.
pub const MAX_ATTACHMENT_BYTES: u64 = 32 << 20;
/// Length of every piece but the last, in bytes.
pub const ATTACHMENT_CHUNK_BYTES: usize = 64 << 10;
/// Most bytes that one query returns.
pub const MAX_ATTACHMENT_READ_BYTES: u32 = 1 << 20;
/// Most files that one person has begun and not completed.
pub const MAX_OPEN_UPLOADS: u32 = 8;

/// A file, whole or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentRow {
    /// Where.
    pub hub: HubId,
    /// The record that it is the body of.
    pub record: RecordId,
    /// The record that it goes with, and is erased with.
    pub attached_to: Option<RecordId>,
    /// Who uploads it.
    pub author: UserId,
    /// Its length as it is sealed, in bytes; at most [`MAX_ATTACHMENT_BYTES`].
    pub size: u64,
    /// When its first piece was announced.
    pub created_at: Timestamp,
}

/// How far a file has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentState {
    /// The file.
    pub row: AttachmentRow,
    /// How many pieces are here.
    pub chunks: u32,
    /// Whether it is whole and its record is here.
    pub complete: bool,
}

/// What a query for files begins with.
macro_rules! attachment_sql {
    ($condition:literal) => {
        concat!(
            "SELECT attachment.*, (SELECT count(*) FROM attachment_chunk \
             WHERE attachment_chunk.hub = attachment.hub \
             AND attachment_chunk.record = attachment.record) AS chunks FROM attachment \
             WHERE hub = $1 AND ",
            $condition,
            " AND ((complete = 0 AND author = $3) OR (complete = 1 AND EXISTS \
             (SELECT 1 FROM record WHERE record.hub = attachment.hub \
             AND record.id = attachment.record AND ",
            $crate::scope::visible_sql!(),
            "))) ORDER BY created_at, record"
        )
    };
}

impl Scoped<'_> {
    /// A file that this person may read, or is uploading.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn attachment(
        &self,
        record: RecordId,
    ) -> Result<Option<AttachmentState>, StoreError> {
        let sql = attachment_sql!("attachment.record = $4");
        let [own, user] = self.visibility();
        let args = [own, user, Arg::from(&record.0)];
        Ok(self.query(sql, &args, state).await?.pop())
    }

    /// The files that go with a record, as far as this person may read them, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn attachments_of(
        &self,
        record: RecordId,
    ) -> Result<Vec<AttachmentState>, StoreError> {
        let sql = attachment_sql!("attachment.attached_to = $4");
        let [own, user] = self.visibility();
        let args = [own, user, Arg::from(&record.0)];
        self.query(sql, &args, state).await
    }

    /// The records of all files that go with a record, whoever may read them: what is erased along
    /// with it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn erased_with(&self, record: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let sql = "SELECT record FROM attachment WHERE hub = $1 AND attached_to = $2 \
                   AND complete = 1 ORDER BY created_at, record";
        let file = |row: &Row| fixed(row, "record").map(RecordId);
        self.query(sql, &[Arg::from(&record.0)], file).await
    }

    /// At most `length` bytes of a file from the one numbered `from`, and no more than
    /// [`MAX_ATTACHMENT_READ_BYTES`]; `None` when it is not there, pieces are missing, or it is
    /// not for this person. Before it is completed, it is for who uploads it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn attachment_bytes(
        &self,
        record: RecordId,
        from: u64,
        length: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.attachment(record).await?;
        let chunk = ATTACHMENT_CHUNK_BYTES as u64;
        let is_here =
            |found: &AttachmentState| u64::from(found.chunks) == found.row.size.div_ceil(chunk);
        let Some(found) = found.filter(is_here) else {
            return Ok(None);
        };
        let end = found
            .row
            .size
            .min(from.saturating_add(u64::from(length.min(MAX_ATTACHMENT_READ_BYTES))));
        if from >= end {
            return Ok(Some(Vec::new()));
        }
        let (first, last) = (from / chunk, (end - 1) / chunk);
        let sql = "SELECT body FROM attachment_chunk WHERE hub = $1 AND record = $2 \
                   AND position BETWEEN $3 AND $4 ORDER BY position";
        let args = [
            Arg::from(&record.0),
            Arg::from(first.cast_signed()),
            Arg::from(last.cast_signed()),
        ];
        let bodies = self.query(sql, &args, |row| row.get::<Vec<u8>>("body"));
        let mut bytes = bodies.await?.concat();
        // Both lie within a megabyte and a piece of the first.
        bytes.truncate(usize::try_from(end - first * chunk).unwrap_or(0));
        bytes.drain(
            ..usize::try_from(from - first * chunk)
                .unwrap_or(0)
                .min(bytes.len()),
        );
        Ok(Some(bytes))
    }
}

fn state(row: &Row) -> Result<AttachmentState, sqlx::Error> {
    Ok(AttachmentState {
        row: AttachmentRow {
            hub: HubId(fixed(row, "hub")?),
            record: RecordId(fixed(row, "record")?),
            attached_to: optional_fixed(row, "attached_to")?.map(RecordId),
            author: UserId(fixed(row, "author")?),
            size: id(row, "size")?,
            created_at: time(row, "created_at")?,
        },
        chunks: crate::decode::small(row, "chunks")?,
        complete: row.get::<i64>("complete")? == 1,
    })
}
