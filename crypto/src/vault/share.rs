//! What a vault needs beside the code that a person knows.

use std::fmt;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::label::Label;
use crate::primitive::hash;

/// Names a vault. Random, says nothing about its device.
///
/// Who knows it can use up the tries at the server's share, so it is not to
/// stand in a log: `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultId([u8; Self::BYTES]);

impl VaultId {
    /// Bytes of an id.
    pub const BYTES: usize = 16;

    /// Takes an id that was stored or sent.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// To store or send.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// 32 hexadecimal digits, for the person's own device.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(2 * Self::BYTES);
        for byte in self.0 {
            let digits = [byte >> 4, byte & 0xf].map(u32::from);
            text.extend(
                digits
                    .iter()
                    .filter_map(|digit| char::from_digit(*digit, 16)),
            );
        }
        text
    }

    /// What to evaluate a passkey's PRF at (WebAuthn level 3 section 10.1.4,
    /// `eval.first`) to get this vault's third share.
    pub fn prf_input(&self) -> [u8; 32] {
        hash(&Label::VaultPrfSalt.bind(&self.0))
    }

    /// Makes a new id.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::BYTES];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultId(…)")
    }
}

/// 32 uniformly random bytes that a vault needs beside its code.
///
/// Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Share(Zeroizing<[u8; Self::BYTES]>);

impl Share {
    /// Bytes of a share.
    pub const BYTES: usize = 32;

    /// Makes a new share.
    ///
    /// # Errors
    /// [`EntropyError`] when the source fails.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Takes what a key store, the server or a passkey gave.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// For the key store, or for the person's own device.
    pub fn reveal(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share(…)")
    }
}

/// The shares that a new vault will need: at least one of the device's and the
/// server's. There is no way to make an empty set.
#[derive(Clone, Debug)]
pub struct Shares {
    pub(super) device: Option<Share>,
    pub(super) server: Option<Share>,
    pub(super) prf: Option<Share>,
}

impl Shares {
    /// A share from the key store of the device (keychain, Android key store,
    /// an unextractable browser key).
    pub fn with_device(share: Share) -> Self {
        Self {
            device: Some(share),
            server: None,
            prf: None,
        }
    }

    /// A share that the server gives out against the right code.
    pub fn with_server(share: Share) -> Self {
        Self {
            device: None,
            server: Some(share),
            prf: None,
        }
    }

    /// Adds the server's share.
    #[must_use]
    pub fn and_server(self, share: Share) -> Self {
        Self {
            server: Some(share),
            ..self
        }
    }

    /// Adds the output of a passkey's PRF at [`VaultId::prf_input`].
    #[must_use]
    pub fn and_prf(self, output: Share) -> Self {
        Self {
            prf: Some(output),
            ..self
        }
    }
}
