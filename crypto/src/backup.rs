//! Backups: one sealed stream of any length, for keys that are kept elsewhere.
//!
//! A [`BackupWriter`] takes the bytes as they come and a [`BackupReader`] gives
//! them back piece by piece, each only after it was found authentic. Unlike a
//! voicemail, a backup without its end is refused: half a database is none.
//!
//! The format is `docs/protocol/backup-v1.md`.

mod error;
mod format;
mod reader;
mod writer;

pub use error::BackupError;
pub use format::{BackupFacts, BackupId, MAX_BACKUP_READERS};
pub use reader::BackupReader;
pub use writer::BackupWriter;
