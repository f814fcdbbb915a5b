//! Why a share was not kept, read or forgotten.

use keyring_core::error::{Error, PlatformError};

use crate::platform;

/// Why a share was not kept, read or forgotten. Holds no key; each sentence
/// says what the person can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// There is none on this device, or it is not running.
    #[error(
        "no key store of this device can be reached: {}",
        platform::HOW_TO_GET_ONE
    )]
    NoKeyStore,
    /// The person did not unlock it.
    #[error("the key store of this device is locked: unlock it and try again")]
    Locked,
    /// The platform or the person did not let the app.
    #[error("the key store refused ({0}): allow this app to use it and try again")]
    Refused(String),
    /// It has no share of this vault.
    #[error(
        "the key store of this device has no share for this vault, which cannot be opened without: \
         come in with your recovery key or with another of your devices"
    )]
    Missing,
    /// It has something else in the share's place, or several.
    #[error(
        "what the key store has for this vault is not its share: \
         come in with your recovery key or with another of your devices"
    )]
    Damaged,
    /// The vault was sealed without a share of the device.
    #[error("this vault was sealed without a share of this device's key store")]
    NotNeeded,
}

impl From<Error> for KeyStoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoEntry => Self::Missing,
            // These hold what was found: it goes no further.
            Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::Ambiguous(_) => Self::Damaged,
            Error::PlatformFailure(reason) | Error::NoStorageAccess(reason) => {
                platform::reason(&reason).unwrap_or_else(|| refused(&reason))
            }
            Error::NoDefaultStore => Self::NoKeyStore,
            Error::BadStoreFormat(reason) => Self::Refused(reason),
            other => Self::Refused(other.to_string()),
        }
    }
}

fn refused(reason: &PlatformError) -> KeyStoreError {
    KeyStoreError::Refused(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_in_a_shares_place_does_not_show() {
        let found = b"493027".to_vec();
        let reason = PlatformError::from("odd");
        for error in [
            Error::BadEncoding(found.clone()),
            Error::BadDataFormat(found, reason),
        ] {
            let error = KeyStoreError::from(error);
            assert!(matches!(error, KeyStoreError::Damaged));
            assert!(!format!("{error:?} {error}").contains("52"));
        }
    }
}
