//! SQLite: one file in a folder of its owner, one writing process, write-ahead log.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::{Opened, Pool, args, migrate};
use crate::error::{Place, StoreError};

/// The database within the data folder.
const DATABASE_FILE: &str = "centralita.db";
/// Held locked by the server that owns the data folder.
const LOCK_FILE: &str = "centralita.lock";
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How long a statement waits for another process, for example a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the folding of the log waits for readers.
const FOLD_BUSY_TIMEOUT: Duration = Duration::from_millis(200);
/// Connections that read at once.
const MAX_READERS: u32 = 4;
/// SQLite's default, fixed so that a limit in bytes can be given in pages.
const PAGE_BYTES: u32 = 4096;

pub(crate) async fn open(folder: &Path, max_bytes: Option<u64>) -> Result<Opened, StoreError> {
    let lock = claim(folder)?;
    let path = folder.join(DATABASE_FILE);
    if !is_there(&path)? {
        create(&path).await?;
    }
    private_file(&path)?;
    let place = Place::File(path.clone());
    let sqlite = connect_writer(&path, max_bytes).await?;
    let writer = Pool::Sqlite(sqlite.clone());
    if let Err(error) = prepare(&sqlite, &writer, &path, &place).await {
        writer.close().await;
        return Err(error);
    }
    Ok(Opened {
        writer,
        readers: Pool::Sqlite(connect_readers(&path)),
        place,
        folder_lock: Some(lock),
    })
}

pub(crate) fn open_readers(folder: &Path) -> Result<(Pool, Place), StoreError> {
    let path = folder.join(DATABASE_FILE);
    let pool = connect_readers(&path);
    let place = Place::File(path.clone());
    if is_there(&path)? {
        return Ok((Pool::Sqlite(pool), place));
    }
    Err(StoreError::Missing { place })
}

/// Whether there is a database. One with nothing in it was emptied by something else, because
/// [`create`] makes none; SQLite would take it for a new one and delete its log.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::from_io(&error, path)),
    };
    let path = path.to_path_buf();
    if metadata.is_dir() {
        return Err(StoreError::NotAFile {
            path,
            what: "a folder",
        });
    }
    if !metadata.is_file() {
        return Err(StoreError::NotAFile {
            path,
            what: "a device or a pipe",
        });
    }
    if metadata.len() == 0 {
        return Err(StoreError::Emptied { path });
    }
    Ok(true)
}

/// Makes an empty database, whole or not at all.
async fn create(path: &Path) -> Result<(), StoreError> {
    refuse_orphaned_log(path)?;
    let partial = path.with_extension("partial");
    remove_if_there(&partial)?;
    // SQLite takes an empty file, and leaves its rights as they are.
    let file = private_file(&partial)?;
    // No journal, because nobody wants a half-made file back.
    let connect = SqliteConnectOptions::new()
        .filename(&partial)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Off);
    let failed = |error| StoreError::from_sqlx(error, &Place::File(partial.clone()));
    let mut connection = SqliteConnection::connect_with(&connect)
        .await
        .map_err(failed)?;
    // Writes the header although there is no table yet.
    sqlx::query("VACUUM")
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    keep_as(&partial, &file, path)
}

/// SQLite would write what is left of one database into another.
fn refuse_orphaned_log(database: &Path) -> Result<(), StoreError> {
    let path = database.with_file_name(format!("{DATABASE_FILE}-wal"));
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => Err(StoreError::OrphanedLog { path }),
        _ => Ok(()),
    }
}

/// Gives a finished file its name, for good.
fn keep_as(partial: &Path, file: &File, path: &Path) -> Result<(), StoreError> {
    file.sync_all()
        .and_then(|()| std::fs::rename(partial, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new("."))))
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::from_io(&error, path))
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::from_io(&error, path)),
        _ => Ok(()),
    }
}

/// Makes the data folder private, and keeps other servers out of it.
pub(crate) fn claim(folder: &Path) -> Result<File, StoreError> {
    make_folder(folder)?;
    take_lock(folder)
}

/// Whether a server has the data folder right now.
pub(crate) fn is_in_use(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK_FILE));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Removes the copies that were made before migrations: they still hold what was erased since.
pub(crate) fn remove_copies(database: &Path) -> Result<(), StoreError> {
    for version in 1..migrate::NEWEST {
        remove_if_there(&copy_of(database, version))?;
    }
    Ok(())
}

/// Writes the log into the database and empties it. `false` when somebody reads an older state of
/// the database, which is in the log.
pub(crate) async fn fold_log(writer: &SqlitePool) -> Result<bool, sqlx::Error> {
    let mut connection = writer.acquire().await?;
    // Nobody can commit while this waits for readers.
    set_busy_timeout(&mut connection, FOLD_BUSY_TIMEOUT).await?;
    let folded = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut *connection)
        .await;
    set_busy_timeout(&mut connection, BUSY_TIMEOUT).await?;
    Ok(folded? == 0)
}

async fn set_busy_timeout(
    connection: &mut SqliteConnection,
    timeout: Duration,
) -> Result<(), sqlx::Error> {
    let sql = format!("PRAGMA busy_timeout = {}", timeout.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
}

/// Compares pages and indexes.
pub(crate) async fn quick_check(pool: &SqlitePool, place: &Place) -> Result<(), StoreError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|error| StoreError::from_sqlx(error, place))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        place: place.clone(),
        // SQLite writes a heading above what it has found.
        detail: verdict.replace('\n', " "),
    })
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::from_io(&error, folder);
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(failed)?;
    let metadata = std::fs::metadata(folder).map_err(failed)?;
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(failed)?;
    }
    Ok(())
}

/// Creates `path` with [`FILE_MODE`] when it is missing, and withdraws wider rights.
/// SQLite gives its log the rights of the database.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let failed = |error: std::io::Error| StoreError::from_io(&error, path);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(failed)?;
    }
    Ok(file)
}

fn take_lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            place: Place::File(folder.to_path_buf()),
        }),
        Err(TryLockError::Error(error)) => Err(StoreError::from_io(&error, &path)),
    }
}

async fn connect_writer(path: &Path, max_bytes: Option<u64>) -> Result<SqlitePool, StoreError> {
    let mut connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON");
    if let Some(max_bytes) = max_bytes {
        connect = connect.page_size(PAGE_BYTES).pragma(
            "max_page_count",
            (max_bytes / u64::from(PAGE_BYTES)).to_string(),
        );
    }
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|connection, _| Box::pin(is_outside_transactions(connection)))
        .connect_with(connect)
        .await
        .map_err(|error| StoreError::from_sqlx(error, &Place::File(path.to_path_buf())))
}

/// Whether a connection can be used again; if not, the next commit gets a new one.
///
/// A write that finds no room makes SQLite roll back by itself. The rollback of sqlx then fails,
/// and sqlx counts the connection as within a transaction for ever.
async fn is_outside_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // After a rollback that is still queued.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Readers connect when they are first needed.
fn connect_readers(path: &Path) -> SqlitePool {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT);
    SqlitePoolOptions::new()
        .max_connections(MAX_READERS)
        .connect_lazy_with(connect)
}

async fn prepare(
    sqlite: &SqlitePool,
    writer: &Pool,
    path: &Path,
    place: &Place,
) -> Result<(), StoreError> {
    quick_check(sqlite, place).await?;
    if let Some(found) = migrate::schema_version(writer, place).await?
        && (1..migrate::NEWEST).contains(&found)
    {
        copy_before_migration(writer, path, found).await?;
    }
    migrate::run(writer, place).await
}

/// Keeps the database as it is beside itself, whole or not at all.
async fn copy_before_migration(writer: &Pool, path: &Path, found: i64) -> Result<(), StoreError> {
    let copy = copy_of(path, found);
    let partial = copy.with_extension("partial");
    remove_if_there(&partial)?;
    let file = private_file(&partial)?;
    let text = partial.to_str().ok_or_else(|| StoreError::Unusable {
        path: partial.clone(),
        reason: "its name is not UTF-8".to_owned(),
    })?;
    writer
        .rows("VACUUM INTO $1", args![text])
        .await
        .map_err(|error| StoreError::from_sqlx(error, &Place::File(partial.clone())))?;
    keep_as(&partial, &file, &copy)
}

fn copy_of(database: &Path, version: i64) -> PathBuf {
    database.with_file_name(format!("{DATABASE_FILE}.schema-{version}"))
}
