//! From a vault to a session and back.

use std::fmt;

use crypto::vault::{Attempt, AuthSecret, ChosenPasscode, Passcode, Share, Shares, Vault, VaultId};
use crypto::{DeviceId, OsEntropy, UserId};
use zeroize::Zeroizing;

use crate::SharedEntropy;
use crate::refusal::{Code, Refusal};
use crate::session::Session;

/// What a new vault needs beside its code; at least one of the first two.
#[derive(Debug, Clone, Copy, Default)]
pub struct VaultShares<'a> {
    /// 32 bytes from the device's key store.
    pub device: Option<&'a [u8]>,
    /// Whether the server is to keep a share; it is made here.
    pub server: bool,
    /// 32 bytes of a passkey's PRF at [`Session::prf_input`].
    pub prf: Option<&'a [u8]>,
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

impl Session {
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
        let attempt = vault.attempt(&Passcode::entered(code), device.as_ref(), prf.as_ref())?;
        let vault_id = vault.id();
        Ok(Self { attempt, vault_id })
    }

    /// What to show the server for its share. A proof, to be sent and forgotten.
    pub fn server_proof(&self) -> Zeroizing<[u8; AuthSecret::BYTES]> {
        Zeroizing::new(*self.attempt.auth().reveal())
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
        write!(f, "Unlocking(… of {})", self.vault_id)
    }
}

fn share(bytes: &[u8]) -> Result<Share, Refusal> {
    let whole = bytes.try_into().map(Share::from_bytes);
    whole.map_err(|_| Refusal::new(Code::Share, "a share of a vault has 32 bytes"))
}
