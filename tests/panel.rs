//! The panel beside the exchange: how its first admin gets in, and that calls do without it.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use centralita::control::{self, Request, Response, Status};
use centralita::hotline::{DemoPorts, demo_hotline};
use crypto::ReaderSecretKey;
use e2e::net::Net;
use web_api::{Tls, TlsSource};

const PATIENCE: Duration = Duration::from_secs(60);
const WEB_PORT: u16 = 8443;

/// A folder that is gone afterwards, and a box in it.
struct Installed {
    folder: PathBuf,
    web: SocketAddr,
}

impl Installed {
    fn new(name: &str) -> Self {
        let net = Net::new();
        let web = SocketAddr::new(net.server(), WEB_PORT);
        let folder = format!("centralita-test-panel-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let ports = DemoPorts {
            sip: net.sip().port(),
            rtp_first: 43_000,
            rtp_last: 43_199,
            metrics: None,
        };
        let key = ReaderSecretKey::generate().unwrap();
        let demo = demo_hotline(key.public_key(), ports).unwrap();
        let demo = demo
            .text
            .reveal()
            .replace("127.0.0.1", &web.ip().to_string());
        let text = format!("{demo}\n[web]\nlisten = \"{web}\"\n");
        let file = folder.join("hotline.toml");
        std::fs::write(&file, text).unwrap();
        let installed = Self { folder, web };
        let applied = installed
            .command(&["apply", file.to_str().unwrap()])
            .output();
        assert!(applied.unwrap().status.success());
        installed
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_centralita"));
        command.arg("--data").arg(self.data()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    fn serve(&self) -> Server {
        let log = File::create(self.log()).unwrap();
        let child = self.command(&["serve"]).stderr(log).spawn();
        Server(child.unwrap())
    }

    /// What the last one that was started has logged.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What a command that succeeds prints.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Server(Child);

impl Server {
    /// Its state, once it is ready.
    async fn status(&self, data: &Path) -> Status {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(Response::Status(status))) =
                control::request(data, &Request::Status).await
            {
                return *status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the box is not ready after {PATIENCE:?}");
    }

    /// SIGTERM; what it printed until its end.
    fn stop(mut self) -> Vec<String> {
        let id = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.unwrap().success());
        let printed = BufReader::new(self.0.stdout.take().unwrap());
        let lines = printed.lines().map(Result::unwrap).collect();
        assert!(self.0.wait().unwrap().success());
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_given_a_code_and_the_servers_authority() {
    let installed = Installed::new("code");
    let mut codes = Vec::new();
    for _ in 0..2 {
        let server = installed.serve();
        let status = server.status(&installed.data()).await;
        assert_eq!(status.panel_problem, None);
        assert!(TcpStream::connect(installed.web).is_ok());
        let printed = server.stop();
        let place = printed
            .iter()
            .position(|line| line.contains("no admin yet"));
        let origin = format!("https://{}", installed.web);
        let link = printed[place.unwrap() + 2].trim();
        let begun = link.strip_prefix(&format!("{origin}/#begin="));
        let (code, known_by) = begun.unwrap().split_once('~').unwrap();
        // By the key that the machine says elsewhere, too.
        let keys = installed.command(&["keys"]).output().unwrap();
        let keys = String::from_utf8(keys.stdout).unwrap();
        let log = keys.lines().find(|line| line.contains("/keys+")).unwrap();
        let unwritten = percent_encoding::percent_decode_str(known_by).decode_utf8();
        assert_eq!(unwritten.unwrap(), log.trim());
        assert!(
            printed.iter().any(|line| line.trim() == code),
            "{printed:?}"
        );
        codes.push(code.to_owned());
        let authority = installed.data().join("tls/authority.pem");
        let named = authority.display().to_string();
        assert!(
            printed.iter().any(|line| line.contains(&named)),
            "{printed:?}"
        );
        let pem = std::fs::read_to_string(authority).unwrap();
        assert!(pem.contains("BEGIN CERTIFICATE"), "{pem}");
        assert!(TcpStream::connect(installed.web).is_err(), "it is drained");
    }
    assert!(codes[0].len() > 10 && codes[0] != codes[1], "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_do_without_a_panel_whose_port_is_taken() {
    let installed = Installed::new("taken");
    let _other = TcpListener::bind(installed.web).unwrap();
    let server = installed.serve();
    let status = server.status(&installed.data()).await;
    let problem = status.panel_problem.unwrap();
    let port = installed.web.port().to_string();
    for words in [port.as_str(), "taken by another program", "[web]"] {
        assert!(problem.contains(words), "{problem}");
    }
    let doctor = installed.command(&["doctor"]).output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    let told = said
        .lines()
        .find(|line| line.contains("the panel is not served"));
    assert!(told.unwrap().starts_with("FAIL"), "{said}");
    let printed = server.stop();
    assert!(!printed.iter().any(|line| line.contains("no admin yet")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_has_ended_stops_no_panel_and_is_renewed_by_a_command() {
    let installed = Installed::new("ended");
    let refused = installed.command(&["authority", "--renew"]);
    let refused = { refused }.stderr(Stdio::piped()).output().unwrap();
    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && sentence.contains("there is no authority in"));

    let source = TlsSource::Local {
        folder: installed.data().join("tls"),
        names: vec![installed.web.ip().to_string()],
    };
    let made = Tls::open(source, "2010-03-01T12:00:00Z".parse().unwrap()).unwrap();
    let server = installed.serve();
    let status = server.status(&installed.data()).await;
    assert_eq!(status.panel_problem, None);
    assert!(TcpStream::connect(installed.web).is_ok());
    let logged = std::fs::read_to_string(installed.log()).unwrap();
    let warned = logged.lines().find(|line| line.contains("2020-03-01"));
    assert!(
        warned.unwrap().contains("centralita authority --renew"),
        "{logged}"
    );
    let doctor = installed.command(&["doctor"]).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let warned = doctor.lines().find(|line| line.contains("2020-03-01"));
    assert!(warned.unwrap().starts_with("warn"), "{doctor}");
    assert!(installed.said(&["authority"]).contains(&made.fingerprint()));

    let renewed = installed.said(&["authority", "--renew"]);
    let old = renewed.find(&made.fingerprint()).unwrap();
    assert!(renewed[..old].contains("Install the next one on every device"));
    let shown = installed.said(&["authority"]);
    let next = shown.lines().nth(2).unwrap();
    assert!(!shown.contains(&made.fingerprint()) && renewed.contains(next));
    assert!(!shown.contains("--renew"), "{shown}");
    server.stop();
    let server = installed.serve();
    server.status(&installed.data()).await;
    server.stop();
    let logged = std::fs::read_to_string(installed.log()).unwrap();
    assert!(!logged.contains("authority"), "{logged}");
}
