//! `centralita witness` as a log meets it: over HTTP, through crashes.
//!
//! The log is `tests/witness/log.py`, which knows the C2SP pages and nothing of
//! our code.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

#[path = "witness/support.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Folder, Witness, command, complaint};

const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "partner.example";

/// The log in Python.
struct Log {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    key: String,
}

impl Log {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("CENTRALITA_TEST_VENV");
        let venv = venv.map_or_else(|| root.join(".venv"), PathBuf::from);
        let mut process = Command::new(venv.join("bin/python"))
            .arg("-B")
            .arg(root.join("tests/witness/log.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Self {
            to: process.stdin.take().unwrap(),
            from: BufReader::new(process.stdout.take().unwrap()),
            process,
            key: String::new(),
        };
        log.key = log.say(json!({"do": "key"}))["key"]
            .as_str()
            .unwrap()
            .into();
        log
    }

    fn say(&mut self, command: Value) -> Value {
        writeln!(self.to, "{command}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Asks to confirm; `more` is what is unusual about it.
    fn ask(&mut self, witness: &Witness, old: u64, size: u64, more: Value) -> Value {
        let mut command = json!({
            "do": "ask", "port": witness.port, "witness": witness.key, "old": old, "size": size,
        });
        let unusual = more.as_object().cloned().unwrap_or_default();
        command.as_object_mut().unwrap().extend(unusual);
        self.say(command)
    }

    fn status(&mut self, witness: &Witness, old: u64, size: u64, more: Value) -> i64 {
        self.ask(witness, old, size, more)["status"]
            .as_i64()
            .unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn normal() -> Value {
    json!({})
}

#[test]
fn growth_is_confirmed_and_remembered_over_restarts() {
    let (folder, mut log) = (Folder::new("growth"), Log::start());
    let witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    assert!(witness.key.starts_with("partner.example+"));
    assert!(witness.said.contains("hotline.example/keys"));
    for (old, size) in [(0, 0), (0, 1), (1, 2), (2, 7), (7, 7), (7, 64), (64, 1_000)] {
        let answer = log.ask(&witness, old, size, normal());
        assert_eq!(answer["status"], 200, "{old} to {size}: {answer}");
    }
    let key = witness.key.clone();
    witness.kill();
    // Neither name nor log is needed again.
    let witness = Witness::start(&folder, &[]);
    assert_eq!(witness.key, key);
    assert!(witness.said.contains("1000 entries"), "{}", witness.said);
    assert_eq!(log.status(&witness, 0, 2_000, normal()), 409);
    assert_eq!(log.status(&witness, 1_000, 2_000, normal()), 200);
}

#[test]
fn each_refusal_has_the_status_of_the_specification() {
    let (folder, mut log) = (Folder::new("refusals"), Log::start());
    let witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    assert_eq!(log.status(&witness, 0, 10, normal()), 200);
    let raw = |text: &str| json!({ "raw": text });
    for (old, size, more, status) in [
        // Rollback, overtaken, another root at the same size, a fork, a bad proof.
        (5, 9, normal(), 409),
        (0, 20, normal(), 409),
        (11, 20, normal(), 409),
        (10, 10, json!({"fork": 9}), 409),
        (10, 20, json!({"fork": 9}), 422),
        (10, 20, json!({"spoil": "proof"}), 422),
        (10, 9, normal(), 400),
        (10, 20, json!({"spoil": "signature"}), 403),
        (10, 20, json!({"spoil": "unsigned"}), 403),
        (0, 20, json!({"origin": "stranger.example/keys"}), 404),
        (10, 20, raw(""), 400),
        (10, 20, raw("old 10\n"), 400),
        (10, 20, raw("old 010\n\nhotline.example/keys\n20\n"), 400),
        (10, 20, raw(&"x".repeat(1 << 20)), 413),
        (10, 20, json!({"path": "/elsewhere"}), 404),
        (10, 20, json!({"method": "PUT"}), 405),
    ] {
        let answer = log.ask(&witness, old, size, more.clone());
        assert_eq!(answer["status"], status, "{old} to {size} {more}: {answer}");
        if status == 409 {
            assert_eq!(answer["type"], "text/x.tlog.size");
            assert_eq!(answer["body"], "10\n");
        }
    }
    // None of it has changed anything.
    assert_eq!(log.status(&witness, 10, 20, normal()), 200);
}

#[test]
fn killed_between_storing_and_answering_it_signs_no_fork() {
    let (folder, mut log) = (Folder::new("killed"), Log::start());
    let mut witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    assert_eq!(log.status(&witness, 0, 10, normal()), 200);
    for size in 11..31 {
        let stored = fs::read(folder.file("state.json")).unwrap();
        // Nobody reads the answer; the state is on the disk before it.
        log.ask(&witness, size - 1, size, json!({"deaf": true}));
        let until = Instant::now() + PATIENCE;
        while fs::read(folder.file("state.json")).unwrap() == stored {
            assert!(Instant::now() < until, "nothing was stored");
        }
        witness.kill();
        witness = Witness::start(&folder, &[]);
        let fork = json!({"fork": size - 1});
        assert_eq!(log.status(&witness, size - 1, size, fork.clone()), 409);
        assert_eq!(log.status(&witness, size, size, fork), 409);
        assert_eq!(log.status(&witness, size, size, normal()), 200);
    }
}

#[test]
fn killed_at_any_time_it_remembers_what_it_confirmed() {
    let (folder, mut log) = (Folder::new("killed-anytime"), Log::start());
    let mut witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    let (mut confirmed, mut asked) = (0, 0);
    for round in 1..=20 {
        // Some are confirmed in peace, then the connection breaks.
        let mut killer = None;
        for number in 0.. {
            if number == round {
                killer = Some(kill_soon(&witness, Duration::from_micros(170 * round)));
            }
            asked = confirmed + 1;
            match log.status(&witness, confirmed, asked, normal()) {
                200 => confirmed = asked,
                -1 => break,
                other => panic!("status {other}"),
            }
        }
        assert!(killer.unwrap().join().unwrap().success());
        witness.kill();
        witness = Witness::start(&folder, &[]);
        // It knows what it confirmed, or the one that it was asked last.
        let answer = log.ask(&witness, asked + 1, asked + 1, normal());
        let known: u64 = answer["body"].as_str().unwrap().trim().parse().unwrap();
        assert!(
            known == confirmed || known == asked,
            "{known} of {confirmed}"
        );
        if known > 0 {
            let fork = json!({"fork": known - 1});
            assert_eq!(log.status(&witness, known, known, fork.clone()), 409);
            assert_eq!(log.status(&witness, known, known + 9, fork), 422);
        }
        confirmed = known;
    }
}

/// SIGKILL from elsewhere, in the middle of whatever it does then.
fn kill_soon(witness: &Witness, pause: Duration) -> JoinHandle<ExitStatus> {
    let process = witness.process.id().to_string();
    std::thread::spawn(move || {
        std::thread::sleep(pause);
        Command::new("kill")
            .args(["-9", &process])
            .status()
            .unwrap()
    })
}

#[test]
fn a_bad_day_gets_one_clear_sentence() {
    let (folder, log) = (Folder::new("bad-day"), Log::start());
    assert!(complaint(&folder, &[]).contains("--name"));
    let broken = format!("{}x", log.key);
    let help = command(&folder, &["--log", &broken]).output().unwrap();
    assert!(
        String::from_utf8(help.stderr)
            .unwrap()
            .contains("copy the whole line")
    );

    let witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    assert!(complaint(&folder, &[]).contains("in use by another witness"));
    let elsewhere = Folder::new("bad-day-elsewhere");
    let address = format!("127.0.0.1:{}", witness.port);
    let mut taken = Command::new(env!("CARGO_BIN_EXE_centralita"));
    taken.args(["witness", "--name", NAME, "--listen", &address, "--data"]);
    let taken = taken.arg(&elsewhere.0).output().unwrap();
    let taken = String::from_utf8(taken.stderr).unwrap();
    assert!(
        taken.contains(&address) && taken.contains("--listen"),
        "{taken}"
    );
    witness.kill();

    assert!(complaint(&folder, &["--name", "other.example"]).contains("called partner.example"));
    let impostor = Log::start();
    assert!(complaint(&folder, &["--log", &impostor.key]).contains("another key"));

    let state = folder.file("state.json");
    let whole = fs::read(&state).unwrap();
    for damaged in [
        vec![],
        whole[..whole.len() / 2].to_vec(),
        b"{\"version\": 2, \"logs\": []}".to_vec(),
        b"{\"version\": 1}".to_vec(),
        String::from_utf8(whole.clone())
            .unwrap()
            .replace("\"latest\"", "\"later\"")
            .into(),
        String::from_utf8(whole.clone())
            .unwrap()
            .replace(",\n      \"latest\": null", "")
            .into(),
    ] {
        assert_ne!(damaged, whole);
        fs::write(&state, damaged).unwrap();
        let sentence = complaint(&folder, &[]);
        assert!(
            sentence.contains("is damaged") && sentence.contains("new witness"),
            "{sentence}"
        );
    }
    fs::remove_file(&state).unwrap();
    let sentence = complaint(&folder, &["--name", NAME, "--log", &log.key]);
    assert!(
        sentence.contains("is missing") && sentence.contains("new witness"),
        "{sentence}"
    );
    fs::write(&state, &whole).unwrap();
    let key = folder.file("key");
    fs::write(&key, "nonsense").unwrap();
    assert!(complaint(&folder, &[]).contains("holds no witness key"));
    fs::remove_file(&key).unwrap();
    let sentence = complaint(&folder, &["--name", NAME]);
    assert!(sentence.contains("without a key"), "{sentence}");
}

#[test]
fn a_checkpoint_in_the_state_that_was_altered_is_noticed() {
    let (folder, mut log) = (Folder::new("altered"), Log::start());
    let witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    assert_eq!(log.status(&witness, 0, 10, normal()), 200);
    witness.kill();
    let state = folder.file("state.json");
    let text = fs::read_to_string(&state).unwrap();
    fs::write(&state, text.replace("\\n10\\n", "\\n11\\n")).unwrap();
    assert!(complaint(&folder, &[]).contains("not signed"));
}

#[test]
fn silent_and_endless_visitors_do_not_keep_others_out() {
    let (folder, mut log) = (Folder::new("visitors"), Log::start());
    let witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    let open = || TcpStream::connect(("127.0.0.1", witness.port)).unwrap();
    let silent: Vec<TcpStream> = (0..60).map(|_| open()).collect();
    let mut slow = open();
    slow.write_all(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nold")
        .unwrap();
    assert_eq!(log.status(&witness, 0, 10, normal()), 200);
    // The slow one is told, the silent ones are hung up on.
    let mut answer = String::new();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    for mut silent in silent {
        silent.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        silent.read_to_end(&mut rest).unwrap();
    }
    assert_eq!(log.status(&witness, 10, 11, normal()), 200);
}

#[test]
fn it_ends_when_it_is_asked_to() {
    let (folder, log) = (Folder::new("ends"), Log::start());
    let mut witness = Witness::start(&folder, &["--name", NAME, "--log", &log.key]);
    let process = witness.process.id().to_string();
    Command::new("kill").arg(&process).status().unwrap();
    assert!(witness.process.wait().unwrap().success());
}
