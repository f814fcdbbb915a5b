//! SIPp as callers and phones.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::plan::{
    self, CARRIER, PHONE_PORT, PHONES, PHONES_PER_SOCKET, SINGLES, SIP_PORT, TOGETHER,
    TOGETHER_PORT,
};
use super::process::LOAD_CORE;

/// Registrations per second; strangers are held to 50 messages per second.
const REGISTRATIONS_PER_S: &str = "20";
/// One period of 1 kHz at 0 dBm0 in mu-law (ITU-T G.711, table 6).
const MILLIWATT: [u8; 8] = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
const MILLIWATT_PERIODS: usize = 10_000;
const CALLER_MEDIA_PORT: &str = "7000";
const PHONE_MEDIA_PORT: &str = "6800";

/// The folders that SIPp works with.
pub struct Sipp {
    scenarios: PathBuf,
    folder: PathBuf,
}

/// One run of callers.
pub struct Load {
    /// The scenario's file name.
    pub scenario: &'static str,
    /// Calls in all.
    pub calls: usize,
    /// New calls per second.
    pub rate_per_s: usize,
    /// How long each lasts, milliseconds.
    pub hold_ms: u64,
}

/// A SIPp that runs; ends with this value.
pub struct Running {
    child: Child,
    statistics: Option<PathBuf>,
}

impl Sipp {
    pub fn new(scenarios: &Path, folder: &Path) -> Result<Self, String> {
        let this = Self {
            scenarios: scenarios.to_owned(),
            folder: folder.to_owned(),
        };
        let numbers: String = (0..SINGLES).map(|i| plan::number(i) + ";\n").collect();
        this.write("numbers.csv", format!("SEQUENTIAL\n{numbers}").as_bytes())?;
        this.write("milliwatt.ul", &MILLIWATT.repeat(MILLIWATT_PERIODS))?;
        Ok(this)
    }

    /// Registers every phone at `server`.
    pub fn register_all(&self, server: Ipv4Addr) -> Result<(), String> {
        let singles: Vec<String> = (0..SINGLES).map(plan::single).collect();
        self.register(server, PHONE_PORT, &singles)?;
        for first in (0..TOGETHER).step_by(PHONES_PER_SOCKET) {
            let users: Vec<String> = (first..first + PHONES_PER_SOCKET)
                .map(plan::together)
                .collect();
            self.register(server, plan::together_port(first), &users)?;
        }
        Ok(())
    }

    /// The phones with a number each, picked up as soon as they ring.
    pub fn phones(&self) -> Result<Running, String> {
        let mut command = self.command("phone.xml", PHONES, PHONE_PORT);
        command.args(["-mp", PHONE_MEDIA_PORT, "-rtp_echo"]);
        self.spawn(command, None)
    }

    /// Callers of `server`.
    pub fn callers(&self, server: Ipv4Addr, load: &Load) -> Result<Running, String> {
        let statistics = self.folder.join("callers.csv");
        let _ = fs::remove_file(&statistics);
        let mut command = self.command(load.scenario, CARRIER, SIP_PORT);
        command
            .arg(format!("{server}:{SIP_PORT}"))
            .args(["-inf", "numbers.csv", "-mp", CALLER_MEDIA_PORT])
            .args(["-r", &load.rate_per_s.to_string()])
            .args(["-m", &load.calls.to_string(), "-l", &SINGLES.to_string()])
            .args(["-d", &load.hold_ms.to_string()])
            .args(["-trace_stat", "-fd", "1", "-stf"])
            .arg(&statistics);
        self.spawn(command, Some(statistics))
    }

    fn register(&self, server: Ipv4Addr, port: u16, users: &[String]) -> Result<(), String> {
        let lines: String = users
            .iter()
            .map(|user| {
                let password = plan::password(user);
                format!("{user};[authentication username={user} password={password}];\n")
            })
            .collect();
        self.write("users.csv", format!("SEQUENTIAL\n{lines}").as_bytes())?;
        let mut command = self.command("register.xml", PHONES, port);
        command
            .arg(format!("{server}:{SIP_PORT}"))
            .args(["-inf", "users.csv", "-r", REGISTRATIONS_PER_S])
            .args(["-m", &users.len().to_string()]);
        let mut running = self.spawn(command, None)?;
        let status = running.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the phones at port {port} cannot register"))
        }
    }

    fn command(&self, scenario: &str, address: Ipv4Addr, port: u16) -> Command {
        let mut command = Command::new("taskset");
        command
            .args(["-c", LOAD_CORE, "sipp", "-nostdin", "-sf"])
            .arg(self.scenarios.join(scenario))
            .args(["-i", &address.to_string(), "-mi", &address.to_string()])
            .args(["-p", &port.to_string()])
            .args(["-trace_err", "-error_file"])
            .arg(self.folder.join(format!("{scenario}.errors")))
            .current_dir(&self.folder);
        command
    }

    fn spawn(&self, mut command: Command, statistics: Option<PathBuf>) -> Result<Running, String> {
        let name = if statistics.is_some() {
            "callers.screen"
        } else {
            "phones.screen"
        };
        let screen = File::create(self.folder.join(name))
            .map_err(|error| format!("cannot write SIPp's screen: {error}"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(screen)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("cannot run sipp (scripts/setup-bench installs it): {error}")
            })?;
        Ok(Running { child, statistics })
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Running {
    /// Waits for its end; how many calls went through and how many did not.
    pub fn finish(mut self) -> Result<(u32, u32), String> {
        self.child.wait().map_err(|error| error.to_string())?;
        let path = self.statistics.clone().ok_or("these have no end")?;
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let column = |name: &str| -> Option<u32> {
            let index = text.lines().next()?.split(';').position(|it| it == name)?;
            text.lines().last()?.split(';').nth(index)?.parse().ok()
        };
        column("SuccessfulCall(C)")
            .zip(column("FailedCall(C)"))
            .ok_or_else(|| "SIPp's statistics read oddly".to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports of the phones that ring together.
pub fn together_ports() -> impl Iterator<Item = u16> {
    let sockets = u16::try_from(TOGETHER / PHONES_PER_SOCKET).unwrap_or(1);
    TOGETHER_PORT..TOGETHER_PORT + sockets
}
