//! Backup and restore of a whole box: the database as of one moment, and the files of the data
//! folder, in one stream that only a recovery key opens. The format is
//! `docs/protocol/backup-v1.md`.

mod archive;
mod folder;
mod sealed;
#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crypto::backup::{BackupFacts, BackupId};
use crypto::{OsEntropy, ReaderPublicKey, ReaderSecretKey};
use jiff::Timestamp;
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, Changes, Engine, Reader, Store, StoreError,
    StoreOptions,
};
use thiserror::Error;

use crate::database::{DataFolder, DatabaseError};
use archive::{ArchiveReader, ArchiveWriter, Kind};
use folder::{Claim, Staging};
use sealed::{OpenedSource, SealedSink};

/// Time between two lines about long work.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Why a backup could not be made or taken in. Nothing is left behind then; and what was cut off
/// by a crash is in nobody's way.
#[derive(Debug, Error)]
pub enum Failure {
    /// A file or folder could not be used.
    #[error("cannot {what} {}: {reason}", .path.display())]
    File {
        /// Do what with it.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The backup was to be written where something is.
    #[error("{} exists already. Choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// Another one is at it.
    #[error("{} is being written by another command right now. Wait for it", .0.display())]
    Busy(PathBuf),
    /// The backup was to be written among what it backs up.
    #[error("{} is in the data folder. Choose a place outside, best on another disk", .0.display())]
    Inside(PathBuf),
    /// The backup was to be taken in where something is.
    #[error("{} is not empty. Name a new data folder with --data, or empty this one", .0.display())]
    NotEmpty(PathBuf),
    /// The backup cannot be opened.
    #[error(transparent)]
    Sealed(#[from] crypto::backup::BackupError),
    /// The backup opens, but what is in it breaks the format.
    #[error("the backup is damaged: {0}. Take another copy of it")]
    Damaged(&'static str),
    /// The database.
    #[error(transparent)]
    Store(StoreError),
    /// Where the database is, could not be noted.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Failure {
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |reason| match reason.downcast::<Self>() {
            Ok(failure) => failure,
            Err(reason) => Self::File { what, path, reason },
        }
    }
}

impl From<StoreError> for Failure {
    /// What went wrong in a stream that this module gave to the store comes back as it was.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stream(error) => match error.downcast::<Self>() {
                Ok(failure) => failure,
                Err(error) => Self::Store(StoreError::Stream(error)),
            },
            error => Self::Store(error),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The facts in its header.
    pub facts: BackupFacts,
    /// Rows of the database; of a backup that is only checked, none are counted.
    pub rows: u64,
    /// Files of the data folder.
    pub files: u64,
    /// Bytes before sealing.
    pub bytes: u64,
}

/// Tells people how far long work is, a line at a time.
pub struct Progress<'a> {
    say: &'a mut (dyn FnMut(&str) + Send),
    last: Instant,
}

impl<'a> Progress<'a> {
    /// Gives its lines to `say`.
    pub fn new(say: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        let last = Instant::now();
        Self { say, last }
    }

    fn step(&mut self, what: &str) {
        (self.say)(what);
        self.last = Instant::now();
    }

    fn files(&mut self, done: u64, of: Option<u64>, bytes: u64) {
        if self.last.elapsed() < PROGRESS_EVERY {
            return;
        }
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        self.step(&format!("files: {done}{of}, {}", size(bytes)));
    }
}

/// A length for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Writes a backup of the database `engine` and the data folder `data` to the new file `target`,
/// beside a running server or without one.
///
/// # Errors
/// See [`Failure`].
pub async fn make(
    (data, engine): (&Path, &Engine),
    readers: &[ReaderPublicKey],
    target: &Path,
    progress: &mut Progress<'_>,
) -> Result<Contents, Failure> {
    folder::outside(target, data)?;
    let facts = BackupFacts {
        id: BackupId::generate(&mut OsEntropy).map_err(crypto::backup::BackupError::from)?,
        created_at_ms: u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0),
    };
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    let partial = PathBuf::from(name);
    if target.exists() {
        return Err(Failure::Exists(target.to_path_buf()));
    }
    let sink = SealedSink::create(&partial, &facts, readers)?;
    let written = write_all((data, engine), sink, progress).await;
    let kept = written.and_then(|(rows, files, bytes)| {
        std::fs::rename(&partial, target).map_err(Failure::file("name the backup", target))?;
        folder::sync_parent(target)?;
        Ok(Contents {
            facts,
            rows,
            files,
            bytes,
        })
    });
    if kept.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    kept
}

/// Returns how many rows, files and bytes there were.
async fn write_all(
    (data, engine): (&Path, &Engine),
    sink: SealedSink,
    progress: &mut Progress<'_>,
) -> Result<(u64, u64, u64), Failure> {
    let target = sink.path().to_path_buf();
    let failed = || Failure::file("write", &target);
    progress.step("the database");
    let reader = Reader::open_on(engine).await?;
    let mut archive = ArchiveWriter::begin(sink).map_err(failed())?;
    let mut part = archive.part(Kind::Rows, "").map_err(failed())?;
    let rows = reader.unscoped().backup(&mut part).await;
    reader.close().await;
    let rows = rows?;
    part.finish().map_err(failed())?;
    progress.step(&format!("the database: {rows} rows"));
    // Listed after the rows: every finished message of these rows has its file by now.
    let paths = folder::files(data)?;
    let mut files = 0;
    for path in &paths {
        let from = data.join(path);
        let Some(mut file) = folder::open(&from)? else {
            continue;
        };
        let mut part = archive.part(Kind::File, path).map_err(failed())?;
        let mut buffer = vec![0; archive::PIECE_BYTES];
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(Failure::file("read", &from))?;
            if read == 0 {
                break;
            }
            part.write_all(&buffer[..read]).map_err(failed())?;
        }
        part.finish().map_err(failed())?;
        files += 1;
        progress.files(files, Some(paths.len() as u64), archive.bytes());
    }
    let bytes = archive.bytes();
    archive.finish().map_err(failed())?.finish()?;
    Ok((rows, files, bytes))
}

/// Opens the backup `file` and reads it to its end. Changes nothing.
///
/// # Errors
/// See [`Failure`].
pub fn check(
    file: &Path,
    key: &ReaderSecretKey,
    progress: &mut Progress<'_>,
) -> Result<Contents, Failure> {
    let source = OpenedSource::open(file, key)?;
    let facts = *source.facts();
    let mut archive = ArchiveReader::open(source)?;
    let mut files = 0;
    while let Some((kind, _)) = archive.next()? {
        io::copy(&mut archive.content(), &mut io::sink()).map_err(Failure::file("read", file))?;
        files += u64::from(kind == Kind::File);
        progress.files(files, None, archive.bytes());
    }
    Ok(Contents {
        facts,
        rows: 0,
        files,
        bytes: archive.bytes(),
    })
}

/// Takes the backup `file` in: the files into the folder `data`, which must be new or empty, the
/// rows into its database, which must be empty.
///
/// The file is read twice: nothing of it is taken for good before its end was found authentic.
///
/// # Errors
/// See [`Failure`]. Folder and database are then as they were.
pub async fn restore(
    file: &Path,
    key: &ReaderSecretKey,
    data: &DataFolder,
    progress: &mut Progress<'_>,
) -> Result<Contents, Failure> {
    // Before anything is made: most mistakes are here.
    let mut archive = ArchiveReader::open(OpenedSource::open(file, key)?)?;
    let claim = Claim::take(data.path())?;
    let staging = Staging::begin(&claim)?;
    progress.step("files");
    let files = take_files(&mut archive, &staging, progress)?;
    let bytes = archive.bytes();
    progress.step(&format!("files: {files}, {}", size(bytes)));
    let source = OpenedSource::open(file, key)?;
    let facts = *source.facts();
    let engine = match data.engine() {
        Engine::Sqlite { .. } => Engine::Sqlite {
            folder: staging.path().to_path_buf(),
        },
        elsewhere => elsewhere.clone(),
    };
    let rows = take_rows(source, engine).await?;
    progress.step(&format!("the database: {rows} rows"));
    data.remember_in(staging.path())?;
    staging.finish()?;
    claim.keep();
    Ok(Contents {
        facts,
        rows,
        files,
        bytes,
    })
}

/// Unpacks the files, and reads over the rows.
fn take_files(
    archive: &mut ArchiveReader<OpenedSource>,
    staging: &Staging<'_>,
    progress: &mut Progress<'_>,
) -> Result<u64, Failure> {
    let mut files = 0;
    while let Some((kind, path)) = archive.next()? {
        let place = staging.path().join(&path);
        let failed = Failure::file("write", &place);
        if kind == Kind::Rows {
            io::copy(&mut archive.content(), &mut io::sink()).map_err(failed)?;
            continue;
        }
        let mut to: File = staging.create(&path)?;
        io::copy(&mut archive.content(), &mut to)
            .and_then(|_| to.sync_all())
            .map_err(failed)?;
        files += 1;
        progress.files(files, None, archive.bytes());
    }
    Ok(files)
}

async fn take_rows(source: OpenedSource, engine: Engine) -> Result<u64, Failure> {
    let mut archive = ArchiveReader::open(source)?;
    // The reader makes sure that the rows come first.
    archive.next()?;
    let options = StoreOptions {
        audit_hash: Some(crypto::audit::entry_hash),
        ..StoreOptions::new(engine)
    };
    let store = Store::open_with(options).await?;
    let taken = async {
        let rows = store.restore(&mut archive.content()).await?;
        store.reader().check_integrity().await?;
        let mut told = Changes::new();
        told.push(AuditEntry {
            chain: AuditChain::Installation,
            at: Timestamp::now(),
            kind: AuditKind::BackupRestored,
            actor: None,
            subject: AuditSubject::Whole,
        });
        store.commit(told).await?;
        Ok(rows)
    };
    let taken = taken.await;
    store.close().await;
    taken
}
