//! What a key leaves in memory when it is dropped: nothing, as an allocator sees
//! that looks into every block which is freed.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod devices;
mod hubs;
mod vaults;
mod watching;

use crypto::Label;
use hkdf::Hkdf;
use hpke::{Kem, Serializable};
use sha2::{Digest, Sha256, Sha512};

/// As every key is derived from a secret.
fn derived(secret: &[u8], label: Label, context: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let hkdf = Hkdf::<Sha256>::new(None, secret);
    hkdf.expand(&label.bind(context), &mut key).unwrap();
    key
}

/// The private half of what `ikm` makes.
fn scalar(ikm: &[u8; 32]) -> [u8; 32] {
    let (private, _) = hpke::kem::X25519HkdfSha256::derive_keypair(ikm);
    private.to_bytes().into()
}

/// What Ed25519 makes of a seed to sign with.
fn expanded(seed: &[u8; 32]) -> [u8; 64] {
    Sha512::digest(seed).into()
}
