//! Everything cryptographic in one place.
//!
//! Other crates deal in what people mean: a [`VoicemailWriter`] seals a
//! caller's message while it is being spoken, a [`ReaderSecretKey`] opens it
//! later on another machine, a [`CallerIdKey`] turns a caller's number into a
//! tag that bans can be kept under. The exchange holds public reader keys only,
//! so it can write a message but not read it back.
//!
//! What this is not: voicemail is encrypted *at ingest*. The exchange hears the
//! call in the clear and wipes what it heard once sealed; it is not end-to-end
//! encryption. Nor is it forward secrecy: each recording has its own key, but a
//! stolen reader key opens every recording that was sealed to it.
//!
//! Text and byte formats are documented in `docs/protocol/`.

pub mod audit;
pub mod backup;
mod caller_id;
pub mod cobblestone;
mod encoding;
mod entropy;
mod error;
pub mod hub;
mod id;
pub mod identity;
mod key_text;
mod label;
mod padding;
mod primitive;
pub mod provisioning;
mod reader_key;
pub mod record;
pub mod sframe;
pub mod transparency;
pub mod vault;
mod voicemail;

pub use caller_id::{CallerIdKey, CallerIdTag};
pub use entropy::{Entropy, EntropyError, OsEntropy};
pub use error::{Error, MetaError};
pub use id::{CallId, DeviceId, HubId, RecordId, UserId};
pub use key_text::{KeyKind, KeyTextError};
pub use label::Label;
pub use primitive::{Signature, SignatureRefused, SigningKey, VerifyingKey};
pub use reader_key::{ReaderKeyId, ReaderPublicKey, ReaderSecretKey};
pub use voicemail::{
    Chunks, MAX_ID_BYTES, MAX_RECIPIENTS, SAMPLE_RATES_HZ, VoicemailMeta, VoicemailReader,
    VoicemailWriter,
};
