//! The server has its key log confirmed by witnesses that others run.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

#[path = "witness/support.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use centralita::witness::publish::{KeyLog, Pace, Publisher, PublisherError, WitnessAddress};
use crypto::identity::ChainHead;
use crypto::transparency::{
    Client, Leaf, Log, LogSigner, NoteName, Proof, SignedCheckpoint, Subject, WitnessKey,
};
use crypto::{OsEntropy, SigningKey, UserId};
use support::{Folder, Witness};
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(60);
const DAY_S: u64 = 86_400;

/// A key log as the server has one.
struct Server {
    signer: LogSigner,
    log: Mutex<Log>,
    newest: watch::Sender<Option<SignedCheckpoint>>,
}

impl Server {
    fn new() -> Arc<Self> {
        let origin = NoteName::new("hotline.example/keys").unwrap();
        let signing = SigningKey::generate_with(&mut OsEntropy).unwrap();
        Arc::new(Self {
            signer: LogSigner::new(origin.clone(), signing),
            log: Mutex::new(Log::new(origin)),
            newest: watch::Sender::new(None),
        })
    }

    fn key(&self) -> String {
        self.signer.key().to_string()
    }

    /// Somebody's keys change.
    fn grow(&self, byte: u8) {
        let mut log = self.log.lock().unwrap();
        let (seqno, hash) = (1, [byte; 32]);
        let subject = Subject::User(UserId::from_bytes([byte; 16]));
        let head = ChainHead { seqno, hash };
        log.append(Leaf { subject, head });
        self.newest.send_replace(Some(log.sign(&self.signer)));
    }

    fn published(&self) -> Option<SignedCheckpoint> {
        self.newest.borrow().clone()
    }

    /// Waits until a client that wants these witnesses believes the newest state.
    async fn believed_by(&self, witnesses: &[WitnessKey]) {
        let mut client = Client::new(
            self.signer.key().clone(),
            witnesses.to_vec(),
            witnesses.len(),
        )
        .unwrap();
        let mut newest = self.newest.subscribe();
        let believed = newest.wait_for(|newest| {
            let newest = newest.as_ref().unwrap().as_str();
            client
                .accept(newest, &Proof::default(), now_s(), DAY_S)
                .is_ok()
        });
        tokio::time::timeout(PATIENCE, believed)
            .await
            .unwrap()
            .unwrap();
    }

    fn lines_of(&self, witness: &WitnessAddress) -> usize {
        let published = self.published().unwrap();
        let name = format!(" {} ", witness.key.name());
        published.as_str().matches(&name).count()
    }
}

impl KeyLog for Server {
    fn checkpoints(&self) -> watch::Receiver<Option<SignedCheckpoint>> {
        self.newest.subscribe()
    }

    async fn request(&self, old: u64) -> Option<String> {
        let newest = self.published()?;
        Some(self.log.lock().unwrap().request(old, &newest)?.to_body())
    }

    async fn keep(&self, size: u64, lines: &str) -> Result<(), String> {
        self.newest.send_if_modified(|newest| {
            let signed = newest.as_mut().unwrap();
            let asked = signed.checkpoint().size == size;
            if asked {
                *signed = signed.with_cosignatures(lines).unwrap();
            }
            asked
        });
        Ok(())
    }
}

fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn address(witness: &Witness) -> WitnessAddress {
    format!("{} {}", witness.key, witness.url())
        .parse()
        .unwrap()
}

/// Publishes with short pauses until the test ends.
fn publish(server: &Arc<Server>, witnesses: &[&WitnessAddress], refresh: Duration) {
    let witnesses = witnesses.iter().map(|witness| (*witness).clone()).collect();
    let pace = Pace {
        refresh,
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
    };
    let publisher = Publisher::new(witnesses, Path::new("/nonexistent")).unwrap();
    tokio::spawn(publisher.with_pace(pace).run(server.clone()));
}

const RARELY: Duration = Duration::from_secs(3_600);

/// Answers every request with `content`.
fn impostor(content: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 65_536];
            let _ = stream.read(&mut request);
            let length = content.len();
            let front = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all((front + &content).as_bytes());
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_is_confirmed_although_some_witnesses_are_bad() {
    let (server, folders) = (Server::new(), [Folder::new("one"), Folder::new("two")]);
    let start = |folder, name| Witness::start(folder, &["--name", name, "--log", &server.key()]);
    let running = [
        start(&folders[0], "one.example"),
        start(&folders[1], "two.example"),
    ];
    let [one, two] = [address(&running[0]), address(&running[1])];
    // One is away, one repeats the log's own line, one never stops talking.
    let [mut away, mut liar, mut endless] = [one.clone(), one.clone(), one.clone()];
    server.grow(0);
    let line = server
        .published()
        .unwrap()
        .as_str()
        .lines()
        .last()
        .unwrap()
        .to_owned();
    away.url = "http://127.0.0.1:1".to_owned();
    liar.url = impostor(line + "\n");
    endless.url = impostor("x".repeat(1 << 20));
    publish(&server, &[&away, &liar, &endless, &two, &one], RARELY);
    for byte in 1..6 {
        server
            .believed_by(&[one.key.clone(), two.key.clone()])
            .await;
        assert_eq!((server.lines_of(&one), server.lines_of(&two)), (1, 1));
        server.grow(byte);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_was_away_catches_up() {
    let (server, folder) = (Server::new(), Folder::new("away"));
    let witness = Witness::start(&folder, &["--name", "one.example", "--log", &server.key()]);
    let (listen, known) = (format!("127.0.0.1:{}", witness.port), address(&witness));
    server.grow(0);
    publish(&server, &[&known], RARELY);
    server.believed_by(std::slice::from_ref(&known.key)).await;
    witness.kill();
    (1..20).for_each(|byte| server.grow(byte));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.lines_of(&known), 0);
    let _witness = Witness::start(&folder, &["--listen", &listen]);
    server.believed_by(std::slice::from_ref(&known.key)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_state_is_confirmed_again() {
    let (server, folder) = (Server::new(), Folder::new("again"));
    let witness = Witness::start(&folder, &["--name", "one.example", "--log", &server.key()]);
    let known = address(&witness);
    server.grow(0);
    publish(&server, &[&known], Duration::from_millis(200));
    server.believed_by(std::slice::from_ref(&known.key)).await;
    let first = server.published();
    let mut newest = server.newest.subscribe();
    let renewed = newest.wait_for(|newest| *newest != first);
    tokio::time::timeout(PATIENCE, renewed)
        .await
        .unwrap()
        .unwrap();
    server.believed_by(std::slice::from_ref(&known.key)).await;
    assert_eq!(server.lines_of(&known), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_entries_gets_no_confirmation() {
    let (server, folder) = (Server::new(), Folder::new("lost"));
    let witness = Witness::start(&folder, &["--name", "one.example", "--log", &server.key()]);
    let known = address(&witness);
    (0..5).for_each(|byte| server.grow(byte));
    publish(&server, &[&known], RARELY);
    server.believed_by(std::slice::from_ref(&known.key)).await;
    // An old backup; first shorter, then as long, then longer, and never the same.
    *server.log.lock().unwrap() = Log::new(server.signer.key().name().clone());
    for byte in 100..110 {
        server.grow(byte);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(server.lines_of(&known), 0, "{byte}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_only_trusted_certificates_count() {
    let (server, folder) = (Server::new(), Folder::new("tls"));
    let witness = Witness::start(&folder, &["--name", "one.example", "--log", &server.key()]);
    let [roots, others] = ["roots.pem", "others.pem"].map(|name| folder.0.join(name));
    let proxy = TlsProxy::start(witness.port, &roots);
    let _elsewhere = TlsProxy::start(witness.port, &others);
    let known = format!("{} https://localhost:{}", witness.key, proxy.port);
    let known: WitnessAddress = known.parse().unwrap();
    server.grow(0);
    let distrusting = Publisher::new(vec![known.clone()], &others).unwrap();
    let distrusting = tokio::spawn(distrusting.run(server.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.lines_of(&known), 0);
    distrusting.abort();
    let publisher = Publisher::new(vec![known.clone()], &roots).unwrap();
    tokio::spawn(publisher.run(server.clone()));
    server.believed_by(std::slice::from_ref(&known.key)).await;
}

/// Python's TLS in front of a witness, with a certificate of its own.
struct TlsProxy {
    process: Child,
    port: u16,
}

impl TlsProxy {
    fn start(behind: u16, certificate: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("CENTRALITA_TEST_VENV");
        let venv = venv.map_or_else(|| root.join(".venv"), PathBuf::from);
        let mut process = Command::new(venv.join("bin/python"))
            .arg("-B")
            .arg(root.join("tests/witness/tls_proxy.py"))
            .arg(behind.to_string())
            .arg(certificate)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap();
        Self { process, port }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_no_witness_is_refused_with_what_to_write() {
    let folder = Folder::new("addresses");
    let server = Server::new();
    let witness = Witness::start(&folder, &["--name", "one.example", "--log", &server.key()]);
    let key = &witness.key;
    for bad in [
        String::new(),
        key.clone(),
        format!("{key} "),
        format!("{key} witness.example"),
        format!("{key} ftp://witness.example"),
        format!("{} https://witness.example", server.key()),
        format!("https://witness.example {key}"),
    ] {
        let refused = bad.parse::<WitnessAddress>().unwrap_err();
        assert!(refused.to_string().contains("write its key"), "{refused}");
    }
    let good: WitnessAddress = format!("{key} https://witness.example/a/").parse().unwrap();
    assert_eq!(good.url, "https://witness.example/a");
    let missing = Publisher::new(vec![good.clone()], Path::new("/nonexistent"));
    assert!(matches!(missing, Err(PublisherError::Roots { .. })));
    let empty = folder.0.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let empty = Publisher::new(vec![good], &empty);
    assert!(matches!(empty, Err(PublisherError::Roots { .. })));
}
