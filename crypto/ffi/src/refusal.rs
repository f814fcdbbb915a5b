//! Failures as the app's language sees them.

use crypto_session as core;

/// Why something was not done. Holds no plaintext and no key.
// An enum with one case: that is what UniFFI makes exceptions of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum Refusal {
    /// Thrown for whatever was refused.
    #[error("{code}: {sentence}")]
    Refused {
        /// What a program can act on: a name of `crypto_session::Code`.
        code: String,
        /// What a person can be shown.
        sentence: String,
    },
}

impl Refusal {
    pub(crate) fn new(code: core::Code, sentence: &str) -> Self {
        Self::Refused {
            code: code.name().to_owned(),
            sentence: sentence.to_owned(),
        }
    }
}

impl From<core::Refusal> for Refusal {
    fn from(refusal: core::Refusal) -> Self {
        Self::new(refusal.code(), refusal.sentence())
    }
}

/// For errors of the crate `crypto`.
pub(crate) fn from(error: impl Into<core::Refusal>) -> Refusal {
    error.into().into()
}
