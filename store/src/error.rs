//! What can go wrong, one clear sentence each.

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::error::ErrorKind;
use thiserror::Error;

/// SQLite's primary result codes (sqlite.org/rescode.html).
const SQLITE_BUSY: i64 = 5;
const SQLITE_IOERR: i64 = 10;
const SQLITE_READONLY: i64 = 8;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_CANTOPEN: i64 = 14;
const SQLITE_NOTADB: i64 = 26;
/// Extended codes of refused writes: write, fsync, directory fsync, truncate, growth of the
/// shared-memory file.
const SQLITE_IOERR_WRITES: [i64; 5] = [778, 1034, 1290, 1546, 4874];

/// PostgreSQL's codes (its manual, appendix A).
const PG_DISK_FULL: &str = "53100";
const PG_LOCK_NOT_AVAILABLE: &str = "55P03";
const PG_DATA_CORRUPTED: &str = "XX001";
const PG_INDEX_CORRUPTED: &str = "XX002";
/// Connection exceptions, lack of resources, operator intervention.
const PG_PASSING_CLASSES: [&str; 3] = ["08", "53", "57"];

/// Where a database is, in words for the operator. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite, or its folder.
    File(PathBuf),
    /// A database of a PostgreSQL server.
    Server(String),
}

impl Place {
    /// For printing, as a path has it.
    #[must_use]
    pub fn display(&self) -> &Self {
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(name) => f.write_str(name),
        }
    }
}

/// Why the store cannot do what it was asked. Nothing of a failed commit is kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be created, read or written.
    #[error("cannot use {}: {reason}. Give the folder to the user that runs centralita, or choose another data folder", .path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// There is no database yet.
    #[error("{place} does not exist. Start the server once, or name the right data folder")]
    Missing {
        /// The database.
        place: Place,
    },
    /// The file of the database is there, with nothing in it. Its log is left as it is.
    #[error(
        "{} is empty (0 bytes): what it held is gone. Restore a backup, or move the file away to start with an empty database",
        .path.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// Something else has the place of the database.
    #[error(
        "{} is {what}, not a database of centralita. Move it away, then restore a backup or start with an empty database",
        .path.display()
    )]
    NotAFile {
        /// The place.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// The newest rows of a database whose file is gone.
    #[error(
        "{} holds the newest rows of a database whose file is gone. Put that file back beside it, or move this one away too",
        .path.display()
    )]
    OrphanedLog {
        /// The log.
        path: PathBuf,
    },
    /// Not a database, or a damaged one.
    #[error(
        "{place} is damaged or not a database of centralita ({detail}). Move it away and restore a backup"
    )]
    Corrupt {
        /// The database.
        place: Place,
        /// What the check found.
        detail: String,
    },
    /// Written by a newer version of the program.
    #[error(
        "{place} was written by a newer version of centralita (schema {found}, this version knows {known}). Install the newer version"
    )]
    NewerSchema {
        /// The database.
        place: Place,
        /// The schema in the file.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// Written by an older version, and opened for reading only.
    #[error(
        "{place} was written by an older version of centralita (schema {found}). Start the server once to bring it up to date"
    )]
    OlderSchema {
        /// The database.
        place: Place,
        /// The schema in the file.
        found: i64,
    },
    /// Another server has the data folder.
    #[error(
        "the data of {place} are in use by another centralita. Stop it first, or choose another data folder"
    )]
    InUse {
        /// The data folder, or the database.
        place: Place,
    },
    /// What was erased is still on the disk beside the rows, because somebody reads them.
    #[error(
        "{place} is being read, perhaps for a backup: what was erased is still in its log. Try again when that is over"
    )]
    NotScrubbed {
        /// The database.
        place: Place,
    },
    /// No room, or writing was refused.
    #[error("the disk that holds {place} is full or refuses writes. Free some space")]
    DiskFull {
        /// The database.
        place: Place,
    },
    /// The database cannot be reached now. The caller may try again: nothing is wrong with what
    /// it asked. When it was a commit, it may have been kept although its answer was lost.
    #[error(
        "{place} cannot be reached ({reason}). Start the database again; calls go on meanwhile"
    )]
    Unavailable {
        /// The database.
        place: Place,
        /// What the engine or the network reported.
        reason: String,
    },
    /// Not an address of PostgreSQL.
    #[error("the database address is not of the form postgres://user:password@host:port/database")]
    Url,
    /// A backup was to be taken in where there is something already.
    #[error("{place} holds data already. Restore into an empty data folder or database")]
    NotEmpty {
        /// The database.
        place: Place,
    },
    /// A backup that was cut, changed, or is none. Nothing of it was kept.
    #[error("the backup is damaged: {detail}. Take another copy of it")]
    DamagedBackup {
        /// What was found.
        detail: String,
    },
    /// A backup of a newer version of the program.
    #[error("the backup was made by a newer version of centralita. Install that version")]
    NewerBackup,
    /// The stream of a backup could not be read or written.
    #[error("the backup cannot be read or written: {0}")]
    Stream(#[source] std::io::Error),
    /// A second outcome for a call, which would hide the first.
    #[error("call {call:x} already has an outcome")]
    AlreadyEnded {
        /// The call.
        call: u64,
    },
    /// A change that contradicts what is kept: something else has its place, or what it rests
    /// on is missing.
    #[error("the change contradicts what is kept: {what}")]
    Conflict {
        /// What stands against it.
        what: &'static str,
    },
    /// An audit entry was to be kept by a store that was opened without a hash function.
    #[error("the store was opened without a hash function for the audit trail")]
    NoAuditHash,
    /// The person may not see this, or is not there, or the hub is not.
    #[error("not allowed")]
    NotAllowed,
    /// A row that no version of this program writes.
    #[error("the database holds a value that cannot be read: {0}")]
    Row(String),
    /// Anything else that the database reports.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same request may succeed later, without anybody changing it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::DiskFull { .. }
                | Self::InUse { .. }
                | Self::NotScrubbed { .. }
        )
    }

    /// Sorts what sqlx reports about the database at `place`.
    pub(crate) fn from_sqlx(error: sqlx::Error, place: &Place) -> Self {
        if let Some(what) = contradiction(&error) {
            return Self::Conflict { what };
        }
        match (&error, place) {
            (sqlx::Error::Database(reported), Place::File(path)) => {
                let code = reported.code().and_then(|code| code.parse().ok());
                Self::from_sqlite(code, error, path)
            }
            (sqlx::Error::Database(reported), Place::Server(_)) => {
                let code = reported.code().unwrap_or_default().into_owned();
                Self::from_postgres(&code, error, place.clone())
            }
            (
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::BeginFailed
                | sqlx::Error::WorkerCrashed,
                _,
            ) => Self::Unavailable {
                place: place.clone(),
                reason: error.to_string(),
            },
            (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => {
                Self::Row(error.to_string())
            }
            _ => Self::Database(error),
        }
    }

    /// `code` is an extended result code.
    fn from_sqlite(code: Option<i64>, error: sqlx::Error, path: &Path) -> Self {
        let place = Place::File(path.to_path_buf());
        if code.is_some_and(|code| SQLITE_IOERR_WRITES.contains(&code)) {
            return Self::DiskFull { place };
        }
        // The low byte of an extended code is the primary one.
        match code.map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::DiskFull { place },
            Some(SQLITE_IOERR) => Self::Unavailable {
                place,
                reason: message(&error),
            },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt {
                place,
                detail: message(&error),
            },
            Some(SQLITE_READONLY | SQLITE_CANTOPEN) => Self::Unusable {
                path: path.to_path_buf(),
                reason: message(&error),
            },
            Some(SQLITE_BUSY) => Self::InUse { place },
            _ => Self::Database(error),
        }
    }

    fn from_postgres(code: &str, error: sqlx::Error, place: Place) -> Self {
        match code {
            PG_DISK_FULL => Self::DiskFull { place },
            PG_LOCK_NOT_AVAILABLE => Self::InUse { place },
            PG_DATA_CORRUPTED | PG_INDEX_CORRUPTED => Self::Corrupt {
                place,
                detail: message(&error),
            },
            _ if PG_PASSING_CLASSES
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Self::Unavailable {
                    place,
                    reason: message(&error),
                }
            }
            _ => Self::Database(error),
        }
    }

    /// Sorts what the operating system reports about `path`.
    pub(crate) fn from_io(error: &std::io::Error, path: &Path) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull {
                place: Place::File(path),
            },
            _ => Self::Unusable {
                path,
                reason: error.to_string(),
            },
        }
    }
}

/// What a broken constraint means.
fn contradiction(error: &sqlx::Error) -> Option<&'static str> {
    match error.as_database_error()?.kind() {
        ErrorKind::UniqueViolation => Some("its place is taken"),
        ErrorKind::ForeignKeyViolation => Some("what it belongs to is missing"),
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation => Some("a value is impossible"),
        _ => None,
    }
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |e| e.message().to_owned())
}
