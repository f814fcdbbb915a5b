//! Following the key log.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::expectation::People;
use crate::refused::Thrown;
use crate::session::Session;

/// One log with its witnesses, and how far it was believed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct LogFollower(core::LogFollower);

#[wasm_bindgen]
impl LogFollower {
    /// Pins a log and its witnesses by their keys as text, of which `needed`
    /// must confirm each checkpoint: at least one.
    ///
    /// # Errors
    /// `malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(log: &str, witnesses: Vec<String>, needed: usize) -> Result<Self, Thrown> {
        Ok(Self(core::LogFollower::new(log, &witnesses, needed)?))
    }

    /// Pins a log that has no witnesses. The panel shows that nobody confirms
    /// it: `isWitnessed`.
    ///
    /// # Errors
    /// `malformed`.
    pub fn unwitnessed(log: &str) -> Result<Self, Thrown> {
        Ok(Self(core::LogFollower::unwitnessed(log)?))
    }

    /// Whether others than the server confirm the log.
    #[wasm_bindgen(getter, js_name = isWitnessed)]
    pub fn is_witnessed(&self) -> bool {
        self.0.is_witnessed()
    }

    /// Takes up the checkpoint that was stored.
    ///
    /// # Errors
    /// `altered`, `unconfirmed`, `moved`, `malformed`.
    pub fn resume(&mut self, stored: &str) -> Result<(), Thrown> {
        Ok(self.0.resume(stored)?)
    }

    /// Believes a newer checkpoint, or not; gives the text to store. `proof` is
    /// the consistency proof from `size`, its hashes one after the other; `now`
    /// is `Date.now()`.
    ///
    /// # Errors
    /// `rollback` and `moved` are evidence against the server: keep both
    /// checkpoints and show them. `unconfirmed`, `altered`, `malformed`.
    pub fn accept(
        &mut self,
        checkpoint: &str,
        proof: &[u8],
        now: f64,
        max_age_s: f64,
    ) -> Result<String, Thrown> {
        let (now_s, max_age_s) = (crate::milliseconds(now) / 1_000, max_age_s as u64);
        Ok(self.0.accept(checkpoint, proof, now_s, max_age_s)?)
    }

    /// Entries of the last checkpoint that was believed.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> f64 {
        self.0.size() as f64
    }

    /// Takes all entries, one after the other, and compares them with the
    /// checkpoint.
    ///
    /// # Errors
    /// `altered`, `key-needed`, `malformed`.
    pub fn download(&mut self, entries: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.download(entries)?)
    }

    /// Compares what the log says under the person's name with this device.
    ///
    /// # Errors
    /// `foreign-keys`, `withheld`, `locked`, `key-needed`.
    #[wasm_bindgen(js_name = checkOwn)]
    pub fn check_own(&self, session: &Session) -> Result<(), Thrown> {
        Ok(self.0.check_own(&session.0)?)
    }

    /// Demands that everybody's device list is exactly as new as the log has it.
    /// After `unlogged`, load the log and the lists again, once: an honest
    /// change may have fallen between.
    ///
    /// # Errors
    /// `rollback`, `moved`, `unlogged`, `key-needed`.
    #[wasm_bindgen(js_name = checkPeople)]
    pub fn check_people(&self, people: &People) -> Result<(), Thrown> {
        Ok(self.0.check_people(&people.0)?)
    }

    /// Demands that a hotline's roster is exactly as new as the log has it; as
    /// `checkPeople`. A roster that is refused is to be dropped: `forgetHub`.
    ///
    /// # Errors
    /// `rollback`, `moved`, `unlogged`, `locked`, `key-needed`, `malformed`.
    #[wasm_bindgen(js_name = checkHub)]
    pub fn check_hub(&self, session: &Session, hub: &str) -> Result<(), Thrown> {
        let hub = core::hub_named(hub)?;
        Ok(self.0.check_hub(&session.0, hub)?)
    }
}
