//! The cryptography for the panel, as WebAssembly.
//!
//! A thin shell around `crypto-session`: ids are text, bytes are `Uint8Array`s,
//! times are `Date.now()`, and a failure is a thrown `Error` with a `code`
//! ([`crypto_session::Code::name`]) and a sentence as its `message`.
//!
//! Keys stay in this module's own memory, behind handles. Freed memory is wiped
//! (`wiping.rs`). JavaScript keeps copies of what it was given for as long as it
//! likes: the PIN as it was typed, an opened text, a recovery key on the screen.
//! So the panel runs this in a worker, and ends the worker when it locks.

mod expectation;
mod files;
mod hotline;
mod invitation;
mod locked_view;
mod log;
mod own_data;
mod pairing;
mod refused;
mod session;
#[cfg(feature = "fixed-entropy")]
mod testing;
mod vault;
#[cfg(target_arch = "wasm32")]
mod wiping;

use crypto::{HubId, OsEntropy, RecordId};
use wasm_bindgen::prelude::wasm_bindgen;

use refused::Thrown;

/// A new hotline's id.
///
/// # Errors
/// `no-randomness`.
#[wasm_bindgen(js_name = newHubId)]
pub fn new_hub_id() -> Result<String, Thrown> {
    let id = HubId::generate(&mut OsEntropy).map_err(refused::from)?;
    Ok(id.to_string())
}

/// A new record's id.
///
/// # Errors
/// `no-randomness`.
#[wasm_bindgen(js_name = newRecordId)]
pub fn new_record_id() -> Result<String, Thrown> {
    let id = RecordId::generate(&mut OsEntropy).map_err(refused::from)?;
    Ok(id.to_string())
}

/// `Date.now()` as Unix milliseconds.
fn milliseconds(now: f64) -> u64 {
    // A float becomes an integer by saturation; what is no number becomes 0.
    now as u64
}
