//! `centralita authority`.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use web_api::LocalAuthority;

use super::{complain, manage, say};
use crate::control::Request;
use crate::database::DataFolder;
use crate::{authority, trail};

/// What is done with the panel's authority.
#[derive(Args)]
pub(super) struct Arguments {
    /// Make the next one, good for ten years, and say what to do on the devices.
    #[arg(long)]
    renew: bool,
}

/// Shows the authority that devices trust, or makes the next one.
pub(super) async fn run(
    data: &Path,
    folder: impl Fn() -> Result<DataFolder, String>,
    arguments: &Arguments,
) -> Result<(), String> {
    let now = Timestamp::now();
    if arguments.renew {
        // Before anything is made: it may be another database's folder.
        let folder = folder()?;
        renew(data, now)?;
        let noted = manage::note(&folder, &Request::AuthorityRenewed, trail::of_authority());
        if let Err(sentence) = noted.await {
            complain(&format!(
                "the next authority is made, but the audit trail does not tell of it: {sentence}"
            ));
        }
        return Ok(());
    }
    let found = LocalAuthority::read(&authority::folder(data));
    let found = found.map_err(|error| error.to_string())?;
    say(format_args!(
        "The panel's authority, for the devices: {}",
        found.certificate.display()
    ));
    describe(&found);
    if let Some(sentence) = authority::warning(data, found.ends, now) {
        say(sentence);
    }
    Ok(())
}

fn renew(data: &Path, now: Timestamp) -> Result<(), String> {
    let made = LocalAuthority::renew(&authority::folder(data), now);
    let (next, old) = made.map_err(|error| error.to_string())?;
    say(format_args!(
        "The panel's next authority is {}",
        next.certificate.display()
    ));
    describe(&next);
    say("A running server goes on with the old one until it is started again. So:");
    say(
        "1. Install the next one on every device, beside the old one, and compare its fingerprint there.",
    );
    say(
        "2. Then start the server again. From then on, devices without the next one refuse the panel.",
    );
    say("3. Remove the old one from the devices. Its fingerprint:");
    say(format_args!("  {}", old.fingerprint));
    say(format_args!(
        "The old one is kept: {} and {}. Put back in place, they undo this; delete them when no \
         device trusts it any more.",
        old.certificate.display(),
        old.key.display()
    ));
    Ok(())
}

fn describe(one: &LocalAuthority) {
    say("Its fingerprint (SHA-256):");
    say(format_args!("  {}", one.fingerprint));
    say(format_args!("It ends on {}.", authority::day(one.ends)));
}
