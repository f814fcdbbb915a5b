//! A witness with a memory: nothing is confirmed that is not on the disk.

use std::io;
use std::path::Path;

use crypto::transparency::{
    LogKey, NoteName, SignedCheckpoint, Witness, WitnessKey, WitnessRefusal, WitnessSigner,
};
use crypto::{OsEntropy, SigningKey};

use super::WitnessError;
use super::folder::{Folder, LogState, State};

/// The most logs of one witness.
pub(super) const MAX_LOGS: usize = 64;

/// The witness, its folder, and what is in it.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: Folder,
    state: State,
    key: WitnessKey,
    witness: Witness,
}

/// Why there is no confirmation.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The protocol says so.
    #[error(transparent)]
    Witness(#[from] WitnessRefusal),
    /// The disk does not take it.
    #[error("this witness cannot store the checkpoint, and so does not confirm it")]
    Disk(#[source] io::Error),
}

impl Keeper {
    /// Goes on with a witness, or begins one when the folder is new.
    pub(super) fn open(path: &Path, name: Option<NoteName>) -> Result<Self, WitnessError> {
        let folder = Folder::open(path)?;
        let (signer, state) = match (folder.key()?, name) {
            (Some(signer), Some(name)) if *signer.key().name() != name => {
                let ours = signer.key().name().clone();
                return Err(WitnessError::OtherName { ours });
            }
            (Some(signer), _) => (signer, folder.state()?),
            (None, None) => return Err(WitnessError::NameMissing),
            (None, Some(name)) => {
                let signing = SigningKey::generate_with(&mut OsEntropy)?;
                let signer = WitnessSigner::new(name, signing);
                let state = folder.begin(&signer)?;
                (signer, state)
            }
        };
        let key = signer.key().clone();
        let witness = resume(signer, &state).map_err(|reason| folder.damaged(reason))?;
        Ok(Self {
            folder,
            state,
            key,
            witness,
        })
    }

    /// What the hotline is given.
    pub(super) fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Origin and confirmed size of each watched log.
    pub(super) fn watched(&self) -> Vec<(String, u64)> {
        let logs = self.state.logs.iter();
        let keys = logs.filter_map(|log| log.key.parse::<LogKey>().ok());
        keys.map(|key| {
            let latest = self.witness.latest(key.name());
            let size = latest.map_or(0, |latest| latest.checkpoint().size);
            (key.name().to_string(), size)
        })
        .collect()
    }

    /// Watches a log from now on; one that is watched already goes on.
    pub(super) fn watch(&mut self, key: LogKey) -> Result<(), WitnessError> {
        let origin = format!("{}+", key.name());
        let mut known = self.state.logs.iter();
        if let Some(known) = known.find(|log| log.key.starts_with(&origin)) {
            return match known.key == key.to_string() {
                true => Ok(()),
                false => Err(WitnessError::OtherLogKey {
                    origin: key.name().clone(),
                }),
            };
        }
        if self.state.logs.len() == MAX_LOGS {
            return Err(WitnessError::TooManyLogs);
        }
        let mut state = self.state.clone();
        state.logs.push(LogState {
            key: key.to_string(),
            latest: None,
        });
        let stored = self.folder.store(&state);
        stored.map_err(|error| self.folder.unusable(error))?;
        self.state = state;
        self.witness.watch(key);
        Ok(())
    }

    /// Takes the body of an `add-checkpoint` request; gives the signature line,
    /// after the checkpoint is on the disk.
    pub(super) fn confirm(&mut self, body: &str, now_s: u64) -> Result<String, Refusal> {
        let checked = self.witness.check(body)?;
        if checked.is_news() {
            let mut state = self.state.clone();
            remember(&mut state, checked.checkpoint());
            self.folder.store(&state).map_err(Refusal::Disk)?;
            self.state = state;
        }
        Ok(checked.confirm(now_s))
    }
}

/// A watched origin is in the state: both are changed together.
fn remember(state: &mut State, checkpoint: &SignedCheckpoint) {
    let origin = format!("{}+", checkpoint.checkpoint().origin);
    let log = state.logs.iter_mut();
    for log in log.filter(|log| log.key.starts_with(&origin)) {
        log.latest = Some(checkpoint.as_str().to_owned());
    }
}

fn resume(signer: WitnessSigner, state: &State) -> Result<Witness, String> {
    let mut witness = Witness::new(signer);
    for log in &state.logs {
        let key: LogKey = log.key.parse().map_err(|error| format!("{error}"))?;
        let origin = key.name().clone();
        match &log.latest {
            None => witness.watch(key),
            Some(latest) => witness
                .resume(key, latest)
                .map_err(|_| format!("the checkpoint of {origin} is not signed by it"))?,
        }
    }
    Ok(witness)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use crypto::identity::ChainHead;
    use crypto::transparency::{Leaf, Log, LogSigner, Subject};
    use crypto::{OsEntropy, SigningKey, UserId};

    use super::*;

    struct Scene {
        folder: PathBuf,
        signer: LogSigner,
        log: Log,
    }

    impl Scene {
        fn new(test: &str) -> Self {
            let id = std::process::id();
            let folder = std::env::temp_dir().join(format!("centralita-keeper-{test}-{id}"));
            let origin = NoteName::new("hotline.example/keys").unwrap();
            let signing = SigningKey::generate_with(&mut OsEntropy).unwrap();
            Self {
                folder,
                signer: LogSigner::new(origin.clone(), signing),
                log: Log::new(origin),
            }
        }

        fn open(&self) -> Result<Keeper, WitnessError> {
            let name = NoteName::new("partner.example").unwrap();
            let mut keeper = Keeper::open(&self.folder, Some(name))?;
            keeper.watch(self.signer.key().clone())?;
            Ok(keeper)
        }

        /// The request for one entry more.
        fn grow(&mut self) -> String {
            let old = self.log.size();
            let (seqno, hash) = (1, [old as u8; 32]);
            let subject = Subject::User(UserId::from_bytes([old as u8; 16]));
            let head = ChainHead { seqno, hash };
            self.log.append(Leaf { subject, head });
            let checkpoint = self.log.sign(&self.signer);
            self.log.request(old, &checkpoint).unwrap().to_body()
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    #[test]
    fn what_cannot_be_stored_is_not_confirmed_and_not_remembered() {
        let mut scene = Scene::new("full-disk");
        let mut keeper = scene.open().unwrap();
        keeper.confirm(&scene.grow(), 1).unwrap();
        // A folder in the place of the new file: even root cannot write there.
        let obstacle = scene.folder.join("state.json.new");
        fs::create_dir(&obstacle).unwrap();
        let request = scene.grow();
        let refused = keeper.confirm(&request, 2).unwrap_err();
        assert!(matches!(refused, Refusal::Disk(_)), "{refused}");
        assert_eq!(keeper.watched(), [("hotline.example/keys".to_owned(), 1)]);
        fs::remove_dir(&obstacle).unwrap();
        keeper.confirm(&request, 3).unwrap();
        drop(keeper);
        let keeper = scene.open().unwrap();
        assert_eq!(keeper.watched(), [("hotline.example/keys".to_owned(), 2)]);
    }

    #[test]
    fn nobody_else_reads_the_key() {
        let scene = Scene::new("mode");
        let _keeper = scene.open().unwrap();
        for (name, mode) in [("", 0o700), ("key", 0o600), ("state.json", 0o600)] {
            let found = fs::metadata(scene.folder.join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
        }
    }
}
