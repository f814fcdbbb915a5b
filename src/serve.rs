//! `centralita serve`: puts the parts together and lets them run.

mod admin;
mod bindings;
mod callers;
mod compose;
mod datagrams;
mod entropy;
mod health;
mod ingest;
mod metrics;
mod records;
mod streams;
mod voice;
mod voicemail;
mod web;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Engine, EngineConfig, EngineHandle};
use exchange::Exchange;
use jiff::Timestamp;
use routing::{CallId, Router};
use store::{Store, StoreError};
use telephony::{Input, Telephony};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::database::{DataFolder, DatabaseError};
use crate::hotline::Hotline;
use crate::open_files::{self, Connections};
use crate::{applied, keys};
use metrics::Metrics;
use voice::{Order, VoiceConfig, VoiceLoop};

pub use compose::{prompt_cache, sentences};
pub use voicemail::relative_path as voicemail_path;
pub use web::given_flaws;

/// Things that come in from tasks and threads and wait for the voice loop.
const MAX_QUEUED_INPUTS: usize = 4_096;
/// Orders that wait for the media engine: a few for each of the most legs there can be.
const MAX_QUEUED_MEDIA_ORDERS: usize = 16_384;
/// Requests and signals that wait for the voice loop.
const MAX_QUEUED_ORDERS: usize = 64;
/// Call ids reserved at a start; a process that uses them up starts a new block at its next start.
const CALL_IDS_PER_START: u32 = 1 << 24;

/// How long the end waits for queries of the panel that still run.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why the exchange cannot run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Nothing to serve.
    #[error(
        "nothing is configured in {}: run `centralita apply hotline.toml --data {}` first, or `serve --demo-if-empty` for a demonstration",
        .0.display(), .0.display()
    )]
    NothingConfigured(PathBuf),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where the database is.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An address is taken or not ours.
    #[error("cannot listen on {what} {address}: {why}. {advice}")]
    Listen {
        /// `UDP`, `TCP`, `metrics address`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// Anything else that has a sentence of its own.
    #[error("{0}")]
    Other(String),
}

impl ServeError {
    fn listen(what: &'static str, address: SocketAddr, why: std::io::Error) -> Self {
        let advice = match why.kind() {
            std::io::ErrorKind::AddrInUse => {
                "Another program has it: stop that one, or choose another port in [network]"
            }
            std::io::ErrorKind::AddrNotAvailable => {
                "This machine does not have that address: correct it in [network]"
            }
            std::io::ErrorKind::PermissionDenied => {
                "Ports below 1024 need a permission: choose a higher one in [network]"
            }
            _ => "Correct it in [network]",
        };
        Self::Listen {
            what,
            address,
            why,
            advice,
        }
    }

    fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// Runs until told to stop and the last call is over.
///
/// # Errors
/// One clear sentence about what keeps it from running.
pub async fn run(folder: &DataFolder, demo_if_empty: bool) -> Result<(), ServeError> {
    start_logging();
    let data = folder.path();
    let store = Arc::new(folder.open().await?);
    let crashed = store.close_crashed_calls(Timestamp::now()).await?;
    if !crashed.is_empty() {
        tracing::warn!(
            calls = crashed.len(),
            "calls were live when the box stopped; recorded as failed"
        );
    }
    let hotline = match store.unscoped().hotline().await? {
        Some(row) => Hotline::from_canonical(&row.body).map_err(ServeError::other)?,
        None if demo_if_empty => compose::set_up_demo(data, &store).await?,
        None => return Err(ServeError::NothingConfigured(data.to_owned())),
    };
    let lacking = applied::caught_up(&store, &hotline).await;
    store.commit(lacking.map_err(ServeError::other)?).await?;
    let connections = connections(hotline.limits.calls);
    let metrics = Arc::new(Metrics::new());
    if let Some(address) = hotline.network.metrics {
        health::listen(address, Arc::clone(&metrics))
            .await
            .map_err(|error| ServeError::listen("metrics address", address, error))?;
    }
    let composer = compose::Composer::new(data, Arc::clone(&store))?;
    let config = composer.compose(&hotline).await?;
    let (keeper, kept, writer) = records::Keeper::start(Arc::clone(&store), Arc::clone(&metrics));
    let (orders, inbox) = mpsc::channel(MAX_QUEUED_ORDERS);
    let parts = Parts {
        data: data.to_owned(),
        store: Arc::clone(&store),
        network: hotline.network.clone(),
        config,
        keeper,
        orders: inbox,
        metrics: Arc::clone(&metrics),
        most_streams: connections.streams,
    };
    let voice = start_voice(parts).await?;
    drain_on_signals(orders.clone())?;
    let (panel, panel_problem) = start_panel(data, &store, &hotline, connections.panel).await;
    let parts = admin::Parts {
        store: Arc::clone(&store),
        composer,
        hotline,
        orders,
        metrics: Arc::clone(&metrics),
        panel_problem,
        panel: panel.as_ref().map(|panel| Arc::clone(panel.shared())),
    };
    let from_panel = admin::start(data, parts).map_err(|error| no_control_socket(data, &error))?;
    if let Some(panel) = &panel {
        panel.connect(from_panel, kept);
    }
    metrics.set_listening();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready for calls");
    let keeper = voice
        .await
        .map_err(|_| ServeError::Other("the voice loop broke off".to_owned()))?;
    // Until the last call is over, volunteers write about it.
    if let Some(panel) = panel {
        panel.drain().await;
    }
    keeper.finish().await;
    // The keeper's end closes the queue; the writer ends after the last fact.
    writer.await.map_err(ServeError::other)?;
    // A copy of the database's file alone then holds everything.
    if tokio::time::timeout(CLOSE_LIMIT, store.finish())
        .await
        .is_err()
    {
        tracing::warn!("the database is still being read; its log was not folded into it");
    }
    tracing::info!("stopped");
    Ok(())
}

/// How many connections leave enough open files for so many calls.
fn connections(calls: u32) -> Connections {
    let allowed = open_files::raise().unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit on open files cannot be told; connections are few");
        0
    });
    if allowed < open_files::scant(calls) {
        tracing::warn!(
            allowed,
            needed = open_files::enough(calls),
            "calls may lack open files: allow more, with LimitNOFILE in the service"
        );
    }
    open_files::share(allowed, calls)
}

/// The panel, or why it should be served and is not.
async fn start_panel(
    data: &Path,
    store: &Arc<Store>,
    hotline: &Hotline,
    most_connections: usize,
) -> (Option<web::Panel>, Option<String>) {
    match web::Panel::start(data, store, hotline, most_connections).await {
        Ok(panel) => (panel, None),
        Err(error) => {
            tracing::error!("the panel is not served: {error}");
            (None, Some(error.to_string()))
        }
    }
}

fn no_control_socket(data: &Path, error: &std::io::Error) -> ServeError {
    ServeError::Other(match error.kind() {
        std::io::ErrorKind::InvalidInput => error.to_string(),
        _ => format!(
            "cannot open the control socket in {}: {error}. \
             Give the folder to the user that runs centralita",
            data.display()
        ),
    })
}

/// What the voice loop is made of, apart from what it makes itself.
struct Parts {
    data: PathBuf,
    store: Arc<Store>,
    network: crate::hotline::Network,
    config: VoiceConfig,
    keeper: records::Keeper,
    orders: mpsc::Receiver<Order>,
    metrics: Arc<Metrics>,
    most_streams: usize,
}

/// Starts the voice loop on a thread of its own: a datagram is then handled where it is
/// received, without waking another thread, and nothing else that the box does comes before it.
/// Returns once it listens; the keeper comes back when the loop has ended.
async fn start_voice(parts: Parts) -> Result<oneshot::Receiver<records::Keeper>, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::other)?;
    let (tell_ready, ready) = oneshot::channel();
    let (give_back, keeper) = oneshot::channel();
    let body = async move {
        match put_together(parts).await {
            Err(error) => drop(tell_ready.send(Err(error))),
            Ok(voice) => {
                drop(tell_ready.send(Ok(())));
                drop(give_back.send(voice.run().await));
            }
        }
    };
    std::thread::Builder::new()
        .name("voice".to_owned())
        .spawn(move || runtime.block_on(body))
        .map_err(ServeError::other)?;
    ready
        .await
        .map_err(|_| ServeError::Other("the voice loop did not start".to_owned()))??;
    Ok(keeper)
}

async fn put_together(parts: Parts) -> Result<VoiceLoop, ServeError> {
    let Parts {
        data,
        store,
        network,
        config,
        keeper,
        orders,
        metrics,
        most_streams,
    } = parts;
    let now = Instant::now();
    let (answers, inputs) = mpsc::channel(MAX_QUEUED_INPUTS);
    let datagrams = datagrams::Datagrams::bind(&network.udp)
        .map_err(|(address, error)| ServeError::listen("UDP", address, error))?;
    let streams = streams::Streams::listen(&network.tcp, answers.clone(), most_streams)
        .await
        .map_err(|(address, error)| ServeError::listen("TCP", address, error))?;
    let (tell_stored, stored) = mpsc::channel(MAX_QUEUED_ORDERS);
    let ingest_key = keys::ingest_key(&data, &store).await;
    let ingest_key = ingest_key.map_err(ServeError::other)?;
    let (announcer, sinks) = voicemail::start(&data, ingest_key.clone(), move |what| {
        // The loop is gone only when the process ends.
        let _ = tell_stored.blocking_send(what);
    })
    .map_err(|error| {
        ServeError::Other(format!(
            "cannot keep messages in {}/voicemail: {error}. \
             It must be a folder of the user that runs centralita",
            data.display()
        ))
    })?;
    let engine = start_engine(sinks, answers.clone())?;
    voice::load_clips(&engine, config.clips);
    let mut exchange = Exchange::new(config.exchange, Box::new(entropy::OsEntropy), now);
    let rows = store.unscoped().bindings().await?;
    let known = rows
        .into_iter()
        .filter_map(|row| bindings::from_row(row, now))
        .collect();
    exchange.restore_bindings(known, now);
    let first_call = CallId(store.allocate_call_ids(CALL_IDS_PER_START).await?);
    let key = keys::caller_id_key(&data, &store).await;
    let key = key.map_err(ServeError::other)?;
    let hasher = Box::new(keys::KeyedHasher::new(key));
    let mut router = Router::new(config.router, hasher, first_call, now);
    router.set_wall_clock(Timestamp::now(), now);
    router.set_max_calls(config.max_calls);
    router.set_max_parallel_legs(exchange.capabilities().max_parallel_legs);
    Ok(VoiceLoop {
        router,
        exchange,
        engine,
        datagrams,
        streams,
        inputs,
        answers,
        orders,
        keeper,
        announcer,
        stored,
        ingest: config.ingest,
        callers: callers::CallerSealer::new(ingest_key),
        trunks: std::collections::BTreeMap::default(),
        metrics,
    })
}

fn start_engine(
    sinks: voicemail::Sinks,
    answers: mpsc::Sender<Input>,
) -> Result<EngineHandle, ServeError> {
    let on_event = Box::new(move |event| {
        if answers.try_send(Input::Media(event)).is_err() {
            tracing::warn!("a media event found no room");
        }
    });
    Engine::start(EngineConfig {
        sinks: Box::new(sinks),
        on_event,
        seed: random_seed(),
        max_ports: exchange::MAX_LEGS,
        max_orders: MAX_QUEUED_MEDIA_ORDERS,
        realtime: true,
    })
    .map_err(ServeError::other)
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    sip::entropy::Entropy::fill(&mut entropy::OsEntropy, &mut bytes);
    u64::from_le_bytes(bytes)
}

fn drain_on_signals(orders: mpsc::Sender<Order>) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::other)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("taking no new calls; live ones finish. A second signal stops at once");
            if orders.send(Order::Drain).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn start_logging() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call, in tests, keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr)
        // It would be told on standard error, with a panic when that is what fails: a full disk
        // or a reader that went away must not end a call.
        .log_internal_errors(false)
        .try_init();
}
