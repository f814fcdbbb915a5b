//! Proving to the server that one knows a code, without showing the code.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::label::Label;
use crate::primitive::hash;

/// 32 bytes that only somebody with the right code can derive. Sent to the
/// server, which keeps their [`Verifier`].
///
/// Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct AuthSecret(pub(super) Zeroizing<[u8; Self::BYTES]>);

impl AuthSecret {
    /// Bytes of the proof.
    pub const BYTES: usize = 32;

    /// Takes what was sent.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// To send to the server.
    pub fn reveal(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// What the server keeps.
    pub fn verifier(&self) -> Verifier {
        let bound = Zeroizing::new(Label::AuthVerifier.bind(&*self.0));
        Verifier(hash(&bound))
    }
}

impl fmt::Debug for AuthSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthSecret(…)")
    }
}

/// A hash of an [`AuthSecret`]: a copy of the server's database proves nothing
/// to the server.
#[derive(Clone)]
pub struct Verifier([u8; Self::BYTES]);

impl Verifier {
    /// Bytes of a verifier.
    pub const BYTES: usize = 32;

    /// Takes what was stored.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// To store.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Whether this is the right proof; takes the same time either way.
    pub fn matches(&self, proof: &AuthSecret) -> bool {
        self.0.ct_eq(&proof.verifier().0).into()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}
