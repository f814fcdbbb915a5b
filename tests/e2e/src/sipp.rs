//! SIPp as carrier, callers and odd phones.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::eventually;
use crate::folder::{Folder, filled_in};
use crate::hotline::{NUMBER, password};
use crate::net::{Net, SIP_PORT};

const WITHIN: Duration = Duration::from_secs(60);
/// Written by SIPp before each message.
const RULE: &str = "-----------------------------------------------";

/// A SIPp that runs a scenario of `tests/e2e/scenarios`.
pub struct Sipp {
    name: String,
    folder: Folder,
    child: Child,
}

/// A message in SIPp's trace.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Seconds of the day, as the machine's clock showed.
    pub at_s: f64,
    /// Whether SIPp sent it.
    pub sent: bool,
    /// The message.
    pub text: String,
}

/// How SIPp is to run.
pub struct Plan<'a> {
    scenario: &'a str,
    ip: IpAddr,
    values: Vec<(&'a str, String)>,
    calls: u32,
    work: Option<PathBuf>,
    towards: Option<SocketAddr>,
}

impl<'a> Plan<'a> {
    /// A scenario, run at `ip`.
    #[must_use]
    pub fn new(scenario: &'a str, ip: IpAddr) -> Self {
        Self {
            scenario,
            ip,
            values: Vec::new(),
            calls: 1,
            work: None,
            towards: None,
        }
    }

    /// A call from the trunk.
    #[must_use]
    pub fn caller(scenario: &'a str, net: Net, number: &str) -> Self {
        Self::new(scenario, net.trunk())
            .set(
                "from",
                &format!("\"A Caller\" <sip:{number}@{}>", net.trunk()),
            )
            .set("to", NUMBER)
            .set("dial", NUMBER)
            .set("more_formats", "")
            .set("audio_port", "6000")
            .set("hold_ms", "20000")
    }

    /// The same from another address.
    #[must_use]
    pub fn at(mut self, ip: IpAddr) -> Self {
        self.ip = ip;
        self
    }

    /// Speaks to somebody else than the box.
    #[must_use]
    pub fn towards(mut self, address: SocketAddr) -> Self {
        self.towards = Some(address);
        self
    }

    /// Replaces `{{name}}` in the scenario.
    #[must_use]
    pub fn set(mut self, name: &'a str, value: &str) -> Self {
        self.values.retain(|(other, _)| *other != name);
        self.values.push((name, value.to_owned()));
        self
    }

    /// So many calls, one after the other.
    #[must_use]
    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Where the scenario finds its sound files.
    #[must_use]
    pub fn files_in(mut self, folder: &Path) -> Self {
        self.work = Some(folder.to_owned());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When SIPp or the scenario is not there, or a value is missing.
    #[must_use]
    pub fn start(self, net: Net) -> Sipp {
        let folder = Folder::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scenarios")
            .join(format!("{}.xml", self.scenario));
        let text = std::fs::read_to_string(&source).unwrap();
        let values: Vec<(&str, &str)> = self.values.iter().map(|(n, v)| (*n, &**v)).collect();
        std::fs::write(folder.join("scenario.xml"), filled_in(&text, &values)).unwrap();
        let child = Command::new("sipp")
            .arg(self.towards.unwrap_or(net.sip()).to_string())
            .arg("-sf")
            .arg(folder.join("scenario.xml"))
            .args(["-i", &self.ip.to_string(), "-mi", &self.ip.to_string()])
            .args(["-p", &SIP_PORT.to_string()])
            .args(["-m", &self.calls.to_string(), "-l", "1", "-r", "50"])
            .args(["-nostdin", "-timeout", "300s", "-timeout_error"])
            .arg("-trace_msg")
            .arg("-message_file")
            .arg(folder.join("messages"))
            .arg("-trace_err")
            .arg("-error_file")
            .arg(folder.join("errors"))
            .current_dir(self.work.as_deref().unwrap_or(folder.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env("TERM", "dumb")
            .spawn()
            .expect("sipp runs");
        let name = self.scenario.to_owned();
        Sipp {
            name,
            folder,
            child,
        }
    }
}

impl Sipp {
    /// Registers a phone at `ip`; its calls come there afterwards.
    pub fn register(net: Net, ip: IpAddr, user: &str) {
        registration(ip, user).start(net).succeeds();
    }

    /// Waits until all its calls are over.
    ///
    /// # Panics
    /// When one did not go as the scenario says.
    pub fn succeeds(&mut self) {
        let code = self.ends();
        assert!(
            code == Some(0),
            "SIPp ended with {code:?} in {}: {}\n{}",
            self.name,
            std::fs::read_to_string(self.folder.join("errors")).unwrap_or_default(),
            self.wire()
        );
    }

    /// Waits for its end; its exit code (0: every call went as the scenario says).
    pub fn ends(&mut self) -> Option<i32> {
        self.wait_end(WITHIN)
    }

    /// The same, with patience of one's own.
    pub fn wait_end(&mut self, within: Duration) -> Option<i32> {
        let what = format!("SIPp to end {}", self.name);
        let child = &mut self.child;
        eventually(&what, within, || child.try_wait().unwrap()).code()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The messages so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Traced> {
        let wire = self.wire();
        wire.split(RULE).filter_map(traced).collect()
    }

    /// Waits for a message that `wanted` likes.
    pub fn wait_message(&self, what: &str, wanted: impl Fn(&Traced) -> bool) -> Traced {
        let what = format!("{what} in SIPp's {}", self.name);
        eventually(&what, WITHIN, || self.messages().into_iter().find(&wanted))
    }

    /// Waits for a message from the box that begins like this.
    pub fn wait_received(&self, start: &str) -> Traced {
        self.wait_message(start, |m| !m.sent && m.text.starts_with(start))
    }

    /// All its messages as text.
    #[must_use]
    pub fn wire(&self) -> String {
        let bytes = std::fs::read(self.folder.join("messages")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Sipp {
    #[expect(clippy::print_stderr, reason = "a failed test shows SIPp's messages")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("SIPp, {}:\n{}", self.name, self.wire());
        }
    }
}

/// The registration of a phone with the right password.
#[must_use]
pub fn registration(ip: IpAddr, user: &str) -> Plan<'_> {
    let contact = format!("<sip:{user}@{ip}:{SIP_PORT}>");
    Plan::new("register", ip)
        .set("user", user)
        .set("password", &password(user))
        .set("contact", &contact)
        .set("expires", "300")
        .set("final", "200")
}

/// `DATE TIME` and a line that tells direction and length, then the message.
fn traced(block: &str) -> Option<Traced> {
    let (head, text) = block.split_once("bytes")?;
    let (_, text) = text.split_once('\n')?;
    let clock = head.split_whitespace().nth(1)?;
    let mut fields = clock.split(':').map(str::parse::<f64>);
    let mut field = || fields.next()?.ok();
    let at_s = field()? * 3_600.0 + field()? * 60.0 + field()?;
    Some(Traced {
        at_s,
        sent: head.contains(" sent"),
        text: text.trim_start().to_owned(),
    })
}
