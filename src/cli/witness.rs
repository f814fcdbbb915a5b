//! `centralita witness`.

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use crypto::transparency::{LogKey, NoteName};
use tokio::signal::unix::{SignalKind, signal};

use super::say;
use crate::witness;

/// What a witness is told.
#[derive(Args)]
pub(super) struct Arguments {
    /// The name of this witness, such as witness.example.org; needed at the first start.
    #[arg(long, value_parser = name)]
    name: Option<NoteName>,
    /// The key of a log to watch, NAME+ID+KEY as the hotline gives it; from then on it is remembered.
    #[arg(long = "log", value_name = "VKEY", value_parser = log_key)]
    logs: Vec<LogKey>,
    /// Where it listens, for a TLS proxy in front of it.
    #[arg(long, default_value = "127.0.0.1:9465")]
    listen: SocketAddr,
}

fn name(text: &str) -> Result<NoteName, String> {
    NoteName::new(text).map_err(|error| error.to_string())
}

fn log_key(text: &str) -> Result<LogKey, String> {
    let key = text.parse::<LogKey>();
    key.map_err(|error| format!("{error}; copy the whole line that the hotline gave you"))
}

/// Runs a witness until SIGTERM or Ctrl-C.
pub(super) async fn run(data: &Path, arguments: Arguments) -> Result<(), String> {
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let ready = witness::prepare(witness::Options {
        folder: data.join("witness"),
        name: arguments.name,
        logs: arguments.logs,
        listen: arguments.listen,
    });
    let ready = ready.await.map_err(|error| error.to_string())?;
    say("This witness's key, for the hotline:");
    say(&ready.key);
    for (origin, size) in &ready.logs {
        say(format_args!(
            "Watches {origin}, confirmed up to {size} entries."
        ));
    }
    if ready.logs.is_empty() {
        say(
            "Watches no log yet: start it again with --log and the key that the hotline gives you.",
        );
    }
    say(format_args!(
        "Listens on http://{}, without TLS: put a proxy with a certificate in front of it.",
        ready.address
    ));
    let stop = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    witness::serve(ready, stop).await;
    Ok(())
}
