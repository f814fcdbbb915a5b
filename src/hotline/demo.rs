//! A hotline to try things with, on this machine alone.

use std::fmt::Write;

use crypto::ReaderPublicKey;

use super::secret::Secret;

/// The number of the demonstration hotline; from the range set aside for fiction.
pub const DEMO_NUMBER: &str = "+15550100";
const VOLUNTEERS: [&str; 3] = ["v01", "v02", "v03"];
/// Whose phone is offered MD5 alone, for phones that fail on anything newer.
pub const OLD_PHONE: &str = "v03";
const PASSWORD_BYTES: usize = 16;

/// Where the demonstration hotline listens, on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoPorts {
    /// SIP over UDP and TCP.
    pub sip: u16,
    /// The lowest RTP port; even.
    pub rtp_first: u16,
    /// The highest RTP port; odd.
    pub rtp_last: u16,
    /// Metrics and health; `None` for nowhere.
    pub metrics: Option<u16>,
}

impl Default for DemoPorts {
    fn default() -> Self {
        Self {
            sip: 5060,
            rtp_first: 20_000,
            rtp_last: 20_999,
            metrics: Some(9464),
        }
    }
}

/// A hotline file and what its phones need.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The TOML text. Holds the phones' passwords.
    pub text: Secret,
    /// The phones: volunteer (also the user name) and password.
    pub phones: Vec<(String, Secret)>,
    /// The digest realm.
    pub realm: &'static str,
}

/// Makes a hotline with one hub and three volunteers on loopback, with random passwords.
/// Messages are sealed to `reader`.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn demo_hotline(reader: &ReaderPublicKey, ports: DemoPorts) -> Result<Demo, getrandom::Error> {
    const REALM: &str = "demo.centralita.invalid";
    let mut phones = Vec::new();
    let mut people = String::new();
    for id in VOLUNTEERS {
        let password = random_password()?;
        let old = if id == OLD_PHONE {
            ", md5_only = true"
        } else {
            ""
        };
        let _ = write!(
            people,
            "\n[[volunteer]]\nid = \"{id}\"\nphones = [{{ user = \"{id}\", password = \"{password}\"{old} }}]\n"
        );
        phones.push((id.to_owned(), Secret::new(&password)));
    }
    let DemoPorts {
        sip,
        rtp_first,
        rtp_last,
        metrics,
    } = ports;
    let metrics = metrics.map_or_else(String::new, |port| {
        format!("metrics = \"127.0.0.1:{port}\"\n")
    });
    let text = format!(
        "# A hotline to try things with, on this machine alone.\n\
         \n[network]\nrealm = \"{REALM}\"\nudp = [\"127.0.0.1:{sip}\"]\ntcp = [\"127.0.0.1:{sip}\"]\n\
         rtp_ports = \"{rtp_first}-{rtp_last}\"\n{metrics}\
         \n[limits]\ncalls = 10\n\
         \n[[trunk]]\nname = \"local\"\nkind = \"address\"\npeers = [\"127.0.0.1\"]\n\
         \n[[hub]]\nid = \"demo\"\nname = \"Demo hotline\"\nnumbers = [\"{DEMO_NUMBER}\"]\n\
         language = \"en\"\ntime_zone = \"UTC\"\nfallback = [\"everyone\"]\n\
         voicemail_keys = [\"{reader}\"]\n\
         \n[[group]]\nid = \"everyone\"\nvolunteers = [\"v01\", \"v02\", \"v03\"]\n{people}"
    );
    Ok(Demo {
        text: Secret::new(&text),
        phones,
        realm: REALM,
    })
}

/// 128 random bits in hex.
fn random_password() -> Result<String, getrandom::Error> {
    let mut bytes = [0; PASSWORD_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
