//! Messages of callers: sealed files that the exchange wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use axum::http::Method;
use bytes::Bytes;
use protocol::{
    Blob, BytesQuery, Id, MAX_READ_BYTES, MAX_VOICEMAILS_PER_PAGE, Topic, VoicemailList,
    VoicemailQuery, VoicemailView,
};
use store::{
    AuditKind, AuditSubject, Change, Changes, Permissions, Scoped, Sealed, VoicemailFilter,
    VoicemailRow,
};

use super::call::millis;
use crate::call::{Call, Json, Nothing, Query, Raw};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::{Shared, unix_ms};

pub(crate) fn routes() -> Routes {
    let hear = Access::Hub(Permissions::HEAR_VOICEMAIL);
    Routes::default()
        .add(
            Method::GET,
            "/hubs/{hub}/voicemails",
            hear,
            "The messages of callers",
            list,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/voicemails/{recording}/bytes",
            hear,
            "Bytes of a sealed message; the trail tells of the first",
            bytes,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/voicemails/{recording}/heard",
            hear,
            "Say that a message was heard; whoever was first stays",
            heard,
        )
        .add(
            Method::DELETE,
            "/hubs/{hub}/voicemails/{recording}",
            Access::Hub(Permissions::ERASE),
            "Delete a message",
            delete,
        )
}

/// Longest front of a message, where the wrapped keys and the salt are (`docs/protocol/voicemail-v1.md`).
const MAX_FRONT_BYTES: u64 = 8 * 1024;

/// Where a message lies; `None` when this server serves none.
fn path_of(shared: &Shared, row: &VoicemailRow) -> Option<PathBuf> {
    let below = Path::new(&row.start.path);
    let mut parts = below.components();
    let inside = parts.all(|part| matches!(part, Component::Normal(_)));
    let data = shared.options.data.as_ref().filter(|_| inside)?;
    Some(data.join(below))
}

/// Runs what waits for the disk where it holds nobody else up.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<Option<T>, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    match done.map_err(Refusal::internal)? {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::internal(error)),
    }
}

async fn list(
    call: Call,
    Query(query): Query<VoicemailQuery>,
) -> Result<Json<VoicemailList>, Refusal> {
    let scope = call.scope().await?;
    let filter = VoicemailFilter {
        before: query.before,
        limit: query
            .limit
            .unwrap_or(MAX_VOICEMAILS_PER_PAGE)
            .clamp(1, MAX_VOICEMAILS_PER_PAGE),
    };
    let rows = scope.voicemails(filter).await?;
    let next = next_page(&rows, filter.limit);
    let mut wraps = wraps_for(&scope, &rows).await?;
    let paths: Vec<_> = rows.iter().map(|row| path_of(&call.shared, row)).collect();
    let sizes = move || -> io::Result<Vec<Option<u64>>> {
        let size = |path: PathBuf| path.metadata().ok().map(|facts| facts.len());
        Ok(paths.into_iter().map(|path| path.and_then(size)).collect())
    };
    let sizes = on_disk(sizes).await?.unwrap_or_default();
    let messages = rows
        .into_iter()
        .zip(sizes)
        .map(|(row, size)| VoicemailView {
            recording: row.start.recording,
            created_at_ms: unix_ms(row.start.created_at),
            length_ms: row.length.map(millis),
            complete: row.complete,
            header: row.header.map(Blob),
            heard_at_ms: row.heard_at.map(unix_ms),
            heard_by: row.heard_by.map(|user| Id(user.0)),
            size,
            wrap: wraps
                .remove(&row.start.recording)
                .flatten()
                .map(|wrap| Blob(wrap.0)),
        });
    Ok(Json(VoicemailList {
        messages: messages.collect(),
        next,
    }))
}

fn next_page(rows: &[VoicemailRow], limit: u32) -> Option<u64> {
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    rows.last()
        .filter(|_| full)
        .map(|last| last.start.recording)
}

/// The caller's keys for the messages `rows`, the newest first, where they are not in the files.
async fn wraps_for(
    scope: &Scoped<'_>,
    rows: &[VoicemailRow],
) -> Result<BTreeMap<u64, Option<Sealed>>, Refusal> {
    let Some((oldest, newest)) = rows.last().zip(rows.first()) else {
        return Ok(BTreeMap::new());
    };
    let (first, last) = (oldest.start.recording, newest.start.recording);
    Ok(scope.my_voicemail(first, last).await?.into_iter().collect())
}

/// The message of the path, of the hub of the path.
async fn found(call: &Call) -> Result<VoicemailRow, Refusal> {
    let recording: u64 = call.part("recording")?;
    let row = call.scope().await?.voicemail(recording).await?;
    row.ok_or_else(Refusal::not_found)
}

async fn bytes(call: Call, Query(query): Query<BytesQuery>) -> Result<Raw, Refusal> {
    let row = found(&call).await?;
    let path = path_of(&call.shared, &row).ok_or_else(Refusal::not_found)?;
    let length = u64::from(query.length.min(MAX_READ_BYTES));
    let read = move || {
        let mut file = File::open(path)?;
        // Some systems refuse to go where no file reaches.
        if query.from >= file.metadata()?.len() {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(query.from))?;
        let mut piece = Vec::new();
        file.take(length).read_to_end(&mut piece)?;
        Ok(piece)
    };
    let piece = on_disk(read).await?.ok_or_else(Refusal::not_found)?;
    // Nobody opens a message without its front.
    if query.from < MAX_FRONT_BYTES {
        let subject = AuditSubject::Recording(row.start.recording);
        let told = call.noted_in_hub(AuditKind::VoicemailHeard, subject)?;
        call.shared.store.commit(Change::from(told).into()).await?;
    }
    Ok(Raw(Bytes::from(piece)))
}

async fn heard(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let row = found(&call).await?;
    let change = Change::VoicemailHeard {
        recording: row.start.recording,
        by: call.caller()?.user,
        at: call.now,
    };
    call.shared.store.commit(change.into()).await?;
    call.shared.notify(call.hub()?.id, Topic::Voicemail);
    Ok(Nothing)
}

/// Deletes the files of messages. To be called before their rows go: a row without a file can be
/// deleted again, a file without a row stays.
pub(super) async fn delete_files(shared: &Shared, rows: &[VoicemailRow]) -> Result<(), Refusal> {
    for row in rows {
        let path = path_of(shared, row);
        let path = path.ok_or_else(|| {
            Refusal::conflict("the file of a message is not where this server keeps files")
        })?;
        on_disk(move || std::fs::remove_file(path)).await?;
    }
    Ok(())
}

async fn delete(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let row = found(&call).await?;
    delete_files(&call.shared, std::slice::from_ref(&row)).await?;
    let recording = row.start.recording;
    let subject = AuditSubject::Recording(recording);
    let mut changes = Changes::new();
    changes.push(Change::VoicemailRemoved { recording });
    changes.push(call.noted_in_hub(AuditKind::VoicemailDeleted, subject)?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(call.hub()?.id, Topic::Voicemail);
    Ok(Nothing)
}
