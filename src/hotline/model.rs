//! The hotline as it is stored: checked, without phone passwords, in a stable order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use jiff::civil::Time;
use routing::PromptKind;
use serde::{Deserialize, Serialize};
use sip::digest::Algorithm;

use super::secret::{Number, ReaderKey, Secret, Zone};
use crate::witness::publish::WitnessAddress;

/// A checked hotline file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hotline {
    /// Addresses and ports.
    pub network: Network,
    /// What the box takes on at most.
    pub limits: Limits,
    /// The web server for volunteers and admins.
    #[serde(default)]
    pub web: Web,
    /// The hubs, by id.
    pub hubs: BTreeMap<String, Hub>,
    /// The volunteers, by id.
    pub volunteers: BTreeMap<String, Volunteer>,
    /// Named sets of volunteers, by name.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Who is on duty when, in the order of the file.
    pub shifts: Vec<Shift>,
    /// The trunks, by name.
    pub trunks: BTreeMap<String, Trunk>,
}

impl Hotline {
    /// The canonical form. Equal hotlines have equal forms. Holds the trunks' passwords.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        serde_json::to_string(self).expect("maps with text keys and plain values are JSON")
    }

    /// Reads the canonical form back.
    ///
    /// # Errors
    /// When the text is not what [`to_canonical`](Self::to_canonical) writes.
    pub fn from_canonical(text: &str) -> Result<Self, serde_json::Error> {
        let hotline: Self = serde_json::from_str(text)?;
        if hotline.network.udp.is_empty() {
            return Err(serde::de::Error::custom("no UDP address"));
        }
        Ok(hotline)
    }

    /// The fingerprint of the canonical form: its SHA-256 in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        Algorithm::Sha256.hash(&[&self.to_canonical()])
    }
}

/// Addresses and ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Digest realm and host part of our own addresses.
    pub realm: String,
    /// Where SIP over UDP is taken; at least one. Requests leave from the first.
    pub udp: Vec<SocketAddr>,
    /// Where SIP over TCP is taken.
    pub tcp: Vec<SocketAddr>,
    /// The address that phones and trunks reach us under, when it is not the first UDP address.
    pub advertised: Option<IpAddr>,
    /// UDP ports for media.
    pub rtp_ports: PortRange,
    /// Where metrics and health are served; `None` for nowhere.
    pub metrics: Option<SocketAddr>,
}

impl Network {
    /// The socket that requests leave from.
    #[must_use]
    pub fn default_local(&self) -> SocketAddr {
        *self
            .udp
            .first()
            .expect("both ways to a hotline refuse one without a UDP address")
    }

    /// The address that media sockets are bound to.
    #[must_use]
    pub fn media_bind(&self) -> IpAddr {
        self.default_local().ip()
    }

    /// The address that session descriptions show.
    #[must_use]
    pub fn media_address(&self) -> IpAddr {
        self.advertised.unwrap_or_else(|| self.media_bind())
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest; even.
    pub first: u16,
    /// The highest; odd.
    pub last: u16,
}

impl PortRange {
    /// How many RTP streams fit: each takes a pair of ports.
    #[must_use]
    pub fn pairs(self) -> u32 {
        (u32::from(self.last) + 1).saturating_sub(u32::from(self.first)) / 2
    }
}

/// What the box takes on at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls at once, over all hubs.
    pub calls: u32,
    /// A party that sends no audio for this long, though it should, is gone; seconds.
    pub media_timeout_s: u32,
    /// Entries of the audit trails that are older than so many days expire; `None` for never.
    #[serde(default = "Limits::default_audit_days")]
    pub audit_days: Option<u32>,
}

impl Limits {
    /// Unless the file says otherwise (X4-32).
    pub const AUDIT_DAYS: u32 = 90;

    fn default_audit_days() -> Option<u32> {
        Some(Self::AUDIT_DAYS)
    }
}

/// The web server for volunteers and admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Where HTTPS is taken; `None` for nowhere.
    pub listen: Option<SocketAddr>,
    /// What browsers show, where that is not the address: scheme, host, and port unless it is 443.
    pub origin: Option<String>,
    /// The certificate to show; `None` for one by the server's own authority.
    pub certificate: Option<Certificate>,
    /// Who is asked to confirm the key log.
    #[serde(default)]
    pub witnesses: Vec<WitnessAddress>,
    /// A session without a request for so many minutes has ended.
    #[serde(default = "Web::default_idle_minutes")]
    pub idle_minutes: u32,
    /// For so many hours at most a device stays unlocked without its PIN being typed again.
    #[serde(default = "Web::default_unlocked_hours")]
    pub unlocked_hours: u32,
    /// What people may do with passkeys. Takes effect at once.
    #[serde(default)]
    pub passkeys: PasskeyRule,
}

/// What people may do with passkeys at the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasskeyRule {
    /// Whoever likes makes some, and logs in with them.
    #[default]
    Optional,
    /// Nobody makes one or logs in with one. Those that there are stay, and can be removed.
    Off,
}

impl PasskeyRule {
    /// Whether passkeys can be made and used.
    #[must_use]
    pub fn allows(self) -> bool {
        self == Self::Optional
    }
}

impl fmt::Display for PasskeyRule {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Optional => "optional",
            Self::Off => "off",
        })
    }
}

/// A certificate that somebody else keeps up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The file with the certificate and those between it and its authority, in PEM.
    pub chain: PathBuf,
    /// The file with its key, in PEM.
    pub key: PathBuf,
}

impl Web {
    /// The port of the panel, unless the file names another one.
    pub const DEFAULT_PORT: u16 = 8443;
    /// Unless the file says otherwise (AUTH-09).
    pub const IDLE_MINUTES: u32 = 60;
    /// Unless the file says otherwise (AUTH-13): a shift.
    pub const UNLOCKED_HOURS: u32 = 8;

    fn default_idle_minutes() -> u32 {
        Self::IDLE_MINUTES
    }

    fn default_unlocked_hours() -> u32 {
        Self::UNLOCKED_HOURS
    }

    /// Whether a running server has to be started again before all of `new` holds in place of this.
    #[must_use]
    pub fn restarts_for(&self, new: &Self) -> bool {
        let at_once = Self {
            passkeys: new.passkeys,
            ..self.clone()
        };
        at_once != *new
    }

    /// What browsers show, and what devices sign; `None` without a web server.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let listen = self.listen?;
        let by_address = || match listen.port() {
            443 => format!("https://{}", host(listen.ip())),
            port => format!("https://{}:{port}", host(listen.ip())),
        };
        Some(self.origin.clone().unwrap_or_else(by_address))
    }
}

impl Default for Web {
    /// For this machine only.
    fn default() -> Self {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            listen: Some(SocketAddr::new(here, Self::DEFAULT_PORT)),
            origin: None,
            certificate: None,
            witnesses: Vec::new(),
            idle_minutes: Self::IDLE_MINUTES,
            unlocked_hours: Self::UNLOCKED_HOURS,
            passkeys: PasskeyRule::default(),
        }
    }
}

/// An address as it stands in a URL.
fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// One hotline with its own numbers, people and settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// What volunteers' phones show.
    pub name: String,
    /// The numbers that callers dial.
    pub numbers: BTreeSet<Number>,
    /// What is spoken to callers: a language tag such as `es` or `pt-br`.
    pub language: String,
    /// The zone in which its shifts are meant.
    pub time_zone: Zone,
    /// How long a caller waits before voicemail, seconds.
    pub queue_timeout_s: u32,
    /// How long a caller hears ringing before being answered with the greeting, seconds.
    pub answer_after_s: u32,
    /// Longest message, seconds.
    pub voicemail_max_s: u32,
    /// Silence that ends a message, seconds.
    pub voicemail_silence_s: u32,
    /// Time after a call in which a volunteer is not rung, seconds.
    pub wrap_up_s: u32,
    /// Most callers that wait at once.
    pub max_waiting: u32,
    /// What callers hear.
    pub prompts: Prompts,
    /// Whose keys messages are sealed to; at least one.
    pub voicemail_keys: Vec<ReaderKey>,
    /// Volunteers and groups that are rung when nobody is on duty.
    pub fallback: BTreeSet<String>,
    /// The controls at the door.
    pub screening: Screening,
}

/// The controls at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screening {
    /// Whether banned numbers are refused.
    pub ban_list: bool,
    /// The rate limit, when it is on.
    pub rate_limit: Option<RateLimit>,
}

/// At most so many calls of one number within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Calls let through.
    pub max_calls: u32,
    /// The window, seconds.
    pub window_s: u32,
}

/// What the callers of a hub hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// Heard once when the caller is answered and has to wait.
    pub greeting: PromptSource,
    /// Heard while waiting and on hold.
    pub hold_music: PromptSource,
    /// Asks for a message after the tone.
    pub voicemail_invitation: PromptSource,
    /// Thanks for the message.
    pub voicemail_thanks: PromptSource,
}

impl Prompts {
    /// The source of one kind.
    #[must_use]
    pub fn source(&self, kind: PromptKind) -> &PromptSource {
        match kind {
            PromptKind::Greeting => &self.greeting,
            PromptKind::HoldMusic => &self.hold_music,
            PromptKind::VoicemailInvitation => &self.voicemail_invitation,
            PromptKind::VoicemailThanks => &self.voicemail_thanks,
        }
    }
}

/// Where a prompt comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptSource {
    /// The built-in text in the hub's language, or the built-in music.
    BuiltIn,
    /// This text, spoken in the hub's language.
    Text(String),
    /// An audio file.
    File {
        /// Where it is.
        path: PathBuf,
        /// Fingerprint of its bytes, so that a new recording under the old name is noticed.
        hash: String,
    },
}

/// A person who takes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volunteer {
    /// Their phone accounts, by user name.
    pub phones: BTreeMap<String, Digest>,
}

/// The digest secrets of a phone account, H(user:realm:password) in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// By MD5, for phones that know nothing better.
    pub md5: Secret,
    /// By SHA-256; `None` for a phone that fails when it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Secret>,
}

/// A recurring shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Its hub.
    pub hub: String,
    /// The days on which it begins.
    pub days: BTreeSet<Weekday>,
    /// When it begins, in the hub's zone.
    pub from: Time,
    /// When it ends; at or before `from` means on the next day.
    pub to: Time,
    /// Who is on it.
    pub volunteers: BTreeSet<String>,
    /// Which groups are on it.
    pub groups: BTreeSet<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Weekday {
    /// Monday to Sunday.
    pub const ALL: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A line to the telephone network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trunk {
    /// Recognised by where its calls come from.
    Address {
        /// The carrier's gateways; port 0 stands for any.
        peers: Vec<SocketAddr>,
    },
    /// We register with the carrier.
    Register {
        /// The registrar's name or address.
        host: String,
        /// The registrar's port.
        port: u16,
        /// How it is reached.
        transport: Transport,
        /// The user name.
        user: String,
        /// The password, as the carrier gave it.
        password: Secret,
        /// How long a registration is asked for, seconds.
        expires_s: u32,
        /// The number that is called when the carrier names none of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<Number>,
    },
}

/// How SIP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}
