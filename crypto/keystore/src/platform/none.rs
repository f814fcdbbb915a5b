//! Elsewhere there is none that we know.

use std::sync::Arc;

use keyring_core::CredentialStore;
use keyring_core::error::PlatformError;

use crate::KeyStoreError;

pub(crate) const HOW_TO_GET_ONE: &str =
    "there is none for this system; let the server keep a share of the vault";

pub(crate) const ENTERED_WITH: &[(&str, &str)] = &[];

pub(crate) fn open() -> Result<Arc<CredentialStore>, KeyStoreError> {
    Err(KeyStoreError::NoKeyStore)
}

pub(crate) fn reason(_reason: &PlatformError) -> Option<KeyStoreError> {
    None
}
