//! `centralita witness`: confirms that a hotline's key log only grows.
//!
//! A partner organisation runs it, so that the hotline's server cannot show
//! different people different keys: devices believe only a state of the log
//! that enough witnesses have confirmed (docs/protocol/transparency-v1.md). It
//! speaks `add-checkpoint` of c2sp.org/tlog-witness. What it must never do is
//! forget: a witness that forgot could be made to confirm two versions of one
//! log. So it keeps what it confirmed last on the disk before it answers, and
//! refuses to start where that is missing or damaged.

mod folder;
mod keeper;
mod limit;
pub mod publish;
mod server;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crypto::transparency::{FormatError, LogKey, NoteName};
use tokio::net::TcpListener;

use keeper::Keeper;
pub use server::serve;

/// A clock before this (1 January 2025) was never set.
const EARLIEST_NOW_S: u64 = 1_735_689_600;

/// What a witness is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its key and its memory are.
    pub folder: PathBuf,
    /// Its name; needed at the first start only.
    pub name: Option<NoteName>,
    /// Logs to watch beside those that it watches already.
    pub logs: Vec<LogKey>,
    /// Where it listens.
    pub listen: SocketAddr,
}

/// A witness that is ready to listen.
#[derive(Debug)]
pub struct Ready {
    /// What the hotline is given, `<name>+<id>+<key>`.
    pub key: String,
    /// Origin and confirmed size of each watched log.
    pub logs: Vec<(String, u64)>,
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    keeper: Keeper,
}

/// Opens the folder, or makes it, and takes the port.
///
/// # Errors
/// [`WitnessError`].
pub async fn prepare(options: Options) -> Result<Ready, WitnessError> {
    if server::now_s() < EARLIEST_NOW_S {
        return Err(WitnessError::ClockUnset);
    }
    let mut keeper = Keeper::open(&options.folder, options.name)?;
    for log in options.logs {
        keeper.watch(log)?;
    }
    let in_the_way = |error| WitnessError::CannotListen(options.listen, error);
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(in_the_way)?;
    Ok(Ready {
        key: keeper.key().to_string(),
        logs: keeper.watched(),
        address: listener.local_addr().map_err(in_the_way)?,
        listener,
        keeper,
    })
}

/// Why a witness does not start, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The first start without a name.
    #[error("a new witness needs a name, such as --name witness.example.org")]
    NameMissing,
    /// Another name than the one that its key has.
    #[error(
        "this witness is called {ours}; leave --name away, or choose another folder for another witness"
    )]
    OtherName {
        /// The name in the key file.
        ours: NoteName,
    },
    /// Locked.
    #[error("{} is in use by another witness; stop that one first", .0.display())]
    InUse(PathBuf),
    /// The key file does not hold a key.
    #[error(
        "{} holds no witness key ({reason}); bring the file back from where you keep a copy, \
         or start a new witness in an empty folder and give its new key to the hotline",
        path.display()
    )]
    KeyUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: FormatError,
    },
    /// There is a key and no memory.
    #[error(
        "{} is missing although this witness has a key: it would no longer know what it has \
         confirmed. Bring the newest copy of the file back; if there is none, start a new \
         witness in an empty folder and give its new key to the hotline",
        .0.display()
    )]
    StateMissing(PathBuf),
    /// The memory cannot be trusted.
    #[error(
        "{} is damaged ({reason}): this witness would no longer know what it has confirmed. \
         Bring the newest copy of the file back; if there is none, start a new witness in an \
         empty folder and give its new key to the hotline",
        path.display()
    )]
    StateDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The same origin with another key.
    #[error(
        "the log {origin} is watched already, with another key; ask the hotline why its key \
         changed. A new log needs a new name"
    )]
    OtherLogKey {
        /// The log's name.
        origin: NoteName,
    },
    /// Too many logs.
    #[error("a witness watches at most {} logs", keeper::MAX_LOGS)]
    TooManyLogs,
    /// The port.
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    CannotListen(SocketAddr, io::Error),
    /// A clock at its factory setting.
    #[error(
        "the clock of this machine is not set, and a confirmation bears the time; set it first"
    )]
    ClockUnset,
    /// The system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] crypto::EntropyError),
    /// A file cannot be read or written.
    #[error("cannot use {}: {reason}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl WitnessError {
    fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        |reason| Self::Disk { path, reason }
    }
}
