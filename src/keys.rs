//! Key files in the data folder, apart from the database, so that a copy of the database alone
//! turns no tag back into a number.

mod held;

use std::fmt::Write;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crypto::transparency::{FormatError, LogSigner, NoteName};
use crypto::{CallerIdKey, CallerIdTag, DeviceId, Entropy, OsEntropy, SigningKey};
use routing::{CallerHash, CallerHasher, PhoneNumber};
use store::StoreError;
use zeroize::Zeroizing;

use crate::private_file;

pub use held::{KeyFile, caller_id_key, check, ingest_key, is_known, log_signer};

/// The key under which callers' numbers are tagged.
const CALLER_ID_KEY_FILE: &str = "caller-id.key";
/// The key that signs what the server seals.
const INGEST_KEY_FILE: &str = "ingest.key";
/// The key that signs the key log.
const LOG_KEY_FILE: &str = "log.key";
/// What the loss of each costs, as the end of a sentence.
const CALLER_ID_KEY_LOSS: &str = "with a new key no ban would match any more";
const INGEST_KEY_LOSS: &str =
    "with a new key people could no longer tell which callers' numbers this server sealed";
const LOG_KEY_LOSS: &str = "people's devices and witnesses know this key and refuse another one";
const SEED_BYTES: usize = 32;
/// More than any key takes.
const MAX_KEY_FILE_BYTES: u64 = 1_024;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("the key file {} cannot be read: {error}. Check its rights, and where it is a link, what it leads to; or restore it from a backup", .path.display())]
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
    #[error("the key file {} is damaged: {reason}. Restore it from a backup; {loss}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What a new key would cost.
        loss: &'static str,
    },
    /// Others than its owner can read it.
    #[error("the key file {} can be read by others (mode {mode:o}). Run `chmod 600` on it, and think about who may have seen it", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// It is not there, and was.
    #[error(
        "the key file {} is missing, and what is in the database was made with it. Restore it \
         from a backup; {}. If it is gone for good, stop the server and give it up with \
         `centralita keys give-up {which}`",
        .path.display(), .which.loss()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Which one.
        which: KeyFile,
    },
    /// It holds another key than before.
    #[error(
        "the key file {} holds another key than the one that the database was written with. Put \
         the right one in its place, from a backup; {}. If the backup has this very file, somebody \
         changed the database: restore all of the backup. If the right one is gone for good, stop \
         the server and give it up with `centralita keys give-up {which}`",
        .path.display(), .which.loss()
    )]
    Another {
        /// The file.
        path: PathBuf,
        /// Which one.
        which: KeyFile,
    },
    /// The database, which knows the keys that it was written with.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("no key can be made: {0}")]
    Entropy(#[from] crypto::EntropyError),
}

fn make_caller_id_key(data: &Path) -> Result<CallerIdKey, KeyFileError> {
    let key = CallerIdKey::generate()?;
    make(&data.join(CALLER_ID_KEY_FILE), &key.reveal())?;
    Ok(key)
}

/// Reads the key for callers' numbers; `None` before the first start.
///
/// # Errors
/// See [`KeyFileError`].
pub fn existing_caller_id_key(data: &Path) -> Result<Option<CallerIdKey>, KeyFileError> {
    let path = data.join(CALLER_ID_KEY_FILE);
    let Some(text) = read(&path, CALLER_ID_KEY_LOSS)? else {
        return Ok(None);
    };
    let key = text.trim().parse();
    key.map(Some)
        .map_err(|error: crypto::KeyTextError| KeyFileError::Damaged {
            path,
            reason: error.to_string(),
            loss: CALLER_ID_KEY_LOSS,
        })
}

fn make_ingest_key(data: &Path) -> Result<IngestKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    OsEntropy.fill(&mut *seed)?;
    // Room for all of it from the start: no copy stays behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * SEED_BYTES));
    push_hex(&mut text, &*seed);
    make(&data.join(INGEST_KEY_FILE), &text)?;
    Ok(IngestKey(SigningKey::from_seed(&seed)))
}

/// Reads the key that signs what the server seals, 64 hexadecimal digits of its seed; `None`
/// before the first start.
///
/// # Errors
/// See [`KeyFileError`].
pub fn existing_ingest_key(data: &Path) -> Result<Option<IngestKey>, KeyFileError> {
    let path = data.join(INGEST_KEY_FILE);
    let Some(text) = read(&path, INGEST_KEY_LOSS)? else {
        return Ok(None);
    };
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    decode_hex(text.trim(), &mut seed).ok_or_else(|| KeyFileError::Damaged {
        path,
        reason: format!("it does not hold {} hexadecimal digits", 2 * SEED_BYTES),
        loss: INGEST_KEY_LOSS,
    })?;
    Ok(Some(IngestKey(SigningKey::from_seed(&seed))))
}

/// Makes the key of a log that this installation begins.
fn make_first_log_signer(data: &Path, realm: &str) -> Result<LogSigner, KeyFileError> {
    let name = NoteName::new(&format!("{realm}/keys"));
    let damaged = |error| log_key_damaged(&data.join(LOG_KEY_FILE), &error);
    make_log_signer(data, name.map_err(damaged)?)
}

/// Makes a key for the log of that name.
///
/// # Errors
/// See [`KeyFileError`].
pub fn make_log_signer(data: &Path, name: NoteName) -> Result<LogSigner, KeyFileError> {
    let path = data.join(LOG_KEY_FILE);
    let signer = LogSigner::new(name, SigningKey::generate_with(&mut OsEntropy)?);
    make(&path, &signer.reveal())?;
    Ok(signer)
}

/// Reads the key that signs the key log; `None` before the first start.
///
/// # Errors
/// See [`KeyFileError`].
pub fn existing_log_signer(data: &Path) -> Result<Option<LogSigner>, KeyFileError> {
    let path = data.join(LOG_KEY_FILE);
    let Some(text) = read(&path, LOG_KEY_LOSS)? else {
        return Ok(None);
    };
    let signer = text.trim().parse().map(Some);
    signer.map_err(|error| log_key_damaged(&path, &error))
}

fn log_key_damaged(path: &Path, error: &FormatError) -> KeyFileError {
    KeyFileError::Damaged {
        path: path.to_path_buf(),
        reason: error.to_string(),
        loss: LOG_KEY_LOSS,
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

fn decode_hex(text: &str, bytes: &mut [u8; SEED_BYTES]) -> Option<()> {
    if text.len() != 2 * SEED_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(())
}

/// The text of a key file; `None` when there is no file.
fn read(path: &Path, loss: &'static str) -> Result<Option<Zeroizing<String>>, KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable {
        path: path.to_path_buf(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        // A link whose end is away is no file that was never there: the key is elsewhere.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(KeyFileError::Damaged {
            path: path.to_path_buf(),
            reason: "it is no file".to_owned(),
            loss,
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
    Ok(Some(text))
}

/// The file is there whole or not at all, so that a crash leaves no half key.
fn make(path: &Path, key: &str) -> Result<(), KeyFileError> {
    let unfinished = path.with_extension("part");
    let text = Zeroizing::new(format!("{key}\n"));
    let write = || {
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => private_file::create(&unfinished, text.as_bytes())?,
        }
        std::fs::rename(&unfinished, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| KeyFileError::Unwritable {
        path: path.to_path_buf(),
        error,
    })
}

/// Signs what the server seals, so that nobody else's is taken for it.
#[derive(Clone, Debug)]
pub struct IngestKey(SigningKey);

impl IngestKey {
    /// Names the key: the first half of its public half.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        let public = self.0.verifying_key();
        let (half, _) = public
            .as_bytes()
            .split_first_chunk()
            .expect("a public key has 32 bytes");
        DeviceId::from_bytes(*half)
    }

    /// The public half, in hexadecimal digits.
    #[must_use]
    pub fn public_hex(&self) -> String {
        let mut text = String::new();
        push_hex(&mut text, self.0.verifying_key().as_bytes());
        text
    }

    /// The key itself.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        &self.0
    }
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

    use store::Store;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("centralita-keys-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    async fn opened(data: &Path) -> Store {
        crate::database::open(data).await.unwrap()
    }

    #[tokio::test]
    async fn the_server_signs_with_the_same_key_after_a_restart() {
        let data = folder("ingest");
        let store = opened(&data).await;
        let first = ingest_key(&data, &store).await.unwrap();
        let again = ingest_key(&data, &store).await.unwrap();
        assert_eq!(first.id(), again.id());
        let key = |key: &IngestKey| *key.signing_key().verifying_key().as_bytes();
        assert_eq!(key(&first), key(&again));
        assert_eq!(first.id().as_bytes()[..], key(&first)[..16]);
        let path = data.join(INGEST_KEY_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in ["", &text[1..], &text.replacen(&text[..1], "x", 1)] {
            std::fs::write(&path, damaged).unwrap();
            let refused = ingest_key(&data, &store).await.unwrap_err();
            assert!(
                refused.to_string().contains("64 hexadecimal digits"),
                "{refused}"
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
        std::fs::remove_dir_all(data).unwrap();
    }

    #[tokio::test]
    async fn the_key_log_keeps_its_key_and_its_name() {
        let data = folder("log");
        let store = opened(&data).await;
        let first = log_signer(&data, &store, "hotline.example").await.unwrap();
        assert_eq!(first.key().name().as_str(), "hotline.example/keys");
        let again = log_signer(&data, &store, "renamed.example").await.unwrap();
        assert_eq!(again.key(), first.key());
        std::fs::write(data.join(LOG_KEY_FILE), "").unwrap();
        let refused = log_signer(&data, &store, "hotline.example")
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("log.key is damaged"),
            "{refused}"
        );
        std::fs::remove_dir_all(data).unwrap();
    }

    fn tag(key: CallerIdKey) -> CallerHash {
        let number = PhoneNumber::parse("+15550100").unwrap();
        KeyedHasher::new(key).hash(&number)
    }

    #[tokio::test]
    async fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let data = folder("made");
        let store = opened(&data).await;
        let first = tag(caller_id_key(&data, &store).await.unwrap());
        let mode = std::fs::metadata(data.join(CALLER_ID_KEY_FILE))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(tag(caller_id_key(&data, &store).await.unwrap()) == first);
        let other = folder("other");
        assert!(tag(caller_id_key(&other, &opened(&other).await).await.unwrap()) != first);
        std::fs::remove_dir_all(data).unwrap();
        std::fs::remove_dir_all(other).unwrap();
    }

    /// The key of a box that keeps it apart from its disk must not be made anew there.
    #[tokio::test]
    async fn a_key_that_lies_elsewhere_is_used_from_there_and_waited_for() {
        let (data, elsewhere) = (folder("linked"), folder("elsewhere"));
        let store = opened(&data).await;
        let first = tag(caller_id_key(&elsewhere, &opened(&elsewhere).await)
            .await
            .unwrap());
        let (link, key) = (
            data.join(CALLER_ID_KEY_FILE),
            elsewhere.join(CALLER_ID_KEY_FILE),
        );
        std::os::unix::fs::symlink(&key, &link).unwrap();
        assert!(tag(caller_id_key(&data, &store).await.unwrap()) == first);
        let away = elsewhere.join("away");
        std::fs::rename(&key, &away).unwrap();
        for refused in [
            caller_id_key(&data, &store).await.map(drop),
            existing_caller_id_key(&data).map(drop),
        ] {
            let sentence = refused.unwrap_err().to_string();
            assert!(sentence.contains("what it leads to"), "{sentence}");
        }
        assert!(link.is_symlink() && !key.exists());
        std::fs::rename(&away, &key).unwrap();
        assert!(tag(caller_id_key(&data, &store).await.unwrap()) == first);
        std::fs::remove_dir_all(data).unwrap();
        std::fs::remove_dir_all(elsewhere).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_or_exposed_key_is_refused_and_kept() {
        let data = folder("damaged");
        let store = opened(&data).await;
        caller_id_key(&data, &store).await.unwrap();
        let path = data.join(CALLER_ID_KEY_FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = caller_id_key(&data, &store).await.unwrap_err();
        assert!(exposed.to_string().contains("(mode 640)"), "{exposed}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "hlcid1nonsense").unwrap();
        let damaged = caller_id_key(&data, &store).await.unwrap_err();
        assert!(damaged.to_string().contains("Restore it from a backup"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "hlcid1nonsense");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let folder = caller_id_key(&data, &store).await.unwrap_err();
        assert!(folder.to_string().contains("it is no file"), "{folder}");
        std::fs::remove_dir_all(data).unwrap();
    }
}
