//! Asterisk as a carrier: a registrar that calls who has registered, and passes the audio on itself.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::folder::{Folder, filled_in};
use crate::hotline::password;
use crate::net::Net;
use crate::peer::Peer;

/// Set to something, it lets the tests with Asterisk be left out.
const WITHOUT: &str = "CENTRALITA_E2E_WITHOUT_ASTERISK";
const START_WITHIN: Duration = Duration::from_secs(30);
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/asterisk");
/// `$0` is where Asterisk is installed, `$1` the folder of the test. The mounts end with the process.
const START: &str = "mount -t proc proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && \
    mount --bind \"$1\" \"$0/mnt\" && touch \"$0/etc/hosts\" && mount --bind \"$1/hosts\" \"$0/etc/hosts\" && \
    exec chroot \"$0\" /usr/sbin/asterisk -C /mnt/asterisk.conf -f -n -c";

/// A running Asterisk with one account.
pub struct Asterisk {
    _peer: Peer,
    /// Outlives the process, which writes into it.
    _folder: Folder,
}

impl Asterisk {
    /// Starts it at `ip`; the password of `account` is that of [`password`]. Callers come to it
    /// from the address of the trunk.
    ///
    /// `None`, told, where it is not installed and somebody wants to do without.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start(net: Net, ip: IpAddr, account: &str) -> Option<Self> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/asterisk");
        if !place.join("usr/sbin/asterisk").exists() {
            let why = "there is no Asterisk in .peers/asterisk; scripts/setup-bench, as root, installs one";
            return crate::do_without(WITHOUT, why);
        }
        let folder = Folder::new();
        std::fs::create_dir(folder.join("state")).unwrap();
        let (password, ip, caller) = (password(account), ip.to_string(), net.trunk().to_string());
        let values = [
            ("ip", &*ip),
            ("account", account),
            ("password", &password),
            ("caller", &caller),
        ];
        for entry in std::fs::read_dir(CONFIGURATION).unwrap() {
            let file = entry.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            let text = filled_in(&text, &values);
            std::fs::write(folder.path().join(file.file_name()), text).unwrap();
        }
        // It looks up its own name and a root server, and waits for the answers.
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let hosts = format!("127.0.0.1 localhost {} A.ROOT-SERVERS.NET\n", name.trim());
        std::fs::write(folder.join("hosts"), hosts).unwrap();
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", START]);
        command.arg(&place).arg(folder.path());
        let mut peer = Peer::start("asterisk", &mut command);
        peer.wait_says("Asterisk Ready", 1, START_WITHIN);
        Some(Self {
            _peer: peer,
            _folder: folder,
        })
    }
}
