//! linphone as a telephone: a SIP stack and a media stack that baresip has nothing to do with.

use std::time::Duration;

use crate::audio::{Heard, make_tone};
use crate::folder::{Folder, filled_in};
use crate::hotline::password;
use crate::net::Net;
use crate::netns::Namespace;
use crate::peer::Peer;

const WITHIN: Duration = Duration::from_secs(20);
/// Longer than any call of the tests, seconds.
const VOICE_S: f64 = 60.0;
const CONFIGURATION: &str = include_str!("../peers/linphonerc");

/// A running linphone, which plays a tone and records what it hears.
pub struct Linphone {
    peer: Peer,
    folder: Folder,
}

impl Linphone {
    /// Starts and registers it. Several in one namespace differ in `port`.
    #[must_use]
    pub fn start(place: &Namespace, net: Net, port: u16, user: &str, hz: u32) -> Self {
        let folder = Folder::new();
        let voice = folder.join("voice.wav");
        make_tone(&voice, hz, VOICE_S);
        let (server, password) = (net.sip().to_string(), password(user));
        let configuration = filled_in(
            CONFIGURATION,
            &[
                ("port", &port.to_string()),
                ("rtp_port", &(port + 2_000).to_string()),
                ("server", &server),
                ("user", user),
                ("password", &password),
                ("realm", crate::hotline::REALM),
                ("inside", &place.inside().to_string()),
            ],
        );
        std::fs::create_dir_all(folder.join(".local/share/linphone")).unwrap();
        let rc = folder.join("linphonerc");
        std::fs::write(&rc, configuration).unwrap();
        let mut command = place.command("linphonec");
        command.arg("-c").arg(rc);
        command.args(["-d", "5", "-l"]).arg(folder.join("log"));
        command.env("HOME", folder.path());
        let mut peer = Peer::start("linphone", &mut command);
        peer.wait_says("linphonec>", 1, WITHIN);
        for order in [
            "soundcard use files".to_owned(),
            format!("play {}", voice.display()),
            format!("record {}", folder.join("heard.wav").display()),
        ] {
            peer.order(&order);
        }
        Self { peer, folder }
    }

    /// Types a command.
    pub fn order(&mut self, command: &str) {
        self.peer.order(command);
    }

    /// Waits until it says something, so many times.
    pub fn wait_says(&mut self, text: &str, count: usize) {
        self.peer.wait_says(text, count, WITHIN);
    }

    /// How often it has said something.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.peer.count(text)
    }

    /// All SIP messages that it sent and received, in its log.
    #[must_use]
    pub fn wire(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has heard in a call that is over; before that it leaves the file unfinished.
    #[must_use]
    pub fn heard(&self) -> Heard {
        Heard::read(&self.folder.join("heard.wav"))
    }
}
