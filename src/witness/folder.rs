//! The folder of a witness: its key, its memory, and the lock over both.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crypto::transparency::WitnessSigner;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::WitnessError;
use crate::private_file;

const LOCK_FILE: &str = "lock";
const KEY_FILE: &str = "key";
const STATE_FILE: &str = "state.json";
const NEW_STATE_FILE: &str = "state.json.new";
const STATE_VERSION: u32 = 1;

/// What a witness must not forget. What the log signed proves itself when it is
/// read again; a part that is missing is no state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    pub(super) logs: Vec<LogState>,
}

/// One watched log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogState {
    /// The log's verifier key.
    pub(super) key: String,
    /// The checkpoint confirmed last. Not having the field is not the same as
    /// having confirmed nothing.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) latest: Option<String>,
}

impl State {
    fn empty() -> Self {
        Self {
            version: STATE_VERSION,
            logs: Vec::new(),
        }
    }
}

/// A folder that belongs to this process until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder; makes it when it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, WitnessError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(WitnessError::disk(path))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(WitnessError::disk(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(WitnessError::InUse(path.to_path_buf())),
            Err(TryLockError::Error(reason)) => Err(WitnessError::disk(&lock_path)(reason)),
        }
    }

    /// The key; `None` in a folder that never had one.
    pub(super) fn key(&self) -> Result<Option<WitnessSigner>, WitnessError> {
        let path = self.path.join(KEY_FILE);
        let text = match fs::read(&path).map(Zeroizing::new) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WitnessError::disk(&path)(error)),
        };
        let text = str::from_utf8(&text).unwrap_or_default();
        let signer = text.parse();
        let signer = signer.map_err(|reason| WitnessError::KeyUnreadable { path, reason })?;
        Ok(Some(signer))
    }

    /// Begins a witness. The state comes first: a folder with a key and without
    /// a state has lost it.
    pub(super) fn begin(&self, signer: &WitnessSigner) -> Result<State, WitnessError> {
        let path = self.path.join(STATE_FILE);
        if path.exists() {
            let reason = "it is there without a key".to_owned();
            return Err(WitnessError::StateDamaged { path, reason });
        }
        let state = State::empty();
        self.store(&state).map_err(WitnessError::disk(&path))?;
        let path = self.path.join(KEY_FILE);
        let mut text = Zeroizing::new(signer.reveal().as_bytes().to_vec());
        text.push(b'\n');
        private_file::create(&path, &text)
            .and_then(|()| self.sync())
            .map_err(WitnessError::disk(&path))?;
        Ok(state)
    }

    /// What this witness knew last.
    pub(super) fn state(&self) -> Result<State, WitnessError> {
        let path = self.path.join(STATE_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(WitnessError::StateMissing(path));
            }
            Err(error) => return Err(WitnessError::disk(&path)(error)),
        };
        let state: Result<State, _> = serde_json::from_slice(&text);
        match state {
            Ok(state) if state.version == STATE_VERSION => Ok(state),
            Ok(_) => Err(self.damaged("it is of another version of this program")),
            Err(error) => Err(self.damaged(error)),
        }
    }

    /// That what [`Folder::state`] gave cannot be used.
    pub(super) fn damaged(&self, reason: impl std::fmt::Display) -> WitnessError {
        WitnessError::StateDamaged {
            path: self.path.join(STATE_FILE),
            reason: reason.to_string(),
        }
    }

    /// That the state cannot be written.
    pub(super) fn unusable(&self, reason: io::Error) -> WitnessError {
        WitnessError::disk(&self.path.join(STATE_FILE))(reason)
    }

    /// Replaces the state, and returns once it would survive a power cut.
    pub(super) fn store(&self, state: &State) -> io::Result<()> {
        let new = self.path.join(NEW_STATE_FILE);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(state)?)?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(STATE_FILE))?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}
