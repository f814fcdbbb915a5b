//! Following the key log: nobody is shown other keys than everybody else.

use std::fmt;

use crypto::HubId;
use crypto::identity::ChainHead;
use crypto::transparency::{Client, FullLog, Leaf, LogKey, Proof, Subject, WitnessKey};

use crate::people::People;
use crate::refusal::{Code, Refusal};
use crate::session::Session;

/// One log with its witnesses, and how far it was believed. Has no secrets.
///
/// After each new checkpoint: [`LogFollower::download`], then all three checks.
pub struct LogFollower {
    client: Client,
    full: Option<FullLog>,
}

impl LogFollower {
    /// Pins a log and its witnesses by their keys as text
    /// (`name+id+base64`), of which `needed` must confirm each checkpoint: at
    /// least one.
    ///
    /// # Errors
    /// [`Code::Malformed`].
    pub fn new(log: &str, witnesses: &[String], needed: usize) -> Result<Self, Refusal> {
        let log: LogKey = log.parse()?;
        let witnesses: Result<Vec<WitnessKey>, _> =
            witnesses.iter().map(|witness| witness.parse()).collect();
        let client = Client::new(log, witnesses?, needed)?;
        Ok(Self { client, full: None })
    }

    /// Pins a log that has no witnesses, where a hotline has nobody who would
    /// confirm it. The log of this device can still only grow; that others see
    /// the same one, nobody says. The app shows that
    /// ([`LogFollower::is_witnessed`]).
    ///
    /// # Errors
    /// [`Code::Malformed`].
    pub fn unwitnessed(log: &str) -> Result<Self, Refusal> {
        let client = Client::unwitnessed(log.parse()?);
        Ok(Self { client, full: None })
    }

    /// Whether others than the server confirm the log. If not, people notice
    /// that they are shown different ones only by comparing safety numbers.
    pub fn is_witnessed(&self) -> bool {
        self.client.is_witnessed()
    }

    /// Takes up the checkpoint that this app has stored.
    ///
    /// # Errors
    /// [`Code::Altered`], [`Code::Unconfirmed`], [`Code::Malformed`].
    pub fn resume(&mut self, stored: &str) -> Result<(), Refusal> {
        self.full = None;
        Ok(self.client.resume(stored)?)
    }

    /// Believes a newer checkpoint, or not. `proof` is the consistency proof
    /// from [`LogFollower::size`], its hashes one after the other; `now_s` is
    /// Unix seconds. `max_age_s` is for the witnesses' confirmations. Gives the
    /// text to store in place of the old one.
    ///
    /// # Errors
    /// [`Code::Rollback`] and [`Code::Moved`] are evidence against the server:
    /// the app keeps both checkpoints and shows them. [`Code::Unconfirmed`],
    /// [`Code::Altered`], [`Code::Malformed`].
    pub fn accept(
        &mut self,
        checkpoint: &str,
        proof: &[u8],
        now_s: u64,
        max_age_s: u64,
    ) -> Result<String, Refusal> {
        let malformed = || Refusal::new(Code::Malformed, "the log's proof is malformed");
        let (hashes, rest) = proof.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(malformed());
        }
        let proof = Proof::from_hashes(hashes.to_vec())?;
        self.client.accept(checkpoint, &proof, now_s, max_age_s)?;
        self.full = None;
        let latest = self.client.latest_signed().ok_or_else(malformed)?;
        Ok(latest.as_str().to_owned())
    }

    /// Entries of the last checkpoint that was believed; 0 before the first.
    pub fn size(&self) -> u64 {
        self.client.latest().map_or(0, |latest| latest.size)
    }

    /// Takes all entries, one after the other, and compares them with the
    /// checkpoint.
    ///
    /// # Errors
    /// [`Code::Altered`], [`Code::KeyNeeded`] before there is a checkpoint,
    /// [`Code::Malformed`].
    pub fn download(&mut self, entries: &[u8]) -> Result<(), Refusal> {
        let (entries, rest) = entries.as_chunks::<{ Leaf::BYTES }>();
        if !rest.is_empty() {
            let sentence = "the entries of the log are malformed";
            return Err(Refusal::new(Code::Malformed, sentence));
        }
        let leaves: Result<Vec<_>, _> = entries.iter().map(|entry| Leaf::decode(entry)).collect();
        self.full = Some(self.client.check_download(leaves?)?);
        Ok(())
    }

    /// Compares what the log says under the person's own name with what this
    /// device knows.
    ///
    /// # Errors
    /// [`Code::ForeignKeys`] when somebody put keys under this name,
    /// [`Code::Withheld`] when the newest change is not in the log, or is not
    /// known on this device; [`Code::Locked`], [`Code::KeyNeeded`].
    pub fn check_own(&self, session: &Session) -> Result<(), Refusal> {
        let own = &session.opened()?.person()?.chain;
        Ok(self.full()?.check_own(own)?)
    }

    /// Demands that everybody's device list is exactly as new as the log has it:
    /// to be called before anything is sealed to them. What is older lacks a
    /// change that others see, and what is newer, nobody else has seen.
    ///
    /// An honest change may fall between the download of the log and that of the
    /// lists. After [`Code::Unlogged`] the app loads both again, once: a server
    /// gives out no change before its entry in the log.
    ///
    /// # Errors
    /// [`Code::Rollback`], [`Code::Moved`], [`Code::Unlogged`] for somebody
    /// whom the log does not have, or not with these keys, [`Code::KeyNeeded`].
    pub fn check_people(&self, people: &People) -> Result<(), Refusal> {
        for (user, chain) in people.chains() {
            let what = || format!("the device list of {user}");
            let newest = self.newest(Subject::User(*user), what)?;
            chain.check_contains(&newest)?;
            check_logged(chain.head(), newest, what)?;
        }
        Ok(())
    }

    /// Demands that a hotline's roster is exactly as new as the log has it: as
    /// [`LogFollower::check_people`], of which it also has the second try. A
    /// roster that is refused is to be dropped ([`Session::forget_hub`]).
    ///
    /// # Errors
    /// [`Code::Rollback`], [`Code::Moved`], [`Code::Unlogged`],
    /// [`Code::Locked`], [`Code::KeyNeeded`].
    pub fn check_hub(&self, session: &Session, hub: HubId) -> Result<(), Refusal> {
        let what = || "the member list".to_owned();
        let newest = self.newest(Subject::Roster(hub), what)?;
        let roster = &session.opened()?.hub(hub)?.roster;
        roster.check_contains(&newest)?;
        check_logged(roster.head(), newest, what)
    }

    fn newest(&self, subject: Subject, what: impl Fn() -> String) -> Result<ChainHead, Refusal> {
        let newest = self.full()?.newest(&subject);
        newest.ok_or_else(|| unlogged(&what()))
    }

    fn full(&self) -> Result<&FullLog, Refusal> {
        let sentence = "the entries of the log were not loaded yet";
        let full = self.full.as_ref();
        full.ok_or_else(|| Refusal::new(Code::KeyNeeded, sentence))
    }
}

impl fmt::Debug for LogFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogFollower({} entries)", self.size())
    }
}

/// Of a chain that contains the log's newest head: whether it ends there. Beyond
/// it, one device that was stolen and the server could show a single person keys
/// and members that neither the others nor the owner's devices ever see.
fn check_logged(
    head: ChainHead,
    newest: ChainHead,
    what: impl Fn() -> String,
) -> Result<(), Refusal> {
    if head != newest {
        return Err(unlogged(&format!("the newest change of {}", what())));
    }
    Ok(())
}

fn unlogged(what: &str) -> Refusal {
    let sentence = format!("{what} is not in the key log, where everybody could see it");
    Refusal::new(Code::Unlogged, sentence)
}
