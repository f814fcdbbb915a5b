//! What cannot be opened is refused with a sentence that says what to do.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod folder;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use folder::{Folder, start};
use postgres_for_tests::{Cluster, is_on_disk};
use sqlx::Connection;
use store::{
    BanRow, CallerHash, Change, Changes, Engine, Erasure, PostgresUrl, Reader, Sealed, Store,
    StoreError, StoreOptions, VaultChange,
};

const NOBODY: u32 = 65534;
const CHILD_FOLDER: &str = "CENTRALITA_TEST_UNWRITABLE";

#[tokio::test]
async fn two_servers_cannot_share_a_folder() {
    let folder = Folder::new();
    assert!(!Store::is_in_use(&folder.data()));
    let first = Store::open(&folder.data()).await.unwrap();
    assert!(Store::is_in_use(&folder.data()));
    let second = Store::open(&folder.data()).await.unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }));
    assert!(second.to_string().contains("in use by another centralita"));
    first.close().await;
    assert!(!Store::is_in_use(&folder.data()));
    Store::open(&folder.data()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = Folder::new();
    Store::open(&folder.data()).await.unwrap().close().await;
    let file = folder.data().join("centralita.db");
    let notes = "these are my notes, not a database. ".repeat(100);
    std::fs::write(&file, &notes).unwrap();
    let refused = Store::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert!(refused.to_string().contains("restore a backup"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), notes);
}

#[tokio::test]
async fn an_emptied_database_is_refused_and_its_log_kept() {
    let folder = Folder::new();
    Store::open(&folder.data()).await.unwrap().close().await;
    let file = folder.data().join("centralita.db");
    let log = folder.data().join("centralita.db-wal");
    std::fs::write(&file, "").unwrap();
    std::fs::write(&log, "the newest rows").unwrap();
    let refused = [
        Store::open(&folder.data()).await.unwrap_err(),
        Reader::open(&folder.data()).await.unwrap_err(),
    ];
    for refused in refused {
        assert!(matches!(refused, StoreError::Emptied { .. }), "{refused}");
        assert!(refused.to_string().contains("Restore a backup"));
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"");

    // A new database must not take in what is left of the old one.
    std::fs::remove_file(&file).unwrap();
    let refused = Store::open(&folder.data()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::OrphanedLog { .. }),
        "{refused}"
    );
    assert_eq!(std::fs::read(&log).unwrap(), b"the newest rows");
    std::fs::remove_file(&log).unwrap();
    Store::open(&folder.data()).await.unwrap();
}

#[tokio::test]
async fn a_folder_in_place_of_the_database_is_named() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.data().join("centralita.db")).unwrap();
    let refused = [
        Store::open(&folder.data()).await.unwrap_err(),
        Reader::open(&folder.data()).await.unwrap_err(),
    ];
    for refused in refused {
        assert!(matches!(refused, StoreError::NotAFile { .. }), "{refused}");
        assert!(refused.to_string().contains("is a folder, not a database"));
    }
}

/// A start that is cut off must not leave what the next one refuses.
#[tokio::test]
async fn a_first_start_that_was_cut_off_is_no_obstacle() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.data()).unwrap();
    std::fs::write(folder.data().join("centralita.partial"), "half").unwrap();
    Store::open(&folder.data()).await.unwrap().close().await;
    assert!(!folder.data().join("centralita.partial").exists());
}

#[tokio::test]
async fn a_damaged_page_is_noticed_at_the_start() {
    let folder = Folder::new();
    let store = Store::open(&folder.data()).await.unwrap();
    for call in 1..=400 {
        store
            .commit(Change::CallStarted(start(call)).into())
            .await
            .unwrap();
    }
    store.close().await;
    let file = folder.data().join("centralita.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    assert!(length > 8 * 4096);
    for byte in &mut bytes[length - 3 * 4096..] {
        *byte = !*byte;
    }
    std::fs::write(&file, bytes).unwrap();
    let refused = Store::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_unchanged() {
    let folder = Folder::new();
    Store::open(&folder.data()).await.unwrap().close().await;
    let file = folder.data().join("centralita.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    sqlx::query("INSERT INTO migration (version, name) VALUES (99, 'later')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let before = std::fs::read(&file).unwrap();
    let refused = Store::open(&folder.data()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { found: 99, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("Install the newer version"));
    assert!(std::fs::read(&file).unwrap() == before);
    let refused = Reader::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { .. }));
}

#[tokio::test]
async fn a_listing_before_the_first_start_says_so() {
    let folder = Folder::new();
    let refused = Reader::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Missing { .. }));
    assert!(!folder.data().exists());
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.data(), "").unwrap();
    let refused = Store::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
}

#[tokio::test]
async fn only_the_owner_can_read_the_folder() {
    let folder = Folder::new();
    let data = folder.data();
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Store::open(&data).await.unwrap();
    store
        .commit(Change::CallStarted(start(1)).into())
        .await
        .unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    // The database, its log, the log's index and the lock.
    assert_eq!(files, 4);
}

/// The file as the first version left it, migrated by sqlx.
async fn first_schema(folder: &Folder) -> std::path::PathBuf {
    std::fs::create_dir(folder.data()).unwrap();
    let file = folder.data().join("centralita.db");
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(include_str!("../migrations/0001_begin.sql"))
        .execute(&pool)
        .await
        .unwrap();
    sqlx::raw_sql(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL); \
         INSERT INTO _sqlx_migrations (version, description) VALUES (1, 'begin'); \
         INSERT INTO volunteer_break (volunteer, since) VALUES ('ana', 7)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    file
}

#[tokio::test]
async fn an_older_database_is_copied_before_it_is_migrated() {
    let folder = Folder::new();
    let file = first_schema(&folder).await;
    let refused = Reader::open(&folder.data()).await.unwrap_err();
    assert!(matches!(refused, StoreError::OlderSchema { found: 1, .. }));
    // What an attempt that was cut off left behind is no obstacle.
    std::fs::write(folder.data().join("centralita.db.partial"), "half").unwrap();
    let store = Store::open(&folder.data()).await.unwrap();
    assert_eq!(store.unscoped().breaks().await.unwrap().len(), 1);
    assert_eq!(store.unscoped().hubs().await.unwrap(), []);
    store.close().await;
    let store = Store::open(&folder.data()).await.unwrap();
    let copy = file.with_file_name("centralita.db.schema-1");
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let url = format!("sqlite:{}", copy.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let version: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(version, 1);
    pool.close().await;
    // It still holds what is erased later, so it goes then.
    store.scrub().await.unwrap();
    assert!(!copy.exists());
}

#[tokio::test]
async fn erased_bytes_are_on_no_page_of_the_disk() {
    let folder = Folder::new();
    let store = Store::open(&folder.data()).await.unwrap();
    let secret = b"a sealed number that must go";
    let found = || {
        let files = std::fs::read_dir(folder.data()).unwrap();
        let holds = |bytes: Vec<u8>| bytes.windows(secret.len()).any(|w| w == secret);
        files
            .filter(|file| holds(std::fs::read(file.as_ref().unwrap().path()).unwrap()))
            .count()
    };
    let mut changes = Changes::from(Change::CallStarted(start(1)));
    changes.push(VaultChange::CallerSealed {
        call: 1,
        sealed: Sealed(secret.to_vec()),
    });
    store.commit(changes).await.unwrap();
    assert!(found() > 0);
    let erasure = Erasure::Caller {
        caller: CallerHash([7; 32]),
        hub: None,
        keep_bans: false,
    };
    store.commit(Change::Erased(erasure).into()).await.unwrap();
    store.scrub().await.unwrap();
    assert_eq!(found(), 0);
}

#[tokio::test]
async fn what_somebody_still_reads_is_not_said_to_be_gone() {
    let folder = Folder::new();
    let store = Store::open(&folder.data()).await.unwrap();
    let call = |call| Change::CallStarted(start(call)).into();
    store.commit(call(1)).await.unwrap();
    let url = format!("sqlite:{}", folder.data().join("centralita.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let mut reading = pool.begin().await.unwrap();
    let calls = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM call");
    assert_eq!(calls.fetch_one(&mut *reading).await.unwrap(), 1);
    store.commit(call(2)).await.unwrap();
    let (scrubbed, kept) = tokio::join!(store.scrub(), store.commit(call(3)));
    kept.unwrap();
    let refused = scrubbed.unwrap_err();
    assert!(
        matches!(refused, StoreError::NotScrubbed { .. }),
        "{refused}"
    );
    reading.commit().await.unwrap();
    store.scrub().await.unwrap();
    let log = folder.data().join("centralita.db-wal");
    assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
}

/// A table that is written anew takes along what an open view still sees.
#[tokio::test]
async fn what_somebody_still_sees_in_postgresql_is_not_said_to_be_gone() {
    let url = Cluster::shared().new_database().await;
    let store = Store::open_with(StoreOptions::new(Engine::Postgres {
        url: PostgresUrl::parse(&url).unwrap(),
    }));
    let store = store.await.unwrap();
    let caller = CallerHash([0xb7; 32]);
    let ban = BanRow {
        hub: "norte".to_owned(),
        caller,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        expires_at: None,
        reason: None,
    };
    store.commit(Change::BanAdded(ban).into()).await.unwrap();
    // Of another table, as an analysis or a backup that is still at the first one.
    let mut seeing = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM binding")
        .execute(&mut seeing)
        .await
        .unwrap();
    let hub = "norte".to_owned();
    let lifted = Change::BanRemoved { hub, caller };
    store.commit(lifted.into()).await.unwrap();
    let refused = store.scrub().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NotScrubbed { .. }),
        "{refused}"
    );
    assert!(is_on_disk(&url, &caller.0));
    seeing.close().await.unwrap();
    store.scrub().await.unwrap();
    assert!(!is_on_disk(&url, &caller.0));
    store.close().await;
}

/// The samples by which PostgreSQL plans its queries are copies of values, and outlive the rows.
#[tokio::test]
async fn postgresql_keeps_no_samples_of_columns_that_say_who_called() {
    let url = Cluster::shared().new_database().await;
    let options = || {
        StoreOptions::new(Engine::Postgres {
            url: PostgresUrl::parse(&url).unwrap(),
        })
    };
    // The second time it has been done.
    for _ in 0..2 {
        let store = Store::open_with(options()).await.unwrap();
        store.close().await;
    }
    let store = Store::open_with(options()).await.unwrap();
    let bans = (0..200).map(|number| {
        Change::BanAdded(BanRow {
            hub: "norte".to_owned(),
            caller: CallerHash([number; 32]),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            expires_at: None,
            reason: None,
        })
    });
    store.commit(bans.collect()).await.unwrap();
    let mut looking = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("ANALYZE")
        .execute(&mut looking)
        .await
        .unwrap();
    let sampled = sqlx::query_scalar::<_, String>(
        "SELECT attname::text FROM pg_stats WHERE tablename = 'ban' ORDER BY 1",
    );
    let sampled = sampled.fetch_all(&mut looking).await.unwrap();
    assert_eq!(sampled, ["created_at", "expires_at"]);
    looking.close().await.unwrap();
    store.close().await;
}

#[test]
fn an_address_keeps_its_password_to_itself() {
    let url = PostgresUrl::parse("postgres://me:hunter2@127.0.0.1:5433/calls").unwrap();
    let said = format!("{url:?}");
    assert!(said.contains("calls at 127.0.0.1:5433"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    for address in ["mysql://me:hunter2@host/calls", "hunter2", ""] {
        let refused = PostgresUrl::parse(address).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"));
    }
}

/// Rights do not bind root, so the attempt is made by a process without them.
#[test]
fn a_folder_without_rights_is_refused() {
    let folder = Folder::new();
    let program = folder.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::create_dir(folder.data()).unwrap();
    let rights = |path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).unwrap();
    };
    rights(folder.path(), 0o755);
    rights(&folder.data(), 0o555);
    let mut child = Command::new(program);
    child
        .args(["--exact", "open_in_child", "--nocapture"])
        .env(CHILD_FOLDER, folder.data());
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(folder.data()).unwrap()) == 0 {
        child.uid(NOBODY);
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("refused: cannot use "), "{said}");
    assert!(said.contains("Give the folder to the user"), "{said}");
}

/// Runs only as the child of the test above.
#[tokio::test]
async fn open_in_child() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    match Store::open(folder.as_ref()).await {
        Ok(_) => println!("opened"),
        Err(error) => println!("refused: {error}"),
    }
}
