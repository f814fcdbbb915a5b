//! The server's side: has witnesses confirm each new state of the key log.
//!
//! `ureq` carries the requests: a witness is asked rarely, with one small body,
//! so a blocking client with one time limit over everything is all there is to
//! it; it uses the same `rustls` as the server, and the certificates that the
//! machine trusts. What is believed rests on none of that: an answer counts when
//! it bears the witness's signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crypto::transparency::{ADD_CHECKPOINT_PATH, AddCheckpoint, SignedCheckpoint, WitnessKey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The certificates that Debian trusts.
pub const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// For one request, from the name look-up to the last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_ANSWER_BYTES: u64 = 8 * 1024;
/// A witness may be overtaken by another request, but not for ever.
const MAX_ATTEMPTS: usize = 3;

/// What a publisher needs of the key log.
pub trait KeyLog: Send + Sync + 'static {
    /// The newest signed state, as it changes.
    fn checkpoints(&self) -> watch::Receiver<Option<SignedCheckpoint>>;

    /// The body of a request about the newest state to a witness that knows the
    /// log at the size `old`; `None` when the log never had that size.
    fn request(&self, old: u64) -> impl Future<Output = Option<String>> + Send;

    /// Stores what a witness signed about the state of this size. Witnesses answer at the same
    /// time: the lines of one must not displace those of another.
    ///
    /// # Errors
    /// Why it cannot be stored.
    fn keep(&self, size: u64, lines: &str) -> impl Future<Output = Result<(), String>> + Send;
}

/// A witness that is asked. Its text is `<key> <address>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WitnessAddress {
    /// Whose signature counts.
    pub key: WitnessKey,
    /// Where it is, `https://…` or `http://…`, without `/add-checkpoint`.
    pub url: String,
}

impl FromStr for WitnessAddress {
    type Err = PublisherError;

    fn from_str(text: &str) -> Result<Self, PublisherError> {
        let malformed = || PublisherError::Address(text.to_owned());
        let (key, url) = text.trim().split_once(' ').ok_or_else(malformed)?;
        let url = url.trim().trim_end_matches('/');
        let uri: Option<hyper::Uri> = url.parse().ok();
        let web = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        web.filter(|uri| uri.host().is_some())
            .ok_or_else(malformed)?;
        Ok(Self {
            key: key.parse().map_err(|_| malformed())?,
            url: url.to_owned(),
        })
    }
}

impl TryFrom<String> for WitnessAddress {
    type Error = PublisherError;

    fn try_from(text: String) -> Result<Self, PublisherError> {
        text.parse()
    }
}

impl From<WitnessAddress> for String {
    fn from(witness: WitnessAddress) -> Self {
        format!("{} {}", witness.key, witness.url)
    }
}

/// Why a publisher does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublisherError {
    /// Not a key and an address.
    #[error("{0:?} is no witness; write its key, a space and its address, https://…")]
    Address(String),
    /// The trusted certificates.
    #[error("cannot read the trusted certificates in {}: {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// When witnesses are asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often the same state is confirmed again. Clients do not believe
    /// confirmations that are old, lest something newer be withheld.
    pub refresh: Duration,
    /// After the first failure; twice as long after each further one.
    pub first_pause: Duration,
    /// At most.
    pub longest_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(60 * 60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(5 * 60),
        }
    }
}

/// Asks each witness for itself: one that is away holds up no other.
#[derive(Debug)]
pub struct Publisher {
    agent: Agent,
    witnesses: Vec<WitnessAddress>,
    pace: Pace,
}

impl Publisher {
    /// A publisher that trusts the certificates in the PEM file `roots`, see
    /// [`SYSTEM_ROOTS`]; it is read only when a witness is asked over TLS.
    ///
    /// # Errors
    /// [`PublisherError::Roots`].
    pub fn new(witnesses: Vec<WitnessAddress>, roots: &Path) -> Result<Self, PublisherError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent("centralita");
        if witnesses
            .iter()
            .any(|witness| witness.url.starts_with("https"))
        {
            let provider = rustls::crypto::ring::default_provider();
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(provider))
                .root_certs(read_roots(roots)?)
                .build();
            config = config.tls_config(tls);
        }
        Ok(Self {
            agent: config.build().into(),
            witnesses,
            pace: Pace::default(),
        })
    }

    /// With another pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Asks, now and whenever the log has grown, until it is dropped or the log
    /// is.
    pub async fn run<L: KeyLog>(self, log: Arc<L>) {
        let mut tasks = JoinSet::new();
        for witness in self.witnesses {
            let (agent, log, pace) = (self.agent.clone(), log.clone(), self.pace);
            let correspondence = Correspondence {
                agent,
                witness: Arc::new(witness),
                known: 0,
            };
            tasks.spawn(correspondence.run(log, pace));
        }
        while tasks.join_next().await.is_some() {}
    }
}

fn read_roots(path: &Path) -> Result<RootCerts, PublisherError> {
    let failed = |reason: String| PublisherError::Roots {
        path: path.to_path_buf(),
        reason,
    };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let items: Result<Vec<PemItem<'static>>, _> = parse_pem(&pem).collect();
    let items = items.map_err(|error| failed(error.to_string()))?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(failed("there are none".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// Why a witness has not confirmed.
#[derive(Debug, thiserror::Error)]
enum Unconfirmed {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] ureq::Error),
    #[error("it does not know this log; its operator must add the log's key")]
    UnknownLog,
    #[error("it says that this log does not continue what it confirmed before")]
    Forked,
    #[error(
        "it has confirmed {0} entries, which this log does not have: entries were lost. \
         Restore a newer backup"
    )]
    Lost(u64),
    #[error("it keeps being ahead of what it is asked")]
    Overtaken,
    #[error("its answer has status {0}")]
    Status(u16),
    #[error("its answer is not signed by it")]
    Forged,
    #[error("its confirmation could not be stored: {0}")]
    NotStored(String),
    #[error("the request was given up")]
    GivenUp,
}

/// One witness, and what it is believed to know.
struct Correspondence {
    agent: Agent,
    witness: Arc<WitnessAddress>,
    known: u64,
}

impl Correspondence {
    async fn run<L: KeyLog>(mut self, log: Arc<L>, pace: Pace) {
        let mut checkpoints = log.checkpoints();
        let name = self.witness.key.name().to_string();
        let (mut confirmed, mut pause) = (None, pace.first_pause);
        loop {
            let newest = checkpoints.borrow_and_update().as_ref().map(size);
            if newest.is_some() && newest != confirmed {
                match self.confirm(&*log).await {
                    Ok(size) => {
                        tracing::debug!(witness = name, size, "the key log was confirmed");
                        (confirmed, pause) = (Some(size), pace.first_pause);
                    }
                    Err(reason) => {
                        tracing::warn!(witness = name, %reason, "the key log was not confirmed");
                        tokio::time::sleep(pause).await;
                        pause = pace.longest_pause.min(2 * pause);
                        continue;
                    }
                }
            }
            tokio::select! {
                changed = checkpoints.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep(pace.refresh) => confirmed = None,
            }
        }
    }

    /// Gives the size that was confirmed and stored.
    async fn confirm<L: KeyLog>(&mut self, log: &L) -> Result<u64, Unconfirmed> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(body) = log.request(self.known).await else {
                return Err(Unconfirmed::Lost(std::mem::take(&mut self.known)));
            };
            let asked = AddCheckpoint::parse(&body).map_err(|_| Unconfirmed::GivenUp)?;
            let asked = asked.checkpoint;
            let (status, answer) = self.post(body).await?;
            match status {
                200 => {
                    let lines = self.witness.key.confirmation(&asked, &answer);
                    let lines = lines.ok_or(Unconfirmed::Forged)?;
                    self.known = size(&asked);
                    let kept = log.keep(self.known, &lines).await;
                    return kept.map(|()| self.known).map_err(Unconfirmed::NotStored);
                }
                404 => return Err(Unconfirmed::UnknownLog),
                409 => {
                    let known = answer
                        .trim()
                        .parse()
                        .map_err(|_| Unconfirmed::Status(409))?;
                    // It knows this size, with another root.
                    if known == self.known {
                        return Err(Unconfirmed::Forked);
                    }
                    self.known = known;
                }
                422 => return Err(Unconfirmed::Forked),
                other => return Err(Unconfirmed::Status(other)),
            }
        }
        Err(Unconfirmed::Overtaken)
    }

    async fn post(&self, body: String) -> Result<(u16, String), Unconfirmed> {
        let (agent, witness) = (self.agent.clone(), self.witness.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let url = format!("{}{ADD_CHECKPOINT_PATH}", witness.url);
            let mut answer = agent.post(url).send(body)?;
            let status = answer.status().as_u16();
            let content = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES);
            Ok::<_, Unconfirmed>((status, content.read_to_string()?))
        });
        asked.await.map_err(|_| Unconfirmed::GivenUp)?
    }
}

fn size(checkpoint: &SignedCheckpoint) -> u64 {
    checkpoint.checkpoint().size
}
