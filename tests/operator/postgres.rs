//! A box whose rows are in PostgreSQL, and what it does while that is gone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::installed::{Installed, calls, eventually, recovery_key, said, text};

const PASSWORD: &str = "s3cret-of-the-database";

/// A PostgreSQL of the test's own; ends with its pipe.
struct Postgres {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Postgres {
    /// With its address, which has a password although nobody asks for one.
    fn start() -> (Self, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-for-tests");
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut postgres = Self {
            orders: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        let url = postgres.answer();
        let with_password = url.replace('@', &format!(":{PASSWORD}@"));
        assert!(with_password.starts_with("postgres://"), "{url}");
        (postgres, with_password)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn order(&mut self, order: &str, expected: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        assert_eq!(self.answer(), expected);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_postgresql_is_gone_and_none_is_lost() {
    let (mut postgres, url) = Postgres::start();
    let installed = Installed::new("postgres", 44_000);
    let data = installed.at("data");
    let file = text(&installed.hotline_file());
    installed.run(&data, &["apply", &file, "--database", &url]);
    assert!(!data.join("centralita.db").exists());
    let address = data.join("database.url");
    assert_eq!(std::fs::metadata(&address).unwrap().mode() & 0o077, 0);
    // Named once; by the environment it works too.
    let again = installed.run(&data, &["apply", &file]);
    assert!(again.contains("nothing to change"), "{again}");
    let mut by_environment = installed.command(&data, &["audit", "list"]);
    by_environment.env("CENTRALITA_DATABASE", &url);
    let trail = said(by_environment);
    for kind in ["hotline-applied", "hub-added"] {
        assert!(trail.contains(kind), "{trail}");
    }
    let elsewhere = url.replace("127.0.0.1", "192.0.2.1");
    let refused = installed.refused(&data, &["calls", "--database", &elsewhere]);
    assert!(refused.contains("belongs to the database"), "{refused}");

    let server = installed.serve(&data, Some("log")).await;
    let second = installed.at("second");
    let in_use = installed.refused(&second, &["apply", &file, "--database", &url]);
    assert!(in_use.contains("in use by another centralita"), "{in_use}");
    assert!(!second.join("database.url").exists());
    // Its verdict is about the whole machine.
    let doctor = installed.command(&data, &["doctor"]).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let about = doctor.lines().find(|line| line.contains("PostgreSQL 1"));
    assert!(about.unwrap().starts_with("ok"), "{doctor}");
    server.call_in_vain().await;
    eventually("the first call", || calls(&installed, &data) == 1).await;

    postgres.order("crash", "gone");
    for _ in 0..2 {
        server.call_in_vain().await;
    }
    server.wait(|status| !status.database_ok).await;
    let status = installed.run(&data, &["status"]);
    assert!(status.contains("records wait in memory"), "{status}");
    let gone = installed.refused(&data, &["calls"]);
    assert!(gone.contains("cannot be reached"), "{gone}");
    let doctor = installed.command(&data, &["doctor"]).output().unwrap();
    assert!(!doctor.status.success());
    server.call_in_vain().await;

    postgres.order("start", "ready");
    server.wait(|status| status.database_ok).await;
    eventually("all four calls", || calls(&installed, &data) == 4).await;
    let hub = server.wait(|_| true).await.hubs.remove(0).id;
    server.stop();
    let trail = installed.run(&data, &["audit", "list", "--hub", &hub]);
    assert_eq!(trail.matches("call-missed").count(), 4, "{trail}");
    installed.run(&data, &["audit", "verify"]);
    assert_moves_out(&installed, &data, &url);
    let log = std::fs::read_to_string(installed.at("log")).unwrap();
    assert!(log.contains("facts wait in memory"));
    for shown in [&log, &status, &gone, &in_use, &refused] {
        assert!(!shown.contains(PASSWORD));
    }
}

/// The box in a folder of its own, by way of a backup; a database with rows takes none in.
fn assert_moves_out(installed: &Installed, data: &Path, url: &str) {
    let (key, backup) = (
        recovery_key(installed, data),
        text(&installed.at("box.backup")),
    );
    installed.run(data, &["backup", &backup]);
    let trail = installed.run(data, &["audit", "list"]);
    assert!(trail.contains("backup-made"), "{trail}");
    let other = installed.at("other");
    let into = ["restore", &backup, "--key", &key, "--database", url];
    let refused = installed.refused(&other, &into);
    assert!(refused.contains("holds data already"), "{refused}");
    assert!(!other.exists());
    let moved = installed.at("moved");
    installed.run(&moved, &["restore", &backup, "--key", &key]);
    assert!(moved.join("centralita.db").exists());
    assert!(!moved.join("database.url").exists());
    assert_eq!(calls(installed, &moved), 4);
    let kept = installed.refused(&moved, &["calls", "--database", url]);
    assert!(kept.contains("keeps its rows in itself"), "{kept}");
}
