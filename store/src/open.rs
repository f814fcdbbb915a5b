//! Opening the data folder: rights, lock, integrity, schema.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::StoreError;
use crate::read::Reader;

/// The database within the data folder.
const DATABASE_FILE: &str = "centralita.db";
/// Held locked by the server that owns the data folder.
const LOCK_FILE: &str = "centralita.lock";
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How long a statement waits for another process, for example a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read at once.
const MAX_READERS: u32 = 4;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Settings of a store that have a sensible default.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreOptions {
    /// The database never grows beyond this many bytes; `None` leaves the limit to the disk.
    pub max_bytes: Option<u64>,
}

/// The one writer of a data folder.
#[derive(Debug)]
pub struct Store {
    pub(crate) writer: SqlitePool,
    reader: Reader,
    /// Released by the operating system when the process ends, however it ends.
    _lock: File,
}

impl Store {
    /// Opens the data folder `folder`, creates what is missing, checks the database and brings
    /// its schema up to date. The folder is then readable for its owner only.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, StoreOptions::default()).await
    }

    /// [`open`](Self::open) with settings.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_with(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let lock = take_lock(folder)?;
        let path = folder.join(DATABASE_FILE);
        private_file(&path)?;
        let writer = connect_writer(&path, options).await?;
        let checked = prepare(&writer, &path).await;
        if let Err(error) = checked {
            writer.close().await;
            return Err(error);
        }
        let reader = Reader::new(connect_readers(&path), path);
        Ok(Self {
            writer,
            reader,
            _lock: lock,
        })
    }

    /// Whether a server has the data folder `folder` right now.
    #[must_use]
    pub fn is_in_use(folder: &Path) -> bool {
        let lock = File::open(folder.join(LOCK_FILE));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The queries.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// Folds the log into the database and lets the data folder go.
    pub async fn close(self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl Reader {
    /// Opens the database in `folder` for reading only, beside a running server or without one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] before the first start of a server; see [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(DATABASE_FILE);
        match std::fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path });
            }
            Err(error) => return Err(StoreError::from_io(&error, &path)),
        }
        let pool = connect_readers(&path);
        match schema_version(&pool, &path).await? {
            None => Err(StoreError::Missing { path }),
            Some(found) if found > newest_schema() => Err(newer(path, found)),
            Some(found) if found < newest_schema() => Err(StoreError::OlderSchema { path, found }),
            Some(_) => Ok(Self::new(pool, path)),
        }
    }

    /// Reads the whole database and compares its pages and indexes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first thing found.
    pub async fn check_integrity(&self) -> Result<(), StoreError> {
        quick_check(self.pool(), self.path()).await
    }
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
            path: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(error)) => Err(StoreError::from_io(&error, &path)),
    }
}

async fn connect_writer(path: &Path, options: StoreOptions) -> Result<SqlitePool, StoreError> {
    let mut connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON");
    if let Some(max_bytes) = options.max_bytes {
        connect = connect.page_size(PAGE_BYTES).pragma(
            "max_page_count",
            (max_bytes / u64::from(PAGE_BYTES)).to_string(),
        );
    }
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(connect)
        .await
        .map_err(|error| StoreError::from_sqlx(error, path))
}

/// SQLite's default, fixed so that a limit in bytes can be given in pages.
const PAGE_BYTES: u32 = 4096;

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

async fn prepare(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    quick_check(writer, path).await?;
    if let Some(found) = schema_version(writer, path).await?
        && found > newest_schema()
    {
        return Err(newer(path.to_path_buf(), found));
    }
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            StoreError::from_sqlx(error, path)
        }
        other => StoreError::Corrupt {
            path: path.to_path_buf(),
            detail: other.to_string(),
        },
    })
}

async fn quick_check(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|error| StoreError::from_sqlx(error, path))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        path: path.to_path_buf(),
        // SQLite writes a heading above what it has found.
        detail: verdict.replace('\n', " "),
    })
}

/// The newest migration in the file; `None` for an empty database.
async fn schema_version(pool: &SqlitePool, path: &Path) -> Result<Option<i64>, StoreError> {
    let failed = |error| StoreError::from_sqlx(error, path);
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(pool)
            .await
            .map_err(failed)?;
    if tables == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await
        .map_err(failed)
}

fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

fn newer(path: PathBuf, found: i64) -> StoreError {
    StoreError::NewerSchema {
        path,
        found,
        known: newest_schema(),
    }
}
