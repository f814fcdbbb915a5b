//! The Secret Service of the desktop session, over D-Bus.

use std::sync::Arc;

use keyring_core::CredentialStore;
use keyring_core::error::PlatformError;
use secret_service::Error;
use zbus_secret_service_keyring_store::Store;

use crate::KeyStoreError;

pub(crate) const HOW_TO_GET_ONE: &str =
    "start one in your desktop session, such as GNOME Keyring, KWallet or KeePassXC";

/// What the person reads beside the entry.
pub(crate) const ENTERED_WITH: &[(&str, &str)] =
    &[("label", "Centralita: this device's share of a vault")];

pub(crate) fn open() -> Result<Arc<CredentialStore>, KeyStoreError> {
    // Whatever fails here: nobody is there to keep anything.
    Ok(Store::new().map_err(|_| KeyStoreError::NoKeyStore)?)
}

pub(crate) fn reason(reason: &PlatformError) -> Option<KeyStoreError> {
    match reason.downcast_ref::<Error>()? {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => Some(KeyStoreError::Locked),
        // There is a service, but no keyring in it yet; or it went away.
        Error::NoResult | Error::Unavailable => Some(KeyStoreError::NoKeyStore),
        Error::Zbus(error) => over_the_bus(&error.to_string()),
        Error::ZbusFdo(error) => over_the_bus(&error.to_string()),
        _ => None,
    }
}

/// By the names of the Secret Service's and of D-Bus' own errors, with which their text begins.
fn over_the_bus(error: &str) -> Option<KeyStoreError> {
    const LOCKED: &str = "org.freedesktop.Secret.Error.IsLocked";
    const GONE: [&str; 4] = ["ServiceUnknown", "NoReply", "Disconnected", "I/O error"];
    if error.contains(LOCKED) {
        return Some(KeyStoreError::Locked);
    }
    let gone = GONE.iter().any(|gone| error.contains(gone));
    gone.then_some(KeyStoreError::NoKeyStore)
}
