//! The store: one writer, any number of readers.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::audit::AuditHash;
use crate::commit::ForgottenNames;
use crate::engine::{self, Engine, Pool, sqlite};
use crate::error::{Place, StoreError};
use crate::read::Reader;

/// Where and how rows are kept.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Which database.
    pub engine: Engine,
    /// A SQLite database never grows beyond this many bytes; `None` leaves the limit to the
    /// disk. PostgreSQL has its own limits.
    pub max_bytes: Option<u64>,
    /// How the entries of the audit trail are chained; without it none can be kept.
    pub audit_hash: Option<AuditHash>,
    /// The data folder beside a PostgreSQL database: made, and locked as one with a database of
    /// SQLite is.
    pub lock_folder: Option<PathBuf>,
}

impl StoreOptions {
    /// The usual ones.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            max_bytes: None,
            audit_hash: None,
            lock_folder: None,
        }
    }

    /// SQLite in a data folder.
    #[must_use]
    pub fn sqlite(folder: impl Into<PathBuf>) -> Self {
        Self::new(Engine::Sqlite {
            folder: folder.into(),
        })
    }
}

/// The one writer of a database.
#[derive(Debug)]
pub struct Store {
    pub(crate) writer: Pool,
    pub(crate) audit_hash: Option<AuditHash>,
    pub(crate) forgotten: ForgottenNames,
    reader: Reader,
    /// Released by the operating system when the process ends, however it ends.
    _folder_lock: Option<File>,
}

impl Store {
    /// Opens the SQLite database of the data folder `folder` with the usual options.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(StoreOptions::sqlite(folder)).await
    }

    /// Opens the database, creates what is missing, checks it and brings its schema up to date.
    /// A data folder is then readable for its owner only. Before an older SQLite database is
    /// changed, a copy of it is put beside it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_with(options: StoreOptions) -> Result<Self, StoreError> {
        let lock = match (&options.engine, &options.lock_folder) {
            (Engine::Postgres { .. }, Some(folder)) => Some(sqlite::claim(folder)?),
            _ => None,
        };
        let opened = engine::open(&options.engine, options.max_bytes).await?;
        Ok(Self {
            writer: opened.writer,
            audit_hash: options.audit_hash,
            forgotten: ForgottenNames::default(),
            reader: Reader::new(opened.readers, opened.place),
            _folder_lock: opened.folder_lock.or(lock),
        })
    }

    /// Whether a server has the data folder `folder` right now.
    #[must_use]
    pub fn is_in_use(folder: &Path) -> bool {
        sqlite::is_in_use(folder)
    }

    /// The queries.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Place {
        self.reader.path()
    }

    /// Folds the log of SQLite into the database and lets it go.
    pub async fn close(self) {
        self.finish().await;
    }

    /// As [`Store::close`] where others still hold the store, once their queries are over. What
    /// they ask or commit after that is refused, and the data folder is theirs until they let go.
    pub async fn finish(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
