//! What was acknowledged survives `kill -9` and a full disk.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "children speak to the test, and a test may panic"
)]

mod folder;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use folder::{Folder, answered, start};
use store::{CallFilter, CallRow, Change, Changes, Store, StoreError, StoreOptions};

const CHILD_FOLDER: &str = "CENTRALITA_TEST_COMMITS";
const KILLS: u64 = 30;

/// Runs only as a child: commits calls without end and says so after each.
#[tokio::test]
async fn commit_in_child() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let store = Store::open(folder.as_ref()).await.unwrap();
    println!("open");
    loop {
        if let Err(error) = commit_one(&store).await {
            println!("refused: {error}");
            return;
        }
    }
}

async fn commit_one(store: &Store) -> Result<(), StoreError> {
    let call = store.allocate_call_ids(1).await?;
    store
        .commit(Change::CallStarted(start(call)).into())
        .await?;
    println!("started {call}");
    store
        .commit(Change::CallEnded(Box::new(answered(call))).into())
        .await?;
    println!("ended {call}");
    Ok(())
}

/// What a child acknowledged.
#[derive(Default)]
struct Acknowledged {
    started: Vec<u64>,
    ended: Vec<u64>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let number = |text: &str| text.trim().parse().unwrap();
        if let Some((_, call)) = line.split_once("started ") {
            self.started.push(number(call));
        } else if let Some((_, call)) = line.split_once("ended ") {
            self.ended.push(number(call));
        }
    }
}

fn child(folder: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "commit_in_child", "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    child
}

fn run_and_kill(folder: &Path, after: Duration, acknowledged: &mut Acknowledged) {
    let mut process = child(folder).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("open\n") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child opens");
    }
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
    let mut said = String::new();
    lines.read_to_string(&mut said).unwrap();
    // A line that the kill cut in two is no acknowledgement.
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole.lines().for_each(|line| acknowledged.note(line));
}

async fn assert_kept(folder: &Path, acknowledged: &Acknowledged) {
    let store = Store::open(folder).await.unwrap();
    for &call in &acknowledged.started {
        let filter = CallFilter {
            hub: None,
            before: Some(call + 1),
            limit: 1,
        };
        let rows = store.reader().calls(&filter).await.unwrap();
        let row = rows.first().filter(|row| row.start().call == call);
        let row = row.unwrap_or_else(|| panic!("call {call} was acknowledged and is gone"));
        if acknowledged.ended.contains(&call) {
            assert_eq!(*row, CallRow::Ended(Box::new(answered(call))));
        }
    }
    store.close().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_kill_9() {
    let folder = Folder::new();
    let mut acknowledged = Acknowledged::default();
    for round in 0..KILLS {
        // Spread over the first 40 ms of work, in no regular order.
        let after = Duration::from_micros(round * 7_919 % 40_000);
        run_and_kill(&folder.data(), after, &mut acknowledged);
    }
    assert!(acknowledged.ended.len() > 30, "the children got to work");
    assert_kept(&folder.data(), &acknowledged).await;
}

#[tokio::test]
async fn a_refused_write_is_reported_and_harms_nothing() {
    let folder = Folder::new();
    // The shell's limit on the size of files stands for a full disk; units differ by shell.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "commit_in_child", "--nocapture"])
        .env(CHILD_FOLDER, folder.data());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("is full or refuses writes. Free some space"),
        "{said}"
    );
    let mut acknowledged = Acknowledged::default();
    said.lines()
        .filter(|line| !line.starts_with("refused"))
        .for_each(|line| acknowledged.note(line));
    assert!(acknowledged.ended.len() > 10);
    assert_kept(&folder.data(), &acknowledged).await;
}

#[tokio::test]
async fn a_full_database_refuses_the_whole_commit_and_goes_on_reading() {
    let folder = Folder::new();
    let options = StoreOptions {
        max_bytes: Some(600 * 1024),
        ..StoreOptions::sqlite(folder.data())
    };
    let store = Store::open_with(options).await.unwrap();
    let mut kept = 0;
    let refused = loop {
        let pair: Changes = [
            Change::CallStarted(start(kept + 1)),
            Change::CallEnded(Box::new(answered(kept + 1))),
        ]
        .into_iter()
        .collect();
        match store.commit(pair).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused}");
    assert!(kept > 50);
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let newest = store.reader().calls(&filter).await.unwrap();
    assert_eq!(newest, [CallRow::Ended(Box::new(answered(kept)))]);
}
