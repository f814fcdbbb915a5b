//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use crypto::transparency::{Leaf, LogSigner, SignedCheckpoint};
use crypto::{Entropy, OsEntropy};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use store::{Changes, SecretHash, Store};
use tokio::sync::watch;

use crate::keylog::{KeyLog, KeyLogError};
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
    pub(crate) keylog: KeyLog,
    /// Nonces of login challenges that wait for their answer.
    pub(crate) challenges: GivenOut,
    /// Nonces of requests that were served.
    pub(crate) proofs: SeenOnce,
}

impl Shared {
    /// Over a store that is open. `signer` signs the heads of the key-transparency log; clients
    /// pin its key, so it must outlive the process.
    ///
    /// # Errors
    /// See [`KeyLogError`].
    pub async fn open(
        store: Arc<Store>,
        options: WebOptions,
        signer: LogSigner,
    ) -> Result<Self, KeyLogError> {
        Ok(Self {
            keylog: KeyLog::open(&store, signer).await?,
            store,
            options,
            limits: Limits::new(),
            challenges: GivenOut::new(),
            proofs: SeenOnce::new(),
        })
    }

    /// Commits `changes`, and enters the heads that sigchains and rosters reach by them into
    /// the key-transparency log: what is handed out is in the log.
    pub(crate) async fn commit_with_heads(
        &self,
        changes: Changes,
        heads: &[Leaf],
    ) -> Result<(), Refusal> {
        Ok(self.keylog.commit(&self.store, changes, heads).await?)
    }

    /// The newest signed head of the key-transparency log, as it changes.
    #[must_use]
    pub fn checkpoints(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.keylog.newest()
    }

    /// The body of an `add-checkpoint` request (c2sp.org/tlog-witness) to a witness that has
    /// seen the log at the size `old`.
    pub async fn witness_request(&self, old: u64) -> Option<String> {
        Some(self.keylog.request(old).await?.to_body())
    }

    /// Keeps what witnesses signed about the head of `size`.
    ///
    /// # Errors
    /// See [`KeyLogError`]; lines that are no signatures are refused.
    pub async fn add_cosignatures(&self, size: u64, lines: &str) -> Result<(), KeyLogError> {
        self.keylog.add_cosignatures(&self.store, size, lines).await
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
