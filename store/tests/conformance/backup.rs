//! A whole database as a stream of bytes, and back.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use store::{CallFilter, CallRow, Change, Changes, Reader, Store, StoreError};

use crate::database::Database;
use crate::folder::{answered, start};

/// More than one page of them.
const CALLS: u64 = 700;

fn all() -> CallFilter {
    CallFilter {
        limit: 1000,
        ..CallFilter::default()
    }
}

async fn fill(store: &Store) {
    let mut changes: Changes = (1..=CALLS)
        .map(|call| Change::CallEnded(Box::new(answered(call))))
        .collect();
    changes.push(Change::CallStarted(start(CALLS + 1)));
    store.commit(changes).await.unwrap();
    store.allocate_call_ids(10).await.unwrap();
}

async fn calls(store: &Store) -> Vec<CallRow> {
    store.unscoped().calls(None, &all()).await.unwrap()
}

pub async fn a_backup_comes_back_on_either_engine(database: Database) {
    let store = database.open().await;
    fill(&store).await;
    let mut backup = Vec::new();
    let rows = store.unscoped().backup(&mut backup).await.unwrap();
    // Calls, two who were rung in each ended one, the counter.
    assert_eq!(rows, CALLS + 1 + 2 * CALLS + 1);
    for target in [
        database.another().await,
        database.on_the_other_engine().await,
    ] {
        let restored = target.open().await;
        assert_eq!(
            restored.restore(&mut backup.as_slice()).await.unwrap(),
            rows
        );
        assert_eq!(calls(&restored).await, calls(&store).await);
        assert_eq!(restored.allocate_call_ids(1).await.unwrap(), 11);
        let mut again = Vec::new();
        restored.unscoped().backup(&mut again).await.unwrap();
        assert_eq!(again.len(), backup.len());
    }
}

/// Stops at the first row, until the test has written another.
struct Paused {
    bytes: Vec<u8>,
    begun: SyncSender<()>,
    go_on: Option<Receiver<()>>,
}

impl Write for Paused {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2_000
            && let Some(go_on) = self.go_on.take()
        {
            self.begun.send(()).unwrap();
            go_on.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub async fn a_backup_is_of_one_moment(database: Database) {
    let store = database.open().await;
    fill(&store).await;
    let before = calls(&store).await;
    let (begun, has_begun) = sync_channel(1);
    let (release, go_on) = sync_channel(1);
    let engine = database.engine().clone();
    let making = std::thread::spawn(move || {
        let mut sink = Paused {
            bytes: Vec::new(),
            begun,
            go_on: Some(go_on),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let reader = Reader::open_on(&engine).await.unwrap();
            reader.unscoped().backup(&mut sink).await.unwrap();
        });
        sink.bytes
    });
    has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
    // The second call has no outcome yet in the copy, the last row is not there at all.
    let end = answered(CALLS + 1);
    store
        .commit(Change::CallEnded(Box::new(end)).into())
        .await
        .unwrap();
    store
        .commit(Change::CallStarted(start(CALLS + 2)).into())
        .await
        .unwrap();
    release.send(()).unwrap();
    let bytes = making.join().unwrap();
    let target = database.another().await;
    let restored = target.open().await;
    restored.restore(&mut bytes.as_slice()).await.unwrap();
    assert_eq!(calls(&restored).await, before);
}

pub async fn a_damaged_backup_is_refused_and_leaves_nothing(database: Database) {
    let store = database.open().await;
    fill(&store).await;
    let mut backup = Vec::new();
    store.unscoped().backup(&mut backup).await.unwrap();
    let target = database.another().await;
    let restored = target.open().await;
    let length = backup.len();
    let places = (0..40).map(|step| step * (length - 1) / 39);
    for place in places {
        let mut damaged = backup.clone();
        damaged[place] ^= 0x20;
        let refused = restored.restore(&mut damaged.as_slice()).await;
        let refused = refused.expect_err("a flipped bit is noticed");
        assert!(
            matches!(
                refused,
                StoreError::DamagedBackup { .. } | StoreError::NewerBackup
            ),
            "{place}: {refused}"
        );
        let cut = restored.restore(&mut &backup[..place]).await;
        assert!(matches!(cut, Err(StoreError::DamagedBackup { .. })));
        assert_eq!(calls(&restored).await, []);
    }
    let mut longer = backup.clone();
    longer.push(0);
    let refused = restored.restore(&mut longer.as_slice()).await.unwrap_err();
    assert!(refused.to_string().contains("something follows its end"));
    restored.restore(&mut backup.as_slice()).await.unwrap();
}

pub async fn a_full_database_takes_in_no_backup(database: Database) {
    let store = database.open().await;
    fill(&store).await;
    let mut backup = Vec::new();
    store.unscoped().backup(&mut backup).await.unwrap();
    let refused = store.restore(&mut backup.as_slice()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotEmpty { .. }), "{refused}");
    assert_eq!(calls(&store).await.len() as u64, CALLS + 1);
}

/// The backup knows the tables by heart; a migration that adds one must tell it.
pub async fn the_copied_tables_are_all_there_are(database: Database) {
    database.open().await.close().await;
    let mut found = database.columns().await;
    found.retain(|name| !name.starts_with("migration."));
    let store = database.open().await;
    let mut backup = Vec::new();
    store.unscoped().backup(&mut backup).await.unwrap();
    let mut known = columns_in(&backup);
    // Left out on purpose.
    for (table, columns) in [
        (
            "session",
            "id person device sign_key created_at seen_at access access_expires_at refresh \
             refresh_expires_at view_key",
        ),
        ("session_spent", "refresh session expires_at"),
    ] {
        let columns = columns.split(' ').map(|name| format!("{table}.{name}"));
        known.extend(columns);
    }
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

/// The columns in the heads of a backup without rows.
fn columns_in(backup: &[u8]) -> Vec<String> {
    fn name<'a>(rest: &mut &'a [u8]) -> &'a str {
        let (length, after) = rest.split_first().unwrap();
        let (name, after) = after.split_at(usize::from(*length));
        *rest = after;
        std::str::from_utf8(name).unwrap()
    }
    let mut rest = &backup[16 + 2 + 4..];
    let mut columns = Vec::new();
    while let [1, after @ ..] = rest {
        rest = after;
        let table = name(&mut rest);
        let (count, after) = rest.split_first().unwrap();
        rest = after;
        for _ in 0..*count {
            columns.push(format!("{table}.{}", name(&mut rest)));
        }
    }
    assert_eq!(rest[0], 0xff, "the backup has no rows");
    columns
}
