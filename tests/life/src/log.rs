//! The key-transparency log, as a client that pins it reads it.

use std::time::{Duration, Instant};

use crypto_session::{Code, LogFollower};
use protocol::{CheckpointAnswer, LeavesPage, MAX_LEAVES_PER_PAGE, ProofAnswer};

use crate::client::Client;
use crate::failure::Failure;

/// How old the confirmation of a witness may be, in seconds.
const MAX_AGE_S: u64 = 24 * 60 * 60;
/// How long witnesses may take to confirm what has just changed.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Client {
    /// Downloads the log and believes it as far as the witnesses confirm it, if it continues what
    /// was believed before, and if under this person's own name there is nothing but what their
    /// devices did.
    ///
    /// # Errors
    /// [`Failure::NotBelieved`].
    pub fn check_log(&mut self) -> Result<LogFollower, Failure> {
        let server = &self.device.server;
        let witnesses = &server.witnesses;
        let mut log = match witnesses.len() {
            0 => LogFollower::unwitnessed(&server.log_key)?,
            all => LogFollower::new(&server.log_key, witnesses, all)?,
        };
        if let Some(stored) = &self.seen.checkpoint {
            log.resume(stored)?;
        }
        let checkpoint = self.accept_newest(&mut log)?;
        self.seen.checkpoint = Some(checkpoint);
        self.keep_seen()?;
        let entries = self.entries(log.size())?;
        log.download(&entries)?;
        log.check_own(&self.line.session)?;
        Ok(log)
    }

    /// Waits for the witnesses, who may be a moment behind.
    fn accept_newest(&mut self, log: &mut LogFollower) -> Result<String, Failure> {
        let until = Instant::now() + CONFIRMED_WITHIN;
        loop {
            let newest: CheckpointAnswer = self.get("/transparency/checkpoint")?;
            let newest = newest.checkpoint;
            let newest =
                newest.ok_or_else(|| Failure::Contradiction("the key log is empty".to_owned()))?;
            let proof = self.consistency(log.size(), size_of(&newest)?)?;
            match log.accept(&newest, &proof, self.line.now_ms() / 1000, MAX_AGE_S) {
                Err(refusal) if refusal.code() == Code::Unconfirmed && Instant::now() < until => {
                    std::thread::sleep(LOOK_EVERY);
                }
                accepted => return Ok(accepted?),
            }
        }
    }

    /// The hashes that lead from one size to the other, one after the other.
    pub(crate) fn consistency(&mut self, old: u64, new: u64) -> Result<Vec<u8>, Failure> {
        if old == 0 || old >= new {
            return Ok(Vec::new());
        }
        let path = format!("/transparency/consistency?old={old}&new={new}");
        let answer: ProofAnswer = self.get(&path)?;
        Ok(answer.hashes.into_iter().flat_map(|hash| hash.0).collect())
    }

    fn entries(&mut self, size: u64) -> Result<Vec<u8>, Failure> {
        let (mut entries, mut from) = (Vec::new(), 0);
        while from < size {
            let limit = (size - from).min(u64::from(MAX_LEAVES_PER_PAGE));
            let path = format!("/transparency/leaves?from={from}&limit={limit}");
            let page: LeavesPage = self.get(&path)?;
            if page.leaves.0.is_empty() {
                break;
            }
            entries.extend(page.leaves.0);
            from += limit;
        }
        Ok(entries)
    }
}

/// The size that a checkpoint names on its second line. Nobody believes it yet.
pub(crate) fn size_of(checkpoint: &str) -> Result<u64, Failure> {
    let size = checkpoint.lines().nth(1).and_then(|size| size.parse().ok());
    size.ok_or_else(|| Failure::Contradiction("a checkpoint without a size".to_owned()))
}
