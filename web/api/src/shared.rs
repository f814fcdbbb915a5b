//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use crypto::{Entropy, OsEntropy};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use store::{SecretHash, Store};

use crate::limit::Limits;
use crate::refusal::Refusal;
use crate::spent::{GivenOut, SeenOnce};

/// Bytes of a token.
pub(crate) const TOKEN_BYTES: usize = 32;

/// How the API behaves.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Scheme, host, and port unless it is 443: what browsers show, and what devices sign.
    pub origin: String,
    /// How long an access token is good.
    pub access_lifetime: Duration,
    /// How long a refresh token is good.
    pub refresh_lifetime: Duration,
    /// A session without a request for this long has ended (AUTH-07, AUTH-09).
    pub idle_after: Duration,
    /// The clock; tests have their own.
    pub clock: fn() -> Timestamp,
}

impl WebOptions {
    /// The usual ones.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            access_lifetime: Duration::from_secs(15 * 60),
            refresh_lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            idle_after: Duration::from_secs(60 * 60),
            clock: Timestamp::now,
        }
    }
}

/// What all requests share.
pub struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) options: WebOptions,
    pub(crate) limits: Limits,
    /// Nonces of login challenges that wait for their answer.
    pub(crate) challenges: GivenOut,
    /// Nonces of requests that were served.
    pub(crate) proofs: SeenOnce,
}

impl Shared {
    /// Over a store that is open.
    #[must_use]
    pub fn new(store: Arc<Store>, options: WebOptions) -> Self {
        Self {
            store,
            options,
            limits: Limits::new(),
            challenges: GivenOut::new(),
            proofs: SeenOnce::new(),
        }
    }

    /// A new secret, and what the server keeps of it.
    pub(crate) fn new_token(&self) -> Result<([u8; TOKEN_BYTES], SecretHash), Refusal> {
        let mut token = [0; TOKEN_BYTES];
        OsEntropy.fill(&mut token).map_err(Refusal::internal)?;
        Ok((token, hash(&token)))
    }
}

/// What the server keeps of a secret.
pub(crate) fn hash(secret: &[u8]) -> SecretHash {
    SecretHash(Sha256::digest(secret).into())
}

/// The time as formats have it.
pub(crate) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}
