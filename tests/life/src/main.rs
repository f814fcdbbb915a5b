//! The command line of a person's device. The PIN comes from the environment, as from a keyboard.
#![expect(clippy::print_stdout, reason = "a command line speaks")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use life::{Client, Failure, Folder, NewDevice, Sort};
use protocol::{
    HubList, Id, ROSTER_ROLE_HUB_ADMIN, ROSTER_ROLE_REPORTER, ROSTER_ROLE_REVIEWER,
    ROSTER_ROLE_VOLUNTEER, Role,
};
use serde::de::DeserializeOwned;

/// A person's device.
#[derive(Parser)]
struct Arguments {
    /// The device's folder.
    #[arg(long)]
    folder: PathBuf,
    /// The PIN that the device opens with.
    #[arg(long, env = "LIFE_PIN", hide_env_values = true)]
    pin: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Become the first admin; the server's facts come from a file.
    Bootstrap {
        server: PathBuf,
        code: String,
        name: String,
    },
    /// Come in by an invitation, which comes from a file.
    Redeem { invitation: PathBuf, name: String },
    /// Try whether the PIN opens the device.
    Unlock,
    /// Log in with the device's key.
    Login,
    /// End the login.
    Logout,
    /// Open with another PIN from now on, which comes from standard input.
    Pin,
    /// Hand the hub's key to a member who has a new key of their own.
    HandKey { hub: Id, user: Id },
    /// The hubs that are there for this person.
    Hubs,
    /// Begin the roster of a hub.
    Begin { hub: Id },
    /// Invite somebody; prints what to pass on.
    Invite { hub: Id, role: String },
    /// Take everybody in who redeemed an invitation.
    Admit { hub: Id },
    /// Let somebody log in, or not.
    Active {
        user: Id,
        #[arg(action = clap::ArgAction::Set)]
        active: bool,
    },
    /// Write a note; the text comes from standard input.
    Write { hub: Id },
    /// Read a note.
    Read { hub: Id, record: Id },
    /// The notes that are there for this person.
    List { hub: Id },
    /// The notes that have all these words.
    Search { hub: Id, words: Vec<String> },
    /// Erase a note.
    Erase { hub: Id, record: Id },
    /// Write all of one's own notes into a sealed file.
    Export {
        hub: Id,
        file: PathBuf,
        /// Also for the key file whose public half this is.
        #[arg(long)]
        key: Option<String>,
    },
    /// Open such a file.
    OpenExport { file: PathBuf },
    /// Write the sound of a caller's message into a file of samples.
    Voicemail {
        hub: Id,
        recording: u64,
        file: PathBuf,
    },
    /// Make a recovery key.
    Paper,
    /// Let a new device in; asks for the digits that it shows.
    Link { text: String },
    /// Be a new device of a person who is there already.
    Join { server: PathBuf, user: Id },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let (folder, pin) = (Folder::new(&arguments.folder)?, arguments.pin.as_str());
    match arguments.command {
        Command::Bootstrap { server, code, name } => {
            let client = Client::bootstrap(folder, from_file(&server)?, &code, pin, &name)?;
            came_in(&client);
        }
        Command::Redeem { invitation, name } => {
            let client = Client::redeem(folder, &from_file(&invitation)?, pin, &name)?;
            came_in(&client);
        }
        Command::Join { server, user } => {
            let (mut new, text) = NewDevice::invite(folder, from_file(&server)?, user)?;
            println!("{text}");
            println!("{}", new.digits()?);
            new.finish(pin)?;
        }
        Command::Unlock => drop(Client::unlock(folder, pin)?),
        Command::Login => Client::unlock(folder, pin)?.login()?,
        other => {
            let mut client = Client::unlock(folder, pin)?;
            client.resume()?;
            at_work(&mut client, other)?;
        }
    }
    Ok(())
}

fn came_in(client: &Client) {
    println!("{}", client.user());
    if let Some(paper) = &client.paper {
        println!("The way back in, for paper: {}", **paper);
    }
}

/// What takes a login.
fn at_work(client: &mut Client, command: Command) -> Result<(), Failure> {
    match command {
        Command::Logout => client.logout()?,
        Command::Pin => {
            let mut pin = String::new();
            std::io::stdin().read_line(&mut pin)?;
            client.change_pin(pin.trim_end_matches(['\r', '\n']))?;
        }
        Command::HandKey { hub, user } => client.wrap_hub_key(hub, user)?,
        Command::Hubs => {
            let hubs: HubList = client.get("/hubs")?;
            for hub in hubs.hubs {
                println!("{} {}", hub.id, hub.name);
            }
        }
        Command::Begin { hub } => client.begin_hub(hub)?,
        Command::Invite { hub, role } => {
            let invitation = client.invite(hub, role_named(&role)?)?;
            let text = serde_json::to_string_pretty(&invitation);
            println!("{}", text.expect("plain values are JSON"));
        }
        Command::Admit { hub } => {
            for (user, role) in client.waiting(hub)? {
                client.admit(hub, user, number_of(role)?)?;
                println!("{user}");
            }
        }
        Command::Active { user, active } => client.set_active(user, active)?,
        Command::Link { text } => client.link(&text, digits_typed)?,
        Command::Paper => println!("{}", *client.make_recovery_key()?),
        other => with_records(client, other)?,
    }
    Ok(())
}

/// What is about records.
fn with_records(client: &mut Client, command: Command) -> Result<(), Failure> {
    match command {
        Command::Write { hub } => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            println!("{}", client.write(hub, Sort::Note, text.trim_end())?);
        }
        Command::Read { hub, record } => println!("{}", client.read(hub, record)?),
        Command::List { hub } => {
            for record in client.list(hub)? {
                println!("{} revision {}", record.id, record.revision);
            }
        }
        Command::Search { hub, words } => {
            for record in client.search(hub, &words.join(" "))? {
                println!("{record}");
            }
        }
        Command::Erase { hub, record } => client.erase(hub, record)?,
        Command::Export { hub, file, key } => {
            std::fs::write(file, client.export(hub, key.as_deref())?)?;
        }
        Command::OpenExport { file } => {
            let taken = client.open_export(&std::fs::read(file)?)?;
            let text = serde_json::to_string_pretty(&taken);
            println!("{}", text.expect("plain values are JSON"));
        }
        Command::Voicemail {
            hub,
            recording,
            file,
        } => {
            let (sound, rate_hz) = client.hear(hub, recording)?;
            std::fs::write(file, sound)?;
            println!("s16le, one channel, {rate_hz} Hz");
        }
        _ => return Err(Failure::Misused("this is done before a login".to_owned())),
    }
    Ok(())
}

fn digits_typed() -> String {
    println!("The digits on the new device:");
    let mut digits = String::new();
    let _ = std::io::stdin().read_line(&mut digits);
    digits.trim().to_owned()
}

fn from_file<T: DeserializeOwned>(path: &PathBuf) -> Result<T, Failure> {
    let text = std::fs::read(path)?;
    let misread = |error| Failure::Misused(format!("{}: {error}", path.display()));
    serde_json::from_slice(&text).map_err(misread)
}

fn role_named(word: &str) -> Result<Role, Failure> {
    match word {
        "admin" => Ok(Role::HubAdmin),
        "volunteer" => Ok(Role::Volunteer),
        "reviewer" => Ok(Role::Reviewer),
        "reporter" => Ok(Role::Reporter),
        _ => Err(Failure::Misused(
            "a role is admin, volunteer, reviewer or reporter".to_owned(),
        )),
    }
}

fn number_of(role: Role) -> Result<u16, Failure> {
    match role {
        Role::HubAdmin => Ok(ROSTER_ROLE_HUB_ADMIN),
        Role::Volunteer => Ok(ROSTER_ROLE_VOLUNTEER),
        Role::Reviewer => Ok(ROSTER_ROLE_REVIEWER),
        Role::Reporter => Ok(ROSTER_ROLE_REPORTER),
        Role::Own { .. } => Err(Failure::Misused(
            "this client does not know the hub's own roles".to_owned(),
        )),
    }
}
