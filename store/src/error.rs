//! What can go wrong, one clear sentence each.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// SQLite's primary result codes (sqlite.org/rescode.html).
const SQLITE_BUSY: i64 = 5;
const SQLITE_READONLY: i64 = 8;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_CANTOPEN: i64 = 14;
const SQLITE_NOTADB: i64 = 26;
/// Extended codes of refused writes: write, fsync, directory fsync, truncate, growth of the
/// shared-memory file.
const SQLITE_IOERR_WRITES: [i64; 5] = [778, 1034, 1290, 1546, 4874];

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
    #[error("{} does not exist. Start the server once, or name the right data folder", .path.display())]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// Not a database, or a damaged one.
    #[error("{} is damaged or not a database of centralita ({detail}). Move it away and restore a backup", .path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// Written by a newer version of the program.
    #[error("{} was written by a newer version of centralita (schema {found}, this version knows {known}). Install the newer version", .path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// Written by an older version, and opened for reading only.
    #[error("{} was written by an older version of centralita (schema {found}). Start the server once to bring it up to date", .path.display())]
    OlderSchema {
        /// The database file.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
    },
    /// Another server has the data folder.
    #[error("the data folder {} is in use by another centralita. Stop it first, or choose another data folder", .path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// No room, or writing was refused.
    #[error("the disk that holds {} is full or refuses writes. Free some space", .path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// A second outcome for a call, which would hide the first.
    #[error("call {call:x} already has an outcome")]
    AlreadyEnded {
        /// The call.
        call: u64,
    },
    /// A row that no version of this program writes.
    #[error("the database holds a value that cannot be read: {0}")]
    Row(String),
    /// Anything else that the database reports.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Sorts what sqlx reports about the database at `path`.
    pub(crate) fn from_sqlx(error: sqlx::Error, path: &Path) -> Self {
        let path = path.to_path_buf();
        let code = sqlite_code(&error);
        if code.is_some_and(|code| SQLITE_IOERR_WRITES.contains(&code)) {
            return Self::DiskFull { path };
        }
        // The low byte of an extended code is the primary one.
        match code.map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::DiskFull { path },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt {
                path,
                detail: message(&error),
            },
            Some(SQLITE_READONLY | SQLITE_CANTOPEN) => Self::Unusable {
                path,
                reason: message(&error),
            },
            Some(SQLITE_BUSY) => Self::InUse { path },
            _ => Self::Database(error),
        }
    }

    /// Sorts what the operating system reports about `path`.
    pub(crate) fn from_io(error: &std::io::Error, path: &Path) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path }
            }
            _ => Self::Unusable {
                path,
                reason: error.to_string(),
            },
        }
    }
}

/// The extended result code.
fn sqlite_code(error: &sqlx::Error) -> Option<i64> {
    error.as_database_error()?.code()?.parse().ok()
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |e| e.message().to_owned())
}
