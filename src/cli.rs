//! The command line: what can be asked of the box, and in which words.

mod audit;
mod authority;
mod backup;
mod export;
mod keys;
mod listing;
mod manage;
mod message;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::database::{self, DataFolder};

/// `audit verify` of everything, for tests.
#[cfg(test)]
pub(crate) use audit::verify_all as verify_trails;

/// A self-hosted telephone exchange for crisis hotlines.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    /// The data folder: database, keys, sealed messages.
    #[arg(
        long,
        global = true,
        env = "CENTRALITA_DATA",
        default_value = "/var/lib/centralita"
    )]
    data: PathBuf,
    /// The PostgreSQL database that goes with the data folder, as
    /// postgres://user:password@host:port/database.
    ///
    /// Without it, the database is a file in the data folder. To be named once: the first command
    /// that writes notes it in the data folder (database.url).
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        env = database::VARIABLE,
        hide_env_values = true
    )]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the exchange until SIGTERM; then take no new calls and end with the last one.
    Serve {
        /// With nothing configured, set up a demonstration hotline first.
        #[arg(long)]
        demo_if_empty: bool,
    },
    /// Make a hotline file the current one; shows what changes.
    Apply {
        /// The hotline file (see docs/hotline.example.toml).
        file: PathBuf,
        /// Only show what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what the running exchange is doing.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the latest calls.
    Calls {
        /// Only of this hub.
        #[arg(long)]
        hub: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// List messages, or open one.
    Voicemail {
        #[command(subcommand)]
        action: Option<message::Action>,
    },
    /// Make a key pair for reading messages: the secret goes to FILE, the public key is printed.
    Keygen {
        /// Where the secret key is written; must not exist yet.
        file: PathBuf,
    },
    /// Print the public keys of this box: for witnesses, and to compare with what devices know.
    Keys {
        #[command(subcommand)]
        action: Option<keys::Action>,
    },
    /// Show the authority that devices trust the panel by, or make the next one.
    Authority(authority::Arguments),
    /// Ban a number at a hub, at once.
    Ban {
        /// The hub.
        hub: String,
        /// The number; asked for on standard input when absent, so that it stays out of the shell's history.
        number: Option<String>,
    },
    /// Lift a ban.
    Unban {
        /// The hub.
        hub: String,
        /// The number; asked for on standard input when absent.
        number: Option<String>,
    },
    /// Declare a volunteer's break, or its end.
    Break {
        /// The volunteer.
        volunteer: String,
        /// Whether the break begins or ends.
        switch: Switch,
    },
    /// Confirm that a hotline's key log only grows; a partner organisation runs this.
    Witness(witness::Arguments),
    /// Back the whole box up into one file that only the recovery key opens.
    ///
    /// Works beside a running server. In it: the database as of one moment, the sealed messages,
    /// and the keys of the data folder; not: logins, and prompts that are made again.
    Backup(backup::Backup),
    /// Take a backup in, into a new or empty data folder.
    Restore(backup::Restore),
    /// Check, list or shorten the audit trails.
    Audit {
        #[command(subcommand)]
        action: audit::Action,
    },
    /// Open the sealed export of a person's data.
    Export {
        #[command(subcommand)]
        action: export::Action,
    },
    /// Check ports, addresses, NAT, codecs, time, disk; says what to do about what it finds.
    Doctor,
    /// Play through a whole call with headless phones over loopback; prints what everyone hears.
    Demo,
    /// Decode an audio file from standard input (used by `apply`, with limits around it).
    #[command(hide = true)]
    PromptDecode,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// It begins.
    On,
    /// It ends.
    Off,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::PromptDecode) {
        return crate::prompts::decode_child_main();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    match runtime.block_on(execute(cli)) {
        Ok(code) => code,
        Err(sentence) => fail(&sentence),
    }
}

async fn execute(cli: Cli) -> Result<ExitCode, String> {
    let Cli {
        data,
        database,
        command,
    } = cli;
    let data = &data;
    let found = || DataFolder::find(data, database.as_deref());
    let folder = || found().map_err(|error| error.to_string());
    match command {
        Command::Serve { demo_if_empty } => {
            crate::serve::run(&folder()?, demo_if_empty)
                .await
                .map_err(|error| error.to_string())?;
        }
        Command::Apply { file, dry_run } => manage::apply(&folder()?, &file, dry_run).await?,
        Command::Status { json } => manage::status(data, json).await?,
        Command::Calls { hub, limit } => listing::calls(&folder()?, hub, limit).await?,
        Command::Voicemail { action } => message::run(&folder()?, action).await?,
        Command::Keygen { file } => message::keygen(&file)?,
        Command::Keys { action } => keys::run(data, folder, action).await?,
        Command::Authority(arguments) => authority::run(data, folder, &arguments).await?,
        Command::Ban { hub, number } => manage::ban(&folder()?, hub, number, true).await?,
        Command::Unban { hub, number } => manage::ban(&folder()?, hub, number, false).await?,
        Command::Break { volunteer, switch } => {
            manage::declare_break(&folder()?, volunteer, switch == Switch::On).await?;
        }
        Command::Witness(arguments) => witness::run(data, arguments).await?,
        Command::Backup(backup) => backup::make(&folder()?, backup).await?,
        Command::Restore(restore) => backup::restore(&folder()?, restore).await?,
        Command::Audit { action } => audit::run(&folder()?, action).await?,
        Command::Export { action } => export::run(action)?,
        Command::Doctor => return crate::doctor::run(data, found()).await,
        Command::Demo => crate::demo::run().await?,
        Command::PromptDecode => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn fail(sentence: &str) -> ExitCode {
    complain(sentence);
    ExitCode::FAILURE
}

fn complain(sentence: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "centralita: {sentence}");
}

/// Prints one line for people. A closed pipe is no error: they have seen enough.
pub(crate) fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
