//! Records: written, revised, shared, read, erased, taken away.

use axum::http::Method;
use crypto::record::{Erasure, RecordFront, RecordKind, SealedRecord};
use protocol::{
    Blob, ExportQuery, Id, IndexToken, MAX_RECORDS_PER_PAGE, MAX_TOKENS_PER_RECORD, NewReaders,
    NewRecord, RecordErasure, RecordHistory, RecordPage, RecordQuery, RecordRevision, Topic,
};
use store::{
    AuditKind, AuditSubject, Changes, Permissions, RecordFilter, RecordId, RecordRow, Scoped,
    Sealed, Token, VaultChange,
};

use crate::call::{Call, Json, Nothing, Query};
use crate::chains::hub_of;
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::scrub::scrub;
use crate::sealed::{
    check_readers, check_written, class_of, code_of, code_of_named, front_of, kind_of, live_device,
    moves_own_wrap, named_visibility, parts_of, visibility_of,
};
use crate::shared::unix_ms;
use crate::sight::Sight;

/// Longest request that writes a record. What is longer is a file.
const MAX_RECORD_REQUEST_BYTES: usize = 512 * 1024;

pub(crate) fn routes() -> Routes {
    let write = Access::Hub(Permissions::WRITE_RECORDS);
    let read = Access::HubAny(Permissions::WRITE_RECORDS | Permissions::READ_RECORDS);
    Routes::default()
        .add_large(
            MAX_RECORD_REQUEST_BYTES,
            Method::POST,
            "/hubs/{hub}/records",
            write,
            "Write a record, or its next revision",
            add,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/records",
            read,
            "The newest revisions of the records that I may see",
            list,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/records/{record}",
            read,
            "All revisions of a record",
            history,
        )
        .add(
            Method::PUT,
            "/hubs/{hub}/records/{record}/readers",
            read,
            "Change who can open a revision; who only reads moves their own wrap to a newer key",
            replace_readers,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/records/{record}/erasure",
            Access::HubAny(Permissions::WRITE_RECORDS | Permissions::ERASE),
            "Erase a record of mine, or any that I see with the permission",
            erase,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/export",
            read,
            "All revisions of my own records, to take away",
            export,
        )
}

/// The newest revision's row, and all rows before it.
pub(super) async fn rows_of(
    call: &Call,
    scope: &Scoped<'_>,
    record: RecordId,
) -> Result<Vec<RecordRow>, Refusal> {
    let rows = scope.record(record).await?;
    let sight = Sight::of(call, scope).await?;
    match rows.last() {
        Some(newest) if sight.shows(newest)? => Ok(rows),
        _ => Err(Refusal::not_found()),
    }
}

async fn add(call: Call, Json(request): Json<NewRecord>) -> Result<Json<RecordRevision>, Refusal> {
    let sealed = SealedRecord::decode(&request.record.0).map_err(Refusal::not_verified)?;
    let (front, body) = (sealed.front(), sealed.body());
    let context = *front.context();
    let kind = context.place().kind;
    if matches!(kind, RecordKind::Attachment | RecordKind::Voicemail) {
        return Err(Refusal::not_verified(
            "files and voicemail have ways of their own",
        ));
    }
    let id = RecordId(*context.place().record.as_bytes());
    let scope = call.scope().await?;
    let visibility = visibility_of(request.visibility);
    let class = class_of(&scope, kind, id, visibility).await?;
    check_written(&call, front, class).await?;
    front
        .header()
        .check_body(body)
        .map_err(Refusal::not_verified)?;
    let tokens = tokens(&request.tokens)?;
    let about = match context.revision() {
        1 if scope.record(id).await?.len() > 1 => {
            return Err(Refusal::conflict("this record has later revisions"));
        }
        1 => check_call(&call, request.call).await?,
        _ => follow(&call, &scope, front, request.call).await?,
    };
    let (header, manifest) = parts_of(front);
    let row = RecordRow {
        hub: scope.hub().id,
        id,
        revision: context.revision(),
        kind: code_of(kind),
        parent: *context.parent(),
        author: Some(call.caller()?.user),
        call: about,
        visibility,
        sealed: Some(store::SealedRecord {
            header: Sealed(header),
            body: Sealed(body.to_vec()),
            manifest_revision: front.manifest().revision(),
            manifest: Sealed(manifest),
        }),
        created_at: call.now,
    };
    let told = match (row.revision, kind) {
        (1, RecordKind::Message) => AuditKind::MessageSent,
        (1, _) => AuditKind::NoteCreated,
        _ => AuditKind::NoteEdited,
    };
    let answer = revision(&row)?;
    let record = Box::new(row);
    let mut changes = Changes::new();
    changes.push(VaultChange::RecordAdded { record, tokens });
    changes.push(call.noted_in_hub(told, AuditSubject::Record(id))?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(scope.hub().id, Topic::Records);
    Ok(Json(answer))
}

fn tokens(named: &[IndexToken]) -> Result<Vec<Token>, Refusal> {
    if named.len() > MAX_TOKENS_PER_RECORD {
        return Err(Refusal::malformed("a record is found by at most 256 words"));
    }
    Ok(named.iter().map(token).collect())
}

pub(super) fn token(named: &IndexToken) -> Token {
    Token {
        field: named.field,
        word: named.token.0,
    }
}

/// A record is about a call of its own hub.
async fn check_call(call: &Call, about: Option<u64>) -> Result<Option<u64>, Refusal> {
    let Some(number) = about else {
        return Ok(None);
    };
    match super::call::find(call, number).await? {
        Some(_) => Ok(about),
        None => Err(Refusal::malformed("this hub had no such call")),
    }
}

/// Checks that `front` is the revision after the newest; returns what call the record is about.
async fn follow(
    call: &Call,
    scope: &Scoped<'_>,
    front: &RecordFront,
    about: Option<u64>,
) -> Result<Option<u64>, Refusal> {
    let id = RecordId(*front.context().place().record.as_bytes());
    let rows = rows_of(call, scope, id).await?;
    let (first, newest) = rows
        .first()
        .zip(rows.last())
        .ok_or_else(Refusal::not_found)?;
    if first.author != Some(call.caller()?.user) {
        return Err(Refusal::not_allowed());
    }
    let previous = front_of(newest)?;
    let previous = previous.ok_or_else(|| Refusal::conflict("this record was erased"))?;
    front
        .check_follows(&previous)
        .map_err(|error| Refusal::conflict(error.to_string()))?;
    match about.is_none() || about == first.call {
        true => Ok(first.call),
        false => Err(Refusal::malformed("a record stays with its call")),
    }
}

async fn list(call: Call, Query(query): Query<RecordQuery>) -> Result<Json<RecordPage>, Refusal> {
    let scope = call.scope().await?;
    let limit = query.limit.unwrap_or(MAX_RECORDS_PER_PAGE);
    let filter = RecordFilter {
        kind: query.kind.map(code_of_named),
        call: query.call,
        after: query.after.map(|after| RecordId(after.0)),
        limit: limit.clamp(1, MAX_RECORDS_PER_PAGE),
    };
    let rows = scope.records(&filter).await?;
    let next = next_page(&rows, filter.limit);
    let sight = Sight::of(&call, &scope).await?;
    let caller = call.caller()?.user;
    let mut records = Vec::new();
    for row in rows {
        let wanted = query.mine != Some(true) || row.author == Some(caller);
        if wanted && row.sealed.is_some() && sight.shows(&row)? {
            records.push(revision(&row)?);
        }
    }
    Ok(Json(RecordPage { records, next }))
}

fn next_page(rows: &[RecordRow], limit: u32) -> Option<Id> {
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    rows.last().filter(|_| full).map(|last| Id(last.id.0))
}

async fn history(call: Call, _: Nothing) -> Result<Json<RecordHistory>, Refusal> {
    let id = RecordId(call.id("record")?);
    let scope = call.scope().await?;
    let rows = rows_of(&call, &scope, id).await?;
    let erased = rows.last().is_some_and(|newest| newest.sealed.is_none());
    let erasure = match erased {
        false => None,
        true => {
            let tombstone = scope.tombstone(id).await?;
            tombstone.map(|tombstone| Blob(tombstone.body.0))
        }
    };
    Ok(Json(RecordHistory {
        revisions: rows.iter().map(revision).collect::<Result<_, _>>()?,
        erasure,
    }))
}

/// A stored revision as clients get it.
fn revision(row: &RecordRow) -> Result<RecordRevision, Refusal> {
    let (_, kind) = kind_of(row.kind)?;
    let record = row.sealed.as_ref().map(|sealed| {
        Blob(
            [
                sealed.header.0.as_slice(),
                &sealed.manifest.0,
                &sealed.body.0,
            ]
            .concat(),
        )
    });
    Ok(RecordRevision {
        id: Id(row.id.0),
        revision: row.revision,
        kind,
        author: row.author.map(|author| Id(author.0)),
        call: row.call,
        visibility: named_visibility(row.visibility),
        created_at_ms: unix_ms(row.created_at),
        record,
    })
}

async fn replace_readers(call: Call, Json(request): Json<NewReaders>) -> Result<Nothing, Refusal> {
    let id = RecordId(call.id("record")?);
    let scope = call.scope().await?;
    let rows = rows_of(&call, &scope, id).await?;
    let next = RecordFront::decode(&request.front.0).map_err(Refusal::not_verified)?;
    let number = next.context().revision();
    let row = rows.iter().find(|row| row.revision == number);
    let row = row.ok_or_else(Refusal::not_found)?;
    let previous = front_of(row)?;
    let previous = previous.ok_or_else(|| Refusal::conflict("this record was erased"))?;
    let visibility = visibility_of(request.visibility);
    let mine = rows
        .first()
        .is_some_and(|first| first.author == row_author(&call));
    if !mine && visibility != row.visibility {
        return Err(Refusal::not_allowed());
    }
    let (kind, _) = kind_of(row.kind)?;
    let class = class_of(&scope, kind, id, visibility).await?;
    check_readers(&call, &next, &previous, class).await?;
    let caller = call.caller()?.user;
    let moved = moves_own_wrap(caller, next.manifest(), previous.manifest());
    // What is kept for the others stays as it is: no list of readers changed.
    let quiet = moved && visibility == row.visibility;
    if !quiet {
        scope.require(Permissions::WRITE_RECORDS)?;
    }
    let (_, manifest) = parts_of(&next);
    let mut changes = Changes::new();
    changes.push(VaultChange::ManifestReplaced {
        hub: scope.hub().id,
        record: id,
        revision: number,
        manifest_revision: next.manifest().revision(),
        manifest: Sealed(manifest),
        visibility,
    });
    if quiet {
        call.shared.store.commit(changes).await?;
        return Ok(Nothing);
    }
    changes.push(call.noted_in_hub(AuditKind::ReadersChanged, AuditSubject::Record(id))?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(scope.hub().id, Topic::Records);
    Ok(Nothing)
}

fn row_author(call: &Call) -> Option<store::UserId> {
    call.caller.as_ref().map(|caller| caller.user)
}

async fn erase(call: Call, Json(request): Json<RecordErasure>) -> Result<Nothing, Refusal> {
    let id = RecordId(call.id("record")?);
    let scope = call.scope().await?;
    let rows = rows_of(&call, &scope, id).await?;
    let mine = rows
        .first()
        .is_some_and(|first| first.author == row_author(&call));
    if !mine {
        scope.require(Permissions::ERASE)?;
    }
    let newest = rows.last().ok_or_else(Refusal::not_found)?;
    let front = front_of(newest)?.ok_or_else(|| Refusal::conflict("this record was erased"))?;
    let erasure = Erasure::decode(&request.erasure.0).map_err(Refusal::not_verified)?;
    let by = live_device(&call, erasure.device()).await?;
    erasure.verify(&by).map_err(Refusal::not_verified)?;
    let hub = scope.hub().id;
    if (erasure.hub(), erasure.record().as_bytes()) != (hub_of(hub), &id.0) {
        return Err(Refusal::not_verified("this erasure is of another record"));
    }
    let through = (erasure.through(), *erasure.last_header());
    if through != (front.context().revision(), front.header().hash()) {
        return Err(Refusal::conflict("the record has another revision by now"));
    }
    // Its files go with it, and leave the same mark.
    let files = scope.erased_with(id).await?;
    let mut changes = Changes::new();
    for record in files.into_iter().chain([id]) {
        changes.push(store::Erasure::Record {
            hub,
            record,
            tombstone: Sealed(erasure.encode()),
            at: call.now,
        });
        let subject = AuditSubject::Record(record);
        changes.push(call.noted_in_hub(AuditKind::RecordErased, subject)?);
    }
    call.shared.store.commit(changes).await?;
    call.shared.notify(hub, Topic::Records);
    scrub(&call.shared).await;
    Ok(Nothing)
}

async fn export(call: Call, Query(query): Query<ExportQuery>) -> Result<Json<RecordPage>, Refusal> {
    let scope = call.scope().await?;
    let (caller, session) = (call.caller()?.user, call.caller()?.session);
    let export = (session, scope.hub().id);
    let after = query.after.map(|after| RecordId(after.0));
    let exports = &call.shared.exports;
    // The pages after the first belong to the same export, and to no other.
    if !after.is_some_and(|after| exports.goes_on(export, after, call.now_ms())) {
        let told = call.noted_in_hub(AuditKind::Exported, AuditSubject::User(caller))?;
        call.shared
            .store
            .commit(store::Change::from(told).into())
            .await?;
    }
    let filter = RecordFilter {
        after,
        limit: MAX_RECORDS_PER_PAGE,
        ..RecordFilter::default()
    };
    let newest = scope.records(&filter).await?;
    let next = next_page(&newest, filter.limit);
    if let Some(next) = next {
        exports.turn(export, RecordId(next.0), call.now_ms());
    }
    let mut records = Vec::new();
    for row in newest.iter().filter(|row| row.author == Some(caller)) {
        for row in scope.record(row.id).await? {
            if row.sealed.is_some() {
                records.push(revision(&row)?);
            }
        }
    }
    Ok(Json(RecordPage { records, next }))
}
