//! A box is backed up while it runs, and goes on from the backup elsewhere.

use std::net::TcpStream;
use std::path::Path;

use media::tone::tone_level;

use crate::installed::{CALLER_HZ, Installed, calls, eventually, recovery_key, text};

/// Opens the one message there is, and finds the caller's tone in it.
fn assert_message_opens(installed: &Installed, data: &Path) {
    let listed = installed.run(data, &["voicemail"]);
    let [_, line] = listed.lines().collect::<Vec<_>>()[..] else {
        panic!("one message: {listed}");
    };
    let id = line.split_whitespace().next().unwrap();
    let (key, wav) = (text(&installed.reader_key()), installed.at("message.wav"));
    let out = text(&wav);
    installed.run(
        data,
        &["voicemail", "open", id, "--key", &key, "--out", &out],
    );
    let bytes = std::fs::read(wav).unwrap();
    let rate = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
    let samples = bytes[44..].chunks_exact(2);
    let pcm: Vec<i16> = samples.map(|s| i16::from_le_bytes([s[0], s[1]])).collect();
    let mut pieces = pcm.chunks_exact(rate as usize / 2);
    assert!(pieces.any(|piece| tone_level(piece, rate, f64::from(CALLER_HZ)) > 0.8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_goes_on_from_a_backup_made_while_it_ran() {
    let installed = Installed::new("backup", 44_200);
    let data = installed.at("data");
    let file = text(&installed.hotline_file());
    installed.run(&data, &["apply", &file]);
    let server = installed.serve(&data, None).await;
    let hub = server.wait(|_| true).await.hubs.remove(0).id;
    server.leave_a_message().await;
    for switch in ["on", "off"] {
        installed.run(&data, &["break", "v01", switch]);
    }
    // Live: only what differs is told, to the hub.
    let changed = std::fs::read_to_string(&file).unwrap();
    let changed = changed.replacen("[[hub]]\n", "[[hub]]\nwrap_up = 17\n", 1);
    let edited = installed.at("edited.toml");
    std::fs::write(&edited, &changed).unwrap();
    installed.run(&data, &["apply", &text(&edited)]);
    installed.run(&data, &["apply", &text(&edited)]);
    eventually("the message", || calls(&installed, &data) == 1).await;

    let key = recovery_key(&installed, &data);
    let backup = installed.at("box.backup");
    installed.run(&data, &["backup", &text(&backup)]);
    let trail = installed.run(&data, &["audit", "list"]);
    assert_eq!(trail.matches("hotline-applied").count(), 2, "{trail}");
    for kind in ["hub-added", "backup-made"] {
        assert_eq!(trail.matches(kind).count(), 1, "{kind}: {trail}");
    }
    let trail = installed.run(&data, &["audit", "list", "--hub", &hub]);
    let kinds: Vec<&str> = trail
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    for kind in [
        "call-missed",
        "voicemail-received",
        "volunteer-on-break",
        "volunteer-available",
        "call-settings-updated",
    ] {
        let count = kinds.iter().filter(|found| **found == kind).count();
        assert_eq!(count, 1, "{kind}: {trail}");
    }
    assert_eq!(kinds.len(), 5, "{trail}");
    server.stop();

    let new = installed.at("new");
    let mut damaged = std::fs::read(&backup).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let bad = installed.at("damaged.backup");
    std::fs::write(&bad, damaged).unwrap();
    let refused = installed.refused(&new, &["restore", &text(&bad), "--key", &key]);
    assert!(refused.contains("Take another copy"), "{refused}");
    assert!(!new.exists());

    let said = installed.run(&new, &["restore", &text(&backup), "--key", &key]);
    assert!(said.contains("centralita serve --data"), "{said}");
    assert!(said.contains("the key log is as it was at 20"), "{said}");
    assert!(said.contains("Remove my keys from this browser"), "{said}");
    let server = installed.serve(&new, None).await;
    assert_eq!(server.wait(|_| true).await.panel_problem, None);
    assert!(TcpStream::connect(installed.web).is_ok());
    assert_eq!(calls(&installed, &new), 1);
    assert_message_opens(&installed, &new);
    let verified = installed.run(&new, &["audit", "verify"]);
    assert_eq!(verified.matches(": sound").count(), 2, "{verified}");
    let trail = installed.run(&new, &["audit", "list"]);
    assert_eq!(trail.matches("backup-restored").count(), 1, "{trail}");
    let running = installed.refused(&new, &["audit", "expire", "--before", "1d"]);
    assert!(running.contains("in use"), "{running}");
    server.stop();
    let expired = installed.run(&new, &["audit", "expire", "--before", "1d"]);
    assert!(expired.contains("nothing is that old"), "{expired}");
}

/// Runs a script of SQL on the database of `data`, as whoever has the machine can.
fn tamper(data: &Path, sql: &str) {
    const SCRIPT: &str =
        "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let database = text(&data.join("centralita.db"));
    let mut python = std::process::Command::new("python3");
    let done = python.args(["-c", SCRIPT, &database, sql]).status();
    assert!(done.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_was_changed_is_neither_sound_nor_published() {
    let installed = Installed::new("trail", 44_300);
    let data = installed.at("data");
    let file = text(&installed.hotline_file());
    installed.run(&data, &["apply", &file]);
    let server = installed.serve(&data, None).await;
    let published = || {
        installed
            .run(&data, &["audit", "verify"])
            .contains("1 heads")
    };
    eventually("the heads in the key log", published).await;
    assert!(server.wait(|_| true).await.audit_problems.is_empty());
    server.stop();
    tamper(
        &data,
        "UPDATE audit SET kind = 30000 WHERE chain = zeroblob(16) AND seqno = 1",
    );
    let said = installed.run(&data, &["audit", "list"]);
    assert!(
        said.contains("unreadable") && said.contains("hub-added"),
        "{said}"
    );
    tamper(&data, "DELETE FROM audit; DELETE FROM audit_head");
    let said = installed.refused(&data, &["audit", "verify"]);
    assert!(said.contains("installation: "), "{said}");
    let server = installed.serve(&data, None).await;
    let status = server
        .wait(|status| !status.audit_problems.is_empty())
        .await;
    assert!(status.audit_problems[0].contains("the installation"));
    assert_eq!(status.panel_problem, None);
    server.stop();
}
