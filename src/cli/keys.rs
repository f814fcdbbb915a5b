//! `centralita keys`: what others pin of this box, and the end of a key that is lost.

use std::path::Path;

use clap::Subcommand;
use crypto::transparency::SignedCheckpoint;
use jiff::Timestamp;
use store::{AuditChain, AuditEntry, AuditKind, AuditSubject, Change, Changes, Store};

use super::say;
use crate::database::DataFolder;
use crate::keys::{self, KeyFile, KeyFileError};

/// What to do about the keys.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Go on without a key that is gone for good; the next start uses the one that is there, or
    /// makes one. Says first what that costs.
    GiveUp {
        /// Which key.
        key: KeyFile,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(
    data: &Path,
    folder: impl Fn() -> Result<DataFolder, String>,
    action: Option<Action>,
) -> Result<(), String> {
    match action {
        None => show(data),
        Some(Action::GiveUp { key, yes }) => give_up(&folder()?, key, yes).await,
    }
}

fn show(data: &Path) -> Result<(), String> {
    let log = keys::existing_log_signer(data).map_err(sentence)?;
    let ingest = keys::existing_ingest_key(data).map_err(sentence)?;
    let (Some(log), Some(ingest)) = (log, ingest) else {
        return Err(format!(
            "there are no keys in {} yet: `centralita serve` makes them at its first start",
            data.display()
        ));
    };
    say("The key log, for witnesses (`centralita witness --log KEY`) and devices:");
    say(format_args!("  {}", log.key()));
    say("What the server seals is signed with the Ed25519 key:");
    say(format_args!("  {}", ingest.public_hex()));
    Ok(())
}

async fn give_up(data: &DataFolder, which: KeyFile, yes: bool) -> Result<(), String> {
    let store = data.open().await.map_err(|error| error.to_string())?;
    let path = data.path().join(which.file());
    if !keys::is_known(which, store.reader())
        .await
        .map_err(sentence)?
    {
        return Err(format!(
            "nothing was made with {} yet; there is nothing to give up",
            path.display()
        ));
    }
    match keys::check(which, data.path(), store.reader()).await {
        Ok(()) => {
            return Err(format!(
                "{} is the key that the database was written with; there is nothing to give up. \
                 To use another one all the same, move it away first",
                path.display()
            ));
        }
        Err(KeyFileError::Missing { .. } | KeyFileError::Another { .. }) => {}
        Err(error) => return Err(format!("{error}. Or move it away, and try again")),
    }
    if !yes {
        return Err(format!(
            "look for {} in your backups once more: {}. To go on without it, add `--yes`",
            path.display(),
            which.loss()
        ));
    }
    let mut changes = Changes::from(Change::KeyGivenUp { key: which.file() });
    let signed = match which {
        KeyFile::Log => sign_log_anew(data.path(), &store).await?,
        KeyFile::CallerId | KeyFile::Ingest => None,
    };
    let is_signed = signed.is_some();
    if let Some(signed) = signed {
        changes.push(signed);
    }
    changes.push(AuditEntry {
        chain: AuditChain::Installation,
        at: Timestamp::now(),
        kind: AuditKind::ServerKeyReplaced,
        actor: None,
        subject: AuditSubject::Whole,
    });
    store
        .commit(changes)
        .await
        .map_err(|error| error.to_string())?;
    store.close().await;
    say(match is_signed {
        true => "given up; the key log goes on under the key that is there now",
        false => "given up; the next start uses the key that is there, or makes one",
    });
    Ok(())
}

/// The key log under the key that is there, or a new one of its name: nobody else's would be
/// believed at the next start. `None` while the log is empty.
async fn sign_log_anew(data: &Path, store: &Store) -> Result<Option<Change>, String> {
    let checkpoint = store.unscoped().log_checkpoint().await;
    let Some((_, note)) = checkpoint.map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let signer = match keys::existing_log_signer(data).map_err(sentence)? {
        Some(signer) => signer,
        None => {
            let signed = SignedCheckpoint::parse(&note).map_err(|error| error.to_string())?;
            let name = signed.checkpoint().origin.clone();
            keys::make_log_signer(data, name).map_err(sentence)?
        }
    };
    let signed = web_api::sign_log_anew(store, &signer).await;
    Ok(signed.map_err(|error| error.to_string())?.map(Change::from))
}

fn sentence(error: KeyFileError) -> String {
    error.to_string()
}
