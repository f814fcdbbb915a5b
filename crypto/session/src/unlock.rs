//! From a vault to a session and back.

use std::fmt;

use crypto::vault::{Attempt, AuthSecret, ChosenPasscode, Passcode, Share, Shares, Vault, VaultId};
use crypto::{DeviceId, OsEntropy, UserId};
use zeroize::Zeroizing;

use crate::SharedEntropy;
use crate::refusal::{Code, Refusal};
use crate::session::Session;

/// What a new vault needs beside its code; at least one of the first two.
#[derive(Clone, Copy, Default)]
pub struct VaultShares<'a> {
    /// 32 bytes from the device's key store.
    pub device: Option<&'a [u8]>,
    /// Whether the server is to keep a share; it is made here.
    pub server: bool,
    /// 32 bytes of a passkey's PRF at [`Session::prf_input`].
    pub prf: Option<&'a [u8]>,
}

/// Shows only which there are.
impl fmt::Debug for VaultShares<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultShares")
            .field("device", &self.device.is_some())
            .field("server", &self.server)
            .field("prf", &self.prf.is_some())
            .finish()
    }
}

/// A sealed vault.
#[derive(Debug)]
pub struct NewVault {
    /// To keep on the device, beside the ids of person and device.
    pub vault: Vec<u8>,
    /// What the server must have before an old vault is overwritten.
    pub server: Option<ServerPart>,
}

/// What goes to the server and nowhere else. Together with the vault file it
/// lets whoever has it try codes, so it is not kept on the device.
pub struct ServerPart {
    share: Share,
    proof: AuthSecret,
}

impl ServerPart {
    /// The share that the server gives out against the proof.
    pub fn share(&self) -> &[u8] {
        self.share.reveal()
    }

    /// What the server checks proofs with.
    pub fn proof(&self) -> &[u8] {
        self.proof.reveal()
    }
}

impl fmt::Debug for ServerPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerPart(…)")
    }
}

/// A code that was changed, and the keys that were changed with it.
#[derive(Debug)]
pub struct PasscodeChange {
    /// The vault under the new code.
    pub vault: NewVault,
    /// The device list with the new key. It goes to the server first, together
    /// with the items key.
    pub sigchain: Vec<u8>,
    /// The new items key, sealed to the person.
    pub items_key: Vec<u8>,
}

/// What a vault says of itself while it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultFacts {
    /// Names it at the server that keeps its share.
    pub id: VaultId,
    /// Whether the share of the device's key store is needed.
    pub device: bool,
    /// Whether the server's share is needed.
    pub server: bool,
    /// Whether a passkey's PRF is needed, evaluated at [`VaultFacts::prf_input`].
    pub prf: bool,
    /// Whether its code is stretched in an old way: [`Unlocking::reseal`].
    pub outdated: bool,
}

impl VaultFacts {
    /// Reads a vault that was stored.
    ///
    /// # Errors
    /// [`Code::Malformed`], [`Code::TooNew`].
    pub fn of(vault: &[u8]) -> Result<Self, Refusal> {
        let vault = Vault::decode(vault)?;
        Ok(Self {
            id: vault.id(),
            device: vault.needs_device(),
            server: vault.needs_server(),
            prf: vault.needs_prf(),
            outdated: vault.is_outdated(),
        })
    }

    /// Where to evaluate the passkey's PRF.
    pub fn prf_input(&self) -> [u8; 32] {
        self.id.prf_input()
    }
}

impl Session {
    /// Changes the code: seals the vault under the new one, and makes the next
    /// generation of the person's key and items key. A code that is too weak and
    /// shares that do not fit are refused before anything changes.
    ///
    /// Whoever has seen the old code may have a copy of the old vault, too.
    /// `shares.device` is therefore a new one. Where the person is a member of a
    /// hotline, an admin then hands the hub key to the new key
    /// ([`Session::wrap_hub_key`]).
    ///
    /// # Errors
    /// As of [`Session::seal_vault`] and [`Session::rotate_key`].
    pub fn change_passcode(
        &mut self,
        code: &str,
        shares: VaultShares<'_>,
        now_ms: u64,
    ) -> Result<PasscodeChange, Refusal> {
        self.opened()?.person()?;
        let vault = self.seal_vault(code, shares)?;
        self.rotate_key(now_ms)?;
        Ok(PasscodeChange {
            vault,
            sigchain: self.sigchain()?,
            items_key: self.sealed_items_key()?,
        })
    }

    /// Seals this device's seed under a code: for a new vault, a new code or
    /// new shares. Takes about 0.1 s natively and 64 MiB.
    ///
    /// # Errors
    /// [`Code::WeakCode`], [`Code::Share`], [`Code::Locked`],
    /// [`Code::OutOfMemory`], [`Code::NoRandomness`].
    pub fn seal_vault(&mut self, code: &str, shares: VaultShares<'_>) -> Result<NewVault, Refusal> {
        let passcode = ChosenPasscode::new(code)?;
        let (open, entropy) = self.parts()?;
        let given = |bytes: Option<&[u8]>| bytes.map(share).transpose();
        let (device, prf) = (given(shares.device)?, given(shares.prf)?);
        let server = shares
            .server
            .then(|| Share::generate(entropy))
            .transpose()?;
        let set = match (device, &server) {
            (Some(device), None) => Shares::with_device(device),
            (Some(device), Some(server)) => Shares::with_device(device).and_server(server.clone()),
            (None, Some(server)) => Shares::with_server(server.clone()),
            (None, None) => {
                let sentence =
                    "a vault needs a share of this device or of the server beside its code";
                return Err(Refusal::new(Code::Share, sentence));
            }
        };
        let set = match prf {
            Some(prf) => set.and_prf(prf),
            None => set,
        };
        let sealed = Vault::seal(open.vault_id, &open.seed, &passcode, &set, entropy)?;
        let proof = sealed.auth;
        Ok(NewVault {
            vault: sealed.vault.encode(),
            server: server.map(|share| ServerPart { share, proof }),
        })
    }

    /// Where to evaluate a passkey's PRF for this vault's third share.
    ///
    /// # Errors
    /// [`Code::Locked`].
    pub fn prf_input(&self) -> Result<[u8; 32], Refusal> {
        Ok(self.opened()?.vault_id.prf_input())
    }
}

/// A vault whose code was entered, waiting for the server's share.
pub struct Unlocking {
    attempt: Attempt,
    vault_id: VaultId,
    /// Kept for an outdated vault only, which is sealed anew under it.
    outdated: Option<Passcode>,
}

impl Unlocking {
    /// The slow half: about 0.1 s natively. Whether the code is right is not
    /// known yet.
    ///
    /// # Errors
    /// [`Code::Share`], [`Code::OutOfMemory`], or what is wrong with the vault.
    pub fn begin(
        vault: &[u8],
        code: &str,
        device: Option<&[u8]>,
        prf: Option<&[u8]>,
    ) -> Result<Self, Refusal> {
        let vault = Vault::decode(vault)?;
        let device = device.map(share).transpose()?;
        let prf = prf.map(share).transpose()?;
        let code = Passcode::entered(code);
        Ok(Self {
            attempt: vault.attempt(&code, device.as_ref(), prf.as_ref())?,
            vault_id: vault.id(),
            outdated: vault.is_outdated().then_some(code),
        })
    }

    /// What to show the server for its share. A proof, to be sent and forgotten.
    pub fn server_proof(&self) -> Zeroizing<[u8; AuthSecret::BYTES]> {
        Zeroizing::new(*self.attempt.auth().reveal())
    }

    /// Whether the vault's code is stretched in an old way, so that it should be
    /// sealed anew with [`Unlocking::reseal`] before [`Unlocking::finish`].
    pub fn is_outdated(&self) -> bool {
        self.outdated.is_some()
    }

    /// Seals an outdated vault anew, under the code that was just entered and
    /// the same shares: to be kept in place of the old one. Takes about 0.1 s
    /// natively. What the server must have first is sent after the login.
    ///
    /// # Errors
    /// [`Code::WrongCode`], [`Code::Share`], [`Code::OutOfMemory`],
    /// [`Code::NoRandomness`]; [`Code::OutOfTurn`] when it is not outdated.
    pub fn reseal(&self, server: Option<&[u8]>) -> Result<NewVault, Refusal> {
        let code = self.outdated.as_ref().ok_or_else(|| {
            let sentence = "this vault does not have to be sealed anew";
            Refusal::new(Code::OutOfTurn, sentence)
        })?;
        let server = server.map(share).transpose()?;
        let unlocked = self.attempt.unlock(server.as_ref())?;
        let sealed = unlocked.upgrade(code, &mut OsEntropy)?;
        let proof = sealed.auth;
        Ok(NewVault {
            vault: sealed.vault.encode(),
            server: server.map(|share| ServerPart { share, proof }),
        })
    }

    /// The fast half. `user` and `device` were stored beside the vault.
    ///
    /// # Errors
    /// [`Code::WrongCode`], [`Code::Share`].
    pub fn finish(
        self,
        server: Option<&[u8]>,
        user: UserId,
        device: DeviceId,
    ) -> Result<Session, Refusal> {
        self.finish_with(server, user, device, Box::new(OsEntropy))
    }

    /// As [`Unlocking::finish`], with the randomness of the session.
    ///
    /// # Errors
    /// As of [`Unlocking::finish`].
    pub fn finish_with(
        self,
        server: Option<&[u8]>,
        user: UserId,
        device: DeviceId,
        entropy: SharedEntropy,
    ) -> Result<Session, Refusal> {
        let server = server.map(share).transpose()?;
        let unlocked = self.attempt.unlock(server.as_ref())?;
        let seed = unlocked.reveal();
        Ok(Session::of_seed(user, device, seed, self.vault_id, entropy))
    }
}

impl fmt::Debug for Unlocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlocking(… of {:?})", self.vault_id)
    }
}

fn share(bytes: &[u8]) -> Result<Share, Refusal> {
    let whole = bytes.try_into().map(Share::from_bytes);
    whole.map_err(|_| Refusal::new(Code::Share, "a share of a vault has 32 bytes"))
}
