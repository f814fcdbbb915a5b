//! `centralita authority`.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use web_api::LocalAuthority;

use super::say;
use crate::authority;

/// What is done with the panel's authority.
#[derive(Args)]
pub(super) struct Arguments {
    /// Make the next one, good for ten years, and say what to do on the devices.
    #[arg(long)]
    renew: bool,
}

/// Shows the authority that devices trust, or makes the next one.
pub(super) fn run(data: &Path, arguments: &Arguments) -> Result<(), String> {
    let now = Timestamp::now();
    if arguments.renew {
        return renew(data, now);
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
