//! `centralita voicemail` and `centralita keygen`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use crypto::{ReaderSecretKey, VoicemailReader};
use store::{MAX_VOICEMAILS_PER_QUERY, VoicemailFilter, VoicemailRow};
use zeroize::Zeroizing;

use super::listing::{local_time, seconds};
use super::say;
use crate::database::DataFolder;
use crate::private_file;

/// What to do with messages.
#[derive(Subcommand)]
pub(super) enum Action {
    /// List them, newest first (the default).
    List {
        /// Only of this hub.
        #[arg(long)]
        hub: Option<String>,
    },
    /// Open one with a reader's secret key and write it as a WAV file.
    Open {
        /// The message's id as listed, or a sealed file.
        message: String,
        /// The secret key file that `keygen` wrote.
        #[arg(long)]
        key: PathBuf,
        /// Where the audio goes; must not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Runs the action.
pub(super) async fn run(data: &DataFolder, action: Option<Action>) -> Result<(), String> {
    match action.unwrap_or(Action::List { hub: None }) {
        Action::List { hub } => list(data, hub.as_deref()).await,
        Action::Open { message, key, out } => open(&sealed_file(data.path(), &message), &key, &out),
    }
}

async fn list(data: &DataFolder, hub: Option<&str>) -> Result<(), String> {
    let reader = data.reader().await.map_err(|error| error.to_string())?;
    let mut page = VoicemailFilter {
        before: None,
        limit: MAX_VOICEMAILS_PER_QUERY,
    };
    loop {
        let rows = reader.unscoped().voicemails(hub, page).await;
        let rows = rows.map_err(|error| error.to_string())?;
        match (page.before, rows.last()) {
            (None, None) => say("no messages"),
            (None, Some(_)) => say(format_args!(
                "{:<18} {:<20} {:<12} length",
                "message", "left", "hub"
            )),
            (Some(_), _) => {}
        }
        say_rows(&rows);
        page.before = match rows.last() {
            Some(last) => Some(last.start.recording),
            None => return Ok(()),
        };
    }
}

fn say_rows(rows: &[VoicemailRow]) {
    for row in rows {
        let length = match row.length {
            Some(length) => seconds(length),
            None => "being recorded, or cut short by a crash; opens as far as it goes".into(),
        };
        let left = local_time(row.start.created_at);
        say(format_args!(
            "{:<18} {left:<20} {:<12} {length}",
            format!("{:016x}", row.start.recording),
            row.start.hub
        ));
    }
}

fn sealed_file(data: &Path, message: &str) -> PathBuf {
    match u64::from_str_radix(message, 16) {
        Ok(recording) => data.join(crate::serve::voicemail_path(recording)),
        Err(_) => PathBuf::from(message),
    }
}

fn open(sealed: &Path, key: &Path, out: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(key)
        .map(Zeroizing::new)
        .map_err(|error| format!("cannot read the key file {}: {error}", key.display()))?;
    let key: ReaderSecretKey = text
        .trim()
        .parse()
        .map_err(|error| format!("{} holds no secret key: {error}", key.display()))?;
    let file = File::open(sealed).map_err(|error| {
        format!(
            "cannot read the message {}: {error}. `centralita voicemail` lists the messages",
            sealed.display()
        )
    })?;
    let mut reader = VoicemailReader::open(file, &key).map_err(|error| error.to_string())?;
    let rate = reader.meta().sample_rate_hz;
    let mut pcm: Zeroizing<Vec<i16>> = Zeroizing::default();
    for chunk in reader.chunks() {
        let chunk = Zeroizing::new(chunk.map_err(|error| error.to_string())?);
        pcm.extend(
            chunk
                .chunks_exact(2)
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]])),
        );
    }
    let wav = media::wav::write(&pcm, rate).map_err(|error| error.to_string())?;
    write(out, &wav)?;
    let length = seconds(std::time::Duration::from_millis(
        pcm.len() as u64 * 1_000 / u64::from(rate),
    ));
    if reader.is_complete() {
        say(format_args!("{length} written to {}", out.display()));
    } else {
        say(format_args!(
            "{length} written to {}; the end is missing, because the recording was cut short",
            out.display()
        ));
    }
    Ok(())
}

/// Makes a key pair.
pub(super) fn keygen(file: &Path) -> Result<(), String> {
    let key = ReaderSecretKey::generate().map_err(|error| error.to_string())?;
    let mut text = Zeroizing::new(key.reveal().as_bytes().to_vec());
    text.push(b'\n');
    write(file, &text)?;
    say(key.public_key());
    say(format_args!(
        "The line above goes into the hotline file (voicemail_keys). Keep {} off this machine: \
         whoever has it can open the messages.",
        file.display()
    ));
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    private_file::create(path, bytes)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
