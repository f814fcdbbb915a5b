//! A server under measurement: started on its own core, and what it used.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The core that the server has to itself, as far as this machine allows.
const SERVER_CORE: &str = "0";
/// The core of everything that makes the load.
pub const LOAD_CORE: &str = "1";
/// `USER_HZ` of Linux: what `/proc` counts CPU time in, per second.
const TICKS_PER_S: f64 = 100.0;

/// A running server; ends with this value.
pub struct Server(Child);

impl Server {
    /// Starts `command` on the server's core; its output goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let problem = |error| format!("cannot start {}: {error}", command.get_program().display());
        let file = File::create(log).map_err(problem)?;
        let copy = file.try_clone().map_err(problem)?;
        let mut pinned = Command::new("taskset");
        pinned
            .args(["-c", SERVER_CORE])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(
                command
                    .get_envs()
                    .filter_map(|(key, value)| Some((key, value?))),
            );
        pinned
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map(Self)
            .map_err(problem)
    }

    /// CPU time of all its threads so far, user and system, ended threads included.
    pub fn cpu(&self) -> Result<Duration, String> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; the numbers begin after it.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat reads oddly")?;
        let ticks: u32 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u32>().ok())
            .sum();
        Ok(Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_S))
    }

    /// Resident memory, KiB.
    pub fn resident_kib(&self) -> Result<f64, String> {
        let status = self.read("status")?;
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .ok_or_else(|| "/proc/PID/status has no VmRSS".to_owned())
    }

    fn read(&self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.0.id());
        fs::read_to_string(&path).map_err(|error| format!("the server ended: {path}: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end; what it printed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{name} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
