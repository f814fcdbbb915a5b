//! A running box.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::binary::centralita;
use crate::eventually;
use crate::folder::Folder;
use crate::hotline::Hotline;
use crate::net::Net;

/// A start renders and converts recordings, on a machine that may be busy.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Facts gather for a moment before they are written.
const RECORDED_WITHIN: Duration = Duration::from_millis(200);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// A box with a data folder of its own.
pub struct Server {
    net: Net,
    folder: Folder,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    said: Arc<Mutex<String>>,
    log_level: &'static str,
    file_limit_kb: Option<u32>,
}

impl Server {
    /// Applies a hotline and starts the box.
    #[must_use]
    pub fn start(hotline: &Hotline) -> Self {
        Self::start_logging(hotline, "info")
    }

    /// The same, with a value for `RUST_LOG`.
    #[must_use]
    pub fn start_logging(hotline: &Hotline, log_level: &'static str) -> Self {
        let mut server = Self::prepared(hotline);
        server.log_level = log_level;
        server.run();
        server
    }

    /// A data folder with a hotline in it; nothing runs yet.
    #[must_use]
    pub fn prepared(hotline: &Hotline) -> Self {
        let server = Self {
            net: hotline.net(),
            folder: Folder::new(),
            child: None,
            log: Arc::default(),
            said: Arc::default(),
            log_level: "info",
            file_limit_kb: None,
        };
        let key = server.key_file();
        let made = server.cli(&["keygen", key.to_str().unwrap()]);
        succeeded(&made);
        let reader = String::from_utf8(made.stdout).unwrap();
        let reader = reader.lines().next().unwrap();
        std::fs::write(server.folder.join("reader.pub"), reader).unwrap();
        server.apply(hotline);
        server
    }

    /// Starts (again) on the same data.
    pub fn run(&mut self) {
        self.spawn();
        eventually("the box to be ready", START_WITHIN, || {
            self.assert_running();
            (self.http("/health/ready")?.0 == 200).then_some(())
        });
    }

    /// Starts without waiting until it is ready.
    ///
    /// # Panics
    /// When it cannot be started at all.
    pub fn spawn(&mut self) {
        let mut child = self
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        keep(child.stderr.take().unwrap(), &self.log);
        keep(child.stdout.take().unwrap(), &self.said);
        self.child = Some(child);
    }

    /// Makes a hotline the current one, running or not.
    pub fn apply(&self, hotline: &Hotline) -> String {
        let reader = std::fs::read_to_string(self.folder.join("reader.pub")).unwrap();
        let file = self.folder.join("hotline.toml");
        std::fs::write(&file, hotline.text(self.folder.path(), &reader)).unwrap();
        self.say(&["apply", file.to_str().unwrap()])
    }

    /// Runs another command on the same data.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed; what it said.
    pub fn say(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        succeeded(&output);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command on other data.
    #[must_use]
    pub fn cli_on(&self, data: &Path, arguments: &[&str]) -> Output {
        let mut command = self.command_on(data, arguments);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command as somebody to whom the rights of files apply, which they do not to root.
    #[must_use]
    pub fn cli_bound_by_rights(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        if is_root() {
            let mut bound = Command::new("setpriv");
            bound
                .args([
                    "--inh-caps=-all",
                    "--bounding-set=-dac_override,-dac_read_search",
                ])
                .arg(command.get_program())
                .args(command.get_args());
            command = bound;
        }
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// From now on no file can grow beyond this.
    pub fn limit_files(&mut self, kilobytes: u32) {
        self.file_limit_kb = Some(kilobytes);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_on(&self.data(), arguments)
    }

    fn command_on(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = match self.file_limit_kb {
            None => Command::new(centralita()),
            Some(kilobytes) => {
                // The shell counts in blocks of 512 bytes. Without the signal, a write fails as on a full disk.
                let limit = format!(
                    "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
                    kilobytes * 2
                );
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(limit).arg(centralita());
                shell
            }
        };
        command
            .arg("--data")
            .arg(data)
            .args(arguments)
            .env("RUST_LOG", self.log_level)
            .env("NO_COLOR", "1");
        command
    }

    /// `status --json`.
    #[must_use]
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.say(&["status", "--json"])).unwrap()
    }

    /// Waits until `look` finds something in the status.
    pub fn wait_status<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&Value) -> Option<T>,
    ) -> T {
        eventually(what, within, || look(&self.status()))
    }

    /// Waits until so many phones are registered.
    pub fn wait_phones(&self, wanted: u64) {
        self.wait_status("the phones to be registered", STOP_WITHIN, |status| {
            let volunteers = status["volunteers"].as_array()?.iter();
            let phones: u64 = volunteers.filter_map(|v| v["phones"].as_u64()).sum();
            (phones == wanted).then_some(())
        });
    }

    /// Waits until no call is live, and the records say so.
    pub fn wait_idle(&self) {
        self.wait_status("the calls to end", STOP_WITHIN, |status| {
            status["calls"].as_array()?.is_empty().then_some(())
        });
        // The last call may not be in the list at all yet.
        std::thread::sleep(RECORDED_WITHIN);
        eventually("the records of the calls", STOP_WITHIN, || {
            (!self.say(&["calls"]).contains(" live\n")).then_some(())
        });
    }

    /// Status and body of a GET on the metrics address; `None` if nobody answers.
    #[must_use]
    pub fn http(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.net.metrics()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = text.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Everything it has said to whoever started it.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `SIGTERM`.
    pub fn terminate(&self) {
        let pid = self.child.as_ref().unwrap().id();
        let status = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let child = self.child.as_mut().unwrap();
        let status = eventually("the box to end", STOP_WITHIN, || child.try_wait().unwrap());
        self.child = None;
        status
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The secret key that opens messages.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("reader.key")
    }

    /// The folder around the data, for the test's own files.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The addresses.
    #[must_use]
    pub fn net(&self) -> Net {
        self.net
    }

    fn assert_running(&mut self) {
        let ended = !self.is_running();
        assert!(!ended, "the box ended:\n{}", self.log());
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "a failed test shows the box's log")]
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let start = log.len().saturating_sub(20_000);
            eprintln!("the box's log:\n{}", log.get(start..).unwrap_or(&log));
        }
    }
}

/// Collects the lines of a stream.
fn keep(stream: impl Read + Send + 'static, text: &Arc<Mutex<String>>) {
    let text = Arc::clone(text);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = text.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Asserts that a command succeeded.
///
/// # Panics
/// With what it said, if not.
pub fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The one sentence with which a command failed.
///
/// # Panics
/// When it did not fail, or said it in a programmer's words.
#[must_use]
pub fn sentence(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success(), "it did not fail: {said}");
    assert!(
        !said.contains("panicked") && !said.contains("Error {"),
        "{said}"
    );
    said.lines().last().unwrap_or_default().to_owned()
}
