//! A database that takes no writes for a while.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use protocol::{Me, Problem};

use crate::client::{Answer, Server};

const HOLD_SQLITE: &str = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN IMMEDIATE')
print('taken', flush=True)
sys.stdin.read()";

/// Another program that keeps everybody from writing, until it is dropped.
struct Lock(Child);

impl Lock {
    fn take(server: &Server) -> Self {
        match &server.postgres {
            Some(url) => Self::run(
                Command::new("psql").args(["-qAt", url]),
                b"BEGIN; LOCK TABLE session IN EXCLUSIVE MODE; SELECT 'taken';\n",
            ),
            None => Self::run(
                Command::new("python3")
                    .args(["-c", HOLD_SQLITE])
                    .arg(server.folder.join("centralita.db")),
                b"",
            ),
        }
    }

    fn run(command: &mut Command, input: &[u8]) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(input).unwrap();
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
    let lock = Lock::take(&server);
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
