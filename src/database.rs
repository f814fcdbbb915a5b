//! Which database belongs to a data folder, and opening it with what the store does not know: how
//! the audit trail is chained.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use store::{Engine, Place, PostgresUrl, Reader, Store, StoreError, StoreOptions};
use zeroize::Zeroizing;

use crate::private_file;

/// What names the database in the environment. It holds a password and leads to real rows, so
/// other programs are not started with it.
pub const VARIABLE: &str = "CENTRALITA_DATABASE";
/// Within the data folder: the address of its PostgreSQL database. A folder without this file
/// has its database in itself.
pub const ADDRESS_FILE: &str = "database.url";
/// What a folder has that keeps its rows in itself.
const SQLITE_FILE: &str = "centralita.db";
/// Within the data folder, until all of a backup is there.
pub(crate) const STAGING: &str = ".restore";
/// What the first start of a server leaves in each data folder, and never takes away.
const TRACES: [&str; 2] = ["ingest.key", "log.key"];

/// Why the database of a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another database was named than the folder's own.
    #[error(
        "the data folder {} belongs to {kept}, not to {given}. Leave `--database` out; \
         or, when that database has moved, remove {ADDRESS_FILE} there and try again",
        .folder.display()
    )]
    Another {
        /// The data folder.
        folder: PathBuf,
        /// The database that it belongs to.
        kept: Place,
        /// The one that was named.
        given: Place,
    },
    /// PostgreSQL was named for a folder that has a database of SQLite.
    #[error(
        "the data folder {} keeps its rows in itself ({SQLITE_FILE}), not in PostgreSQL. \
         Leave `--database` out and {ADDRESS_FILE} away; or move the box: make a backup, and \
         restore it with `--database` into a new data folder. A {SQLITE_FILE} that was begun by \
         mistake is to be moved away",
        .0.display()
    )]
    HasOwn(PathBuf),
    /// The database that a used folder had.
    #[error(
        "the data folder {} was in use, and its database is away: there is neither {SQLITE_FILE} \
         nor {ADDRESS_FILE} in it. Put that file back, name the database with `--database`, or \
         restore a backup into a new folder",
        .0.display()
    )]
    Away(PathBuf),
    /// A backup was not taken in to its end.
    #[error(
        "a restore into the data folder {} goes on, or was cut off. Wait for it; if none runs any \
         more, empty the folder, and restore the backup again",
        .0.display()
    )]
    HalfRestored(PathBuf),
    /// The file with the address.
    #[error(
        "cannot {what} {}: {reason}. Give it to the user that runs centralita",
        .path.display()
    )]
    File {
        /// Do what with it.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} does not hold an address of the form postgres://user:password@host:port/database. \
         Correct it",
        .0.display()
    )]
    NoAddress(PathBuf),
}

impl DatabaseError {
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::File { what, path, reason }
    }
}

/// An address of PostgreSQL as it was given, with its password. Never printed.
#[derive(Clone)]
struct Address(Zeroizing<String>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// A data folder and the database that belongs to it.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    engine: Engine,
    /// An address that the folder does not remember yet.
    new_address: Option<Address>,
}

impl DataFolder {
    /// The folder at `path` with the database that it remembers, or with the one at the address
    /// `given`. Touches neither of them.
    ///
    /// # Errors
    /// See [`DatabaseError`]: what was given contradicts what the folder remembers.
    pub fn find(path: &Path, given: Option<&str>) -> Result<Self, DatabaseError> {
        let kept = read_address(path)?;
        let Some(address) = given.or(kept.as_deref().map(String::as_str)) else {
            return Ok(Self::with_sqlite(path));
        };
        let url = parse(path, address, given.is_some())?;
        if path.join(SQLITE_FILE).exists() {
            return Err(DatabaseError::HasOwn(path.to_owned()));
        }
        if let Some(kept) = &kept {
            let kept = parse(path, kept, false)?.place();
            if kept != url.place() {
                return Err(DatabaseError::Another {
                    folder: path.to_owned(),
                    kept,
                    given: url.place(),
                });
            }
        }
        let is_new = kept.as_deref().map(String::as_str) != Some(address);
        Ok(Self {
            path: path.to_owned(),
            engine: Engine::Postgres { url },
            new_address: is_new.then(|| Address(Zeroizing::new(address.to_owned()))),
        })
    }

    fn with_sqlite(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            engine: Engine::Sqlite {
                folder: path.to_owned(),
            },
            new_address: None,
        }
    }

    /// Where the files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the rows are.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the folder lacks what it had: then a database must not be begun in it.
    ///
    /// # Errors
    /// [`DatabaseError::Away`], [`DatabaseError::HalfRestored`].
    pub fn check_whole(&self) -> Result<(), DatabaseError> {
        let is_there = |name: &str| self.path.join(name).exists();
        // The database is what comes last.
        if is_there(STAGING) && !is_there(SQLITE_FILE) && !is_there(ADDRESS_FILE) {
            return Err(DatabaseError::HalfRestored(self.path.clone()));
        }
        let is_used = TRACES.iter().any(|name| is_there(name));
        match self.engine {
            Engine::Sqlite { .. } if is_used && !is_there(SQLITE_FILE) => {
                Err(DatabaseError::Away(self.path.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Opens the database as its one writer, and lets the folder remember where it is.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub async fn open(&self) -> Result<Store, DatabaseError> {
        self.check_whole()?;
        let store = Store::open_with(StoreOptions {
            audit_hash: Some(crypto::audit::entry_hash),
            lock_folder: Some(self.path.clone()),
            ..StoreOptions::new(self.engine.clone())
        });
        let store = store.await?;
        if let Err(error) = self.remember_in(&self.path) {
            store.close().await;
            return Err(error);
        }
        Ok(store)
    }

    /// Opens the database for reading only, beside a running server or without one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] before the first start of a server; see [`StoreError`].
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open_on(&self.engine).await
    }

    /// Writes the address, where it is new, into `folder`: this one, or one that becomes it.
    ///
    /// # Errors
    /// See [`DatabaseError::File`].
    pub fn remember_in(&self, folder: &Path) -> Result<(), DatabaseError> {
        let Some(Address(address)) = &self.new_address else {
            return Ok(());
        };
        let path = folder.join(ADDRESS_FILE);
        let partial = folder.join(format!("{ADDRESS_FILE}.tmp"));
        let failed = || DatabaseError::file("write", &path);
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
        let line = Zeroizing::new(format!("{}\n", address.as_str()));
        private_file::create(&partial, line.as_bytes()).map_err(failed())?;
        std::fs::rename(&partial, &path).map_err(failed())
    }
}

/// Opens the database of the data folder `data`, as its one writer.
///
/// # Errors
/// See [`DatabaseError`].
pub async fn open(data: &Path) -> Result<Store, DatabaseError> {
    DataFolder::find(data, None)?.open().await
}

fn read_address(folder: &Path) -> Result<Option<Zeroizing<String>>, DatabaseError> {
    let path = folder.join(ADDRESS_FILE);
    match std::fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => Ok(Some(Zeroizing::new(text.trim().to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DatabaseError::file("read", &path)(error)),
    }
}

fn parse(folder: &Path, address: &str, given: bool) -> Result<PostgresUrl, DatabaseError> {
    PostgresUrl::parse(address).map_err(|error| match given {
        true => error.into(),
        false => DatabaseError::NoAddress(folder.join(ADDRESS_FILE)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgres://hotline:s3cret@127.0.0.1:5433/hotline";

    fn folder(name: &str) -> PathBuf {
        let name = format!("centralita-database-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn is_postgres(found: &DataFolder) -> bool {
        matches!(found.engine(), Engine::Postgres { .. })
    }

    #[test]
    fn a_folder_remembers_its_database_and_takes_no_other() {
        use std::os::unix::fs::MetadataExt;
        let data = folder("remembers");
        assert!(!is_postgres(&DataFolder::find(&data, None).unwrap()));
        let given = DataFolder::find(&data, Some(URL)).unwrap();
        given.remember_in(&data).unwrap();
        let file = data.join(ADDRESS_FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert!(is_postgres(&DataFolder::find(&data, None).unwrap()));

        let other = URL.replace("5433", "5434");
        let refused = DataFolder::find(&data, Some(&other)).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("127.0.0.1:5433") && said.contains("127.0.0.1:5434"));
        // A new password is no other database.
        let renewed = URL.replace("s3cret", "n3w");
        let renewed = DataFolder::find(&data, Some(&renewed)).unwrap();
        renewed.remember_in(&data).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("n3w"));
        for shown in [said, format!("{given:?}"), format!("{renewed:?}")] {
            assert!(
                !shown.contains("s3cret") && !shown.contains("n3w"),
                "{shown}"
            );
        }

        std::fs::write(&file, "elsewhere").unwrap();
        let refused = DataFolder::find(&data, None).unwrap_err();
        assert!(matches!(refused, DatabaseError::NoAddress(_)), "{refused}");
        std::fs::remove_dir_all(data).unwrap();
    }

    /// Neither an empty hotline nor a demonstration is served in its place.
    #[tokio::test]
    async fn a_used_folder_is_not_begun_anew() {
        let data = folder("away");
        let new = open(&data).await.unwrap();
        crate::keys::ingest_key(&data, &new).await.unwrap();
        new.close().await;
        let (file, away) = (data.join(SQLITE_FILE), data.join("away"));
        std::fs::rename(&file, &away).unwrap();
        let refused = open(&data).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::Away(_)), "{refused}");
        assert!(!file.exists());
        // In PostgreSQL, it may well be somewhere.
        DataFolder::find(&data, Some(URL))
            .unwrap()
            .check_whole()
            .unwrap();
        std::fs::rename(&away, &file).unwrap();
        open(&data).await.unwrap().close().await;
        // The database is what a restore moves last: with it, the folder is whole.
        std::fs::create_dir(data.join(STAGING)).unwrap();
        open(&data).await.unwrap().close().await;
        std::fs::rename(&file, &away).unwrap();
        let refused = open(&data).await.unwrap_err();
        assert!(
            matches!(refused, DatabaseError::HalfRestored(_)),
            "{refused}"
        );
        std::fs::remove_dir_all(data).unwrap();
    }

    #[tokio::test]
    async fn a_folder_with_rows_of_its_own_is_not_left_behind() {
        let data = folder("own");
        open(&data).await.unwrap().close().await;
        let refused = DataFolder::find(&data, Some(URL)).unwrap_err();
        assert!(matches!(refused, DatabaseError::HasOwn(_)), "{refused}");
        std::fs::write(data.join(ADDRESS_FILE), URL).unwrap();
        assert!(DataFolder::find(&data, None).is_err());
        std::fs::remove_dir_all(data).unwrap();
    }
}
