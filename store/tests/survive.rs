//! What was acknowledged survives `kill -9` of us or of the database, and a full disk.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "children speak to the test, and a test may panic"
)]

mod folder;
mod load;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use folder::{Folder, answered, start};
use load::{Load, Step, Told, assert_kept};
use postgres_for_tests::Cluster;
use store::{
    CallFilter, CallRow, Change, Changes, Engine, PostgresUrl, Store, StoreError, StoreOptions,
};

/// A data folder, or the address of a PostgreSQL database.
const CHILD_DATABASE: &str = "CENTRALITA_TEST_COMMITS";
const SQLITE_KILLS: u64 = 250;
const POSTGRES_KILLS: u64 = 250;
const POSTGRES_CRASHES: u64 = 40;

fn options(database: &str) -> StoreOptions {
    let options = if database.starts_with("postgres://") {
        let url = PostgresUrl::parse(database).unwrap();
        StoreOptions::new(Engine::Postgres { url })
    } else {
        StoreOptions::sqlite(database)
    };
    StoreOptions {
        audit_hash: Some(load::chain),
        ..options
    }
}

/// Runs only as a child: commits without end and says so after each.
#[tokio::test]
async fn commit_in_child() {
    let Ok(database) = std::env::var(CHILD_DATABASE) else {
        return;
    };
    let store = Store::open_with(options(&database)).await.unwrap();
    let worked = async {
        let mut load = Load::open(&store).await?;
        println!("open");
        loop {
            load.work(|line| println!("{line}")).await?;
        }
    };
    let refused: Result<(), StoreError> = worked.await;
    println!("refused: {}", refused.unwrap_err());
}

fn child(database: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commit_in_child", "--nocapture"])
        .env(CHILD_DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the child says from here to its end. A line that a kill cut in two is no acknowledgement.
fn listen(lines: &mut BufReader<ChildStdout>, acknowledged: &mut Told) {
    let mut said = String::new();
    lines.read_to_string(&mut said).unwrap();
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole
        .lines()
        .for_each(|line| load::note(acknowledged, line));
}

fn wait_until_open(lines: &mut BufReader<ChildStdout>) {
    let mut line = String::new();
    while !line.ends_with("open\n") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child opens");
    }
}

fn run_and_kill(database: &str, after: Duration, acknowledged: &mut Told) {
    let mut process = child(database);
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    wait_until_open(&mut lines);
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
    listen(&mut lines, acknowledged);
}

/// Looks into what the killed processes left.
async fn check(database: &str, acknowledged: &Told, at_least: usize) {
    for step in Step::ALL {
        let kept = acknowledged.get(&step).map_or(0, |numbers| numbers.len());
        assert!(
            kept >= at_least,
            "the children got to work: {step:?} {kept}"
        );
    }
    let store = Store::open_with(options(database)).await.unwrap();
    assert_kept(&store, acknowledged).await;
    store.close().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_kill_9() {
    let folder = Folder::new();
    let database = folder.data().to_str().unwrap().to_owned();
    let mut acknowledged = Told::default();
    for round in 0..SQLITE_KILLS {
        // Spread over the first 40 ms of work, in no regular order.
        let after = Duration::from_micros(round * 7_919 % 40_000);
        run_and_kill(&database, after, &mut acknowledged);
    }
    check(&database, &acknowledged, 100).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_kill_9_beside_postgres() {
    let cluster = Cluster::start();
    let database = cluster.new_database().await;
    let mut acknowledged = Told::default();
    for round in 0..POSTGRES_KILLS {
        let after = Duration::from_micros(round * 7_919 % 60_000);
        run_and_kill(&database, after, &mut acknowledged);
    }
    check(&database, &acknowledged, 100).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_postgres_was_killed() {
    let mut cluster = Cluster::start();
    let database = cluster.new_database().await;
    let mut acknowledged = Told::default();
    for round in 0..POSTGRES_CRASHES {
        let mut process = child(&database);
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        wait_until_open(&mut lines);
        std::thread::sleep(Duration::from_millis(50 + round * 37));
        cluster.crash();
        listen(&mut lines, &mut acknowledged);
        process.wait().unwrap();
        cluster.restart();
    }
    check(&database, &acknowledged, 20).await;
}

#[tokio::test]
async fn a_store_goes_on_by_itself_when_postgres_is_back() {
    let mut cluster = Cluster::start();
    let database = cluster.new_database().await;
    let store = Store::open_with(options(&database)).await.unwrap();
    let first = Change::CallStarted(start(1));
    store.commit(first.into()).await.unwrap();
    assert_eq!(store.unscoped().open_calls().await.unwrap().len(), 1);
    cluster.crash();
    let second = Changes::from(Change::CallStarted(start(2)));
    let refused = store.commit(second.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused:?}"
    );
    assert!(refused.is_passing());
    let refused = store.unscoped().open_calls().await.unwrap_err();
    assert!(refused.is_passing(), "{refused:?}");
    cluster.restart();
    store.commit(second).await.unwrap();
    assert_eq!(store.unscoped().open_calls().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_write_is_reported_and_harms_nothing() {
    let folder = Folder::new();
    // The shell's limit on the size of files stands for a full disk; units differ by shell.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 6000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "commit_in_child", "--nocapture"])
        .env(CHILD_DATABASE, folder.data());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("is full or refuses writes. Free some space"),
        "{said}"
    );
    let mut acknowledged = Told::default();
    said.lines()
        .filter(|line| !line.starts_with("refused"))
        .for_each(|line| load::note(&mut acknowledged, line));
    check(folder.data().to_str().unwrap(), &acknowledged, 10).await;
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
    assert!(refused.is_passing());
    assert!(kept > 50);
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let newest = store.unscoped().calls(None, &filter).await.unwrap();
    assert_eq!(newest, [CallRow::Ended(Box::new(answered(kept)))]);
    // What needs no room is kept.
    let removed = Change::BindingRemoved { id: 1 };
    store.commit(removed.into()).await.unwrap();
}

#[tokio::test]
async fn a_store_goes_on_by_itself_when_postgres_has_room_again() {
    let mut cluster = Cluster::start_on_disk(64);
    let database = cluster.new_database().await;
    let store = Store::open_with(options(&database)).await.unwrap();
    store
        .commit(Change::CallStarted(start(1)).into())
        .await
        .unwrap();
    cluster.fill_disk();
    let mut kept = 1;
    // Its files and its log have some room left.
    let (refused, waiting) = loop {
        let next = Changes::from(Change::CallStarted(start(kept + 1)));
        match store.commit(next.clone()).await {
            Ok(()) => kept += 1,
            Err(error) => break (error, next),
        }
    };
    assert!(refused.is_passing(), "{refused:?}");
    cluster.free_disk();
    store.commit(waiting).await.unwrap();
    let calls = store.unscoped().open_calls().await.unwrap();
    assert_eq!(u64::try_from(calls.len()).unwrap(), kept + 1);
}
