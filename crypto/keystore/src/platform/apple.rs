//! The Keychain: on macOS the person's own, for which an app needs no profile
//! of Apple's; on iOS the app's.

use std::sync::Arc;

use keyring_core::CredentialStore;
use keyring_core::error::PlatformError;
use security_framework::base::Error;

use crate::KeyStoreError;

pub(crate) const HOW_TO_GET_ONE: &str = "open Keychain Access and see that you have a keychain";

#[cfg(target_os = "macos")]
pub(crate) const ENTERED_WITH: &[(&str, &str)] = &[];
/// Neither in a backup that is restored elsewhere nor in iCloud.
#[cfg(target_os = "ios")]
pub(crate) const ENTERED_WITH: &[(&str, &str)] =
    &[("access-policy", "when-unlocked-this-device-only")];

pub(crate) fn open() -> Result<Arc<CredentialStore>, KeyStoreError> {
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(target_os = "ios")]
    let store = apple_native_keyring_store::protected::Store::new()?;
    Ok(store)
}

/// By the result codes of Apple's Security framework (`SecBase.h`).
pub(crate) fn reason(reason: &PlatformError) -> Option<KeyStoreError> {
    match reason.downcast_ref::<Error>()?.code() {
        // errSecInteractionNotAllowed, errSecAuthFailed
        -25308 | -25293 => Some(KeyStoreError::Locked),
        // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain, errSecNoDefaultKeychain
        -25291 | -25294 | -25295 | -25307 => Some(KeyStoreError::NoKeyStore),
        _ => None,
    }
}
