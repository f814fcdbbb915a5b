//! Preferences of the app, encrypted under a key that does not leave the
//! Android key store. Before the first use the app hands over its `Context`;
//! see the documentation of `android-native-keyring-store`.

use std::sync::Arc;

use android_native_keyring_store::Store;
use keyring_core::CredentialStore;
use keyring_core::error::PlatformError;

use crate::KeyStoreError;

pub(crate) const HOW_TO_GET_ONE: &str = "restart the phone, and update this app";

pub(crate) const ENTERED_WITH: &[(&str, &str)] = &[];

pub(crate) fn open() -> Result<Arc<CredentialStore>, KeyStoreError> {
    Ok(Store::new()?)
}

/// Exceptions of Java come without a name: all count as refused.
pub(crate) fn reason(_reason: &PlatformError) -> Option<KeyStoreError> {
    None
}
