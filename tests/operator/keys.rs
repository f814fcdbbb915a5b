//! Key files that an operator lost or exchanged.

use std::fs;
use std::path::Path;

use crate::installed::{Installed, eventually, text};

/// What a start says that is refused.
fn refused(installed: &Installed, data: &Path) -> String {
    installed.refused(data, &["serve"])
}

/// It may have found other things, too.
fn doctor(installed: &Installed, data: &Path) -> String {
    let output = installed.command(data, &["doctor"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_told_and_no_other_one_is_used_before_it_is_given_up() {
    let installed = Installed::new("keys", 44_800);
    let data = installed.at("data");
    installed.run(&data, &["apply", &text(&installed.hotline_file())]);
    installed.serve(&data, None).await.stop();
    let (key, kept) = (data.join("caller-id.key"), installed.at("kept.key"));
    fs::rename(&key, &kept).unwrap();
    for said in [
        refused(&installed, &data),
        installed.refused(&data, &["ban", "demo", "+34600000000"]),
        doctor(&installed, &data),
    ] {
        assert!(said.contains("caller-id.key is missing"), "{said}");
        assert!(said.contains("Restore it from a backup"), "{said}");
    }
    assert!(!key.exists());
    let other = installed.at("other");
    installed.run(&other, &["apply", &text(&installed.hotline_file())]);
    installed.serve(&other, None).await.stop();
    fs::copy(other.join("caller-id.key"), &key).unwrap();
    let said = refused(&installed, &data);
    assert!(said.contains("holds another key"), "{said}");

    fs::copy(&kept, &key).unwrap();
    let said = installed.refused(&data, &["keys", "give-up", "caller-id", "--yes"]);
    assert!(said.contains("nothing to give up"), "{said}");
    installed.serve(&data, None).await.stop();

    fs::remove_file(&key).unwrap();
    let said = installed.refused(&data, &["keys", "give-up", "caller-id"]);
    assert!(
        said.contains("no ban would match") && said.contains("--yes"),
        "{said}"
    );
    installed.run(&data, &["keys", "give-up", "caller-id", "--yes"]);
    installed.serve(&data, None).await.stop();
    assert!(key.exists());
    let trail = installed.run(&data, &["audit", "list"]);
    assert_eq!(trail.matches("server-key-replaced").count(), 1, "{trail}");
}

/// A box that has run until a head of its trail was in its key log.
async fn begin_key_log(installed: &Installed, data: &Path) {
    installed.run(data, &["apply", &text(&installed.hotline_file())]);
    let server = installed.serve(data, None).await;
    eventually("a head in the key log", || {
        let said = installed.run(data, &["audit", "verify", "--hub", "installation"]);
        !said.contains("it has 0 heads")
    })
    .await;
    server.stop();
}

/// Calls need no key log, so they go on without one.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_key_log_cannot_be_signed_takes_calls_and_says_so() {
    let installed = Installed::new("log-key", 44_900);
    let data = installed.at("data");
    begin_key_log(&installed, &data).await;
    fs::remove_file(data.join("log.key")).unwrap();
    let server = installed.serve(&data, None).await;
    let status = server.wait(|_| true).await;
    let problem = status.panel_problem.unwrap();
    assert!(problem.contains("log.key is missing"), "{problem}");
    assert!(!data.join("log.key").exists());
    server.call_in_vain().await;
    eventually("the call", || {
        crate::installed::calls(&installed, &data) == 1
    })
    .await;
    let said = installed.refused(&data, &["keys", "give-up", "log", "--yes"]);
    assert!(said.contains("Stop it first"), "{said}");
    server.stop();
    installed.run(&data, &["keys", "give-up", "log", "--yes"]);
    let server = installed.serve(&data, None).await;
    let status = server.wait(|_| true).await;
    assert_eq!(status.panel_problem, None);
    server.stop();
    installed.run(&data, &["audit", "verify"]);
    // Whoever has the database and not the key of the log.
    let forged = installed.at("forged");
    begin_key_log(&installed, &forged).await;
    fs::copy(forged.join("centralita.db"), data.join("centralita.db")).unwrap();
    let said = installed.refused(&data, &["audit", "verify"]);
    assert!(
        said.contains("it is not what log.key signed last"),
        "{said}"
    );
}
