//! Files: announced, sent in pieces, completed with their record, read in pieces.

use axum::http::Method;
use bytes::Bytes;
use crypto::record::{RecordFront, RecordKind};
use jiff::SignedDuration;
use protocol::{
    BytesQuery, FILE_PIECE_BYTES, FileAnnouncement, FileCompletion, FileList, FileState, Id,
    MAX_READ_BYTES, Topic,
};
use sha2::{Digest, Sha256};
use store::{
    AttachmentRow, AttachmentState, AuditKind, AuditSubject, Change, Changes, MAX_ATTACHMENT_BYTES,
    Permissions, RecordId, RecordRow, Scoped, Sealed, VaultChange,
};

use super::record::rows_of;
use crate::call::{Call, Json, Nothing, Query, Raw};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::sealed::{check_written, class_of, code_of, parts_of, visibility_of};
use crate::sight::Sight;

/// Uploads that are not whole after this time are given up.
const UPLOAD_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

pub(crate) fn routes() -> Routes {
    let write = Access::Hub(Permissions::WRITE_RECORDS);
    let read = Access::HubAny(Permissions::WRITE_RECORDS | Permissions::READ_RECORDS);
    Routes::default()
        .add(
            Method::PUT,
            "/hubs/{hub}/files/{file}",
            write,
            "Announce a file",
            announce,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/files/{file}",
            read,
            "How far a file has come",
            state,
        )
        .add_large(
            FILE_PIECE_BYTES,
            Method::PUT,
            "/hubs/{hub}/files/{file}/pieces/{position}",
            write,
            "Send the next piece of a file",
            add_piece,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/files/{file}",
            write,
            "Complete a file with its record",
            complete,
        )
        .add(
            Method::DELETE,
            "/hubs/{hub}/files/{file}",
            write,
            "Give an upload up",
            cancel,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/files/{file}/bytes",
            read,
            "Bytes of a sealed file",
            bytes,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/records/{record}/files",
            read,
            "The files that go with a record",
            files_of,
        )
}

async fn announce(call: Call, Json(request): Json<FileAnnouncement>) -> Result<Nothing, Refusal> {
    if !(1..=MAX_ATTACHMENT_BYTES).contains(&request.size) {
        return Err(Refusal::malformed("a sealed file has 1 to 33554432 bytes"));
    }
    let scope = call.scope().await?;
    let author = call.caller()?.user;
    let attached_to = request.attached_to.map(|with| RecordId(with.0));
    if let Some(with) = attached_to {
        let rows = rows_of(&call, &scope, with).await?;
        if rows
            .first()
            .is_none_or(|first| first.author != Some(author))
        {
            return Err(Refusal::not_found());
        }
    }
    let mut changes = Changes::new();
    changes.push(VaultChange::UploadsExpired {
        before: call.now - UPLOAD_LIFETIME,
    });
    changes.push(VaultChange::AttachmentBegun(AttachmentRow {
        hub: scope.hub().id,
        record: RecordId(call.id("file")?),
        attached_to,
        author,
        size: request.size,
        created_at: call.now,
    }));
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

/// The caller's upload of the path.
async fn upload(call: &Call, scope: &Scoped<'_>) -> Result<AttachmentState, Refusal> {
    let author = call.caller()?.user;
    let found = scope.attachment(RecordId(call.id("file")?)).await?;
    let found = found.filter(|found| found.row.author == author && !found.complete);
    found.ok_or_else(Refusal::not_found)
}

async fn add_piece(call: Call, Raw(body): Raw) -> Result<Nothing, Refusal> {
    let position: u32 = call.part("position")?;
    let scope = call.scope().await?;
    let found = upload(&call, &scope).await?;
    let change = VaultChange::AttachmentChunkAdded {
        hub: found.row.hub,
        record: found.row.record,
        position,
        body: Sealed(body.to_vec()),
    };
    call.shared
        .store
        .commit(Change::from(change).into())
        .await?;
    Ok(Nothing)
}

async fn complete(call: Call, Json(request): Json<FileCompletion>) -> Result<Nothing, Refusal> {
    let scope = call.scope().await?;
    let file = upload(&call, &scope).await?.row;
    let front = RecordFront::decode(&request.front.0).map_err(Refusal::not_verified)?;
    let context = *front.context();
    let place = context.place();
    if place.kind != RecordKind::Attachment || context.revision() != 1 {
        return Err(Refusal::not_verified(
            "a file is the first revision of an attachment",
        ));
    }
    if place.record.as_bytes() != &file.record.0 {
        return Err(Refusal::not_verified("this is the record of another file"));
    }
    let visibility = visibility_of(request.visibility);
    let class = class_of(&scope, place.kind, file.record, visibility).await?;
    check_written(&call, &front, class).await?;
    check_body(&scope, &file, &front).await?;
    let (header, manifest) = parts_of(&front);
    let record = RecordRow {
        hub: file.hub,
        id: file.record,
        revision: 1,
        kind: code_of(place.kind),
        parent: *context.parent(),
        author: Some(file.author),
        call: None,
        visibility,
        sealed: Some(store::SealedRecord {
            header: Sealed(header),
            body: Sealed(Vec::new()),
            manifest_revision: 1,
            manifest: Sealed(manifest),
        }),
        created_at: call.now,
    };
    let mut changes = Changes::new();
    changes.push(VaultChange::RecordAdded {
        record: Box::new(record),
        tokens: Vec::new(),
    });
    changes.push(VaultChange::AttachmentCompleted {
        hub: file.hub,
        record: file.record,
    });
    let subject = AuditSubject::Record(file.record);
    changes.push(call.noted_in_hub(AuditKind::NoteCreated, subject)?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(file.hub, Topic::Records);
    Ok(Nothing)
}

/// Checks that the pieces are the body that the header names.
async fn check_body(
    scope: &Scoped<'_>,
    file: &AttachmentRow,
    front: &RecordFront,
) -> Result<(), Refusal> {
    let mut hasher = Sha256::new();
    let mut from = 0;
    while from < file.size {
        let piece = scope
            .attachment_bytes(file.record, from, MAX_READ_BYTES)
            .await?;
        let piece = piece.filter(|piece| !piece.is_empty());
        let piece = piece.ok_or_else(|| Refusal::conflict("pieces of the file are missing"))?;
        hasher.update(&piece);
        from += piece.len() as u64;
    }
    match <[u8; 32]>::from(hasher.finalize()) == *front.header().body_hash() {
        true => Ok(()),
        false => Err(Refusal::not_verified(
            "the pieces are not the file that was signed",
        )),
    }
}

async fn cancel(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let scope = call.scope().await?;
    let found = upload(&call, &scope).await?;
    let change = VaultChange::AttachmentCancelled {
        hub: found.row.hub,
        record: found.row.record,
    };
    call.shared
        .store
        .commit(Change::from(change).into())
        .await?;
    Ok(Nothing)
}

/// The file of the path, as far as the caller is shown it.
async fn shown(call: &Call, scope: &Scoped<'_>) -> Result<AttachmentState, Refusal> {
    let found = scope.attachment(RecordId(call.id("file")?)).await?;
    let found = found.ok_or_else(Refusal::not_found)?;
    let sight = Sight::of(call, scope).await?;
    match !found.complete || sight.shows_record(scope, found.row.record).await? {
        true => Ok(found),
        false => Err(Refusal::not_found()),
    }
}

async fn state(call: Call, _: Nothing) -> Result<Json<FileState>, Refusal> {
    let scope = call.scope().await?;
    let found = shown(&call, &scope).await?;
    Ok(Json(file_state(&found)))
}

fn file_state(found: &AttachmentState) -> FileState {
    FileState {
        id: Id(found.row.record.0),
        size: found.row.size,
        attached_to: found.row.attached_to.map(|with| Id(with.0)),
        pieces: found.chunks,
        complete: found.complete,
    }
}

async fn bytes(call: Call, Query(query): Query<BytesQuery>) -> Result<Raw, Refusal> {
    let scope = call.scope().await?;
    let found = shown(&call, &scope).await?.row.record;
    let length = query.length.min(MAX_READ_BYTES);
    let bytes = scope.attachment_bytes(found, query.from, length).await?;
    let bytes = bytes.ok_or_else(Refusal::not_found)?;
    Ok(Raw(Bytes::from(bytes)))
}

async fn files_of(call: Call, _: Nothing) -> Result<Json<FileList>, Refusal> {
    let scope = call.scope().await?;
    let record = RecordId(call.id("record")?);
    rows_of(&call, &scope, record).await?;
    let sight = Sight::of(&call, &scope).await?;
    let mut files = Vec::new();
    for found in scope.attachments_of(record).await? {
        if found.complete && sight.shows_record(&scope, found.row.record).await? {
            files.push(file_state(&found));
        }
    }
    Ok(Json(FileList { files }))
}
