//! Backup codes: eight, each good for one use.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::auth::{AuthSecret, Verifier};
use super::code_text;
use super::error::{CodeTextError, VaultError};
use super::escrow::{Escrow, EscrowKey, Opens};
use super::stored::begin;
use crate::encoding::push_vector;
use crate::entropy::{Entropy, EntropyError};
use crate::id::UserId;
use crate::label::Label;
use crate::primitive::derive;

/// Codes of a set.
pub const BACKUP_CODES: usize = 8;

const CODE_BITS: usize = 110;
const CODE_BYTES: usize = CODE_BITS.div_ceil(8);
const MAX_ESCROW_ENCODED_BYTES: usize = 4096;
const WHAT: &str = "set of backup codes";
const MAGIC: &[u8; 4] = b"HLBC";
const VERSION: u8 = 1;

/// 110 random bits: six groups of four characters, of which the last two are a
/// check. One half of it proves to the server that somebody has the code, the
/// other opens the escrow; the server never sees the code.
///
/// Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct BackupCode(Zeroizing<[u8; CODE_BYTES]>);

impl BackupCode {
    /// Makes a whole set. Always all at once: after one was used, a new set
    /// replaces the others.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate_set(
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<[Self; BACKUP_CODES], EntropyError> {
        let mut codes = [(); BACKUP_CODES].map(|()| Self(Zeroizing::new([0; CODE_BYTES])));
        for code in &mut codes {
            entropy.fill(&mut *code.0)?;
            code.0[CODE_BYTES - 1] &= 0xff << (CODE_BYTES * 8 - CODE_BITS);
        }
        Ok(codes)
    }

    /// The text to write down.
    pub fn reveal(&self) -> Zeroizing<String> {
        code_text::encode(&*self.0, CODE_BITS)
    }

    /// The half that goes to the server.
    pub fn auth(&self, user: UserId) -> AuthSecret {
        let bound = Label::BackupCodeAuth.bind(user.as_bytes());
        AuthSecret(derive(&*self.0, &bound))
    }

    /// What the server keeps for this code.
    ///
    /// # Errors
    /// As [`Escrow::seal`].
    pub fn entry(
        &self,
        user: UserId,
        secret: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<BackupEntry, VaultError> {
        Ok(BackupEntry {
            verifier: self.auth(user).verifier(),
            escrow: Escrow::seal(user, secret, self, entropy)?,
        })
    }
}

impl EscrowKey for BackupCode {}

impl Opens for BackupCode {
    const KIND: u8 = 2;

    fn kek(&self, header: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(&*self.0, &Label::BackupCodeKek.bind(header))
    }
}

/// Takes what somebody typed, as tolerantly as a recovery key.
impl FromStr for BackupCode {
    type Err = CodeTextError;

    fn from_str(text: &str) -> Result<Self, CodeTextError> {
        code_text::decode(text, CODE_BITS).map(Self)
    }
}

impl fmt::Debug for BackupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupCode(…)")
    }
}

/// What the server keeps for one code.
#[derive(Clone, Debug)]
pub struct BackupEntry {
    /// Tells whether somebody has the code.
    pub verifier: Verifier,
    /// What the code opens.
    pub escrow: Escrow,
}

/// What the server keeps for a person's unused codes. Pure: the caller stores
/// the state before it answers.
#[derive(Clone, Debug)]
pub struct BackupSet(Vec<BackupEntry>);

impl BackupSet {
    /// A new set, which replaces the person's older one.
    pub fn new(entries: [BackupEntry; BACKUP_CODES]) -> Self {
        Self(entries.into())
    }

    /// Gives out the escrow of a code and forgets it: each code is good once.
    ///
    /// # Errors
    /// [`VaultError::BackupCodeUnknown`].
    pub fn redeem(&mut self, proof: &AuthSecret) -> Result<Escrow, VaultError> {
        // All are compared, so that the time does not say which code it was.
        let mut found = None;
        for (place, entry) in self.0.iter().enumerate() {
            if entry.verifier.matches(proof) {
                found = Some(place);
            }
        }
        let place = found.ok_or(VaultError::BackupCodeUnknown)?;
        Ok(self.0.remove(place).escrow)
    }

    /// Codes not yet used.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }

    /// To store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([VERSION, self.0.len() as u8]);
        for entry in &self.0 {
            out.extend_from_slice(entry.verifier.as_bytes());
            push_vector(&mut out, &entry.escrow.encode());
        }
        out
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`VaultError`] for anything but exactly one set that this build knows.
    pub fn decode(input: &[u8]) -> Result<Self, VaultError> {
        let malformed = |why| VaultError::Malformed { what: WHAT, why };
        let ended = |_| malformed("it is cut off, or a length is wrong");
        let mut cursor = begin(input, MAGIC, VERSION, WHAT)?;
        let count = usize::from(cursor.u8().map_err(ended)?);
        if count > BACKUP_CODES {
            return Err(malformed("it has too many codes"));
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let verifier = Verifier::from_bytes(cursor.array().map_err(ended)?);
            let escrow = cursor.vector(MAX_ESCROW_ENCODED_BYTES).map_err(ended)?;
            let escrow = Escrow::decode(escrow)?;
            entries.push(BackupEntry { verifier, escrow });
        }
        if cursor.position() != input.len() {
            return Err(malformed("something follows it"));
        }
        Ok(Self(entries))
    }
}
