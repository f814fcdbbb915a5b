//! Key files in the data folder, apart from the database, so that a copy of the database alone
//! turns no tag back into a number.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crypto::{CallerIdKey, CallerIdTag};
use routing::{CallerHash, CallerHasher, PhoneNumber};
use zeroize::Zeroizing;

use crate::private_file;

/// The key under which callers' numbers are tagged.
const CALLER_ID_KEY_FILE: &str = "caller-id.key";
/// More than any key takes.
const MAX_KEY_FILE_BYTES: u64 = 1_024;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("the key file {} cannot be read: {error}. Check its rights, or restore it from a backup", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It cannot be written.
    #[error("the key file {} cannot be written: {error}. Check the rights of its folder and the space on its disk", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It does not hold a key.
    #[error("the key file {} is damaged: {reason}. Restore it from a backup; with a new key no ban would match any more", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others than its owner can read it.
    #[error("the key file {} can be read by others (mode {mode:o}). Run `chmod 600` on it, and think about who may have seen it", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The system gives no random bytes.
    #[error("no key can be made: {0}")]
    Entropy(#[from] crypto::EntropyError),
}

/// Reads the key for callers' numbers in the data folder; at the first start it is made.
///
/// # Errors
/// See [`KeyFileError`]. A key that is there but cannot be used is never replaced.
pub fn caller_id_key(data: &Path) -> Result<CallerIdKey, KeyFileError> {
    match existing_caller_id_key(data)? {
        Some(key) => Ok(key),
        None => make_key(&data.join(CALLER_ID_KEY_FILE)),
    }
}

/// Reads the key for callers' numbers; `None` before the first start.
///
/// # Errors
/// See [`KeyFileError`].
pub fn existing_caller_id_key(data: &Path) -> Result<Option<CallerIdKey>, KeyFileError> {
    let path = data.join(CALLER_ID_KEY_FILE);
    match File::open(&path) {
        Ok(file) => read_key(file, &path).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyFileError::Unreadable { path, error }),
    }
}

fn read_key(file: File, path: &Path) -> Result<CallerIdKey, KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable {
        path: path.to_path_buf(),
        error,
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(KeyFileError::Damaged {
            path: path.to_path_buf(),
            reason: "it is no file".to_owned(),
        });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_path_buf();
        return Err(KeyFileError::Exposed { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_KEY_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    text.trim()
        .parse()
        .map_err(|error: crypto::KeyTextError| KeyFileError::Damaged {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })
}

/// The file is there whole or not at all, so that a crash leaves no half key.
fn make_key(path: &Path) -> Result<CallerIdKey, KeyFileError> {
    let key = CallerIdKey::generate()?;
    let unfinished = path.with_extension("part");
    let text = Zeroizing::new(format!("{}\n", *key.reveal()));
    let write = || {
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => private_file::create(&unfinished, text.as_bytes())?,
        }
        std::fs::rename(&unfinished, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| KeyFileError::Unwritable {
        path: path.to_path_buf(),
        error,
    })?;
    Ok(key)
}

/// Tags callers' numbers for the router and the ban list.
#[derive(Debug)]
pub struct KeyedHasher(CallerIdKey);

impl KeyedHasher {
    /// Tags under `key`.
    #[must_use]
    pub fn new(key: CallerIdKey) -> Self {
        Self(key)
    }
}

impl CallerHasher for KeyedHasher {
    fn hash(&self, number: &PhoneNumber) -> CallerHash {
        let tag: CallerIdTag = self.0.tag(number.reveal());
        CallerHash(*tag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("centralita-keys-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn tag(key: CallerIdKey) -> CallerHash {
        let number = PhoneNumber::parse("+15550100").unwrap();
        KeyedHasher::new(key).hash(&number)
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let data = folder("made");
        let first = tag(caller_id_key(&data).unwrap());
        let mode = std::fs::metadata(data.join(CALLER_ID_KEY_FILE))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(tag(caller_id_key(&data).unwrap()) == first);
        let other = folder("other");
        assert!(tag(caller_id_key(&other).unwrap()) != first);
        std::fs::remove_dir_all(data).unwrap();
        std::fs::remove_dir_all(other).unwrap();
    }

    #[test]
    fn a_damaged_or_exposed_key_is_refused_and_kept() {
        let data = folder("damaged");
        caller_id_key(&data).unwrap();
        let path = data.join(CALLER_ID_KEY_FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = caller_id_key(&data).unwrap_err();
        assert!(exposed.to_string().contains("(mode 640)"), "{exposed}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "hlcid1nonsense").unwrap();
        let damaged = caller_id_key(&data).unwrap_err();
        assert!(damaged.to_string().contains("Restore it from a backup"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "hlcid1nonsense");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let folder = caller_id_key(&data).unwrap_err();
        assert!(folder.to_string().contains("it is no file"), "{folder}");
        std::fs::remove_dir_all(data).unwrap();
    }
}
