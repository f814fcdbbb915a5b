//! Who reads a log and believes it only so far.

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::error::{CheckpointRefused, FormatError, LogAltered};
use super::full_log::FullLog;
use super::leaf::Leaf;
use super::note::{ForgedSignature, LogKey, WitnessKey};
use super::proof::Proof;
use super::witness::continues;

/// The most witnesses that a client pins.
pub const MAX_WITNESSES: usize = 16;
/// How far a witness's clock may be ahead of ours, in seconds.
pub const FUTURE_TOLERANCE_S: u64 = 300;

/// Knows one log and its witnesses, and the last checkpoint that it believed.
#[derive(Debug, Clone)]
pub struct Client {
    log: LogKey,
    witnesses: Vec<WitnessKey>,
    /// Zero where nobody confirms: [`Client::unwitnessed`].
    needed: usize,
    latest: Option<SignedCheckpoint>,
}

impl Client {
    /// Pins a log, and witnesses of which `needed` must confirm a checkpoint.
    /// To exclude two versions of the log, more than half of the witnesses
    /// (counting dishonest ones twice) must be needed.
    ///
    /// # Errors
    /// [`FormatError`] when `needed` is zero or more than the witnesses, or two
    /// witnesses have the same key, or one has the log's.
    pub fn new(
        log: LogKey,
        witnesses: Vec<WitnessKey>,
        needed: usize,
    ) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "the list of witnesses",
            why,
        };
        if witnesses.len() > MAX_WITNESSES {
            return Err(malformed("it has too many"));
        }
        if needed == 0 || needed > witnesses.len() {
            return Err(malformed("the number of needed witnesses does not fit"));
        }
        for (place, witness) in witnesses.iter().enumerate() {
            let mut others = witnesses[place + 1..].iter().map(WitnessKey::key);
            if witness.key() == log.key() || others.any(|other| other == witness.key()) {
                return Err(malformed("two of the keys are the same"));
            }
        }
        Ok(Self {
            log,
            witnesses,
            needed,
            latest: None,
        })
    }

    /// Pins a log that nobody but its server signs. What was seen before cannot
    /// be taken back or changed, and one's own entries can be checked; two
    /// people can be shown two logs, and new entries can be withheld.
    pub fn unwitnessed(log: LogKey) -> Self {
        Self {
            log,
            witnesses: Vec::new(),
            needed: 0,
            latest: None,
        }
    }

    /// Whether others than the server confirm what this client believes.
    pub fn is_witnessed(&self) -> bool {
        self.needed > 0
    }

    /// Takes up the checkpoint that was stored. Its age does not matter here.
    ///
    /// # Errors
    /// [`CheckpointRefused`] when log and witnesses have not signed it.
    pub fn resume(&mut self, stored: &str) -> Result<(), CheckpointRefused> {
        let signed = SignedCheckpoint::parse(stored)?;
        self.check_signatures(&signed, u64::MAX)?;
        self.latest = Some(signed);
        Ok(())
    }

    /// Takes a new checkpoint, with the proof that it continues
    /// [`Client::latest`] (an empty one if there is none). Only witnesses say
    /// when; without them, its age is not known.
    ///
    /// # Errors
    /// [`CheckpointRefused`]; the last checkpoint stays.
    /// [`CheckpointRefused::Rollback`] and [`CheckpointRefused::Fork`] are
    /// evidence against the server: keep both checkpoints and show them.
    pub fn accept(
        &mut self,
        checkpoint: &str,
        proof: &Proof,
        now_s: u64,
        max_age_s: u64,
    ) -> Result<(), CheckpointRefused> {
        let signed = SignedCheckpoint::parse(checkpoint)?;
        if let Some(confirmed_at_s) = self.check_signatures(&signed, now_s)? {
            let age_s = now_s.saturating_sub(confirmed_at_s);
            if age_s > max_age_s {
                return Err(CheckpointRefused::Stale { age_s });
            }
        }
        let new = signed.checkpoint();
        let old = self.latest();
        if old.is_some_and(|old| new.size < old.size) {
            return Err(CheckpointRefused::Rollback);
        }
        // Without anything seen before, there is nothing to continue.
        let believed = match old {
            None => continues(None, new, &Proof::default()),
            Some(_) => continues(old, new, proof),
        };
        if !believed {
            return Err(CheckpointRefused::Fork);
        }
        self.latest = Some(signed);
        Ok(())
    }

    /// The last checkpoint that was believed.
    pub fn latest(&self) -> Option<&Checkpoint> {
        self.latest.as_ref().map(SignedCheckpoint::checkpoint)
    }

    /// The same with its signatures, to store.
    pub fn latest_signed(&self) -> Option<&SignedCheckpoint> {
        self.latest.as_ref()
    }

    /// Checks that an entry stands at `place` in the log. That it is the newest
    /// of its chain only [`Client::check_download`] can say.
    ///
    /// # Errors
    /// [`LogAltered`].
    pub fn check_entry(&self, leaf: &Leaf, place: u64, proof: &Proof) -> Result<(), LogAltered> {
        let latest = self.latest().ok_or(LogAltered::NoCheckpoint)?;
        if !proof.shows_entry(&leaf.entry(), place, latest.tree()) {
            return Err(LogAltered::NotInLog);
        }
        Ok(())
    }

    /// Checks a download of all entries against the last checkpoint.
    ///
    /// # Errors
    /// [`LogAltered`].
    pub fn check_download(&self, leaves: Vec<Leaf>) -> Result<FullLog, LogAltered> {
        let latest = self.latest().ok_or(LogAltered::NoCheckpoint)?;
        FullLog::new(leaves, latest)
    }

    /// When the `needed`-th latest witness confirmed it, in Unix seconds; `None`
    /// where none is needed.
    fn check_signatures(
        &self,
        signed: &SignedCheckpoint,
        now_s: u64,
    ) -> Result<Option<u64>, CheckpointRefused> {
        if signed.checkpoint().origin != *self.log.name() {
            return Err(CheckpointRefused::OtherLog);
        }
        if self.log.verify(&signed.note) != Some(true) {
            return Err(CheckpointRefused::NotSigned);
        }
        let mut times_s = Vec::new();
        for witness in &self.witnesses {
            let confirmed = witness.confirmed_at_s(&signed.note);
            let confirmed =
                confirmed.map_err(|ForgedSignature| CheckpointRefused::WitnessForged)?;
            let limit_s = now_s.saturating_add(FUTURE_TOLERANCE_S);
            times_s.extend(confirmed.filter(|time_s| *time_s <= limit_s));
        }
        times_s.sort_unstable_by(|one, other| other.cmp(one));
        let (found, needed) = (times_s.len(), self.needed);
        let Some(place) = needed.checked_sub(1) else {
            return Ok(None);
        };
        match times_s.get(place) {
            Some(time_s) => Ok(Some(*time_s)),
            None => Err(CheckpointRefused::TooFewWitnesses { found, needed }),
        }
    }
}
