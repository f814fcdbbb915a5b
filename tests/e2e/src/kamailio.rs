//! Kamailio as a carrier: a registrar, and a proxy that stays in the path of every call.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use crate::folder::{Folder, filled_in};
use crate::net::SIP_PORT;
use crate::peer::Peer;

/// Not in the path of everybody.
const PROGRAM: &str = "/usr/sbin/kamailio";
/// Seconds that a registration lasts there.
pub const GRANTED_S: u64 = 12;
const CONFIGURATION: &str = include_str!("../peers/kamailio.cfg");
const START_WITHIN: Duration = Duration::from_secs(20);

/// A running Kamailio with one account.
pub struct Kamailio {
    folder: Folder,
    ip: IpAddr,
    peer: Option<Peer>,
}

impl Kamailio {
    /// Starts it at `ip`.
    #[must_use]
    pub fn start(ip: IpAddr, account: &str, password: &str) -> Self {
        let folder = Folder::new();
        let text = filled_in(
            CONFIGURATION,
            &[
                ("ip", &ip.to_string()),
                ("arch", std::env::consts::ARCH),
                ("expires", &GRANTED_S.to_string()),
                ("account", account),
                ("password", password),
            ],
        );
        std::fs::write(folder.join("kamailio.cfg"), text).unwrap();
        let mut kamailio = Self {
            folder,
            ip,
            peer: None,
        };
        kamailio.run();
        kamailio
    }

    /// Stops it and starts it again; it then knows nobody.
    pub fn restart(&mut self) {
        self.peer.take().unwrap().terminate();
        self.run();
    }

    /// Waits until a right registration has come so many times since the start.
    pub fn wait_registered(&mut self, count: usize, within: Duration) {
        let peer = self.peer.as_mut().unwrap();
        peer.wait_says("registered ", count, within);
    }

    /// How many requests of a method it has passed on within calls.
    #[must_use]
    pub fn relayed(&self, method: &str) -> usize {
        let peer = self.peer.as_ref().unwrap();
        peer.count(&format!("relayed {method} in a dialog"))
    }

    /// Its SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.ip, SIP_PORT)
    }

    fn run(&mut self) {
        let mut command = Command::new(PROGRAM);
        // In the foreground, logging to its error output, with less memory than it likes.
        command.args(["-DD", "-E", "-m", "32", "-M", "4"]);
        command.arg("-f").arg(self.folder.join("kamailio.cfg"));
        command.arg("-Y").arg(self.folder.path());
        command.arg("-w").arg(self.folder.path());
        let mut peer = Peer::start("kamailio", &mut command);
        peer.wait_says("worker is up", 1, START_WITHIN);
        self.peer = Some(peer);
    }
}
