use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use routing::{CallId, HubId, RecordingId, VolunteerId};
use store::{
    AuditChain, BindingRow, CallFilter, CallRow, HubRow, Transport, UserId, VoicemailFilter,
};

use super::*;
use crate::backup::tests::Postgres;
use crate::database::{self, DataFolder};
use crate::serve::ingest::HubReaders;

const HUB: [u8; 16] = [7; 16];
const ANA: UserId = UserId([1; 16]);

fn folder(name: &str) -> PathBuf {
    let name = format!("centralita-records-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// A database that knows the hub.
async fn with_hub(data: &Path) -> Arc<Store> {
    let store = Arc::new(database::open(data).await.unwrap());
    let known = VaultChange::HubAdded(HubRow {
        id: store::HubId(HUB),
        name: "night".into(),
        created_at: Timestamp::UNIX_EPOCH,
    });
    store.commit(Change::from(known).into()).await.unwrap();
    store
}

fn hub() -> HubId {
    HubId::new("night")
}

fn ingest(hear: Vec<crypto::identity::Reader>) -> Ingest {
    let readers = HubReaders {
        hub: crypto::HubId::from_bytes(HUB),
        call_back: Vec::new(),
        hear,
        voicemail: Vec::new(),
    };
    Ingest {
        hubs: BTreeMap::from([(hub(), readers)]),
        people: BTreeMap::from([(VolunteerId::new("ana"), ANA)]),
    }
}

fn ended(outcome: Outcome, voicemail: Option<u64>) -> Notice {
    ended_call(1, outcome, voicemail)
}

fn ended_call(call: u64, outcome: Outcome, voicemail: Option<u64>) -> Notice {
    Notice::CallEnded(Box::new(CallRecord {
        call: CallId(call),
        hub: Some(hub()),
        trunk: None,
        caller: CallerTag::Anonymous,
        started_at: Timestamp::UNIX_EPOCH,
        until_ring: None,
        wait: Duration::ZERO,
        talk: Duration::ZERO,
        voicemail: voicemail.map(|recording| (RecordingId(recording), Duration::from_secs(4))),
        rung: Vec::new(),
        answered_by: None,
        outcome,
        broke_off: None,
    }))
}

fn told(notice: &Notice) -> Vec<AuditEntry> {
    let facts = fact_of(notice, None, &ingest(Vec::new()), Timestamp::UNIX_EPOCH);
    let told = facts.changes.into_iter().filter_map(|change| match change {
        Change::Audited(entry) => Some(entry),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_trail_tells_what_became_of_a_call() {
    let answered = Notice::CallAnswered {
        call: CallId(1),
        hub: hub(),
        volunteer: VolunteerId::new("ana"),
    };
    let [entry] = told(&answered)[..] else {
        panic!("one entry for an answer");
    };
    assert_eq!(entry.chain, AuditChain::Hub(store::HubId(HUB)));
    assert_eq!(entry.kind, AuditKind::CallAnswered);
    assert_eq!(entry.actor, Some(ANA));
    assert_eq!(entry.subject, AuditSubject::Call(1));

    let kinds = |outcome, voicemail| -> Vec<(AuditKind, AuditSubject)> {
        let told = told(&ended(outcome, voicemail)).into_iter();
        told.map(|entry| (entry.kind, entry.subject)).collect()
    };
    let call = AuditSubject::Call(1);
    assert_eq!(
        kinds(Outcome::Answered, None),
        [(AuditKind::CallEnded, call)]
    );
    assert_eq!(
        kinds(Outcome::Abandoned, None),
        [(AuditKind::CallMissed, call)]
    );
    assert_eq!(
        kinds(Outcome::Voicemail, Some(9)),
        [
            (AuditKind::CallMissed, call),
            (AuditKind::VoicemailReceived, AuditSubject::Recording(9))
        ]
    );
}

/// Whoever reports a call while it goes on must be known to have the caller.
#[tokio::test]
async fn who_has_a_caller_is_kept_while_they_talk() {
    let data = folder("talks");
    let store = with_hub(&data).await;
    let (mut keeper, _kept, writer) = Keeper::start(Arc::clone(&store), Arc::new(Metrics::new()));
    let ingest = Ingest {
        people: BTreeMap::new(),
        ..ingest(Vec::new())
    };
    let started = Notice::CallStarted {
        call: CallId(1),
        hub: Some(hub()),
        trunk: None,
        caller: CallerTag::Anonymous,
        at: Timestamp::UNIX_EPOCH,
    };
    let answered = Notice::CallAnswered {
        call: CallId(1),
        hub: hub(),
        volunteer: VolunteerId::new("ana"),
    };
    for notice in [started, answered] {
        keeper.keep(fact_of(&notice, None, &ingest, Timestamp::UNIX_EPOCH));
    }
    keeper.finish().await;
    tokio::time::timeout(Duration::from_secs(20), writer)
        .await
        .expect("the writer ends after the last fact")
        .unwrap();
    // What is kept of an open call shows once it is closed.
    let at = Timestamp::UNIX_EPOCH;
    assert_eq!(store.close_crashed_calls(at).await.unwrap(), [1]);
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let calls = store.unscoped().calls(None, &filter).await.unwrap();
    let [CallRow::Ended(end)] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!(end.answered_by.as_deref(), Some("ana"));
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}

/// Somebody who is in the roster but whom the database does not know must cost no record.
#[tokio::test]
async fn a_contradiction_costs_only_the_row_that_contradicts() {
    let data = folder("contradiction");
    let store = with_hub(&data).await;
    let (mut keeper, mut kept, writer) =
        Keeper::start(Arc::clone(&store), Arc::new(Metrics::new()));
    let secret = crypto::ReaderSecretKey::generate().unwrap();
    let stranger = crypto::identity::Reader {
        user: crypto::UserId::from_bytes([5; 16]),
        generation: 1,
        key: *secret.public_key(),
    };
    let ingest = ingest(vec![stranger]);
    let begun = Notice::VoicemailStarted {
        call: CallId(1),
        recording: RecordingId(9),
        hub: hub(),
    };
    for notice in [begun, ended(Outcome::Voicemail, Some(9))] {
        keeper.keep(fact_of(&notice, None, &ingest, Timestamp::UNIX_EPOCH));
    }
    keeper.finish().await;
    tokio::time::timeout(Duration::from_secs(20), writer)
        .await
        .expect("the writer does not try for ever")
        .unwrap();

    // Whoever looks at the hub is told to look again.
    let seen = [KeptHere::Call, KeptHere::Message].map(|what| (store::HubId(HUB), what));
    assert_eq!(kept.recv().await, Some(BTreeSet::from(seen)));

    let reader = store.reader();
    let page = VoicemailFilter {
        before: None,
        limit: 10,
    };
    assert_eq!(
        reader
            .unscoped()
            .voicemails(None, page)
            .await
            .unwrap()
            .len(),
        1
    );
    let filter = CallFilter {
        limit: 10,
        ..CallFilter::default()
    };
    let calls = reader.unscoped().calls(None, &filter).await.unwrap();
    assert!(matches!(calls[..], [CallRow::Ended(_)]));
    let chain = AuditChain::Hub(store::HubId(HUB));
    let whole = reader
        .unscoped()
        .verify_audit(chain, crypto::audit::entry_hash, None);
    assert_eq!(whole.await.unwrap().unwrap().verified, 2);
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}

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

#[tokio::test]
async fn what_happens_while_the_database_refuses_is_kept_afterwards() {
    const CALLS: u64 = 2_000;
    let data = folder("refuses");
    let store = with_hub(&data).await;
    let metrics = Arc::new(Metrics::new());
    let (mut keeper, _kept, writer) = Keeper::start(Arc::clone(&store), Arc::clone(&metrics));
    let ingest = ingest(Vec::new());
    let fact = |call| {
        let ended = ended_call(call, Outcome::Abandoned, None);
        fact_of(&ended, None, &ingest, Timestamp::UNIX_EPOCH)
    };
    let lock = Lock::take(&data.join("centralita.db"));
    keeper.keep(fact(1));
    let refused = async {
        while metrics.database_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused)
        .await
        .expect("it is told that nothing can be written");
    // More than the queue to the writer holds.
    for call in 2..=CALLS {
        keeper.keep(fact(call));
    }
    assert!(metrics.facts_waiting.get() > 0, "the rest waits in memory");
    drop(lock);
    keeper.finish().await;
    tokio::time::timeout(Duration::from_secs(60), writer)
        .await
        .expect("the writer ends after the last fact")
        .unwrap();

    assert!(metrics.database_ok());
    let mut filter = CallFilter {
        limit: 1_000,
        ..CallFilter::default()
    };
    let mut found = Vec::new();
    loop {
        let page = store.unscoped().calls(None, &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.start().call);
        found.extend(page.iter().map(|row| row.start().call));
    }
    assert!(found.into_iter().rev().eq(1..=CALLS), "each of them, once");
    let chain = AuditChain::Hub(store::HubId(HUB));
    let whole = store.unscoped();
    let whole = whole.verify_audit(chain, crypto::audit::entry_hash, None);
    assert_eq!(whole.await.unwrap().unwrap().verified, CALLS);
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}

/// As after a commit whose answer was lost.
#[tokio::test]
async fn an_end_that_is_told_twice_is_kept_once() {
    let data = folder("twice");
    let store = Arc::new(database::open(&data).await.unwrap());
    let ended = ended(Outcome::Abandoned, None);
    let ingest = Ingest::default();
    let fact = fact_of(&ended, None, &ingest, Timestamp::UNIX_EPOCH);
    for _ in 0..2 {
        kept(&store, [fact.clone()]).await;
    }
    let trail = store
        .unscoped()
        .audit_trail(AuditChain::Installation, 0, 10);
    assert_eq!(trail.await.unwrap().len(), 1);
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}

/// Keeps facts as a server does from its start to its end; what it counted meanwhile.
async fn kept(store: &Arc<Store>, facts: impl IntoIterator<Item = Fact>) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new());
    let (mut keeper, _kept, writer) = Keeper::start(Arc::clone(store), Arc::clone(&metrics));
    for fact in facts {
        keeper.keep(fact);
    }
    keeper.finish().await;
    ends(writer).await;
    metrics
}

async fn ends(writer: tokio::task::JoinHandle<()>) {
    tokio::time::timeout(Duration::from_secs(60), writer)
        .await
        .expect("the writer ends after the last fact")
        .unwrap();
}

/// A call that is over, with its entry of the trail.
fn call_fact(call: u64) -> Fact {
    let ended = ended_call(call, Outcome::Abandoned, None);
    fact_of(&ended, None, &ingest(Vec::new()), Timestamp::UNIX_EPOCH)
}

async fn kept_calls(store: &Store) -> Vec<u64> {
    let filter = CallFilter {
        limit: 100,
        ..CallFilter::default()
    };
    let calls = store.unscoped().calls(None, &filter).await.unwrap();
    calls.iter().map(|row| row.start().call).collect()
}

fn registration(id: u64, user_agent: &str) -> Change {
    let address = ([192, 0, 2, 1], 5060).into();
    Change::BindingUpserted(Box::new(BindingRow {
        id,
        account: "ana".into(),
        contact: "sip:ana@192.0.2.7".into(),
        instance: None,
        reg_id: None,
        path: Vec::new(),
        transport: Transport::Udp,
        local: address,
        remote: address,
        call_id: "reg".into(),
        cseq: 1,
        expires_at: Timestamp::UNIX_EPOCH,
        user_agent: Some(user_agent.into()),
    }))
}

/// Calls, and registrations of which the database refuses one, alone and beside a call.
async fn assert_only_what_is_refused_is_left_out(store: &Arc<Store>, refused: &str) {
    let mut beside = call_fact(2);
    beside.changes.insert(0, registration(1, refused));
    let facts = [
        call_fact(1),
        Fact::from([registration(2, refused)]),
        beside,
        Fact::from([registration(3, "a phone")]),
        call_fact(3),
    ];
    let metrics = kept(store, facts).await;
    assert_eq!(kept_calls(store).await, [3, 2, 1]);
    let bindings = store.unscoped().bindings().await.unwrap();
    let bindings: Vec<u64> = bindings.iter().map(|row| row.id).collect();
    assert_eq!(bindings, [3]);
    assert_eq!(metrics.facts_left_out.get(), 2);
    assert!(metrics.database_ok());
}

/// Lets another program change the database.
fn execute(data: &Path, sql: &str) {
    let program = "import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n\
        database.executescript(sys.argv[2])";
    let mut python = Command::new("python3");
    python.args(["-c", program]).arg(data.join("centralita.db"));
    assert!(python.arg(sql).status().unwrap().success());
}

#[tokio::test]
async fn a_fact_that_the_database_refuses_holds_up_no_other() {
    let data = folder("refused");
    let store = with_hub(&data).await;
    execute(
        &data,
        "CREATE TRIGGER refuse BEFORE INSERT ON binding WHEN new.user_agent = 'refused' \
         BEGIN SELECT RAISE(ABORT, 'refused'); END;",
    );
    assert_only_what_is_refused_is_left_out(&store, "refused").await;
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}

/// It takes no NUL in a text.
#[tokio::test]
async fn a_fact_that_postgresql_refuses_holds_up_no_other() {
    let (data, server) = (folder("postgres"), Postgres::start());
    let known = DataFolder::find(&data, Some(&server.1)).unwrap();
    let store = Arc::new(known.open().await.unwrap());
    assert_only_what_is_refused_is_left_out(&store, "a\0b").await;
    drop(store);
    let _ = std::fs::remove_dir_all(data);
}

#[tokio::test]
async fn nothing_is_left_out_while_the_database_as_a_whole_refuses() {
    let data = folder("refuses-all");
    let store = with_hub(&data).await;
    let refuse = |table| {
        let when = format!("CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table}");
        execute(
            &data,
            &format!("{when} BEGIN SELECT RAISE(ABORT, 'no'); END;"),
        );
    };
    refuse("call");
    refuse("counter");
    let metrics = Arc::new(Metrics::new());
    let (mut keeper, _kept, writer) = Keeper::start(Arc::clone(&store), Arc::clone(&metrics));
    keeper.keep(call_fact(1));
    keeper.keep(call_fact(2));
    // Longer than facts are tried together.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!metrics.database_ok());
    execute(
        &data,
        "DROP TRIGGER refuse_call; DROP TRIGGER refuse_counter;",
    );
    keeper.finish().await;
    ends(writer).await;
    assert_eq!(kept_calls(&store).await, [2, 1]);
    assert_eq!(metrics.facts_left_out.get(), 0);
    assert!(metrics.database_ok());
    drop(store);
    std::fs::remove_dir_all(data).unwrap();
}
