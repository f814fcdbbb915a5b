//! The box's control socket: what the other commands ask of a running server.
//!
//! One JSON request and one JSON response per connection, over a Unix socket
//! in the data folder that only the box's own user can open.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// Largest request or response.
const MAX_MESSAGE_BYTES: u64 = 8 << 20;
/// How long the other end may take to say what it wants.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A socket's address has no room for a longer path (unix(7): 108 bytes with the NUL at its end).
const MAX_PATH_BYTES: usize = 107;

/// Where the socket is.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] with a sentence of its own when the path is too long.
pub fn socket_path(data: &Path) -> io::Result<PathBuf> {
    let path = data.join("control.sock");
    let bytes = path.as_os_str().len();
    if bytes <= MAX_PATH_BYTES {
        return Ok(path);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "{} is too long a path for a socket ({bytes} bytes, at most {MAX_PATH_BYTES}). \
             Choose a data folder with a shorter path",
            path.display()
        ),
    ))
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How are you?
    Status,
    /// Make this hotline (canonical JSON, validated by the sender) the current one.
    Apply {
        /// The canonical form.
        hotline: String,
    },
    /// Put a number, already hashed, on a hub's ban list.
    Ban {
        /// The hub.
        hub: String,
        /// Keyed hash of the number, hex.
        hash: String,
    },
    /// Take a number off a hub's ban list.
    Unban {
        /// The hub.
        hub: String,
        /// Keyed hash of the number, hex.
        hash: String,
    },
    /// Declare a volunteer's break, or its end.
    Break {
        /// The volunteer.
        volunteer: String,
        /// On or off.
        on: bool,
    },
    /// Enter into the audit trail that a backup was made.
    BackupMade {
        /// The id in its header, hex.
        backup: String,
    },
    /// Enter into the audit trail that the panel's next authority was made.
    AuthorityRenewed,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Done; lines to show.
    Done(Vec<String>),
    /// The state of the box.
    Status(Box<Status>),
    /// Not done, and why, in one sentence.
    Refused(String),
}

/// The state of a running box.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether no new calls are taken.
    pub draining: bool,
    /// Whether facts reach the database.
    pub database_ok: bool,
    /// Why the panel is not served, if it should be.
    pub panel_problem: Option<String>,
    /// What is wrong with audit trails, a sentence for each.
    #[serde(default)]
    pub audit_problems: Vec<String>,
    /// The hubs.
    pub hubs: Vec<HubStatus>,
    /// The volunteers.
    pub volunteers: Vec<VolunteerStatus>,
    /// The trunks.
    pub trunks: Vec<TrunkStatus>,
    /// The live calls.
    pub calls: Vec<CallStatus>,
}

/// One hub.
#[derive(Debug, Serialize, Deserialize)]
pub struct HubStatus {
    /// Its id.
    pub id: String,
    /// Volunteers on duty now, by shift or as fallback.
    pub on_duty: Vec<String>,
}

/// One volunteer.
#[derive(Debug, Serialize, Deserialize)]
pub struct VolunteerStatus {
    /// Their id.
    pub id: String,
    /// What they are doing.
    pub state: String,
    /// Phones registered.
    pub phones: usize,
}

/// One trunk.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrunkStatus {
    /// Its name.
    pub name: String,
    /// `by address`, `registered`, `not registered (403)`, …
    pub state: String,
    /// Set while it should be registered at its carrier and is not.
    pub down: Option<TrunkDown>,
}

/// A trunk that should be registered at its carrier and is not.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrunkDown {
    /// Seconds since it was, or since it should be.
    pub for_s: u64,
    /// The carrier's last answer, a status of SIP; none when it did not answer.
    pub answer: Option<u16>,
}

/// One live call.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallStatus {
    /// Its id.
    pub id: String,
    /// Its hub.
    pub hub: String,
    /// Where it is.
    pub stage: String,
    /// Seconds since it came in.
    pub age_s: u64,
}

/// A request on its way to the voice loop, with the way back.
pub struct Asked {
    /// The request.
    pub request: Request,
    /// Where the response goes.
    pub reply: oneshot::Sender<Response>,
}

/// Serves the socket until the process ends.
///
/// # Errors
/// The socket cannot be created.
pub fn listen(data: &Path, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let path = socket_path(data)?;
    // The data folder is locked by us: what lies here is a leftover.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, asked.clone()))),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(())
}

async fn serve(mut stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let mut text = Vec::new();
    let mut limited = (&mut stream).take(MAX_MESSAGE_BYTES);
    let reading = limited.read_to_end(&mut text);
    if !matches!(tokio::time::timeout(READ_TIMEOUT, reading).await, Ok(Ok(_))) {
        return;
    }
    let response = match serde_json::from_slice(&text) {
        Ok(request) => ask(request, &asked).await,
        Err(_) => Response::Refused(
            "the request was not understood: use the `centralita` of the same version as the server"
                .into(),
        ),
    };
    if let Ok(text) = serde_json::to_vec(&response) {
        let _ = stream.write_all(&text).await;
        let _ = stream.shutdown().await;
    }
}

async fn ask(request: Request, asked: &mpsc::Sender<Asked>) -> Response {
    let (reply, answer) = oneshot::channel();
    let stopping = || Response::Refused("the server is stopping".into());
    if asked.send(Asked { request, reply }).await.is_err() {
        return stopping();
    }
    answer.await.unwrap_or_else(|_| stopping())
}

/// Asks a running server; `None` when none runs on this data folder.
///
/// # Errors
/// A server is there but the exchange with it failed.
pub async fn request(data: &Path, request: &Request) -> io::Result<Option<Response>> {
    let mut stream = match UnixStream::connect(socket_path(data)?).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(&serde_json::to_vec(request)?).await?;
    stream.shutdown().await?;
    let mut text = Vec::new();
    stream
        .take(MAX_MESSAGE_BYTES)
        .read_to_end(&mut text)
        .await?;
    Ok(Some(serde_json::from_slice(&text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_socket_is_told() {
        let data = PathBuf::from("/tmp").join("x".repeat(MAX_PATH_BYTES));
        let (asked, _requests) = mpsc::channel(1);
        let refused = [
            request(&data, &Request::Status).await.unwrap_err(),
            listen(&data, asked).unwrap_err(),
        ];
        for refused in refused {
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            assert!(refused.to_string().contains("shorter path"), "{refused}");
        }
    }
}
