//! Keeping, reading and forgetting.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crypto::vault::{Share, Vault};
use keyring_core::{CredentialStore, Entry};
use zeroize::Zeroizing;

use crate::KeyStoreError;
use crate::platform;

/// Under what the platform files all entries.
const SERVICE: &str = "centralita";

/// The key store of the platform.
///
/// An entry belongs to one sealing of a vault, not to its id: whoever seals
/// anew keeps the new share first, then overwrites the vault file, and then
/// forgets the share of the old one. Wherever that is interrupted, the file
/// that is there has its share; each of the steps may be done again.
///
/// Every call may wait for the person, whom the platform asks to unlock the
/// store: not for the thread that draws.
pub struct KeyStore {
    store: Arc<CredentialStore>,
}

impl KeyStore {
    /// Reaches the platform's key store.
    ///
    /// # Errors
    /// [`KeyStoreError::NoKeyStore`].
    pub fn open() -> Result<Self, KeyStoreError> {
        let store = platform::open()?;
        Ok(Self { store })
    }

    /// Keeps the device's share of a vault that was just sealed with it. To be
    /// done before the vault itself is stored.
    ///
    /// # Errors
    /// Any of [`KeyStoreError`] but [`KeyStoreError::Missing`].
    pub fn keep(&self, vault: &Vault, share: &Share) -> Result<(), KeyStoreError> {
        let entry = self.entry(vault)?;
        Ok(entry.set_secret(share.reveal())?)
    }

    /// The device's share of this vault.
    ///
    /// # Errors
    /// Any of [`KeyStoreError`].
    pub fn share(&self, vault: &Vault) -> Result<Share, KeyStoreError> {
        let found = Zeroizing::new(self.entry(vault)?.get_secret()?);
        let whole: &[u8; Share::BYTES] =
            found[..].try_into().map_err(|_| KeyStoreError::Damaged)?;
        Ok(Share::from_bytes(whole))
    }

    /// Forgets the share: this sealing of the vault is closed for good. That
    /// there is none any more is no error.
    ///
    /// # Errors
    /// Any of [`KeyStoreError`] but [`KeyStoreError::Missing`].
    pub fn forget(&self, vault: &Vault) -> Result<(), KeyStoreError> {
        match self.entry(vault)?.delete_credential().map_err(Into::into) {
            Err(KeyStoreError::Missing) => Ok(()),
            done => done,
        }
    }

    fn entry(&self, vault: &Vault) -> Result<Entry, KeyStoreError> {
        if !vault.needs_device() {
            return Err(KeyStoreError::NotNeeded);
        }
        let name = vault.share_name();
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let with: HashMap<&str, &str> = platform::ENTERED_WITH.iter().copied().collect();
        Ok(self.store.build(SERVICE, &name, Some(&with))?)
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyStore(…)")
    }
}
