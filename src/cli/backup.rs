//! `centralita backup` and `centralita restore`.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use crypto::{ReaderPublicKey, ReaderSecretKey};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::listing::local_time;
use super::{complain, manage, say};
use crate::backup::{self, Progress, size};
use crate::control::Request;
use crate::database::DataFolder;
use crate::{private_file, trail};

/// The public half of the recovery key, in the data folder.
const PUBLIC_KEY_FILE: &str = "backup-key.pub";

/// What is backed up, and whereto.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    action: Option<Action>,
    /// The new file that the backup goes to.
    file: Option<PathBuf>,
    /// A public recovery key (hlpub1…) to seal to, instead of the one that `backup keygen` left in
    /// the data folder; may be given several times.
    #[arg(long, value_name = "KEY")]
    to: Vec<String>,
}

/// What else there is to do about backups.
#[derive(Subcommand)]
enum Action {
    /// Make the recovery key: it is shown this once, and only its public half stays here.
    Keygen,
}

/// A backup and the key to it.
#[derive(Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// A file with the recovery key (hlsec1…); asked for on standard input when absent.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Only open it and read it to its end; nothing is changed.
    #[arg(long)]
    check: bool,
}

/// Makes a backup or a recovery key.
pub(super) async fn make(data: &DataFolder, backup: Backup) -> Result<(), String> {
    if let Some(Action::Keygen) = backup.action {
        return keygen(data.path());
    }
    let file = backup
        .file
        .ok_or("name the file that the backup goes to, or `backup keygen`")?;
    let readers = match backup.to.as_slice() {
        [] => vec![public_key(data.path())?],
        given => given
            .iter()
            .map(|text| parse_public(text, "--to"))
            .collect::<Result<_, _>>()?,
    };
    let mut tell = |line: &str| complain(line);
    let mut progress = Progress::new(&mut tell);
    let made = backup::make((data.path(), data.engine()), &readers, &file, &mut progress)
        .await
        .map_err(|error| error.to_string())?;
    say(format_args!(
        "{}: {} rows, {} files, {}; backup {}",
        file.display(),
        made.rows,
        made.files,
        size(made.bytes),
        made.facts.id
    ));
    let id = made.facts.id;
    let request = Request::BackupMade {
        backup: id.to_string(),
    };
    let told = trail::of_backup(*id.as_bytes());
    if let Err(sentence) = manage::note(data, &request, told).await {
        complain(&format!(
            "the backup is made, but the audit trail does not tell of it: {sentence}"
        ));
    }
    Ok(())
}

/// Takes a backup in, or only checks it.
pub(super) async fn restore(data: &DataFolder, restore: Restore) -> Result<(), String> {
    let key = secret_key(restore.key.as_deref())?;
    let mut tell = |line: &str| complain(line);
    let mut progress = Progress::new(&mut tell);
    if restore.check {
        let found =
            backup::check(&restore.file, &key, &mut progress).map_err(|error| error.to_string())?;
        say(format_args!(
            "{} is whole: the database and {} files, {}; backup {}",
            restore.file.display(),
            found.files,
            size(found.bytes),
            found.facts.id
        ));
        return Ok(());
    }
    let taken = backup::restore(&restore.file, &key, data, &mut progress)
        .await
        .map_err(|error| error.to_string())?;
    say(format_args!(
        "restored into {}: {} rows, {} files. Everybody logs in again; start the server with \
         `centralita serve --data {}`",
        data.path().display(),
        taken.rows,
        taken.files,
        data.path().display()
    ));
    let made = i64::try_from(taken.facts.created_at_ms).ok();
    let made = made.and_then(|made| Timestamp::from_millisecond(made).ok());
    say(log_warning(made));
    Ok(())
}

/// What a restore means for devices: the key log is as short as it was at `made`.
fn log_warning(made: Option<Timestamp>) -> String {
    let made = made.map_or_else(
        || "when this backup was made".to_owned(),
        |made| format!("at {}, when this backup was made", local_time(made)),
    );
    format!(
        "\nBefore people come back: the key log is as it was {made}. A server enters something \
         into it at every start and every day, also when no key changes. Devices that saw the log \
         longer than that will refuse this server and say that it contradicts itself, and \
         witnesses will not confirm the log: they cannot tell a restore from an attack. Tell \
         people by another way that you restored a backup, and when. Whoever is refused chooses \
         \"Remove my keys from this browser\" and comes back with the recovery key and its backup \
         file; whoever came in or made a new recovery key after the backup is invited anew. If the \
         old box still works, take a backup of it while it is stopped, and restore that instead: \
         then nobody is refused."
    )
}

fn keygen(data: &Path) -> Result<(), String> {
    let path = data.join(PUBLIC_KEY_FILE);
    let key = ReaderSecretKey::generate().map_err(|error| error.to_string())?;
    let text = format!("{}\n", key.public_key());
    private_file::create(&path, text.as_bytes()).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!(
            "there is a recovery key already: {} has its public half. Remove that file to make a \
             new key; backups that were made before need the old one",
            path.display()
        ),
        _ => format!("cannot write {}: {error}", path.display()),
    })?;
    say(
        "The recovery key. Write it down twice and keep it away from this machine; it is not shown again:",
    );
    say("");
    say(&*key.reveal());
    say("");
    say(format_args!(
        "Whoever has it can open the backups of this box; without it nobody can. Its public half is in {}.",
        path.display()
    ));
    Ok(())
}

fn public_key(data: &Path) -> Result<ReaderPublicKey, String> {
    let path = data.join(PUBLIC_KEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no recovery key yet. Make one with `centralita backup keygen`, or name a \
             public key with --to"
                .to_owned()
        }
        _ => format!("cannot read {}: {error}", path.display()),
    })?;
    parse_public(&text, &path.display().to_string())
}

fn parse_public(text: &str, place: &str) -> Result<ReaderPublicKey, String> {
    text.trim()
        .parse()
        .map_err(|error| format!("{place} holds no public recovery key: {error}"))
}

/// From a file, or from standard input, so that it stays out of the shell's history.
fn secret_key(file: Option<&Path>) -> Result<ReaderSecretKey, String> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| format!("cannot read the key file {}: {error}", file.display()))?,
        None => {
            complain("the recovery key (hlsec1…), then Enter:");
            let mut line = Zeroizing::new(String::new());
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| format!("cannot read the recovery key: {error}"))?;
            line
        }
    };
    text.trim()
        .parse()
        .map_err(|error| format!("that is not a recovery key: {error}"))
}
