//! baresip as a telephone that plays a tone and records what it hears.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::Heard;
use crate::eventually;
use crate::folder::Folder;
use crate::hotline::password;
use crate::net::{Net, SIP_PORT};

/// It listens for TLS beside its SIP port.
const CONTROL_PORT: u16 = SIP_PORT + 10;
const MODULES: &str = "/usr/lib/baresip/modules";
const WITHIN: Duration = Duration::from_secs(20);

/// How a phone is set up.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// Where it is.
    pub ip: IpAddr,
    /// User name, and the number that a caller shows.
    pub user: &'a str,
    /// Whether it registers, with the password of [`password`].
    pub registers: bool,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    /// The tone that stands for its voice, Hz.
    pub hz: u32,
    /// Its codecs, by preference: `pcmu`, `pcma`, `g722`, `opus`.
    pub codecs: &'a str,
}

impl<'a> Setup<'a> {
    /// A volunteer's phone.
    #[must_use]
    pub fn phone(ip: IpAddr, user: &'a str, hz: u32) -> Self {
        Self {
            ip,
            user,
            registers: true,
            transport: "udp",
            hz,
            codecs: "pcmu,pcma",
        }
    }

    /// A caller, who comes from the trunk.
    #[must_use]
    pub fn caller(net: Net, number: &'a str, hz: u32) -> Self {
        Self {
            registers: false,
            ..Self::phone(net.trunk(), number, hz)
        }
    }
}

/// A running baresip.
pub struct Baresip {
    folder: Folder,
    child: Child,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
    wire: Arc<Mutex<String>>,
}

impl Baresip {
    /// Starts it and waits until it can be controlled.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(net: Net, setup: Setup<'_>) -> Self {
        let folder = Folder::new();
        std::fs::create_dir(folder.join("heard")).unwrap();
        std::fs::write(folder.join("config"), config(&folder, setup)).unwrap();
        std::fs::write(folder.join("accounts"), account(net, setup)).unwrap();
        std::fs::write(folder.join("contacts"), "").unwrap();
        let mut child = Command::new("baresip")
            .args(["-4", "-s", "-f"])
            .arg(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip runs");
        let wire = collect_output(&mut child);
        let control = eventually("baresip to listen", WITHIN, || {
            TcpStream::connect((setup.ip, CONTROL_PORT)).ok()
        });
        let events = collect_events(control.try_clone().unwrap());
        Self {
            folder,
            child,
            control,
            events,
            wire,
        }
    }

    /// Dials.
    pub fn dial(&mut self, net: Net, number: &str) {
        self.order("dial", &format!("sip:{number}@{}", net.sip()));
    }

    /// Dials a number at somebody else's exchange.
    pub fn dial_at(&mut self, exchange: IpAddr, number: &str) {
        self.order("dial", &format!("sip:{number}@{exchange}"));
    }

    /// Picks up.
    pub fn answer(&mut self) {
        self.order("accept", "");
    }

    /// Hangs up, or refuses.
    pub fn hang_up(&mut self) {
        self.order("hangup", "");
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.order("sndcode", keys);
    }

    /// Puts the other side on hold.
    pub fn hold(&mut self) {
        self.order("hold", "");
    }

    /// Takes the other side back.
    pub fn resume(&mut self) {
        self.order("resume", "");
    }

    /// Waits until it has told `count` events of a type, such as `CALL_ESTABLISHED`; the last one.
    pub fn wait(&self, event: &str, count: usize) -> Value {
        self.wait_within(event, count, WITHIN)
    }

    /// The same, with patience of one's own.
    pub fn wait_within(&self, event: &str, count: usize, within: Duration) -> Value {
        let what = format!("{count} x {event} of baresip");
        eventually(&what, within, || {
            let events = self.events.lock().unwrap();
            let mut wanted = events.iter().filter(|e| e["type"] == event);
            wanted.nth(count - 1).cloned()
        })
    }

    /// How many events of a type it has told.
    #[must_use]
    pub fn count(&self, event: &str) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|e| e["type"] == event).count()
    }

    /// All SIP messages that it sent and received, as text.
    #[must_use]
    pub fn wire(&self) -> String {
        self.wire.lock().unwrap().clone()
    }

    /// What it has heard in all calls so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.join("heard"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        let all = files.iter().flat_map(|file| Heard::read(file).0);
        Heard(all.collect())
    }

    /// Waits until it has heard a tone of `hz` for `seconds`; how much it has heard.
    pub fn wait_hears(&self, hz: u32, seconds: f64) -> f64 {
        eventually(
            &format!("{seconds} s of {hz} Hz at baresip"),
            WITHIN,
            || {
                let heard = self.heard().seconds_of(hz);
                (heard >= seconds).then_some(heard)
            },
        )
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn order(&mut self, command: &str, parameters: &str) {
        let order = json!({ "command": command, "params": parameters }).to_string();
        write!(self.control, "{}:{order},", order.len()).unwrap();
    }
}

impl Drop for Baresip {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows the phone's messages"
    )]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "baresip in {}:\n{}",
                self.folder.path().display(),
                self.wire()
            );
        }
    }
}

fn config(folder: &Folder, setup: Setup<'_>) -> String {
    let Setup { ip, hz, .. } = setup;
    let mut text = format!(
        "poll_method epoll\nsip_listen {ip}:{SIP_PORT}\nnet_interface {ip}\n\
         rtp_ports 10000-10100\naudio_path /usr/share/baresip\n\
         audio_source ausine,{hz}\nausrc_srate 48000\nausrc_channels 2\n\
         audio_player aubridge,ear\naudio_alert aubridge,bell\n\
         snd_path {}\nctrl_tcp_listen {ip}:{CONTROL_PORT}\nmodule_path {MODULES}\n",
        folder.join("heard").display(),
    );
    for module in ["g711", "g722", "opus", "ausine", "aubridge", "sndfile"] {
        let _ = writeln!(text, "module {module}.so");
    }
    text.push_str("module_tmp uuid.so\nmodule_tmp account.so\n");
    text.push_str("module_app menu.so\nmodule_app ctrl_tcp.so\n");
    text
}

fn account(net: Net, setup: Setup<'_>) -> String {
    let Setup {
        user,
        transport,
        codecs,
        ..
    } = setup;
    let (password, every) = (password(user), if setup.registers { 60 } else { 0 });
    format!(
        "<sip:{user}@{};transport={transport}>;auth_user={user};auth_pass={password};\
         regint={every};audio_codecs={codecs}\n",
        net.sip(),
    )
}

fn collect_output(child: &mut Child) -> Arc<Mutex<String>> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let collected: Arc<Mutex<String>> = Arc::default();
    let wire = Arc::clone(&collected);
    std::thread::spawn(move || {
        for line in output.split(b'\n').map_while(Result::ok) {
            let mut wire = wire.lock().unwrap();
            wire.push_str(String::from_utf8_lossy(&line).trim_end());
            wire.push('\n');
        }
    });
    collected
}

/// Reads netstrings (length, colon, JSON, comma).
fn collect_events(control: TcpStream) -> Arc<Mutex<Vec<Value>>> {
    let collected: Arc<Mutex<Vec<Value>>> = Arc::default();
    let events = Arc::clone(&collected);
    std::thread::spawn(move || {
        let mut control = BufReader::new(control);
        loop {
            let mut length = Vec::new();
            if control.read_until(b':', &mut length).is_err() || length.pop() != Some(b':') {
                return;
            }
            let length: usize = String::from_utf8(length).unwrap().parse().unwrap();
            let mut text = vec![0; length + 1];
            if control.read_exact(&mut text).is_err() {
                return;
            }
            if let Ok(event) = serde_json::from_slice(&text[..length]) {
                events.lock().unwrap().push(event);
            }
        }
    });
    collected
}
