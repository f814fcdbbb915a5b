//! `centralita demo`: a whole call without a telephone.
//!
//! A real server in a temporary data folder, three headless phones and a
//! caller over real SIP and RTP on loopback, and a timeline of what a person
//! at each of them would notice.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use phone::{Phone, PhoneConfig, PhoneEvent, Sound};

use crate::control::{self, Request, Response};
use crate::database;
use crate::hotline::{self, DEMO_NUMBER, DemoPorts};

/// The caller's number: made up, and nowhere to be seen afterwards.
const CALLER: &str = "+15550123";
/// What stands for each party's voice, Hz. Not harmonics of each other.
const CALLER_HZ: u32 = 440;
const VOICES_HZ: [u32; 3] = [600, 750, 1_050];
/// The phone that picks up first.
const WINNER: usize = 1;
const START_PATIENCE: Duration = Duration::from_secs(30);
const STEP_PATIENCE: Duration = Duration::from_secs(15);
/// The server gathers facts for a moment before it writes them.
const UNTIL_RECORDED: Duration = Duration::from_millis(500);

/// Runs the demonstration and prints it.
///
/// # Errors
/// What did not happen as it should.
pub async fn run() -> Result<(), String> {
    let stage = Stage::set_up().await?;
    tokio::task::spawn_blocking(move || stage.play())
        .await
        .map_err(|error| error.to_string())?
}

struct Stage {
    folder: Folder,
    _server: Server,
    sip: SocketAddr,
    phones: Vec<(String, String)>,
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that ends with the demonstration.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stage {
    async fn set_up() -> Result<Self, String> {
        let folder =
            Folder(std::env::temp_dir().join(format!("centralita-demo-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).map_err(|error| cannot("make a folder", &error))?;
        let key = crypto::ReaderSecretKey::generate().map_err(|error| error.to_string())?;
        let ports = DemoPorts {
            sip: free_port()?,
            rtp_first: 41_000,
            rtp_last: 41_199,
            metrics: None,
        };
        let demo = hotline::demo_hotline(key.public_key(), ports)
            .map_err(|error| cannot("make passwords", &error))?;
        let file = folder.0.join("hotline.toml");
        crate::private_file::create(&file, demo.text.reveal().as_bytes())
            .map_err(|error| cannot("write the hotline file", &error))?;
        let data = folder.0.join("data");
        line(None, "box", "prepares the prompts and starts");
        run_to_end(&data, &["apply", &file.display().to_string()])?;
        let server = start_server(&data, &folder.0.join("server.log"))?;
        wait_until_ready(&data).await?;
        Ok(Self {
            folder,
            _server: server,
            sip: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.sip)),
            phones: demo
                .phones
                .iter()
                .map(|(user, password)| (user.clone(), password.reveal().to_owned()))
                .collect(),
        })
    }

    fn play(self) -> Result<(), String> {
        let mut timeline = Timeline {
            parties: Vec::new(),
            began: Instant::now(),
        };
        for ((user, password), voice_hz) in self.phones.iter().zip(VOICES_HZ) {
            let account = Some((user.clone(), password.clone()));
            timeline.add(user, self.start_phone(account, voice_hz)?);
        }
        timeline.add("caller", self.start_phone(None, CALLER_HZ)?);
        let everyone: Vec<&str> = self.phones.iter().map(|(user, _)| user.as_str()).collect();
        let winner = everyone[WINNER];
        let losers: Vec<&str> = everyone
            .iter()
            .copied()
            .filter(|user| *user != winner)
            .collect();

        everyone
            .iter()
            .for_each(|user| timeline.phone(user).register());
        timeline.expect(&everyone, "registers", |event| {
            *event == PhoneEvent::Registered
        })?;
        timeline.note(&format!("the caller dials {DEMO_NUMBER}"));
        timeline.phone("caller").call(DEMO_NUMBER);
        timeline.expect(&everyone, "rings", |event| {
            matches!(event, PhoneEvent::Rings { .. })
        })?;
        timeline.note(&format!("{winner} picks up first"));
        timeline.phone(winner).answer();
        timeline.expect(&losers, "stops ringing", |event| {
            matches!(event, PhoneEvent::StoppedRinging { .. })
        })?;
        timeline.expect(&[winner], "hears the caller", hears(CALLER_HZ))?;
        timeline.expect(&["caller"], "hears the volunteer", hears(VOICES_HZ[WINNER]))?;
        timeline.note("the caller hangs up");
        timeline.phone("caller").hang_up();
        timeline.expect(&[winner], "is released", |event| {
            *event == PhoneEvent::HungUp
        })?;
        let log = std::fs::read_to_string(self.folder.0.join("server.log")).unwrap_or_default();
        if log.contains(&CALLER[1..]) {
            return Err("the caller's number is in the server's log".into());
        }
        timeline.note("the caller's number is in no log and was shown on no phone");
        std::thread::sleep(UNTIL_RECORDED);
        run_to_end(&self.folder.0.join("data"), &["calls"])
    }

    fn start_phone(
        &self,
        account: Option<(String, String)>,
        voice_hz: u32,
    ) -> Result<Phone, String> {
        Phone::start(PhoneConfig {
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            server: self.sip,
            account,
            caller_id: CALLER.into(),
            voice_hz,
        })
        .map_err(|error| cannot("start a phone", &error))
    }
}

fn hears(hz: u32) -> impl Fn(&PhoneEvent) -> bool {
    move |event| *event == PhoneEvent::Hears(Sound::Tone(hz))
}

/// A phone, and what it has told so far.
struct Party {
    name: String,
    phone: Phone,
    told: Vec<PhoneEvent>,
}

struct Timeline {
    parties: Vec<Party>,
    began: Instant,
}

impl Timeline {
    fn add(&mut self, name: &str, phone: Phone) {
        self.parties.push(Party {
            name: name.to_owned(),
            phone,
            told: Vec::new(),
        });
    }

    fn phone(&self, name: &str) -> &Phone {
        let party = self.parties.iter().find(|party| party.name == name);
        &party
            .expect("the script names only those whom it started")
            .phone
    }

    fn note(&self, text: &str) {
        line(Some(self.began.elapsed()), "", text);
    }

    /// Prints what happens until each of `who` has had a wanted event.
    fn expect(
        &mut self,
        who: &[&str],
        what: &str,
        wanted: impl Fn(&PhoneEvent) -> bool,
    ) -> Result<(), String> {
        let until = Instant::now() + STEP_PATIENCE;
        loop {
            self.print_new();
            let missing: Vec<&str> = self
                .parties
                .iter()
                .filter(|party| who.contains(&party.name.as_str()))
                .filter(|party| !party.told.iter().any(&wanted))
                .map(|party| party.name.as_str())
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("in vain waited for {}: {what}", missing.join(", ")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Prints what the phones told since the last time, in the order in which it happened.
    fn print_new(&mut self) {
        let mut new = Vec::new();
        for party in &mut self.parties {
            while let Some((at, event)) = party.phone.next_event(Duration::ZERO) {
                new.push((at, party.name.clone(), told(&event)));
                party.told.push(event);
            }
        }
        new.sort();
        for (at, name, text) in new {
            line(Some(at.saturating_duration_since(self.began)), &name, &text);
        }
    }
}

fn told(event: &PhoneEvent) -> String {
    match event {
        PhoneEvent::Registered => "is registered".into(),
        PhoneEvent::NotRegistered(status) => format!("was not let in ({status})"),
        PhoneEvent::Rings { shows } => format!("rings; the display says \"{shows}\""),
        PhoneEvent::StoppedRinging { reason } => match reason {
            Some(reason) => format!("stops ringing ({reason})"),
            None => "stops ringing".into(),
        },
        PhoneEvent::Ringback => "hears ringback".into(),
        PhoneEvent::Connected => "is connected".into(),
        PhoneEvent::Hears(sound) => format!("hears {sound}"),
        PhoneEvent::Refused(status) => format!("was refused ({status})"),
        PhoneEvent::HungUp => "the other side hung up".into(),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the timeline is what the command is for"
)]
fn line(after: Option<Duration>, who: &str, what: &str) {
    match after {
        Some(after) => println!("{:>8.3} s  {who:<8} {what}", after.as_secs_f64()),
        None => println!("{:>10}  {who:<8} {what}", ""),
    }
}

fn run_to_end(data: &Path, arguments: &[&str]) -> Result<(), String> {
    let status = program(data, arguments)?
        .status()
        .map_err(|error| cannot("start this program again", &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`centralita {}` failed", arguments.join(" ")))
    }
}

fn start_server(data: &Path, log: &Path) -> Result<Server, String> {
    let log = std::fs::File::create(log).map_err(|error| cannot("write a log", &error))?;
    program(data, &["serve"])?
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map(Server)
        .map_err(|error| cannot("start this program again", &error))
}

fn program(data: &Path, arguments: &[&str]) -> Result<Command, String> {
    let own = std::env::current_exe().map_err(|error| cannot("find this program", &error))?;
    let mut command = Command::new(own);
    command.arg("--data").arg(data).args(arguments);
    // The demonstration has a folder of its own, and nothing to do with anybody's database.
    command.env_remove(database::VARIABLE);
    Ok(command)
}

async fn wait_until_ready(data: &Path) -> Result<(), String> {
    let until = Instant::now() + START_PATIENCE;
    while Instant::now() < until {
        if let Ok(Some(Response::Status(_))) = control::request(data, &Request::Status).await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the server did not become ready in time".into())
}

/// A UDP and TCP port of loopback that nobody uses at the moment.
fn free_port() -> Result<u16, String> {
    let socket =
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| cannot("find a port", &error))?;
    let address = socket
        .local_addr()
        .map_err(|error| cannot("find a port", &error))?;
    Ok(address.port())
}

fn cannot(what: &str, error: &dyn std::fmt::Display) -> String {
    format!("cannot {what}: {error}")
}
