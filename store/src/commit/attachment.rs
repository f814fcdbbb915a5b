//! Files, a piece at a time.

use jiff::Timestamp;

use super::Refused;
use super::vault::expect;
use crate::attachment::{
    ATTACHMENT_CHUNK_BYTES, AttachmentRow, MAX_ATTACHMENT_BYTES, MAX_OPEN_UPLOADS,
};
use crate::engine::{Transaction, args};
use crate::id::{HubId, RecordId};

pub(super) async fn begin(db: &mut Transaction, row: &AttachmentRow) -> Result<(), Refused> {
    if row.size > MAX_ATTACHMENT_BYTES {
        return Err(Refused::Conflict("a file that is too long"));
    }
    let attached_to = row.attached_to.as_ref().map(|record| record.0.as_slice());
    let kept = db
        .execute(
            "INSERT INTO attachment (hub, record, attached_to, author, size, created_at) \
             SELECT $1, $2, $3, $4, $5, $6 \
             WHERE NOT EXISTS (SELECT 1 FROM tombstone WHERE hub = $1 AND record = $2) \
             AND NOT EXISTS (SELECT 1 FROM tombstone WHERE hub = $1 AND record = $3) \
             AND (SELECT count(*) FROM attachment WHERE author = $4 AND complete = 0 \
             AND (hub <> $1 OR record <> $2)) < $7 \
             ON CONFLICT (hub, record) DO UPDATE SET hub = excluded.hub \
             WHERE attachment.author = excluded.author AND attachment.size = excluded.size",
            args![
                &row.hub.0,
                &row.record.0,
                attached_to,
                &row.author.0,
                row.size.cast_signed(),
                row.created_at.as_microsecond(),
                i64::from(MAX_OPEN_UPLOADS)
            ],
        )
        .await?;
    expect(kept, "another file of the same id, or one upload too many")
}

pub(super) async fn add_chunk(
    db: &mut Transaction,
    hub: HubId,
    record: RecordId,
    position: u32,
    body: &[u8],
) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO attachment_chunk (hub, record, position, body) \
             SELECT $1, $2, $3, $4 FROM attachment \
             WHERE attachment.hub = $1 AND attachment.record = $2 AND complete = 0 \
             AND (CASE WHEN size - $3 * $6 > $6 THEN $6 ELSE size - $3 * $6 END) = $5 \
             AND ($3 = 0 OR EXISTS (SELECT 1 FROM attachment_chunk AS before \
             WHERE before.hub = $1 AND before.record = $2 AND before.position = $3 - 1)) \
             ON CONFLICT (hub, record, position) DO UPDATE SET position = excluded.position \
             WHERE attachment_chunk.body = excluded.body",
            args![
                &hub.0,
                &record.0,
                i64::from(position),
                body,
                body.len() as i64,
                ATTACHMENT_CHUNK_BYTES as i64
            ],
        )
        .await?;
    expect(kept, "a piece that is not the file's next one")
}

pub(super) async fn complete(
    db: &mut Transaction,
    hub: HubId,
    record: RecordId,
) -> Result<(), Refused> {
    let completed = db
        .execute(
            "UPDATE attachment SET complete = 1 WHERE hub = $1 AND record = $2 \
             AND (SELECT count(*) FROM attachment_chunk AS piece \
             WHERE piece.hub = $1 AND piece.record = $2) = (size + $3 - 1) / $3 \
             AND EXISTS (SELECT 1 FROM record AS body WHERE body.hub = $1 AND body.id = $2 \
             AND body.revision = 1 AND body.author = attachment.author)",
            args![&hub.0, &record.0, ATTACHMENT_CHUNK_BYTES as i64],
        )
        .await?;
    expect(
        completed,
        "a file of which pieces or the record are missing",
    )
}

pub(super) async fn cancel(
    db: &mut Transaction,
    hub: HubId,
    record: RecordId,
) -> Result<(), Refused> {
    let sql = "DELETE FROM attachment WHERE hub = $1 AND record = $2 AND complete = 0";
    db.execute(sql, args![&hub.0, &record.0]).await?;
    Ok(())
}

pub(super) async fn expire(db: &mut Transaction, before: Timestamp) -> Result<(), Refused> {
    let sql = "DELETE FROM attachment WHERE complete = 0 AND created_at < $1";
    db.execute(sql, args![before.as_microsecond()]).await?;
    Ok(())
}
