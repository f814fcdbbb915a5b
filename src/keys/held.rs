//! That the key files of the data folder are the ones with which its database was written: one
//! that is lost or exchanged is told before something is written with another one.

use std::fmt;
use std::path::Path;

use crypto::CallerIdKey;
use crypto::transparency::LogSigner;
use store::{Change, Reader, Store};

use super::{
    CALLER_ID_KEY_FILE, CALLER_ID_KEY_LOSS, INGEST_KEY_FILE, INGEST_KEY_LOSS, IngestKey,
    KeyFileError, LOG_KEY_FILE, LOG_KEY_LOSS, existing_caller_id_key, existing_ingest_key,
    existing_log_signer, make_caller_id_key, make_first_log_signer, make_ingest_key,
};

/// A key file, by the name that operators give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyFile {
    /// The key under which callers' numbers are tagged.
    CallerId,
    /// The key that signs what the server seals.
    Ingest,
    /// The key that signs the key log.
    Log,
}

impl KeyFile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CallerId, Self::Ingest, Self::Log];

    /// Its name in the data folder, and in the database.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::CallerId => CALLER_ID_KEY_FILE,
            Self::Ingest => INGEST_KEY_FILE,
            Self::Log => LOG_KEY_FILE,
        }
    }

    /// What it costs to go on with another one, as the end of a sentence.
    #[must_use]
    pub fn loss(self) -> &'static str {
        match self {
            Self::CallerId => CALLER_ID_KEY_LOSS,
            Self::Ingest => INGEST_KEY_LOSS,
            Self::Log => LOG_KEY_LOSS,
        }
    }

    fn mark_of_existing(self, data: &Path) -> Result<Option<Mark>, KeyFileError> {
        Ok(match self {
            Self::CallerId => existing_caller_id_key(data)?.map(|key| key.mark()),
            Self::Ingest => existing_ingest_key(data)?.map(|key| key.mark()),
            Self::Log => existing_log_signer(data)?.map(|key| key.mark()),
        })
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CallerId => "caller-id",
            Self::Ingest => "ingest",
            Self::Log => "log",
        })
    }
}

/// What the database may know of a key.
type Mark = [u8; 32];

trait Marked {
    fn mark(&self) -> Mark;
}

impl Marked for CallerIdKey {
    /// The tag of no number, which tells as little of the key as that of a number does.
    fn mark(&self) -> Mark {
        *self.tag("").as_bytes()
    }
}

impl Marked for IngestKey {
    fn mark(&self) -> Mark {
        *self.signing_key().verifying_key().as_bytes()
    }
}

impl Marked for LogSigner {
    fn mark(&self) -> Mark {
        *self.key().key().as_bytes()
    }
}

/// Reads the key for callers' numbers in the data folder; at the first start it is made.
///
/// # Errors
/// See [`KeyFileError`]. A key with which something was written is never replaced.
pub async fn caller_id_key(data: &Path, store: &Store) -> Result<CallerIdKey, KeyFileError> {
    let found = existing_caller_id_key(data)?;
    let make = || make_caller_id_key(data);
    hold(KeyFile::CallerId, data, store, found, make).await
}

/// Reads the key that signs what the server seals; at the first start it is made.
///
/// # Errors
/// See [`KeyFileError`]. A key with which something was written is never replaced.
pub async fn ingest_key(data: &Path, store: &Store) -> Result<IngestKey, KeyFileError> {
    let found = existing_ingest_key(data)?;
    let make = || make_ingest_key(data);
    hold(KeyFile::Ingest, data, store, found, make).await
}

/// Reads the key that signs the key log; at the first start it is made, for the log
/// `realm/keys`.
///
/// # Errors
/// See [`KeyFileError`]. A key with which something was written is never replaced.
pub async fn log_signer(
    data: &Path,
    store: &Store,
    realm: &str,
) -> Result<LogSigner, KeyFileError> {
    let found = existing_log_signer(data)?;
    let make = || make_first_log_signer(data, realm);
    hold(KeyFile::Log, data, store, found, make).await
}

/// Compares a key file with what the database was written with; changes nothing. Fine, too, where
/// there are neither of them yet.
///
/// # Errors
/// See [`KeyFileError`].
pub async fn check(which: KeyFile, data: &Path, reader: &Reader) -> Result<(), KeyFileError> {
    let found = which.mark_of_existing(data)?;
    let known = reader.unscoped().key_mark(which.file()).await?;
    compare(which, data, found, known)
}

/// Whether the database knows a key by that name.
///
/// # Errors
/// See [`KeyFileError`].
pub async fn is_known(which: KeyFile, reader: &Reader) -> Result<bool, KeyFileError> {
    let known = reader.unscoped().key_mark(which.file()).await?;
    Ok(known.is_some())
}

async fn hold<K: Marked>(
    which: KeyFile,
    data: &Path,
    store: &Store,
    found: Option<K>,
    make: impl FnOnce() -> Result<K, KeyFileError>,
) -> Result<K, KeyFileError> {
    let known = store.unscoped().key_mark(which.file()).await?;
    compare(which, data, found.as_ref().map(Marked::mark), known)?;
    let key = match found {
        Some(key) => key,
        // Signed before the database knew its keys.
        None if known.is_none() && which == KeyFile::Log && is_log_signed(store).await? => {
            let path = data.join(which.file());
            return Err(KeyFileError::Missing { path, which });
        }
        None => make()?,
    };
    if known.is_none() {
        let (key, mark) = (which.file(), key.mark());
        store.commit(Change::KeyMarked { key, mark }.into()).await?;
    }
    Ok(key)
}

async fn is_log_signed(store: &Store) -> Result<bool, KeyFileError> {
    Ok(store.unscoped().log_checkpoint().await?.is_some())
}

fn compare(
    which: KeyFile,
    data: &Path,
    found: Option<Mark>,
    known: Option<Mark>,
) -> Result<(), KeyFileError> {
    let path = data.join(which.file());
    match (found, known) {
        (None, Some(_)) => Err(KeyFileError::Missing { path, which }),
        (Some(found), Some(known)) if found != known => Err(KeyFileError::Another { path, which }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As on a new machine with the database of the old one.
    #[tokio::test]
    async fn a_key_that_was_used_is_missed_and_no_other_one_taken() {
        let name = format!("centralita-held-{}", std::process::id());
        let data = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&data);
        let store = crate::database::open(&data).await.unwrap();
        for which in KeyFile::ALL {
            check(which, &data, store.reader()).await.unwrap();
            assert!(!is_known(which, store.reader()).await.unwrap());
            let take = async || match which {
                KeyFile::CallerId => caller_id_key(&data, &store).await.map(drop),
                KeyFile::Ingest => ingest_key(&data, &store).await.map(drop),
                KeyFile::Log => log_signer(&data, &store, "hotline.example").await.map(drop),
            };
            take().await.unwrap();
            check(which, &data, store.reader()).await.unwrap();
            let (file, away) = (data.join(which.file()), data.join("away"));
            fs::rename(&file, &away).unwrap();
            let missing = take().await.unwrap_err().to_string();
            assert!(missing.contains("is missing"), "{missing}");
            assert!(
                missing.contains(&format!("keys give-up {which}`")),
                "{missing}"
            );
            assert!(!file.exists(), "no other {which} is made");
            match which {
                KeyFile::CallerId => drop(make_caller_id_key(&data).unwrap()),
                KeyFile::Ingest => drop(make_ingest_key(&data).unwrap()),
                KeyFile::Log => drop(make_first_log_signer(&data, "hotline.example").unwrap()),
            }
            for refused in [take().await, check(which, &data, store.reader()).await] {
                let another = refused.unwrap_err().to_string();
                assert!(another.contains("another key"), "{another}");
            }
            fs::rename(&away, &file).unwrap();
            take().await.unwrap();

            fs::remove_file(&file).unwrap();
            let given_up = Change::KeyGivenUp { key: which.file() };
            store.commit(given_up.into()).await.unwrap();
            take().await.unwrap();
            check(which, &data, store.reader()).await.unwrap();
        }
        fs::remove_dir_all(data).unwrap();
    }
}
