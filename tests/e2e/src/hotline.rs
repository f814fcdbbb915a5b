//! Hotline files for tests.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::audio::make_tone;
use crate::net::Net;

/// What callers dial.
pub const NUMBER: &str = "+15550100";
/// What volunteers' phones show.
pub const SHOWN: &str = "Night line";
/// The digest realm.
pub const REALM: &str = "e2e.centralita.invalid";
/// The hub's recordings are tones, so that a listener can tell them apart.
pub const GREETING_HZ: u32 = 350;
/// The hold music.
pub const MUSIC_HZ: u32 = 700;
/// The invitation to leave a message.
pub const INVITATION_HZ: u32 = 500;
/// The beep before a message is the box's own.
pub const BEEP_HZ: u32 = 1_000;
/// The thanks for a message.
pub const THANKS_HZ: u32 = 850;

/// A hotline with one hub, called `night`; everyone is rung.
#[derive(Clone)]
pub struct Hotline {
    net: Net,
    volunteers: Vec<(String, Vec<String>)>,
    hub: Vec<(&'static str, String)>,
    screening: String,
    own_recordings: bool,
    sha256: bool,
    trunks: String,
    metrics: String,
    limits: String,
    web: String,
}

impl Hotline {
    /// With these volunteers, each with one phone that has their name.
    #[must_use]
    pub fn new(net: Net, volunteers: &[&str]) -> Self {
        let phone = |name: &&str| ((*name).to_owned(), vec![(*name).to_owned()]);
        Self {
            net,
            volunteers: volunteers.iter().map(phone).collect(),
            hub: Vec::new(),
            screening: "rate_limit = false".into(),
            own_recordings: true,
            sha256: false,
            trunks: String::new(),
            metrics: net.metrics().to_string(),
            limits: String::new(),
            web: String::new(),
        }
        .with("queue_timeout", 30)
        .with("answer_after", 8)
        .with("voicemail_max", 30)
        .with("voicemail_silence", 3)
        .with("wrap_up", 0)
        .with("max_waiting", 5)
    }

    /// Another value for a key of the hub.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: u32) -> Self {
        self.hub.retain(|(other, _)| *other != key);
        self.hub.push((key, value.to_string()));
        self
    }

    /// The lines of `[hub.screening]`.
    #[must_use]
    pub fn screening(mut self, lines: &str) -> Self {
        self.screening = lines.into();
        self
    }

    /// Another time after which a silent party is gone, seconds.
    #[must_use]
    pub fn media_timeout(mut self, seconds: u64) -> Self {
        self.limits = format!("media_timeout = {seconds}\n");
        self
    }

    /// With a witness that is asked to confirm the key log: its key, a space, its address.
    #[must_use]
    pub fn witness(mut self, witness: &str) -> Self {
        self.web = format!("witnesses = [\"{witness}\"]\n");
        self
    }

    /// Another address for metrics.
    #[must_use]
    pub fn metrics(mut self, address: &str) -> Self {
        self.metrics = address.into();
        self
    }

    /// With the recordings that the box brings along.
    #[must_use]
    pub fn built_in_recordings(mut self) -> Self {
        self.own_recordings = false;
        self
    }

    /// With a carrier at `ip` that the box registers to, with the password of [`password`].
    #[must_use]
    pub fn registered_trunk(mut self, ip: IpAddr, user: &str) -> Self {
        let password = password(user);
        self.trunks = format!(
            "\n[[trunk]]\nname = \"second\"\nkind = \"register\"\nhost = \"{ip}\"\n\
             user = \"{user}\"\npassword = \"{password}\"\n"
        );
        self
    }

    /// Offers SHA-256 to the phones. baresip and SIPp (of Debian 12) then fail to register.
    #[must_use]
    pub fn offering_sha256(mut self) -> Self {
        self.sha256 = true;
        self
    }

    /// The addresses.
    #[must_use]
    pub fn net(&self) -> Net {
        self.net
    }

    /// The file's text. Its recordings are made in `folder`.
    #[must_use]
    pub fn text(&self, folder: &Path, reader: &str) -> String {
        let mut text = format!(
            "[network]\nrealm = \"{REALM}\"\nudp = [\"{0}\"]\ntcp = [\"{0}\"]\n\
             rtp_ports = \"20000-20999\"\nmetrics = \"{1}\"\n\n[limits]\ncalls = 20\n{4}\n\
             [web]\nlisten = \"{5}\"\n{6}\n\
             [[trunk]]\nname = \"carrier\"\nkind = \"address\"\npeers = [\"{2}\", \"{3}\"]\n",
            self.net.sip(),
            self.metrics,
            self.net.trunk(),
            self.net.second_trunk(),
            self.limits,
            SocketAddr::new(self.net.server(), 8443),
            self.web,
        );
        text.push_str(&self.trunks);
        let names: Vec<&str> = self.volunteers.iter().map(|(id, _)| id.as_str()).collect();
        let _ = write!(
            text,
            "\n[[hub]]\nid = \"night\"\nname = \"{SHOWN}\"\nnumbers = [\"{NUMBER}\"]\n\
             language = \"en\"\ntime_zone = \"UTC\"\nfallback = {names:?}\n\
             voicemail_keys = [\"{reader}\"]\n",
        );
        for (key, value) in &self.hub {
            let _ = writeln!(text, "{key} = {value}");
        }
        let _ = write!(text, "\n[hub.screening]\n{}\n", self.screening);
        if self.own_recordings {
            text.push_str("\n[hub.prompts]\n");
            for (key, hz, seconds) in [
                ("greeting", GREETING_HZ, 1.0),
                ("hold_music", MUSIC_HZ, 5.0),
                ("voicemail_invitation", INVITATION_HZ, 1.0),
                ("voicemail_thanks", THANKS_HZ, 1.0),
            ] {
                make_tone(&folder.join(format!("{key}.wav")), hz, seconds);
                let _ = writeln!(text, "{key} = \"{key}.wav\"");
            }
        }
        let md5_only = if self.sha256 { "" } else { ", md5_only = true" };
        for (id, phones) in &self.volunteers {
            let _ = write!(text, "\n[[volunteer]]\nid = \"{id}\"\nphones = [");
            for user in phones {
                let password = password(user);
                let _ = write!(
                    text,
                    "{{ user = \"{user}\", password = \"{password}\"{md5_only} }}, "
                );
            }
            text.push_str("]\n");
        }
        text
    }
}

/// The password of a phone.
#[must_use]
pub fn password(user: &str) -> String {
    format!("a-long-secret-of-{user}-83f1")
}
