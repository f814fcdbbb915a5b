//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crypto::identity::ChallengeIssuer;
use crypto::transparency::{Leaf, LogSigner, SignedCheckpoint};
use crypto::{Entropy, EntropyError, OsEntropy};
use jiff::{SignedDuration, Timestamp};
use protocol::{Cursor, IngestKeyView, Topic};
use sha2::{Digest, Sha256};
use store::{Changes, HubId, LoginChange, SecretHash, Store, StoreError, UserId};
use tokio::sync::{Mutex, watch};
use zeroize::Zeroizing;

use crate::activity::Activity;
use crate::chains::Chains;
use crate::charge::Charges;
use crate::code;
use crate::exports::Exports;
use crate::feed::Feeds;
use crate::keylog::{KeyLog, KeyLogError};
use crate::limit::Limits;
use crate::passkeys::Passkeys;
use crate::refusal::Refusal;
use crate::room::BodyRoom;
use crate::rooms::Rooms;
use crate::scrub::Scrubs;
use crate::spent::{Answered, SeenOnce};
use crate::start::Start;
use crate::watch::{Ended, Event, News, Watch};

/// Bytes of a token.
pub(crate) const TOKEN_BYTES: usize = 32;

/// How long a code for the first admin is good.
const BOOTSTRAP_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Why there is no code for the first admin.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

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
    /// The longest that a device stays unlocked without its PIN being typed again (AUTH-13). Told
    /// to devices, which lock themselves.
    pub unlocked_at_most: Duration,
    /// The clock; tests have their own.
    pub clock: fn() -> Timestamp,
    /// When the process began: none before it has taken a proof since then. For tests whose logins
    /// are from before.
    pub began: Instant,
    /// The folder that the files of messages are below; without it, none are served.
    pub data: Option<PathBuf>,
    /// The key with which the server signs what it seals as it comes in; nothing where nothing
    /// comes in.
    pub ingest: Option<IngestKeyView>,
    /// The keys of those who are asked to confirm the key log.
    pub witnesses: Vec<String>,
}

impl WebOptions {
    /// The usual ones.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            ingest: None,
            witnesses: Vec::new(),
            origin: origin.into(),
            access_lifetime: Duration::from_secs(15 * 60),
            refresh_lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            idle_after: Duration::from_secs(60 * 60),
            unlocked_at_most: Duration::from_secs(8 * 60 * 60),
            clock: Timestamp::now,
            began: Instant::now(),
            data: None,
        }
    }
}

/// What all requests share.
pub struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) options: WebOptions,
    pub(crate) limits: Limits,
    /// What addresses are charged for.
    pub(crate) charges: Arc<Charges>,
    /// Where bodies that are being read lie.
    pub(crate) body_room: Arc<BodyRoom>,
    pub(crate) keylog: KeyLog,
    /// Sigchains and rosters that were verified.
    pub(crate) chains: Chains,
    /// Makes login challenges.
    pub(crate) issuer: ChallengeIssuer,
    /// Nonces of those that were answered.
    pub(crate) answered: Answered,
    /// Nonces of requests that were served.
    pub(crate) proofs: SeenOnce,
    /// Before which others may have been.
    pub(crate) start: Start,
    /// Exports that are under way.
    pub(crate) exports: Exports,
    /// When sessions were last used.
    pub(crate) activity: Activity,
    /// What open feeds hear.
    pub(crate) watch: Watch,
    /// Whoever asks for the share of a vault or leaves one.
    pub(crate) shares: Mutex<()>,
    /// Where two devices of a person meet.
    pub(crate) rooms: Rooms,
    pub(crate) passkeys: Passkeys,
    pub(crate) scrubs: Scrubs,
    pub(crate) feeds: Feeds,
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
            passkeys: Passkeys::new(&options.origin),
            start: Start::new(options.began),
            options,
            limits: Limits::new(),
            charges: Arc::new(Charges::new()),
            body_room: Arc::default(),
            chains: Chains::default(),
            issuer: ChallengeIssuer::generate(&mut OsEntropy)?,
            answered: Answered::new(),
            proofs: SeenOnce::new(),
            exports: Exports::new(),
            activity: Activity::new(),
            watch: Watch::new(),
            shares: Mutex::new(()),
            rooms: Rooms::new(),
            scrubs: Scrubs::default(),
            feeds: Feeds::default(),
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

    /// The code with which the first admin comes in, to be printed; `None` when there is an
    /// admin. Each call makes the codes before it void; a code is good for a day.
    ///
    /// # Errors
    /// The system has no randomness, or see [`store::StoreError`].
    pub async fn bootstrap_code(&self) -> Result<Option<Zeroizing<String>>, BootstrapError> {
        if self.store.reader().has_super_admin().await? {
            return Ok(None);
        }
        let code = code::generate(&mut OsEntropy)?;
        let created_at = (self.options.clock)();
        let change = LoginChange::BootstrapCodeSet {
            code: hash(code.as_bytes()),
            created_at,
            expires_at: created_at + BOOTSTRAP_LIFETIME,
        };
        self.store
            .commit(store::Change::from(change).into())
            .await?;
        Ok(Some(code))
    }

    /// Whether people may make passkeys and log in with them, from now on. At first they may.
    pub fn allow_passkeys(&self, allowed: bool) {
        self.passkeys.allow(allowed);
    }

    /// Whether they can: also not where passkeys have no host name to belong to.
    #[must_use]
    pub fn offers_passkeys(&self) -> bool {
        self.passkeys.webauthn().is_ok()
    }

    /// What changes in hubs from now on, by whomever.
    #[must_use]
    pub fn news(&self) -> News {
        News(self.watch.listen())
    }

    /// Tells the members of a hub that something there is new. To be called after the commit.
    pub fn notify(&self, hub: HubId, topic: Topic) {
        self.watch.tell(Event::Changed(hub, topic));
    }

    /// Tells a person's devices that something of these devices, or a session, is new. To be called
    /// after the commit.
    pub(crate) fn notify_devices(&self, user: UserId) {
        self.watch.tell(Event::Devices(user));
    }

    /// Ends the open feeds of sessions that have ended. To be called after the commit.
    pub(crate) fn end(&self, ended: Ended) {
        self.watch.tell(Event::Ended(ended));
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

/// The time of a place in a list.
pub(crate) fn time_of(place: Cursor) -> Result<Timestamp, Refusal> {
    let at = Timestamp::from_microsecond(place.at_us);
    at.map_err(|_| Refusal::malformed("no list has a place of this time; begin again without one"))
}

/// The time as formats have it.
pub(crate) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}
