//! Following the key log.

use crypto_session as core;

use crate::expectation::People;
use crate::held::Held;
use crate::refusal::Refusal;
use crate::session::Session;

/// One log with its witnesses, and how far it was believed.
#[derive(Debug, uniffi::Object)]
pub struct LogFollower(Held<core::LogFollower>);

#[uniffi::export]
impl LogFollower {
    /// Pins a log and its witnesses by their keys as text, of which `needed`
    /// must confirm each checkpoint.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn new(log: &str, witnesses: Vec<String>, needed: u32) -> Result<Self, Refusal> {
        let follower = core::LogFollower::new(log, &witnesses, needed as usize)?;
        Ok(held(follower))
    }

    /// Pins a log that has no witnesses. The app shows that nobody confirms it.
    ///
    /// # Errors
    /// `malformed`.
    #[uniffi::constructor]
    pub fn unwitnessed(log: &str) -> Result<Self, Refusal> {
        Ok(held(core::LogFollower::unwitnessed(log)?))
    }

    /// Whether others than the server confirm the log.
    ///
    /// # Errors
    /// `key-needed` when an earlier call failed inside.
    pub fn is_witnessed(&self) -> Result<bool, Refusal> {
        self.0.with(|log| Ok::<_, Refusal>(log.is_witnessed()))
    }

    /// Takes up the checkpoint that was stored.
    ///
    /// # Errors
    /// `altered`, `unconfirmed`, `moved`, `malformed`.
    pub fn resume(&self, stored: &str) -> Result<(), Refusal> {
        self.0.with(|log| log.resume(stored))
    }

    /// Believes a newer checkpoint, or not; gives the text to store. `proof` is
    /// the consistency proof from `size`, its hashes one after the other.
    ///
    /// # Errors
    /// `rollback` and `moved` are evidence against the server: keep both
    /// checkpoints and show them. `unconfirmed`, `altered`, `malformed`.
    pub fn accept(
        &self,
        checkpoint: &str,
        proof: &[u8],
        now_ms: u64,
        max_age_s: u64,
    ) -> Result<String, Refusal> {
        let now_s = now_ms / 1_000;
        self.0
            .with(|log| log.accept(checkpoint, proof, now_s, max_age_s))
    }

    /// Entries of the last checkpoint that was believed.
    ///
    /// # Errors
    /// `key-needed` when an earlier call failed inside.
    pub fn size(&self) -> Result<u64, Refusal> {
        self.0.with(|log| Ok::<_, Refusal>(log.size()))
    }

    /// Takes all entries, one after the other, and compares them with the
    /// checkpoint.
    ///
    /// # Errors
    /// `altered`, `key-needed`, `malformed`.
    pub fn download(&self, entries: &[u8]) -> Result<(), Refusal> {
        self.0.with(|log| log.download(entries))
    }

    /// Compares what the log says under the person's name with this device.
    ///
    /// # Errors
    /// `foreign-keys`, `withheld`, `locked`, `key-needed`.
    pub fn check_own(&self, session: &Session) -> Result<(), Refusal> {
        self.0
            .with(|log| session.held.with(|session| log.check_own(session)))
    }

    /// Demands that everybody's device list is exactly as new as the log has it.
    /// After `unlogged`, load the log and the lists again, once: an honest
    /// change may have fallen between.
    ///
    /// # Errors
    /// `rollback`, `moved`, `unlogged`, `key-needed`.
    pub fn check_people(&self, people: &People) -> Result<(), Refusal> {
        self.0
            .with(|log| people.0.with(|people| log.check_people(people)))
    }

    /// Demands that a hotline's roster is exactly as new as the log has it; as
    /// `check_people`. A roster that is refused is to be dropped: `forget_hub`.
    ///
    /// # Errors
    /// `rollback`, `moved`, `unlogged`, `locked`, `key-needed`, `malformed`.
    pub fn check_hub(&self, session: &Session, hub: &str) -> Result<(), Refusal> {
        let hub = core::hub_named(hub)?;
        self.0
            .with(|log| session.held.with(|session| log.check_hub(session, hub)))
    }
}

fn held(follower: core::LogFollower) -> LogFollower {
    let sentence = "the log was lost; resume it from what was stored";
    LogFollower(Held::new(follower, (core::Code::KeyNeeded, sentence)))
}
