//! A box whose rows are in PostgreSQL, and what it does while that is gone.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use postgres_for_tests::Cluster;

use crate::installed::{Installed, calls, eventually, recovery_key, said, text};

const PASSWORD: &str = "s3cret-of-the-database";
/// Holds the database and little more.
const DISK_MEBIBYTES: u32 = 64;
const CALLS_AT_MOST: usize = 40;

/// With an address that has a password, although nobody asks for one.
fn with_password(postgres: &Cluster) -> String {
    postgres.url().replace('@', &format!(":{PASSWORD}@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_postgresql_is_gone_and_none_is_lost() {
    let mut postgres = Cluster::start();
    let url = with_password(&postgres);
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

    postgres.crash();
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

    postgres.restart();
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

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_time_when_postgresql_has_no_room_are_kept_once_there_is_some() {
    let mut postgres = Cluster::start_on_disk(DISK_MEBIBYTES);
    let url = with_password(&postgres);
    let installed = Installed::new("postgres-full", 44_100);
    let data = installed.at("data");
    let file = text(&installed.hotline_file());
    installed.run(&data, &["apply", &file, "--database", &url]);
    let server = installed.serve(&data, None).await;
    server.call_in_vain().await;
    eventually("the first call", || calls(&installed, &data) == 1).await;

    // So that the next row needs another page: what a page has left would take dozens of calls.
    let sql = "ALTER TABLE call SET (fillfactor = 10); ALTER TABLE audit SET (fillfactor = 10)";
    postgres.execute(sql).await;
    postgres.fill_disk();
    let mut made = 1;
    while server.wait(|_| true).await.database_ok {
        assert!(made < CALLS_AT_MOST, "PostgreSQL takes all");
        server.call_in_vain().await;
        made += 1;
    }
    for _ in 0..3 {
        server.call_in_vain().await;
        made += 1;
    }
    let status = installed.run(&data, &["status"]);
    assert!(status.contains("records wait in memory"), "{status}");

    postgres.free_disk();
    server.wait(|status| status.database_ok).await;
    eventually("all calls", || calls(&installed, &data) == made).await;
    let hub = server.wait(|_| true).await.hubs.remove(0).id;
    server.stop();
    let trail = installed.run(&data, &["audit", "list", "--hub", &hub]);
    assert_eq!(trail.matches("call-missed").count(), made, "{trail}");
    installed.run(&data, &["audit", "verify"]);
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
