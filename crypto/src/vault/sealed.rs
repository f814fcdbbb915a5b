//! The sealed seed.

use std::fmt;

use zeroize::Zeroizing;

use super::auth::AuthSecret;
use super::error::VaultError;
use super::passcode::{ChosenPasscode, Passcode};
use super::share::{Share, Shares, VaultId};
use super::stored::begin;
use super::stretch::{Kdf, SALT_BYTES, STRETCHED_BYTES};
use crate::entropy::Entropy;
use crate::label::Label;
use crate::primitive::{BOX_OVERHEAD_BYTES, derive, hash, open_box, seal_box};

const SEED_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const WHAT: &str = "vault";
const MAGIC: &[u8; 4] = b"HLVT";
const VERSION: u8 = 1;

const DEVICE: u8 = 1;
const SERVER: u8 = 2;
const PRF: u8 = 4;
const DEVICE_NAME: &str = "device's own share";
const SERVER_NAME: &str = "server's share";
const PRF_NAME: &str = "passkey";

/// Everything about a vault that is not secret; bound to the key and to the box.
#[derive(Clone, PartialEq, Eq)]
struct Header {
    kdf: Kdf,
    shares: u8,
    id: VaultId,
    salt: [u8; SALT_BYTES],
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([VERSION, self.kdf as u8, self.shares]);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.salt);
        out
    }

    fn needs(&self, share: u8) -> bool {
        self.shares & share != 0
    }
}

/// A device's 32-byte seed, sealed. Safe to write to disk; not secret by itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Vault {
    header: Header,
    boxed: Vec<u8>,
}

/// A new vault, and what the server must learn if the vault needs its share.
#[derive(Debug)]
pub struct Sealed {
    /// To keep on the device.
    pub vault: Vault,
    /// To send to the server together with its share; see [`super::ServerShare`].
    pub auth: AuthSecret,
}

impl Vault {
    /// Bytes of a vault.
    pub const BYTES: usize = 4 + 3 + VaultId::BYTES + SALT_BYTES + SEED_BYTES + BOX_OVERHEAD_BYTES;

    /// Seals a seed into a vault, new or anew: under a new code, new shares, or
    /// both. Takes as long as [`Vault::attempt`]. `id` is new or stays; it is an
    /// argument because a passkey's share depends on it.
    ///
    /// When the server's share or the code changes, propose share and proof to
    /// the server ([`super::ServerShare::propose`]) before the old vault is
    /// overwritten: until the new one is first opened, the server takes either.
    ///
    /// # Errors
    /// [`VaultError::Entropy`], [`VaultError::OutOfMemory`].
    pub fn seal(
        id: VaultId,
        seed: &[u8; SEED_BYTES],
        passcode: &ChosenPasscode,
        shares: &Shares,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Sealed, VaultError> {
        Self::seal_as(id, seed, passcode.as_passcode(), shares, entropy)
    }

    /// The slow half of unlocking: about 0.1 s and 64 MiB. Worth a thread of
    /// its own. What it gives is not yet known to be right.
    ///
    /// # Errors
    /// [`VaultError::ShareMissing`], [`VaultError::ShareUnused`] when `device`
    /// or `prf` are not what the vault names; [`VaultError::OutOfMemory`].
    pub fn attempt(
        &self,
        passcode: &Passcode,
        device: Option<&Share>,
        prf: Option<&Share>,
    ) -> Result<Attempt, VaultError> {
        self.agree(DEVICE, DEVICE_NAME, device)?;
        self.agree(PRF, PRF_NAME, prf)?;
        Ok(Attempt {
            vault: self.clone(),
            stretched: self.header.kdf.stretch(passcode, &self.header.salt)?,
            device: device.cloned(),
            prf: prf.cloned(),
        })
    }

    /// The name of this vault, which stays when it is sealed anew.
    pub fn id(&self) -> VaultId {
        self.header.id
    }

    /// How this vault's code is stretched.
    pub fn kdf(&self) -> Kdf {
        self.header.kdf
    }

    /// Whether this vault was sealed with an old key derivation and should be
    /// replaced by [`Unlocked::upgrade`].
    pub fn is_outdated(&self) -> bool {
        self.header.kdf != Kdf::CURRENT
    }

    /// Whether the device's share is needed.
    pub fn needs_device(&self) -> bool {
        self.header.needs(DEVICE)
    }

    /// Whether the server's share is needed.
    pub fn needs_server(&self) -> bool {
        self.header.needs(SERVER)
    }

    /// Whether a passkey is needed.
    pub fn needs_prf(&self) -> bool {
        self.header.needs(PRF)
    }

    /// Under what a key store keeps the device's share of this very sealing:
    /// while a vault is replaced, the shares of both are there. The id does not
    /// show in it, for whoever knows that may try codes at the server.
    pub fn share_name(&self) -> [u8; 32] {
        hash(&Label::VaultShareName.bind(&self.header.encode()))
    }

    /// To store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.header.encode();
        out.extend_from_slice(&self.boxed);
        out
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`VaultError`] for anything but exactly one vault that this build knows.
    pub fn decode(input: &[u8]) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { what: WHAT, why };
        let ended = |_| malformed("it is cut off");
        let mut cursor = begin(input, MAGIC, VERSION, WHAT)?;
        let kdf = Kdf::from_id(cursor.u8().map_err(ended)?)?;
        let shares = cursor.u8().map_err(ended)?;
        if shares & !(DEVICE | SERVER | PRF) != 0 {
            return Err(malformed("it needs a share of an unknown kind"));
        }
        if shares & (DEVICE | SERVER) == 0 {
            return Err(malformed("it has no second share"));
        }
        let id = VaultId::from_bytes(cursor.array().map_err(ended)?);
        let salt = cursor.array().map_err(ended)?;
        let boxed = cursor
            .bytes(SEED_BYTES + BOX_OVERHEAD_BYTES)
            .map_err(ended)?;
        if cursor.position() != input.len() {
            return Err(malformed("something follows it"));
        }
        let header = Header {
            kdf,
            shares,
            id,
            salt,
        };
        let boxed = boxed.to_vec();
        Ok(Self { header, boxed })
    }

    fn seal_as(
        id: VaultId,
        seed: &[u8; SEED_BYTES],
        passcode: &Passcode,
        shares: &Shares,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Sealed, VaultError> {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt)?;
        let bit = |share: &Option<Share>, bit: u8| if share.is_some() { bit } else { 0 };
        let header = Header {
            kdf: Kdf::CURRENT,
            shares: bit(&shares.device, DEVICE)
                | bit(&shares.server, SERVER)
                | bit(&shares.prf, PRF),
            id,
            salt,
        };
        let stretched = header.kdf.stretch(passcode, &salt)?;
        let material = Material {
            header: header.encode(),
            stretched: &stretched,
            shares,
        };
        let associated = associated(&material.header);
        Ok(Sealed {
            auth: material.auth(),
            vault: Self {
                boxed: seal_box(&material.kek(), &associated, seed, entropy)?,
                header,
            },
        })
    }

    fn agree(&self, bit: u8, name: &'static str, share: Option<&Share>) -> Result<(), VaultError> {
        match (self.header.needs(bit), share.is_some()) {
            (true, false) => Err(VaultError::ShareMissing(name)),
            (false, true) => Err(VaultError::ShareUnused(name)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?}, {:?})", self.header.id, self.header.kdf)
    }
}

/// A code that was stretched for a vault, before anybody knows whether it is
/// the right one. Wiped from memory when dropped.
pub struct Attempt {
    vault: Vault,
    stretched: Zeroizing<[u8; STRETCHED_BYTES]>,
    device: Option<Share>,
    prf: Option<Share>,
}

impl Attempt {
    /// What to show the server for its share. The server cannot find the code
    /// from it unless it also has the device's share, if the vault has one.
    pub fn auth(&self) -> AuthSecret {
        let header = self.vault.header.encode();
        let (stretched, shares) = (&self.stretched, &self.shares(None));
        let material = Material {
            header,
            stretched,
            shares,
        };
        material.auth()
    }

    /// The fast half of unlocking.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when code or shares are wrong;
    /// [`VaultError::ShareMissing`], [`VaultError::ShareUnused`] when `server`
    /// is not what the vault names.
    pub fn unlock(&self, server: Option<&Share>) -> Result<Unlocked, VaultError> {
        self.vault.agree(SERVER, SERVER_NAME, server)?;
        let shares = self.shares(server.cloned());
        let material = Material {
            header: self.vault.header.encode(),
            stretched: &self.stretched,
            shares: &shares,
        };
        let associated = associated(&material.header);
        let opened = open_box(&material.kek(), &associated, &self.vault.boxed);
        let opened = opened.ok_or(VaultError::Refused)?;
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        let opened: &[u8; SEED_BYTES] = opened[..].try_into().map_err(|_| VaultError::Refused)?;
        seed.copy_from_slice(opened);
        Ok(Unlocked {
            seed,
            id: self.vault.header.id,
            shares,
        })
    }

    fn shares(&self, server: Option<Share>) -> Shares {
        Shares {
            device: self.device.clone(),
            server,
            prf: self.prf.clone(),
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt(… at {:?})", self.vault)
    }
}

/// An open vault. Wiped from memory when dropped.
pub struct Unlocked {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    id: VaultId,
    shares: Shares,
}

impl Unlocked {
    /// The device's seed.
    pub fn reveal(&self) -> &[u8; SEED_BYTES] {
        &self.seed
    }

    /// Seals the seed with the current key derivation, under the code that just
    /// opened it and the same shares. A vault with a server share gets a new
    /// [`AuthSecret`], which the server must learn as for a new code.
    ///
    /// # Errors
    /// As [`Vault::seal`].
    pub fn upgrade(
        &self,
        passcode: &Passcode,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Sealed, VaultError> {
        Vault::seal_as(self.id, &self.seed, passcode, &self.shares, entropy)
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlocked(… of {:?})", self.id)
    }
}

fn associated(header: &[u8]) -> Vec<u8> {
    Label::VaultBlob.bind(header)
}

/// What the keys of a vault are made of.
struct Material<'a> {
    header: Vec<u8>,
    stretched: &'a [u8; STRETCHED_BYTES],
    shares: &'a Shares,
}

impl Material<'_> {
    fn kek(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        let shares = [&self.shares.device, &self.shares.server, &self.shares.prf];
        let secret = self.join(&shares);
        derive(&secret, &Label::VaultKek.bind(&self.header))
    }

    /// Without the server's share, which it is exchanged for, and without the
    /// passkey, so that the server learns nothing that depends on it.
    fn auth(&self) -> AuthSecret {
        let secret = self.join(&[&self.shares.device]);
        AuthSecret(derive(&secret, &Label::VaultShareAuth.bind(&self.header)))
    }

    fn join(&self, shares: &[&Option<Share>]) -> Zeroizing<Vec<u8>> {
        // The capacity is never exceeded: a reallocation would leave a copy.
        let mut out = Zeroizing::new(Vec::with_capacity(STRETCHED_BYTES + 3 * Share::BYTES));
        out.extend_from_slice(self.stretched);
        for share in shares.iter().copied().flatten() {
            out.extend_from_slice(share.reveal());
        }
        out
    }
}
