//! The key-transparency log of this server (`docs/protocol/transparency-v1.md`).
//!
//! A leaf and the change that it announces are kept in one commit: nobody is handed a sigchain
//! or a roster whose head is not in the log.

use std::collections::BTreeMap;

use crypto::EntropyError;
use crypto::identity::ChainHead;
use crypto::transparency::{
    AddCheckpoint, FormatError, Leaf, Log, LogKey, LogSigner, NoteName, Proof, SignedCheckpoint,
    Subject,
};
use store::{Changes, Store, StoreError, VaultChange};
use tokio::sync::{Mutex, MutexGuard, watch};

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyLogError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A stored entry or head is not one.
    #[error("the key log in the database is damaged ({0}). Restore a backup")]
    Damaged(#[from] FormatError),
    /// The entries are not those that were signed.
    #[error(
        "the key log in the database is not the one that was signed last: entries are missing or changed. Restore a newer backup; clients refuse a log that goes back"
    )]
    Forked,
    /// Another key signed it, or none.
    #[error(
        "the key log in the database is not signed with this server's log.key: somebody changed the database. Restore a newer backup; clients refuse a log that goes back"
    )]
    Unsigned,
}

/// The log, of which there is one writer.
pub(crate) struct KeyLog {
    signer: LogSigner,
    state: Mutex<State>,
    newest: watch::Sender<Option<SignedCheckpoint>>,
}

struct State {
    log: Log,
    heads: BTreeMap<Subject, ChainHead>,
    /// Whether it may lag behind the database, because a commit's answer was lost.
    in_doubt: bool,
}

impl State {
    fn new(log: Log) -> Self {
        let heads = log.leaves().iter().map(|leaf| (leaf.subject, leaf.head));
        Self {
            heads: heads.collect(),
            log,
            in_doubt: false,
        }
    }
}

impl KeyLog {
    /// Reads the log and checks it against what was signed last.
    pub(crate) async fn open(store: &Store, signer: LogSigner) -> Result<Self, KeyLogError> {
        let log = load(store, signer.key().name()).await?;
        let newest = newest(store, &log, signer.key()).await?;
        Ok(Self {
            signer,
            state: Mutex::new(State::new(log)),
            newest: watch::Sender::new(newest),
        })
    }

    /// Commits `changes` together with leaves for the heads that they lead to. A head that the
    /// log has already is not entered again.
    pub(crate) async fn commit(
        &self,
        store: &Store,
        mut changes: Changes,
        heads: &[Leaf],
    ) -> Result<(), KeyLogError> {
        let mut state = self.current(store).await?;
        let before = state.log.size();
        for leaf in heads {
            if state.heads.insert(leaf.subject, leaf.head) == Some(leaf.head) {
                continue;
            }
            changes.push(VaultChange::LogExtended {
                position: state.log.append(*leaf),
                leaf: leaf.encode().to_vec(),
            });
        }
        if state.log.size() == before {
            return Ok(store.commit(changes).await?);
        }
        let checkpoint = state.log.sign(&self.signer);
        changes.push(VaultChange::CheckpointSigned {
            size: state.log.size(),
            note: checkpoint.as_str().to_owned(),
        });
        state.in_doubt = true;
        store.commit(changes).await?;
        state.in_doubt = false;
        self.newest.send_replace(Some(checkpoint));
        Ok(())
    }

    /// What clients pin.
    pub(crate) fn key(&self) -> &LogKey {
        self.signer.key()
    }

    /// Adds what witnesses signed about the checkpoint of `size`, unless a newer one is out.
    pub(crate) async fn add_cosignatures(
        &self,
        store: &Store,
        size: u64,
        lines: &str,
    ) -> Result<(), KeyLogError> {
        let _one_writer = self.state.lock().await;
        let newest = self.newest.borrow().clone();
        let Some(newest) = newest.filter(|newest| newest.checkpoint().size == size) else {
            return Ok(());
        };
        let signed = newest.with_cosignatures(lines)?;
        let change = VaultChange::CheckpointSigned {
            size,
            note: signed.as_str().to_owned(),
        };
        store.commit(store::Change::from(change).into()).await?;
        self.newest.send_replace(Some(signed));
        Ok(())
    }

    /// The newest signed head, as it changes; `None` while the log is empty.
    pub(crate) fn newest(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.newest.subscribe()
    }

    /// The newest signed head as the database has it. A commit that is on its way is waited for:
    /// what it changed may have been read already. `None` while the log is empty.
    pub(crate) async fn settled(
        &self,
        store: &Store,
    ) -> Result<Option<SignedCheckpoint>, KeyLogError> {
        let _one_writer = self.current(store).await?;
        Ok(self.newest.borrow().clone())
    }

    /// What to send to a witness that has seen the log at `old`.
    pub(crate) async fn request(&self, old: u64) -> Option<AddCheckpoint> {
        let checkpoint = self.newest.borrow().clone()?;
        self.state.lock().await.log.request(old, &checkpoint)
    }

    /// Leaves from the one numbered `from`, at most `limit`.
    pub(crate) async fn leaves(&self, from: u64, limit: usize) -> Vec<Leaf> {
        let state = self.state.lock().await;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let leaves = state.log.leaves().iter().skip(from).take(limit);
        leaves.copied().collect()
    }

    /// That the leaf numbered `place` is in the log of `size`.
    pub(crate) async fn prove_inclusion(&self, place: u64, size: u64) -> Option<Proof> {
        self.state.lock().await.log.prove_inclusion(place, size)
    }

    /// That the log of `old` is the beginning of the log of `new`.
    pub(crate) async fn prove_consistency(&self, old: u64, new: u64) -> Option<Proof> {
        self.state.lock().await.log.prove_consistency(old, new)
    }

    /// The log as the database has it.
    async fn current(&self, store: &Store) -> Result<MutexGuard<'_, State>, KeyLogError> {
        let mut state = self.state.lock().await;
        if state.in_doubt {
            let log = load(store, self.signer.key().name()).await?;
            let newest = newest(store, &log, self.key()).await?;
            self.newest.send_replace(newest);
            *state = State::new(log);
        }
        Ok(state)
    }
}

/// The change by which another key takes over a log whose own is lost, which must be as it was
/// signed last; `None` while it is empty.
///
/// # Errors
/// See [`KeyLogError`].
pub async fn sign_log_anew(
    store: &Store,
    signer: &LogSigner,
) -> Result<Option<VaultChange>, KeyLogError> {
    let Some((size, note)) = store.unscoped().log_checkpoint().await? else {
        return match store.unscoped().log_leaves(0).await?.is_empty() {
            true => Ok(None),
            false => Err(KeyLogError::Forked),
        };
    };
    let signed = SignedCheckpoint::parse(&note)?;
    let log = load(store, &signed.checkpoint().origin).await?;
    if log.checkpoint() != *signed.checkpoint() {
        return Err(KeyLogError::Forked);
    }
    let log = Log::from_leaves(signer.key().name().clone(), log.leaves().iter().copied());
    let note = log.sign(signer).as_str().to_owned();
    Ok(Some(VaultChange::CheckpointSigned { size, note }))
}

async fn load(store: &Store, origin: &NoteName) -> Result<Log, KeyLogError> {
    let mut log = Log::new(origin.clone());
    loop {
        let page = store.unscoped().log_leaves(log.size()).await?;
        if page.is_empty() {
            return Ok(log);
        }
        for leaf in page {
            log.append(Leaf::decode(&leaf)?);
        }
    }
}

async fn newest(
    store: &Store,
    log: &Log,
    key: &LogKey,
) -> Result<Option<SignedCheckpoint>, KeyLogError> {
    let Some((_, note)) = store.unscoped().log_checkpoint().await? else {
        return match log.size() {
            0 => Ok(None),
            _ => Err(KeyLogError::Forked),
        };
    };
    let signed = SignedCheckpoint::parse(&note)?;
    // Whoever has the database and not the key would else have the next entry sign theirs.
    if !signed.is_signed_by(key) {
        return Err(KeyLogError::Unsigned);
    }
    match *signed.checkpoint() == log.checkpoint() {
        true => Ok(Some(signed)),
        false => Err(KeyLogError::Forked),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crypto::{SigningKey, UserId};
    use store::{HubId, HubRow, StoreOptions};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("centralita-keylog-{}-{name}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        async fn store(&self) -> Store {
            Store::open_with(StoreOptions::sqlite(&self.0))
                .await
                .unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn signer() -> LogSigner {
        let name = NoteName::new("hotline.example/log").unwrap();
        LogSigner::new(name, SigningKey::from_seed(&[7; 32]))
    }

    fn another() -> LogSigner {
        let name = NoteName::new("other.example/log").unwrap();
        LogSigner::new(name, SigningKey::from_seed(&[8; 32]))
    }

    fn leaf(user: u8, seqno: u64) -> Leaf {
        let mut head = [user; ChainHead::BYTES];
        head[..8].copy_from_slice(&seqno.to_be_bytes());
        Leaf {
            subject: Subject::User(UserId::from_bytes([user; 16])),
            head: ChainHead::decode(&head),
        }
    }

    fn hub(id: u8) -> Changes {
        let row = HubRow {
            id: HubId([id; 16]),
            name: "norte".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        store::Change::from(VaultChange::HubAdded(row)).into()
    }

    fn size(log: &KeyLog) -> u64 {
        let newest = log.newest();
        newest
            .borrow()
            .as_ref()
            .map_or(0, |signed| signed.checkpoint().size)
    }

    #[tokio::test]
    async fn a_head_is_entered_once_and_survives_a_restart() {
        let folder = Folder::new("restart");
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        assert!(log.newest().borrow().is_none());
        log.commit(&store, hub(1), &[leaf(1, 1), leaf(2, 1)])
            .await
            .unwrap();
        log.commit(&store, Changes::new(), &[leaf(1, 1)])
            .await
            .unwrap();
        log.commit(&store, Changes::new(), &[leaf(1, 2)])
            .await
            .unwrap();
        let newest = log.newest().borrow().clone();
        drop(log);
        store.close().await;
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        assert_eq!(*log.newest().borrow(), newest);
        let leaves = log.leaves(0, 10).await;
        assert_eq!(leaves, [leaf(1, 1), leaf(2, 1), leaf(1, 2)]);
        assert_eq!(log.leaves(2, 10).await.len(), 1);
        assert!(log.prove_consistency(2, 3).await.is_some());
    }

    #[tokio::test]
    async fn what_was_refused_is_not_in_the_log() {
        let folder = Folder::new("refused");
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        log.commit(&store, hub(1), &[leaf(1, 1)]).await.unwrap();
        // Another hub of the same name.
        let refused = log.commit(&store, hub(2), &[leaf(1, 2)]).await;
        assert!(matches!(
            refused,
            Err(KeyLogError::Store(StoreError::Conflict { .. }))
        ));
        assert_eq!(size(&log), 1);
        log.commit(&store, Changes::new(), &[leaf(1, 2)])
            .await
            .unwrap();
        assert_eq!(size(&log), 2);
        assert_eq!(log.leaves(0, 10).await, [leaf(1, 1), leaf(1, 2)]);
    }

    /// A client that has read the change needs the checkpoint that goes with it.
    #[tokio::test]
    async fn a_commit_whose_answer_was_lost_is_told_of_before_the_next_one() {
        let folder = Folder::new("lost");
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        let settled = async || log.settled(&store).await.unwrap();
        assert!(settled().await.is_none());
        log.commit(&store, Changes::new(), &[leaf(1, 1)])
            .await
            .unwrap();
        assert_eq!(settled().await, *log.newest().borrow());
        // Kept, although the writer was told that it was not.
        let kept = KeyLog::open(&store, signer()).await.unwrap();
        kept.commit(&store, Changes::new(), &[leaf(1, 2)])
            .await
            .unwrap();
        log.state.lock().await.in_doubt = true;
        assert_eq!(size(&log), 1);
        assert_eq!(settled().await.unwrap().checkpoint().size, 2);
        assert_eq!(log.leaves(0, 10).await, [leaf(1, 1), leaf(1, 2)]);
    }

    #[tokio::test]
    async fn a_log_that_lost_an_entry_is_refused() {
        let folder = Folder::new("forked");
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        log.commit(&store, Changes::new(), &[leaf(1, 1)])
            .await
            .unwrap();
        // Somebody adds an entry that the key did not sign.
        let change = VaultChange::LogExtended {
            position: 1,
            leaf: leaf(9, 1).encode().to_vec(),
        };
        store
            .commit(store::Change::from(change).into())
            .await
            .unwrap();
        let opened = KeyLog::open(&store, signer()).await;
        assert!(matches!(opened, Err(KeyLogError::Forked)));
        let anew = sign_log_anew(&store, &another()).await;
        assert!(matches!(anew, Err(KeyLogError::Forked)));
    }

    #[tokio::test]
    async fn a_log_that_another_key_signed_is_refused_until_that_key_takes_it_over() {
        let folder = Folder::new("another");
        let store = folder.store().await;
        let log = KeyLog::open(&store, signer()).await.unwrap();
        log.commit(&store, Changes::new(), &[leaf(1, 1)])
            .await
            .unwrap();
        let opened = KeyLog::open(&store, another()).await;
        assert!(matches!(opened, Err(KeyLogError::Unsigned)));
        let anew = sign_log_anew(&store, &another()).await.unwrap().unwrap();
        store
            .commit(store::Change::from(anew).into())
            .await
            .unwrap();
        let taken = KeyLog::open(&store, another()).await.unwrap();
        assert_eq!(taken.leaves(0, 10).await, [leaf(1, 1)]);
        let opened = KeyLog::open(&store, signer()).await;
        assert!(matches!(opened, Err(KeyLogError::Unsigned)));
    }
}
