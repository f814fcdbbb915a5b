//! The way back in with what is on paper: a recovery key, or backup codes.

use std::fmt;

use crypto::identity::DeviceKeys;
use crypto::vault::{
    AuthSecret, BACKUP_CODES, BackupCode, BackupSet, Escrow, RecoveryKey, VaultId,
};
use crypto::{DeviceId, Entropy, OsEntropy, UserId};
use zeroize::Zeroizing;

use crate::SharedEntropy;
use crate::refusal::{Code, Refusal};
use crate::session::{Open, Session, no_chain};

const PAPER_BYTES: usize = DeviceId::BYTES + DeviceKeys::SEED_BYTES;

/// A recovery key that was just made.
///
/// The key on paper is a device of its own on the person's device list: it can
/// be seen there and revoked like any other.
pub struct RecoverySheet {
    text: Zeroizing<String>,
    /// For the server to keep. Opens with the text only.
    pub escrow: Vec<u8>,
    /// The device that the paper stands for.
    pub device: DeviceId,
}

impl RecoverySheet {
    /// For the person's eyes, once: to be written down, then forgotten here.
    /// Whoever has it and the escrow can do what this person can.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for RecoverySheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoverySheet(… of {})", self.device)
    }
}

/// Backup codes that were just made: eight ways back in, each good once.
///
/// Together they are one device on the person's device list.
pub struct BackupSheet {
    codes: Vec<Zeroizing<String>>,
    /// For the server to keep, in place of an older set.
    pub set: Vec<u8>,
    /// The device that the codes stand for.
    pub device: DeviceId,
}

impl BackupSheet {
    /// For the person's eyes, once: to be written down, then forgotten here.
    /// Whoever has one and the server's half can do what this person can.
    pub fn reveal(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(|code| code.as_str())
    }
}

impl fmt::Debug for BackupSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupSheet(… of {})", self.device)
    }
}

impl Session {
    /// Makes a set of backup codes and enters their device in the device list.
    /// The changed [`Session::sigchain`] goes to the server together with the
    /// set; the device of an older set is then to be revoked.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::Limit`],
    /// [`Code::NoRandomness`].
    pub fn make_backup_codes(&mut self, now_ms: u64) -> Result<BackupSheet, Refusal> {
        let user = self.user();
        let (open, entropy) = self.parts()?;
        let (device, secret) = paper(entropy)?;
        let codes = BackupCode::generate_set(entropy)?;
        let mut entries = Vec::with_capacity(BACKUP_CODES);
        for code in &codes {
            entries.push(code.entry(user, &*secret, entropy)?);
        }
        let entries = entries.try_into().expect("there is an entry for each code");
        let set = BackupSet::new(entries).encode();
        open.add_paper(&keys_of(user, &*secret)?, now_ms, entropy)?;
        let codes = codes.iter().map(BackupCode::reveal).collect();
        Ok(BackupSheet { codes, set, device })
    }

    /// What to show the server for a backup code: a proof, to be sent and
    /// forgotten. It answers with the escrow of this code, and forgets it.
    ///
    /// # Errors
    /// [`Code::Mistyped`].
    pub fn backup_proof(
        user: UserId,
        code: &str,
    ) -> Result<Zeroizing<[u8; AuthSecret::BYTES]>, Refusal> {
        let code: BackupCode = code.parse()?;
        Ok(Zeroizing::new(*code.auth(user).reveal()))
    }

    /// Opens the escrow of a backup code. As with a recovery key, the session
    /// is the codes' own device, and lets the new device in with
    /// [`Session::adopt`].
    ///
    /// # Errors
    /// [`Code::Mistyped`], [`Code::WrongCode`], or what is wrong with the escrow.
    pub fn recover_with_code(user: UserId, escrow: &[u8], code: &str) -> Result<Self, Refusal> {
        let code: BackupCode = code.parse()?;
        let secret = Escrow::decode(escrow)?.open(user, &code)?;
        let mut entropy = OsEntropy;
        let (device, seed) = parts_of(&secret)?;
        let vault_id = VaultId::generate(&mut entropy)?;
        Ok(Self::of_seed(
            user,
            device,
            seed,
            vault_id,
            Box::new(entropy),
        ))
    }

    /// Makes a recovery key and enters it in the device list. The changed
    /// [`Session::sigchain`] goes to the server together with the escrow.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], [`Code::Limit`],
    /// [`Code::NoRandomness`].
    pub fn make_recovery_key(&mut self, now_ms: u64) -> Result<RecoverySheet, Refusal> {
        let user = self.user();
        let (open, entropy) = self.parts()?;
        let (device, secret) = paper(entropy)?;
        let key = RecoveryKey::generate(entropy)?;
        let escrow = Escrow::seal(user, &*secret, &key, entropy)?;
        open.add_paper(&keys_of(user, &*secret)?, now_ms, entropy)?;
        Ok(RecoverySheet {
            text: key.reveal(),
            escrow: escrow.encode(),
            device,
        })
    }

    /// Opens an escrow with what is on the paper. The session that this gives is
    /// the paper's own; it lets the new device in with [`Session::adopt`].
    ///
    /// # Errors
    /// [`Code::Mistyped`], [`Code::WrongCode`], or what is wrong with the escrow.
    pub fn recover(user: UserId, escrow: &[u8], text: &str) -> Result<Self, Refusal> {
        Self::recover_with(user, escrow, text, Box::new(OsEntropy))
    }

    /// As [`Session::recover`], with the randomness of the session.
    ///
    /// # Errors
    /// As of [`Session::recover`].
    pub fn recover_with(
        user: UserId,
        escrow: &[u8],
        text: &str,
        mut entropy: SharedEntropy,
    ) -> Result<Self, Refusal> {
        let key: RecoveryKey = text.parse()?;
        let secret = Escrow::decode(escrow)?.open(user, &key)?;
        let (device, seed) = parts_of(&secret)?;
        let vault_id = VaultId::generate(&mut *entropy)?;
        Ok(Self::of_seed(user, device, seed, vault_id, entropy))
    }

    /// Adds another session's device to this person's list: a new device that
    /// stands beside a recovered one in the same app. Devices that are apart are
    /// brought in by pairing.
    ///
    /// # Errors
    /// [`Code::Locked`], [`Code::KeyNeeded`], or why the list does not take it.
    pub fn adopt(&mut self, new: &mut Self, now_ms: u64) -> Result<(), Refusal> {
        let card = new.opened()?.keys.card();
        let (open, entropy) = self.parts()?;
        let person = open.person.as_mut().ok_or_else(no_chain)?;
        let newest = Some(person.ring.current());
        let chain = &mut person.chain;
        chain.add_device(&open.keys, &card, newest, now_ms, entropy)?;
        let chain = chain.clone();
        let (open, _) = new.parts()?;
        open.take_chain(chain)
    }
}

impl Open {
    /// Enters in the device list what stands on paper.
    fn add_paper(
        &mut self,
        paper: &DeviceKeys,
        now_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<(), Refusal> {
        let person = self.person.as_mut().ok_or_else(no_chain)?;
        let newest = Some(person.ring.current());
        let chain = &mut person.chain;
        Ok(chain.add_device(&self.keys, &paper.card(), newest, now_ms, entropy)?)
    }
}

/// A device that exists on paper only: its id, and id and seed together.
fn paper(entropy: &mut dyn Entropy) -> Result<(DeviceId, Zeroizing<[u8; PAPER_BYTES]>), Refusal> {
    let device = DeviceId::generate(entropy)?;
    let mut secret = Zeroizing::new([0; PAPER_BYTES]);
    let (id, seed) = secret.split_at_mut(DeviceId::BYTES);
    id.copy_from_slice(device.as_bytes());
    entropy.fill(seed)?;
    Ok((device, secret))
}

fn parts_of(secret: &[u8]) -> Result<(DeviceId, &[u8; DeviceKeys::SEED_BYTES]), Refusal> {
    let malformed = || Refusal::new(Code::Malformed, "the stored backup is malformed");
    let (device, seed) = secret.split_first_chunk().ok_or_else(malformed)?;
    let seed = seed.try_into().map_err(|_| malformed())?;
    Ok((DeviceId::from_bytes(*device), seed))
}

fn keys_of(user: UserId, secret: &[u8]) -> Result<DeviceKeys, Refusal> {
    let (device, seed) = parts_of(secret)?;
    Ok(DeviceKeys::from_seed(user, device, seed))
}
