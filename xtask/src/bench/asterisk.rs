//! Asterisk, doing the same with `Dial`.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::plan::{
    self, CARRIER, PHONE_PORT, PHONES, SINGLES, SIP_PORT, TOGETHER, TOGETHER_NUMBER,
};
use super::process::{Server, run};

/// Where it listens.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 4);
const START_TRIES: usize = 150;
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Starts the Asterisk that `scripts/setup-bench` installed.
pub fn start(root: &Path, folder: &Path) -> Result<Server, String> {
    let place = root.join(".peers/asterisk");
    if !place.join("usr/sbin/asterisk").exists() {
        return Err("no Asterisk here; scripts/setup-bench installs one".into());
    }
    configure(root, &place).map_err(|error| format!("cannot configure Asterisk: {error}"))?;
    let place = place.display().to_string();
    // A mount namespace of its own: /proc and /dev end with it.
    let script = "mount -t proc proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && \
                  exec chroot \"$0\" /usr/sbin/asterisk -C /etc/asterisk-bench/asterisk.conf -f -n";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, &place]);
    let server = Server::start(&mut command, &folder.join("asterisk.log"))?;
    for _ in 0..START_TRIES {
        std::thread::sleep(TRY_EVERY);
        let mut ask = Command::new("chroot");
        ask.args([&place, "/usr/sbin/asterisk", "-C"])
            .args(["/etc/asterisk-bench/asterisk.conf", "-rx"])
            .arg("core waitfullybooted");
        if run(&mut ask).is_ok() {
            return Ok(server);
        }
    }
    Err("Asterisk does not start".into())
}

fn configure(root: &Path, place: &Path) -> std::io::Result<()> {
    let target = place.join("etc/asterisk-bench");
    fs::create_dir_all(&target)?;
    for entry in fs::read_dir(root.join("tests/load/asterisk"))? {
        let entry = entry?;
        fs::copy(entry.path(), target.join(entry.file_name()))?;
    }
    fs::create_dir_all(place.join("run/asterisk"))?;
    fs::write(target.join("pjsip.conf"), pjsip())?;
    fs::write(target.join("extensions.conf"), extensions())?;
    // It looks up its own name and a root server, and waits for the answers.
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let hosts = format!("127.0.0.1 localhost {} A.ROOT-SERVERS.NET\n", name.trim());
    fs::write(place.join("etc/hosts"), hosts)
}

fn pjsip() -> String {
    let mut text = format!(
        "[global]\ntype=global\nendpoint_identifier_order=ip\n\n\
         [udp]\ntype=transport\nprotocol=udp\nbind={ADDRESS}:{SIP_PORT}\n\n\
         [party](!)\ntype=endpoint\ncontext=bench\ndisallow=all\nallow=ulaw,alaw\n\
         direct_media=no\nrtp_symmetric=yes\n\n\
         [carrier](party)\n[carrier]\ntype=identify\nendpoint=carrier\nmatch={CARRIER}\n"
    );
    let singles = (0..SINGLES).map(|index| (plan::single(index), PHONE_PORT));
    let together = (0..TOGETHER).map(|index| (plan::together(index), plan::together_port(index)));
    for (user, port) in singles.chain(together) {
        let _ = write!(
            text,
            "\n[{user}](party)\naors={user}\n[{user}]\ntype=aor\ncontact=sip:{user}@{PHONES}:{port}\n"
        );
    }
    text
}

fn extensions() -> String {
    let mut text = String::from("[bench]\n");
    for index in 0..SINGLES {
        let (number, user) = (plan::number(index), plan::single(index));
        let _ = writeln!(text, "exten => {number},1,Dial(PJSIP/{user})");
    }
    let all: Vec<String> = (0..TOGETHER)
        .map(|index| format!("PJSIP/{}", plan::together(index)))
        .collect();
    let _ = writeln!(text, "exten => {TOGETHER_NUMBER},1,Dial({})", all.join("&"));
    text
}
