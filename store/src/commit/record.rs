//! What is sealed to readers: records with the words that they are found by, messages, callers.

use super::Refused;
use super::vault::expect;
use crate::engine::{Transaction, args};
use crate::id::{HubId, RecordId, Sealed, UserId};
use crate::vault::{RecordRow, Token, Visibility};

pub(super) async fn add(
    db: &mut Transaction,
    record: &RecordRow,
    tokens: &[Token],
) -> Result<(), Refused> {
    let Some(sealed) = &record.sealed else {
        return Err(Refused::Conflict("a new record without a body"));
    };
    let author = record.author.as_ref().map(|author| author.0.as_slice());
    // The next revision of a record that was not erased; the same one again does no harm.
    let kept = db
        .execute(
            "INSERT INTO record (hub, id, revision, kind, parent, author, call, header, body, \
             manifest_revision, manifest, created_at, visibility) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 \
             WHERE NOT EXISTS (SELECT 1 FROM tombstone WHERE hub = $1 AND record = $2) \
             AND ($3 = 1 OR EXISTS \
             (SELECT 1 FROM record WHERE hub = $1 AND id = $2 AND revision = $3 - 1)) \
             ON CONFLICT (hub, id, revision) DO UPDATE SET id = excluded.id \
             WHERE record.header = excluded.header AND record.body = excluded.body",
            args![
                &record.hub.0,
                &record.id.0,
                i64::from(record.revision),
                i64::from(record.kind),
                &record.parent,
                author,
                record.call.map(u64::cast_signed),
                &sealed.header.0,
                &sealed.body.0,
                i64::from(sealed.manifest_revision),
                &sealed.manifest.0,
                record.created_at.as_microsecond(),
                record.visibility.code()
            ],
        )
        .await?;
    expect(kept, "a revision that does not follow the record")?;
    let sql = "DELETE FROM record_token WHERE hub = $1 AND record = $2";
    db.execute(sql, args![&record.hub.0, &record.id.0]).await?;
    for token in tokens {
        db.execute(
            "INSERT INTO record_token (hub, field, token, record) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (hub, field, token, record) DO NOTHING",
            args![
                &record.hub.0,
                i64::from(token.field),
                &token.word,
                &record.id.0
            ],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn replace_manifest(
    db: &mut Transaction,
    (hub, record, revision): (HubId, RecordId, u32),
    manifest_revision: u32,
    manifest: &Sealed,
    visibility: Visibility,
) -> Result<(), Refused> {
    let replaced = db
        .execute(
            "UPDATE record SET manifest_revision = $4, manifest = $5, visibility = $6 \
             WHERE hub = $1 AND id = $2 AND revision = $3 AND body IS NOT NULL \
             AND (manifest_revision = $4 - 1 OR (manifest_revision = $4 AND manifest = $5))",
            args![
                &hub.0,
                &record.0,
                i64::from(revision),
                i64::from(manifest_revision),
                &manifest.0,
                visibility.code()
            ],
        )
        .await?;
    expect(replaced, "a manifest that does not follow the newest")
}

pub(super) async fn set_voicemail_reader(
    db: &mut Transaction,
    recording: u64,
    user: UserId,
    wrap: Option<&Sealed>,
) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO voicemail_reader (recording, person, wrap) SELECT $1, $2, $3 \
         WHERE NOT EXISTS (SELECT 1 FROM person WHERE id = $2 AND status = 'erased') \
         ON CONFLICT (recording, person) DO UPDATE SET wrap = excluded.wrap",
        args![
            recording.cast_signed(),
            &user.0,
            wrap.map(|wrap| wrap.0.as_slice())
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn seal_caller(
    db: &mut Transaction,
    call: u64,
    sealed: &Sealed,
) -> Result<(), Refused> {
    let sql = "UPDATE call SET caller_sealed = $2 WHERE id = $1";
    let changed = db
        .execute(sql, args![call.cast_signed(), &sealed.0])
        .await?;
    expect(changed, "a call that is not here")
}
