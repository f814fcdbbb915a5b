//! Our server, set up with the people of the plan.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::plan::{self, CARRIER, SINGLES, SIP_PORT, TOGETHER, TOGETHER_NUMBER};
use super::process::{Server, run};
use super::sipp::Sipp;

/// Where it listens.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 1);
const START_TRIES: usize = 300;
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Builds it unless `CENTRALITA_BIN` names one, starts it in `folder` and registers the phones.
pub fn start(root: &Path, folder: &Path, sipp: &Sipp) -> Result<Server, String> {
    let binary = match std::env::var_os("CENTRALITA_BIN") {
        Some(binary) => binary.into(),
        None => build(root)?,
    };
    let data = folder.join("data");
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command
            .arg("--data")
            .arg(&data)
            .args(arguments)
            .env("RUST_LOG", "warn");
        command
    };
    let key_file = folder.join("reader.key").display().to_string();
    let made = run(&mut command(&["keygen", &key_file]))?;
    let reader = made.lines().next().unwrap_or_default();
    let file = folder.join("hotline.toml");
    fs::write(&file, hotline(reader)).map_err(|error| error.to_string())?;
    run(&mut command(&["apply", &file.display().to_string()]))?;
    let server = Server::start(&mut command(&["serve"]), &folder.join("centralita.log"))?;
    let ready = (0..START_TRIES).any(|_| {
        std::thread::sleep(TRY_EVERY);
        run(&mut command(&["status", "--json"])).is_ok()
    });
    if !ready {
        return Err("centralita does not become ready".into());
    }
    sipp.register_all(ADDRESS)?;
    Ok(server)
}

fn build(root: &Path) -> Result<std::path::PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run(cargo
        .args(["build", "--quiet", "--release", "--package", "centralita"])
        .args(["--bin", "centralita"])
        .current_dir(root))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release/centralita"))
}

/// A hub for each phone that rings alone, and one for those that ring together.
fn hotline(reader: &str) -> String {
    let mut text = format!(
        "[network]\nrealm = \"bench.centralita.invalid\"\nudp = [\"{ADDRESS}:{SIP_PORT}\"]\n\
         rtp_ports = \"20000-29999\"\n\n[limits]\ncalls = 1000\n\n\
         [[trunk]]\nname = \"carrier\"\nkind = \"address\"\npeers = [\"{CARRIER}\"]\n"
    );
    let together: Vec<String> = (0..TOGETHER).map(plan::together).collect();
    hub(&mut text, reader, "together", TOGETHER_NUMBER, &together);
    for index in 0..SINGLES {
        let user = plan::single(index);
        let id = format!("hub{index:03}");
        hub(&mut text, reader, &id, &plan::number(index), &[user]);
    }
    let singles = (0..SINGLES).map(plan::single);
    // SIPp knows no other digest.
    for user in singles.chain(together) {
        let password = plan::password(&user);
        let _ = write!(
            text,
            "\n[[volunteer]]\nid = \"{user}\"\nphones = [{{ user = \"{user}\", password = \"{password}\", md5_only = true }}]\n"
        );
    }
    text
}

fn hub(text: &mut String, reader: &str, id: &str, number: &str, people: &[String]) {
    let _ = write!(
        text,
        "\n[[hub]]\nid = \"{id}\"\nname = \"Bench\"\nnumbers = [\"{number}\"]\nlanguage = \"en\"\n\
         time_zone = \"UTC\"\nfallback = {people:?}\nvoicemail_keys = [\"{reader}\"]\n\
         answer_after = 60\nwrap_up = 0\n\n[hub.screening]\nrate_limit = false\nban_list = false\n"
    );
}
