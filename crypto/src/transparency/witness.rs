//! A witness: confirms that logs only grow (c2sp.org/tlog-witness).

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};

use super::checkpoint::{
    Checkpoint, MAX_CHECKPOINT_BYTES, SignedCheckpoint, parse_hash, parse_size,
};
use super::error::FormatError;
use super::note::{LogKey, NoteName};
use super::proof::{MAX_PROOF_HASHES, Proof, empty_root};
use super::signer::WitnessSigner;

/// Where a witness takes [`AddCheckpoint`] requests, below its own address.
pub const ADD_CHECKPOINT_PATH: &str = "/add-checkpoint";

/// A line of base64 of 32 bytes with its newline.
const HASH_LINE_BYTES: usize = 45;
/// The longest request that is read.
pub const MAX_REQUEST_BYTES: usize = 32 + MAX_PROOF_HASHES * HASH_LINE_BYTES + MAX_CHECKPOINT_BYTES;

/// The body of an `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is believed to know.
    pub old: u64,
    /// That the checkpoint continues it.
    pub proof: Proof,
    /// What is to be confirmed.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// To send.
    pub fn to_body(&self) -> String {
        let lines = self.proof.hashes().iter();
        let lines = lines.map(|hash| Base64::encode_string(hash) + "\n");
        let proof: String = lines.collect();
        format!("old {}\n{proof}\n{}", self.old, self.checkpoint.as_str())
    }

    /// Reads what was sent.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn parse(body: &str) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "an add-checkpoint request",
            why,
        };
        if body.len() > MAX_REQUEST_BYTES {
            return Err(malformed("it is too long"));
        }
        let (front, checkpoint) = body
            .split_once("\n\n")
            .ok_or(malformed("its empty line is missing"))?;
        let mut lines = front.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(parse_size).ok_or(malformed("its old size"))?;
        let hashes = lines.map(|line| parse_hash(line).ok_or(malformed("a hash")));
        Ok(Self {
            old,
            proof: Proof::from_hashes(hashes.collect::<Result<_, _>>()?)?,
            checkpoint: SignedCheckpoint::parse(checkpoint)?,
        })
    }
}

/// Why a witness does not confirm, with the answer that HTTP has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessRefusal {
    /// Not a request, or an old size beyond the checkpoint's.
    #[error("the request is malformed")]
    BadRequest,
    /// The log's signature is missing or does not fit.
    #[error("the checkpoint is not signed by its log")]
    NotSigned,
    /// A log that this witness does not watch.
    #[error("this witness does not know this log")]
    UnknownLog,
    /// The witness knows another size, or at this size another root: a
    /// rollback, a fork, or a request that was overtaken.
    #[error("this witness has confirmed {size} entries last")]
    Conflict {
        /// The size that it confirmed last.
        size: u64,
    },
    /// The checkpoint does not continue what was confirmed last: a fork.
    #[error("the log does not continue what was confirmed before")]
    ProofRefused,
}

impl WitnessRefusal {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::ProofRefused => 422,
        }
    }

    /// Content type and body that the status must have.
    pub fn body(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Conflict { size } => Some(("text/x.tlog.size", format!("{size}\n"))),
            _ => None,
        }
    }
}

/// Remembers the latest checkpoint of each log, and confirms only what
/// continues it.
///
/// Pure. The caller takes requests one after the other, and stores the new
/// checkpoint ([`Checked::checkpoint`]) **before** it has the confirmation
/// written ([`Checked::confirm`]): a witness that forgets can be made to confirm
/// two versions.
#[derive(Debug, Clone)]
pub struct Witness {
    signer: WitnessSigner,
    logs: BTreeMap<NoteName, Watched>,
}

#[derive(Debug, Clone)]
struct Watched {
    key: LogKey,
    latest: Option<SignedCheckpoint>,
}

impl Watched {
    fn size(&self) -> u64 {
        let latest = self.latest.as_ref();
        latest.map_or(0, |latest| latest.checkpoint().size)
    }
}

impl Witness {
    /// A witness that watches no log yet.
    pub fn new(signer: WitnessSigner) -> Self {
        let logs = BTreeMap::new();
        Self { signer, logs }
    }

    /// Watches a log from its beginning. A log that is watched already is left
    /// as it is.
    pub fn watch(&mut self, key: LogKey) {
        let (origin, latest) = (key.name().clone(), None);
        self.logs.entry(origin).or_insert(Watched { key, latest });
    }

    /// Watches a log from where it was, after a restart.
    ///
    /// # Errors
    /// [`WitnessRefusal::BadRequest`] or [`WitnessRefusal::NotSigned`] when the
    /// stored checkpoint is not one of this log.
    pub fn resume(&mut self, key: LogKey, latest: &str) -> Result<(), WitnessRefusal> {
        let latest = SignedCheckpoint::parse(latest).map_err(|_| WitnessRefusal::BadRequest)?;
        let ours = latest.checkpoint().origin == *key.name();
        if !ours || key.verify(&latest.note) != Some(true) {
            return Err(WitnessRefusal::NotSigned);
        }
        let (origin, latest) = (key.name().clone(), Some(latest));
        self.logs.insert(origin, Watched { key, latest });
        Ok(())
    }

    /// What was confirmed last.
    pub fn latest(&self, origin: &NoteName) -> Option<&SignedCheckpoint> {
        self.logs.get(origin)?.latest.as_ref()
    }

    /// Checks the body of a request. Nothing is confirmed yet, and nothing else
    /// can be until this is confirmed or dropped.
    ///
    /// # Errors
    /// [`WitnessRefusal`].
    pub fn check(&mut self, body: &str) -> Result<Checked<'_>, WitnessRefusal> {
        let request = AddCheckpoint::parse(body).map_err(|_| WitnessRefusal::BadRequest)?;
        let new = request.checkpoint.checkpoint();
        let watched = self.logs.get_mut(&new.origin);
        let watched = watched.ok_or(WitnessRefusal::UnknownLog)?;
        if watched.key.verify(&request.checkpoint.note) != Some(true) {
            return Err(WitnessRefusal::NotSigned);
        }
        if request.old > new.size {
            return Err(WitnessRefusal::BadRequest);
        }
        let size = watched.size();
        if request.old != size {
            return Err(WitnessRefusal::Conflict { size });
        }
        let latest = watched.latest.as_ref().map(SignedCheckpoint::checkpoint);
        if latest.is_some_and(|latest| latest.size == new.size && latest.root != new.root) {
            return Err(WitnessRefusal::Conflict { size });
        }
        if !continues(latest, new, &request.proof) {
            return Err(WitnessRefusal::ProofRefused);
        }
        Ok(Checked {
            is_news: latest.is_none_or(|latest| latest.size < new.size),
            checkpoint: request.checkpoint,
            signer: &self.signer,
            watched,
        })
    }

    /// Checks and confirms, for a witness that has nothing to store. Gives the
    /// body of the answer (status 200): the signature line of this witness.
    ///
    /// # Errors
    /// [`WitnessRefusal`].
    pub fn add_checkpoint(&mut self, body: &str, now_s: u64) -> Result<String, WitnessRefusal> {
        Ok(self.check(body)?.confirm(now_s))
    }
}

/// A checkpoint that may be confirmed.
#[derive(Debug)]
pub struct Checked<'a> {
    watched: &'a mut Watched,
    signer: &'a WitnessSigner,
    checkpoint: SignedCheckpoint,
    is_news: bool,
}

impl Checked<'_> {
    /// What is to be stored before it is confirmed.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Whether it says more than what is stored already.
    pub fn is_news(&self) -> bool {
        self.is_news
    }

    /// Gives the body of the answer (status 200): the signature line of this
    /// witness.
    pub fn confirm(self, now_s: u64) -> String {
        let line = self.signer.sign(&self.checkpoint.note.text, now_s);
        self.watched.latest = Some(self.checkpoint);
        line
    }
}

/// Whether `new` only adds to `old`.
pub(super) fn continues(old: Option<&Checkpoint>, new: &Checkpoint, proof: &Proof) -> bool {
    if new.size == 0 && new.root != empty_root() {
        return false;
    }
    let empty = empty_root();
    let old = old.map_or((0, &empty), Checkpoint::tree);
    proof.shows_growth(old, new.tree())
}
