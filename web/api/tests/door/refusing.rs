//! A database that takes no writes for a while.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use protocol::{Me, Problem};

use crate::client::{Answer, Server};

/// Another program that has the database for itself, until it is dropped.
struct Lock(Child);

impl Lock {
    fn take(database: &Path) -> Self {
        let program = "import sqlite3, sys\n\
            database = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            database.execute('BEGIN IMMEDIATE')\n\
            print('taken', flush=True)\n\
            sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut said).unwrap();
        assert_eq!(said, "taken\n");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[track_caller]
fn assert_told_to_wait(answer: &Answer) {
    assert_eq!(answer.refused(), (503, "unavailable".into()));
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        problem.detail,
        "nothing can be saved right now; try again soon"
    );
}

#[tokio::test]
async fn people_are_told_to_wait_and_nothing_they_hold_is_spent() {
    let server = Server::start().await;
    let mut admin = server.admin().await;
    let token = admin.tokens.refresh.clone();
    let lock = Lock::take(&server.folder.join("centralita.db"));
    assert_told_to_wait(&admin.refresh_with(&token).await);
    assert_told_to_wait(&admin.logout().await);
    // What is there can still be read.
    let me: Me = admin.get("/me").await.json();
    assert_eq!(me.session, admin.tokens.session);
    drop(lock);
    // The token that could not be exchanged is good, and nobody takes it for stolen.
    admin.refresh().await;
    let me: Me = admin.get("/me").await.json();
    assert_eq!(me.session, admin.tokens.session);
    admin.logout().await.done();
}
