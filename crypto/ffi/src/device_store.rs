//! The platform's key store, which keeps a device's share of its vault.

use std::fmt;

use crypto::OsEntropy;
use crypto::vault::{Share, Vault};
use crypto_keystore::{KeyStore, KeyStoreError};
use crypto_session as core;

use crate::refusal::{self, Refusal};

/// A device's share of a vault. Not a key: it opens nothing without the code.
#[derive(uniffi::Object)]
pub struct DeviceShare(Share);

#[uniffi::export]
impl DeviceShare {
    /// A new one, for a vault that is about to be sealed.
    ///
    /// # Errors
    /// `no-randomness`.
    #[uniffi::constructor]
    pub fn new() -> Result<Self, Refusal> {
        let share = Share::generate(&mut OsEntropy).map_err(refusal::from)?;
        Ok(Self(share))
    }

    /// To seal a vault with, or to unlock it; to be forgotten after that.
    pub fn reveal(&self) -> Vec<u8> {
        self.0.reveal().to_vec()
    }
}

impl fmt::Debug for DeviceShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceShare(…)")
    }
}

/// The key store of the platform.
///
/// Every call may wait for the person, whom the platform asks to unlock it: not
/// for the thread that draws. Whoever seals a vault anew, for a new code or an
/// outdated derivation, keeps the share for the new vault first, then
/// overwrites the vault, and then forgets the share of the old one.
#[derive(Debug, uniffi::Object)]
pub struct DeviceStore(KeyStore);

#[uniffi::export]
impl DeviceStore {
    /// Reaches it.
    ///
    /// # Errors
    /// `no-key-store`.
    #[uniffi::constructor]
    pub fn new() -> Result<Self, Refusal> {
        Ok(Self(KeyStore::open()?))
    }

    /// Keeps the share that a vault was just sealed with; before the vault
    /// itself is stored.
    ///
    /// # Errors
    /// `no-key-store`, `key-store-locked`, `key-store-refused`; `share` when the
    /// vault needs none of the device; `malformed`, `too-new`.
    pub fn keep(&self, vault: &[u8], share: &DeviceShare) -> Result<(), Refusal> {
        Ok(self.0.keep(&read(vault)?, &share.0)?)
    }

    /// The share that this vault was sealed with.
    ///
    /// # Errors
    /// As of `keep`, and `share-missing`.
    pub fn share(&self, vault: &[u8]) -> Result<DeviceShare, Refusal> {
        Ok(DeviceShare(self.0.share(&read(vault)?)?))
    }

    /// Forgets the share of this vault, which is then closed for good. Nothing
    /// happens when there is none.
    ///
    /// # Errors
    /// As of `keep`.
    pub fn forget(&self, vault: &[u8]) -> Result<(), Refusal> {
        Ok(self.0.forget(&read(vault)?)?)
    }
}

fn read(vault: &[u8]) -> Result<Vault, Refusal> {
    Vault::decode(vault).map_err(refusal::from)
}

impl From<KeyStoreError> for Refusal {
    fn from(error: KeyStoreError) -> Self {
        let code = match error {
            KeyStoreError::NoKeyStore => core::Code::NoKeyStore,
            KeyStoreError::Locked => core::Code::KeyStoreLocked,
            KeyStoreError::Missing => core::Code::ShareMissing,
            KeyStoreError::Damaged => core::Code::Malformed,
            KeyStoreError::NotNeeded => core::Code::Share,
            _ => core::Code::KeyStoreRefused,
        };
        Self::new(code, &error.to_string())
    }
}
