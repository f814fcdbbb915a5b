//! Who somebody is: the keys of a person's devices, and what these say about
//! each other.
//!
//! A person is a [`Sigchain`]: a signed list that begins with their first
//! device and in which only their own devices can add, revoke or rotate
//! anything. The server stores it and cannot write it. What is sealed to a
//! person is sealed to their per-user key ([`Puk`]), which every live device
//! can open and which changes when a device is revoked.
//!
//! The byte formats are in `docs/protocol/sigchain-v1.md`.

pub(crate) mod chain;
mod device_keys;
mod draft;
mod error;
mod invite;
mod issuer;
mod items_key;
mod login;
mod mls_signature;
mod puk;
mod reader;
mod sigchain;
mod subkey;
mod transport_key;

pub use chain::ChainHead;
pub use device_keys::{DeviceCard, DeviceKeys};
pub use draft::{MAX_DRAFT_BYTES, MAX_DRAFT_NAME_BYTES};
pub use error::{DraftError, InviteError, LoginError, PukError, SigchainError};
pub use invite::InviteProof;
pub use issuer::ChallengeIssuer;
pub use items_key::{CONTENT_KEY_WRAP_BYTES, ItemsKey, MAX_COMMITMENT_BYTES};
pub use login::{
    LOGIN_LIFETIME_MAX_MS, LoginChallenge, LoginProof, MAX_METHOD_BYTES, MAX_ORIGIN_BYTES,
    MAX_PATH_BYTES, REQUEST_WINDOW_MS, RequestFacts, RequestProof,
};
pub use puk::{Puk, PukRing};
pub use reader::Reader;
pub use sigchain::{
    Device, MAX_DEVICES_EVER, MAX_LIVE_DEVICES, MAX_SIGCHAIN_LINKS, Sigchain, SigchainState,
};
pub use subkey::TransportAttestation;
pub use transport_key::{TransportPublicKey, TransportSecretKey, TransportSignature};
