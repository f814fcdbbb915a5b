//! A box of the test's own, and calls to it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use centralita::control::{self, Request, Response, Status};
use centralita::hotline::{DEMO_NUMBER, DemoPorts, demo_hotline};
use crypto::ReaderSecretKey;
use e2e::net::Net;
use phone::{Phone, PhoneConfig, PhoneEvent};

pub const CALLER_HZ: u32 = 440;
const WEB_PORT: u16 = 8443;
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder that is gone afterwards, with a hotline file in it.
pub struct Installed {
    pub folder: PathBuf,
    pub sip: SocketAddr,
    pub web: SocketAddr,
}

impl Installed {
    /// RTP ports from `rtp_first` on are this test's.
    pub fn new(name: &str, rtp_first: u16) -> Self {
        let folder = format!("centralita-test-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let net = Net::new();
        let (sip, web) = (net.sip(), SocketAddr::new(net.server(), WEB_PORT));
        let installed = Self { folder, sip, web };
        let reader = installed.reader_key();
        let keygen = installed.command(Path::new("/nowhere"), &["keygen", &text(&reader)]);
        said(keygen);
        let secret = std::fs::read_to_string(reader).unwrap();
        let secret: ReaderSecretKey = secret.trim().parse().unwrap();
        let ports = DemoPorts {
            sip: sip.port(),
            rtp_first,
            rtp_last: rtp_first + 99,
            metrics: None,
        };
        let demo = demo_hotline(secret.public_key(), ports).unwrap();
        let demo = demo
            .text
            .reveal()
            .replace("127.0.0.1", &sip.ip().to_string());
        let file = format!("{demo}\n[web]\nlisten = \"{web}\"\n");
        std::fs::write(installed.hotline_file(), file).unwrap();
        installed
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn hotline_file(&self) -> PathBuf {
        self.at("hotline.toml")
    }

    /// Opens the messages.
    pub fn reader_key(&self) -> PathBuf {
        self.at("reader.key")
    }

    pub fn command(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_centralita"));
        command.arg("--data").arg(data).args(arguments);
        command
            .env_remove("CENTRALITA_DATABASE")
            .stdin(Stdio::null());
        command
    }

    /// What a command that succeeds prints.
    pub fn run(&self, data: &Path, arguments: &[&str]) -> String {
        said(self.command(data, arguments))
    }

    /// What a command that fails says about it.
    pub fn refused(&self, data: &Path, arguments: &[&str]) -> String {
        let output = self.command(data, arguments).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs the box until it is ready; it logs all it can into `log`.
    pub async fn serve(&self, data: &Path, log: Option<&str>) -> Server {
        let log = log.map(|log| File::create(self.at(log)).unwrap());
        let log = log.map_or_else(Stdio::null, Stdio::from);
        self.serve_into(data, Stdio::null(), log).await
    }

    /// As [`Installed::serve`]; what it prints and what it logs go where the test wants them.
    pub async fn serve_into(&self, data: &Path, out: Stdio, log: Stdio) -> Server {
        // Without the signal, a write beyond a limit fails as on a full disk.
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --data \"$1\" serve"])
            .arg(env!("CARGO_BIN_EXE_centralita"))
            .arg(data)
            .env_remove("CENTRALITA_DATABASE")
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server {
            child,
            data: data.to_owned(),
            sip: self.sip,
        };
        server.wait(|_| true).await;
        server
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn said(mut command: Command) -> String {
    let output: Output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Asks again until the answer is as wanted: facts gather for a moment before they are written.
pub async fn eventually(what: &str, mut wanted: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The recovery key goes to a file, as an operator would write it down.
pub fn recovery_key(installed: &Installed, data: &Path) -> String {
    let printed = installed.run(data, &["backup", "keygen"]);
    let key = printed.lines().find(|line| line.starts_with("hlsec1"));
    let file = installed.at("recovery.key");
    std::fs::write(&file, key.unwrap()).unwrap();
    text(&file)
}

/// How many calls are listed, below the heading.
pub fn calls(installed: &Installed, data: &Path) -> usize {
    let listed = installed.run(data, &["calls"]);
    listed.lines().skip(1).count()
}

/// A running box.
pub struct Server {
    child: Child,
    data: PathBuf,
    sip: SocketAddr,
}

impl Server {
    /// Its state, once it is as wanted.
    pub async fn wait(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(Response::Status(status))) =
                control::request(&self.data, &Request::Status).await
                && wanted(&status)
            {
                return *status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the box did not get there in {PATIENCE:?}");
    }

    /// Of a new number each time: one that calls again and again is refused.
    fn caller(&self) -> Phone {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let caller = Phone::start(PhoneConfig {
            // As the trunk, which is at the box's own address.
            local: SocketAddr::new(self.sip.ip(), 0),
            server: self.sip,
            account: None,
            caller_id: format!("+34911{number:06}"),
            voice_hz: CALLER_HZ,
        });
        caller.unwrap()
    }

    /// A call that its caller gives up.
    pub async fn call_in_vain(&self) {
        let caller = self.caller();
        caller.call(DEMO_NUMBER);
        self.wait(|status| !status.calls.is_empty()).await;
        caller.hang_up();
        self.wait(|status| status.calls.is_empty()).await;
    }

    /// A caller speaks for some seconds after the tone.
    pub async fn leave_a_message(&self) {
        let caller = self.caller();
        caller.call(DEMO_NUMBER);
        let recording = |status: &Status| status.calls.iter().any(|call| call.stage == "recording");
        self.wait(recording).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        caller.press('#');
        let over = caller.wait_for(PATIENCE, |event| *event == PhoneEvent::HungUp);
        assert!(over.is_some(), "the box says thanks and hangs up");
        self.wait(|status| status.calls.is_empty()).await;
    }

    /// From now on no file of it grows beyond so many bytes, or `unlimited`.
    pub fn limit_files(&self, bytes: &str) {
        let id = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:");
        let limited = Command::new("prlimit")
            .args(["--pid", &id, &limit])
            .status();
        assert!(limited.unwrap().success());
    }

    /// SIGTERM, and its end.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
