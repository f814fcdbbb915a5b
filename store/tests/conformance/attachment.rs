//! Files: in order, in pieces, for their readers.

use store::{
    ATTACHMENT_CHUNK_BYTES, AttachmentRow, Change, Changes, Erasure, MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENT_READ_BYTES, MAX_OPEN_UPLOADS, RecordId, RecordRow, Sealed, Store, StoreError,
    UserId, VaultChange, Visibility,
};

use crate::database::Database;
use crate::folder::at;
use crate::vault::{ADMIN, ANA, BEN, EVE, NORTE, SUR, added, keep, note, refused, sealed, settled};

/// Three pieces, the last one shorter.
const SIZE: usize = 2 * ATTACHMENT_CHUNK_BYTES + 100;

fn body() -> Vec<u8> {
    (0..SIZE).map(|place| (place % 251) as u8).collect()
}

fn file(id: u8, author: UserId) -> AttachmentRow {
    AttachmentRow {
        hub: NORTE,
        record: RecordId([id; 16]),
        attached_to: Some(RecordId([100; 16])),
        author,
        size: SIZE as u64,
        created_at: at(i64::from(id)),
    }
}

fn begun(row: AttachmentRow) -> VaultChange {
    VaultChange::AttachmentBegun(row)
}

fn piece(id: u8, position: u32, body: &[u8]) -> VaultChange {
    VaultChange::AttachmentChunkAdded {
        hub: NORTE,
        record: RecordId([id; 16]),
        position,
        body: Sealed(body.to_vec()),
    }
}

fn completed(id: u8) -> VaultChange {
    VaultChange::AttachmentCompleted {
        hub: NORTE,
        record: RecordId([id; 16]),
    }
}

/// The record of a file, whose body is elsewhere.
pub fn record(id: u8, author: UserId) -> RecordRow {
    let mut record = note(NORTE, id, 1, author);
    record.sealed.as_mut().unwrap().body = sealed("");
    record
}

/// Brings in a file that goes with the record 100.
pub async fn uploaded(store: &Store, id: u8, record: RecordRow) {
    let author = record.author.unwrap();
    keep(store, begun(file(id, author))).await.unwrap();
    for (position, bytes) in (0..).zip(body().chunks(ATTACHMENT_CHUNK_BYTES)) {
        keep(store, piece(id, position, bytes)).await.unwrap();
    }
    let mut changes = Changes::new();
    changes.push(added(record, &[]));
    changes.push(completed(id));
    store.commit(changes).await.unwrap();
}

pub async fn a_file_comes_in_order_and_is_read_in_pieces(database: Database) {
    let store = settled(&database).await;
    let body = body();
    let pieces: Vec<&[u8]> = body.chunks(ATTACHMENT_CHUNK_BYTES).collect();
    refused(&store, piece(1, 0, pieces[0])).await;
    let file = file(1, ANA);
    keep(&store, begun(file.clone())).await.unwrap();
    keep(&store, piece(1, 0, pieces[0])).await.unwrap();
    keep(&store, piece(1, 0, pieces[0])).await.unwrap();
    for change in [
        piece(1, 0, pieces[1]),
        piece(1, 2, pieces[2]),
        piece(1, 1, &pieces[1][1..]),
        piece(1, 3, &[]),
    ] {
        refused(&store, change).await;
    }
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let found = ana.attachment(file.record).await.unwrap().unwrap();
    assert_eq!(
        (found.row, found.chunks, found.complete),
        (file.clone(), 1, false)
    );
    keep(&store, piece(1, 1, pieces[1])).await.unwrap();
    refused(&store, piece(1, 2, &[0; 101])).await;
    let mut early = Changes::new();
    early.push(added(record(1, ANA), &[]));
    early.push(completed(1));
    let refusal = store.commit(early.clone()).await;
    assert!(matches!(refusal, Err(StoreError::Conflict { .. })));
    keep(&store, piece(1, 2, pieces[2])).await.unwrap();
    refused(&store, completed(1)).await;
    store.commit(early.clone()).await.unwrap();
    store.commit(early).await.unwrap();
    refused(&store, piece(1, 3, &[])).await;

    let read = async |from, length| {
        let read = ana.attachment_bytes(file.record, from, length).await;
        read.unwrap().unwrap()
    };
    assert_eq!(read(0, MAX_ATTACHMENT_READ_BYTES).await, body);
    let chunk = ATTACHMENT_CHUNK_BYTES;
    for (from, length) in [
        (0, 1),
        (chunk - 1, 2),
        (chunk, chunk),
        (7, SIZE),
        (SIZE - 1, 9),
    ] {
        let expected = &body[from..SIZE.min(from + length)];
        let found = read(from as u64, u32::try_from(length).unwrap()).await;
        assert_eq!(found, expected, "{length} from {from}");
    }
    assert!(read(SIZE as u64, 5).await.is_empty());
    assert!(read(u64::MAX, u32::MAX).await.is_empty());
    assert!(read(0, 0).await.is_empty());
}

pub async fn a_file_is_shown_to_whom_its_record_is(database: Database) {
    let store = settled(&database).await;
    uploaded(&store, 1, record(1, ANA)).await;
    let private = RecordRow {
        visibility: Visibility::Private,
        ..record(2, ANA)
    };
    uploaded(&store, 2, private).await;
    keep(&store, begun(file(3, ANA))).await.unwrap();
    let seen = async |user, hub| {
        let scoped = store.scope(user, hub).await.unwrap();
        let listed = scoped.attachments_of(RecordId([100; 16])).await.unwrap();
        let listed: Vec<u8> = listed.iter().map(|found| found.row.record.0[0]).collect();
        for id in 1..=3 {
            let record = RecordId([id; 16]);
            let one = scoped.attachment(record).await.unwrap();
            assert_eq!(one.is_some(), listed.contains(&id));
            let bytes = scoped.attachment_bytes(record, 0, 10).await.unwrap();
            assert_eq!(bytes.is_some(), listed.contains(&id) && id != 3);
        }
        listed
    };
    assert_eq!(seen(ANA, NORTE).await, [1, 2, 3]);
    assert_eq!(seen(ADMIN, NORTE).await, [1]);
    assert!(seen(BEN, NORTE).await.is_empty());
    assert!(seen(EVE, SUR).await.is_empty());
    // Nobody completes a file with a record of their own.
    keep(&store, begun(file(4, ANA))).await.unwrap();
    for (position, bytes) in (0..).zip(body().chunks(ATTACHMENT_CHUNK_BYTES)) {
        keep(&store, piece(4, position, bytes)).await.unwrap();
    }
    let mut changes = Changes::new();
    changes.push(added(record(4, BEN), &[]));
    changes.push(completed(4));
    assert!(store.commit(changes).await.is_err());
}

pub async fn uploads_are_limited_and_given_up(database: Database) {
    let store = settled(&database).await;
    let too_long = AttachmentRow {
        size: MAX_ATTACHMENT_BYTES + 1,
        ..file(1, ANA)
    };
    refused(&store, begun(too_long)).await;
    let most = u8::try_from(MAX_OPEN_UPLOADS).unwrap();
    for id in 1..=most {
        keep(&store, begun(file(id, ANA))).await.unwrap();
        keep(&store, begun(file(id, ANA))).await.unwrap();
    }
    refused(&store, begun(file(50, ANA))).await;
    refused(&store, begun(file(1, BEN))).await;
    keep(&store, begun(file(50, BEN))).await.unwrap();
    let cancelled = VaultChange::AttachmentCancelled {
        hub: NORTE,
        record: RecordId([1; 16]),
    };
    keep(&store, cancelled).await.unwrap();
    uploaded(&store, 51, record(51, ANA)).await;
    keep(&store, begun(file(52, ANA))).await.unwrap();
    let before = at(52);
    keep(&store, VaultChange::UploadsExpired { before })
        .await
        .unwrap();
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let left = ana.attachments_of(RecordId([100; 16])).await.unwrap();
    let left: Vec<u8> = left.iter().map(|found| found.row.record.0[0]).collect();
    assert_eq!(left, [51, 52], "the whole one and the new one");
}

pub async fn an_erased_record_takes_its_files_along(database: Database) {
    let store = settled(&database).await;
    keep(&store, added(note(NORTE, 100, 1, ANA), &[]))
        .await
        .unwrap();
    uploaded(&store, 1, record(1, ANA)).await;
    // Not for who erases it.
    let private = RecordRow {
        visibility: Visibility::Private,
        ..record(5, BEN)
    };
    uploaded(&store, 5, private).await;
    let scope = store.scope(ANA, NORTE).await.unwrap();
    let with = scope.erased_with(RecordId([100; 16])).await.unwrap();
    assert_eq!(with, [RecordId([1; 16]), RecordId([5; 16])]);
    let alone = AttachmentRow {
        attached_to: None,
        ..file(2, ANA)
    };
    keep(&store, begun(alone)).await.unwrap();
    let erased = Erasure::Record {
        hub: NORTE,
        record: RecordId([100; 16]),
        tombstone: sealed("signed"),
        at: at(9),
    };
    keep(&store, Change::from(erased)).await.unwrap();
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(ana.attachment(RecordId([1; 16])).await.unwrap(), None);
    assert!(ana.attachment(RecordId([2; 16])).await.unwrap().is_some());
    refused(&store, begun(file(3, ANA))).await;
    let marks = "SELECT count(*) FROM tombstone JOIN record ON record.hub = tombstone.hub \
                 AND record.id = tombstone.record AND record.header IS NULL";
    assert_eq!(database.number(marks).await, 3);
    let left = "SELECT count(*) FROM record WHERE header IS NOT NULL";
    assert_eq!(database.number(left).await, 0);
    let mut backup = Vec::new();
    store.unscoped().backup(&mut backup).await.unwrap();
    let tail = &body()[..64];
    assert!(!backup.windows(64).any(|window| window == tail));
}
