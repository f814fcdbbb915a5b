use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use routing::{CallId, HubId, RecordingId, VolunteerId};
use store::{AuditChain, CallFilter, CallRow, HubRow, UserId};

use super::*;
use crate::database;
use crate::serve::ingest::HubReaders;

const HUB: [u8; 16] = [7; 16];
const ANA: UserId = UserId([1; 16]);

fn folder(name: &str) -> PathBuf {
    let name = format!("centralita-records-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
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
    Notice::CallEnded(Box::new(CallRecord {
        call: CallId(1),
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

/// Somebody who is in the roster but whom the database does not know must cost no record.
#[tokio::test]
async fn a_contradiction_costs_only_the_row_that_contradicts() {
    let data = folder("contradiction");
    let store = Arc::new(database::open(&data).await.unwrap());
    let known = VaultChange::HubAdded(HubRow {
        id: store::HubId(HUB),
        name: "night".into(),
        created_at: Timestamp::UNIX_EPOCH,
    });
    store.commit(Change::from(known).into()).await.unwrap();
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
    assert_eq!(reader.unscoped().voicemails(None).await.unwrap().len(), 1);
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
