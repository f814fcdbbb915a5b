//! What cannot be opened is refused with a sentence that says what to do.

mod folder;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use folder::{Folder, start};
use store::{Change, Reader, Store, StoreError};

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
