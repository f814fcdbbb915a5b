//! The Credential Manager.

use std::sync::Arc;

use keyring_core::CredentialStore;
use keyring_core::error::PlatformError;
use windows_native_keyring_store::Store;

use crate::KeyStoreError;

pub(crate) const HOW_TO_GET_ONE: &str =
    "log in to Windows as a person, whose Credential Manager it is";

/// Its default would let the share roam to other computers of the domain.
pub(crate) const ENTERED_WITH: &[(&str, &str)] = &[("persistence", "Local")];

pub(crate) fn open() -> Result<Arc<CredentialStore>, KeyStoreError> {
    Ok(Store::new()?)
}

/// The store says one thing by itself: that nobody is logged in (`NoStorageAccess`).
pub(crate) fn reason(reason: &PlatformError) -> Option<KeyStoreError> {
    const ERROR_NO_SUCH_LOGON_SESSION: &str = "1312";
    let nobody = reason.to_string().contains(ERROR_NO_SUCH_LOGON_SESSION);
    nobody.then_some(KeyStoreError::NoKeyStore)
}
