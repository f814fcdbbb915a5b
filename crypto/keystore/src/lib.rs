//! The device's share of a vault, in the key store of the platform.
//!
//! A vault file that was copied opens nothing without the share, and the share
//! lies where the platform lets only this person's apps, or only this app, read
//! it: the Secret Service on Linux, the Keychain on macOS and iOS, the
//! Credential Manager on Windows, and on Android preferences under a key of the
//! Android key store. None of them lets it leave for another device.
//!
//! Empty without its feature `keystore`.

#[cfg(feature = "keystore")]
mod error;
#[cfg(feature = "keystore")]
mod platform;
#[cfg(feature = "keystore")]
mod store;

#[cfg(feature = "keystore")]
pub use error::KeyStoreError;
#[cfg(feature = "keystore")]
pub use store::KeyStore;
