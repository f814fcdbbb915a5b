//! The cryptography for apps on desktop and phones, by UniFFI.
//!
//! A thin shell around `crypto-session`, as `crypto-wasm` is for browsers: ids
//! are text, bytes are byte arrays, times are Unix milliseconds, and every
//! failure is a [`Refusal`] with a code and a sentence.
//!
//! Keys stay in this library's memory, behind objects, and freed memory is wiped.
//! The app's language keeps copies of what it was given for as long as it likes:
//! the PIN as it was typed, an opened text, a recovery key on the screen.
//!
//! Every object may be used by several threads; each does one thing at a time.

#[cfg(feature = "keystore")]
mod device_store;
mod expectation;
mod files;
mod held;
mod hotline;
mod invitation;
mod locked_view;
mod log;
mod own_data;
mod pairing;
mod refusal;
mod session;
mod vault;

#[cfg(feature = "keystore")]
pub use device_store::{DeviceShare, DeviceStore};
pub use expectation::{Expectation, OpenedNote, People, Place, SealedNote, ServerKey};
pub use files::{OpeningFile, SealedFile, SealingFile, Voicemail};
pub use hotline::{Member, MemberWrap, NewHubKey, Role};
pub use locked_view::LockedView;
pub use log::LogFollower;
pub use pairing::{NewPairing, OldPairing};
pub use refusal::Refusal;
pub use session::{BackupSheet, RecoverySheet, Session};
pub use vault::{NewVault, PasscodeChange, Unlocking, VaultFacts};

use crypto::{HubId, OsEntropy, RecordId};

uniffi::setup_scaffolding!();

// UniFFI turns a panic into an exception, as long as it can be caught.
#[cfg(panic = "abort")]
compile_error!("build crypto-ffi with unwinding: a fault in here must not end the app");

#[global_allocator]
static WIPING: crypto_session::Wiping = crypto_session::Wiping::new();

/// A new hotline's id.
///
/// # Errors
/// `no-randomness`.
#[uniffi::export]
pub fn new_hub_id() -> Result<String, Refusal> {
    let id = HubId::generate(&mut OsEntropy).map_err(refusal::from)?;
    Ok(id.to_string())
}

/// A new record's id.
///
/// # Errors
/// `no-randomness`.
#[uniffi::export]
pub fn new_record_id() -> Result<String, Refusal> {
    let id = RecordId::generate(&mut OsEntropy).map_err(refusal::from)?;
    Ok(id.to_string())
}
