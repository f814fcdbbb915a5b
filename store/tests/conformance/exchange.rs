//! What is committed is read back, also after the process is gone.

use std::time::Duration;

use crate::database::Database;
use crate::folder::{answered, at, start};
use crate::vault::{ADMIN, ANA, MESSAGES, NORTE, SUR, sealed, settled};
use store::{
    AuditChain, AuditKind, AuditSubject, BanFilter, BanRow, BindingRow, BreakRow, CallEnd,
    CallFilter, CallRow, CallStart, Caller, CallerHash, Change, Changes, HotlineBody, OutcomeClass,
    StoreError, Transport, VaultChange, VoicemailFilter, VoicemailStart,
};

fn binding(id: u64) -> BindingRow {
    BindingRow {
        id,
        account: "ana-desk".to_owned(),
        contact: "<sip:ana@192.0.2.7:5060>".to_owned(),
        instance: Some("<urn:uuid:1>".to_owned()),
        reg_id: Some(1),
        path: vec!["<sip:a;lr>".to_owned(), "<sip:b;lr>".to_owned()],
        transport: Transport::Tcp,
        local: ([127, 0, 0, 1], 5060).into(),
        remote: ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 5061).into(),
        call_id: "abc@phone".to_owned(),
        cseq: u32::MAX,
        expires_at: at(3600),
        user_agent: None,
    }
}

fn page(before: Option<u64>, limit: u32) -> CallFilter {
    CallFilter { before, limit }
}

pub async fn everything_is_there_after_reopening(database: Database) {
    let store = database.open().await;
    let message = CallEnd {
        voicemail: Some((2, Duration::from_millis(12_345))),
        rung: Vec::new(),
        answered_by: None,
        outcome: OutcomeClass::Voicemail,
        reason: None,
        ..answered(2)
    };
    let ban = BanRow {
        hub: "norte".to_owned(),
        caller: CallerHash([9; 32]),
        created_at: at(1),
        expires_at: Some(at(100)),
        reason: Some("threats".to_owned()),
    };
    let voicemail = VoicemailStart {
        recording: 2,
        hub: "norte".to_owned(),
        path: "voicemail/2".to_owned(),
        created_at: at(3),
    };
    let changes: Changes = [
        Change::CallStarted(start(1)),
        Change::CallEnded(Box::new(answered(1))),
        Change::CallEnded(Box::new(message.clone())),
        Change::CallStarted(start(3)),
        Change::VoicemailStarted(voicemail.clone()),
        Change::VoicemailCompleted {
            recording: 2,
            length: Duration::from_millis(12_345),
            header: Some(b"signed".to_vec()),
        },
        Change::BindingUpserted(Box::new(binding(u64::MAX))),
        Change::BindingUpserted(Box::new(binding(8))),
        Change::BindingRemoved { id: 8 },
        Change::HotlineApplied {
            hash: "aa".to_owned(),
            body: HotlineBody("{\"old\":true}".to_owned()),
            applied_at: at(0),
        },
        Change::HotlineApplied {
            hash: "bb".to_owned(),
            body: HotlineBody("{}".to_owned()),
            applied_at: at(4),
        },
        Change::BanAdded(ban.clone()),
        Change::BreakChanged {
            volunteer: "ben".to_owned(),
            since: Some(at(5)),
        },
        Change::Counted {
            counter: "calls",
            by: 3,
        },
    ]
    .into_iter()
    .collect();
    store.commit(changes).await.unwrap();
    store.close().await;

    let store = database.open().await;
    let reader = store.reader();
    assert_eq!(
        reader
            .unscoped()
            .calls(Some("norte"), &page(None, 10))
            .await
            .unwrap(),
        [
            CallRow::Open(start(3)),
            CallRow::Ended(Box::new(message)),
            CallRow::Ended(Box::new(answered(1))),
        ]
    );
    assert_eq!(reader.unscoped().open_calls().await.unwrap(), [start(3)]);
    assert_eq!(
        reader.unscoped().bindings().await.unwrap(),
        [binding(u64::MAX)]
    );
    let hotline = reader.unscoped().hotline().await.unwrap().unwrap();
    assert_eq!((hotline.revision, hotline.body.as_str()), (2, "{}"));
    assert_eq!(
        reader.unscoped().bans("norte", at(99)).await.unwrap(),
        [ban]
    );
    assert_eq!(reader.unscoped().bans("norte", at(100)).await.unwrap(), []);
    assert_eq!(reader.unscoped().bans("sur", at(99)).await.unwrap(), []);
    let breaks = reader.unscoped().breaks().await.unwrap();
    assert_eq!(
        breaks,
        [BreakRow {
            volunteer: "ben".to_owned(),
            since: at(5)
        }]
    );
    let voicemails = reader
        .unscoped()
        .voicemails(Some("norte"), MESSAGES)
        .await
        .unwrap();
    assert_eq!(voicemails.len(), 1);
    assert_eq!(voicemails[0].start, voicemail);
    assert_eq!(voicemails[0].length, Some(Duration::from_millis(12_345)));
    assert!(voicemails[0].complete);
    assert_eq!(voicemails[0].header.as_deref(), Some(&b"signed"[..]));
    assert_eq!(voicemails[0].heard_at, None);
    assert_eq!(
        reader
            .unscoped()
            .voicemails(Some("sur"), MESSAGES)
            .await
            .unwrap(),
        []
    );
    assert_eq!(reader.unscoped().counter("calls").await.unwrap(), 3);
    assert_eq!(reader.unscoped().counter("never").await.unwrap(), 0);
}

pub async fn a_commit_is_kept_whole_or_not_at_all(database: Database) {
    let store = database.open().await;
    store
        .commit(Change::CallEnded(Box::new(answered(1))).into())
        .await
        .unwrap();
    let mut changes = Changes::new();
    changes.push(Change::CallStarted(start(2)));
    changes.push(Change::BindingUpserted(Box::new(binding(1))));
    changes.push(Change::CallEnded(Box::new(CallEnd {
        outcome: OutcomeClass::Abandoned,
        ..answered(1)
    })));
    let refused = store.commit(changes).await;
    assert!(matches!(refused, Err(StoreError::AlreadyEnded { call: 1 })));
    let calls = store.unscoped().calls(None, &page(None, 10)).await.unwrap();
    assert_eq!(calls, [CallRow::Ended(Box::new(answered(1)))]);
    assert_eq!(store.unscoped().bindings().await.unwrap(), []);
}

pub async fn a_repeated_commit_changes_nothing(database: Database) {
    let store = database.open().await;
    for started_at in [at(1), at(2)] {
        let start = store::CallStart {
            started_at,
            ..start(1)
        };
        store
            .commit(Change::CallStarted(start).into())
            .await
            .unwrap();
    }
    assert_eq!(store.unscoped().open_calls().await.unwrap(), [start(1)]);
}

pub async fn calls_come_in_pages_and_by_hub(database: Database) {
    let store = database.open().await;
    for call in 1..=5 {
        let mut end = answered(call);
        if call % 2 == 0 {
            end.start.hub = None;
            end.start.caller = Caller::Anonymous;
        }
        store
            .commit(Change::CallEnded(Box::new(end)).into())
            .await
            .unwrap();
    }
    let ids = async |hub: Option<&str>, filter: CallFilter| {
        let rows = store.unscoped().calls(hub, &filter).await.unwrap();
        assert!(rows.iter().all(|row| match row {
            CallRow::Open(_) => false,
            CallRow::Ended(end) => end.rung.len() == 2 && end.rung[0].volunteer == "ana",
        }));
        rows.iter().map(|row| row.start().call).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, page(None, 2)).await, [5, 4]);
    assert_eq!(ids(None, page(Some(4), 2)).await, [3, 2]);
    assert_eq!(ids(Some("norte"), page(None, 9)).await, [5, 3, 1]);
    let fourth = store
        .unscoped()
        .calls(None, &page(Some(5), 1))
        .await
        .unwrap();
    assert_eq!(fourth[0].start().caller, Caller::Anonymous);
    assert_eq!(fourth[0].start().hub, None);
}

pub async fn calls_that_a_crash_cut_off_end_as_failed(database: Database) {
    let store = database.open().await;
    store
        .commit(
            [
                Change::CallStarted(start(1)),
                Change::CallEnded(Box::new(answered(2))),
            ]
            .into_iter()
            .collect(),
        )
        .await
        .unwrap();
    assert_eq!(store.close_crashed_calls(at(500)).await.unwrap(), [1]);
    assert_eq!(store.close_crashed_calls(at(501)).await.unwrap(), []);
    let calls = store.unscoped().calls(None, &page(None, 10)).await.unwrap();
    let CallRow::Ended(crashed) = &calls[1] else {
        panic!("a closed call is over");
    };
    assert_eq!(crashed.outcome, OutcomeClass::Failed);
    assert_eq!(crashed.reason.as_deref(), Some("crashed"));
    assert_eq!(crashed.ended_at, at(500));
    assert_eq!(calls[0], CallRow::Ended(Box::new(answered(2))));
}

pub async fn the_trail_tells_of_calls_that_a_crash_cut_off(database: Database) {
    let store = settled(&database).await;
    let of = |call, hub: Option<&str>| {
        let hub = hub.map(str::to_owned);
        Change::CallStarted(CallStart { hub, ..start(call) })
    };
    let changes = [
        of(1, Some("norte")),
        of(2, Some("norte")),
        of(3, Some("sur")),
        of(4, Some("nowhere")),
        of(5, None),
        Change::CallAnswered {
            call: 2,
            volunteer: "ana".to_owned(),
        },
    ];
    store.commit(changes.into_iter().collect()).await.unwrap();
    let closed = store.close_crashed_calls(at(500)).await.unwrap();
    assert_eq!(closed, [1, 2, 3, 4, 5]);
    store.close_crashed_calls(at(501)).await.unwrap();
    let told = async |hub| {
        let trail = AuditChain::Hub(hub);
        let rows = store.unscoped().audit_trail(trail, 0, 9).await.unwrap();
        let told = rows.into_iter().map(|row| {
            assert_eq!((row.entry.at, row.entry.actor), (at(500), None));
            (row.entry.kind, row.entry.subject)
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        told(NORTE).await,
        [
            (AuditKind::CallMissed, AuditSubject::Call(1)),
            (AuditKind::CallEnded, AuditSubject::Call(2)),
        ]
    );
    let missed = (AuditKind::CallMissed, AuditSubject::Call(3));
    assert_eq!(told(SUR).await, [missed]);
    assert_eq!(store.unscoped().audit_heads().await.unwrap().len(), 2);
}

pub async fn call_ids_are_never_given_twice(database: Database) {
    let store = database.open().await;
    assert_eq!(store.allocate_call_ids(100).await.unwrap(), 1);
    assert_eq!(store.allocate_call_ids(1).await.unwrap(), 101);
    store.close().await;
    let store = database.open().await;
    assert_eq!(store.allocate_call_ids(100).await.unwrap(), 102);
}

pub async fn a_listing_can_be_read_beside_the_server(database: Database) {
    let store = database.open().await;
    let reader = database.reader().await;
    store
        .commit(Change::CallStarted(start(1)).into())
        .await
        .unwrap();
    assert_eq!(reader.unscoped().open_calls().await.unwrap(), [start(1)]);
    store.close().await;
    reader.close().await;
    let reader = database.reader().await;
    assert_eq!(reader.unscoped().open_calls().await.unwrap(), [start(1)]);
    reader.check_integrity().await.unwrap();
}

pub async fn messages_come_in_pages(database: Database) {
    let store = settled(&database).await;
    let mut changes = Changes::new();
    for recording in 1..=5 {
        changes.push(Change::VoicemailStarted(VoicemailStart {
            recording,
            hub: if recording == 3 { "sur" } else { "norte" }.to_owned(),
            path: format!("voicemail/{recording}"),
            created_at: at(1),
        }));
        changes.push(VaultChange::VoicemailReaderSet {
            recording,
            user: ADMIN,
            wrap: Some(sealed("wrap")),
        });
    }
    store.commit(changes).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let page = async |before| {
        let filter = VoicemailFilter { before, limit: 2 };
        let rows = admin.voicemails(filter).await.unwrap();
        rows.iter()
            .map(|row| row.start.recording)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, [5, 4]);
    assert_eq!(page(Some(4)).await, [2, 1]);
    assert_eq!(page(Some(1)).await, []);
    assert_eq!(page(Some(u64::MAX)).await, [5, 4]);
    let wraps = admin.my_voicemail(2, 4).await.unwrap();
    let wraps = wraps.iter().map(|(recording, _)| *recording);
    assert_eq!(wraps.collect::<Vec<_>>(), [4, 2], "those of the page");
}

pub async fn bans_come_in_pages(database: Database) {
    let store = settled(&database).await;
    let mut changes = Changes::new();
    for (byte, hub, second) in [
        (9, "norte", 1),
        (3, "norte", 2),
        (0, "norte", 2),
        (4, "sur", 2),
        (5, "norte", 2),
        (2, "norte", 2),
        (1, "norte", 3),
    ] {
        changes.push(Change::BanAdded(BanRow {
            hub: hub.to_owned(),
            caller: CallerHash([byte; 32]),
            created_at: at(second),
            expires_at: (byte == 3).then(|| at(9)),
            reason: None,
        }));
    }
    store.commit(changes).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let page = async |since: Option<i64>, after: Option<u8>, now| {
        let filter = BanFilter {
            at: at(now),
            since: since.map(at),
            after: after.map(|byte| CallerHash([byte; 32])),
            limit: 2,
        };
        let rows = admin.bans(filter).await.unwrap();
        rows.iter().map(|row| row.caller.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(page(None, None, 8).await, [9, 0]);
    assert_eq!(page(Some(2), Some(0), 8).await, [2, 3]);
    assert_eq!(page(Some(2), Some(0), 9).await, [2, 5], "one has ended");
    assert_eq!(page(Some(2), Some(3), 8).await, [5, 1]);
    assert_eq!(page(Some(2), None, 8).await, [0, 2]);
    assert_eq!(page(Some(3), None, 8).await, [1]);
    assert_eq!(page(Some(3), Some(1), 8).await, []);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let refused = ana.bans(BanFilter::default()).await;
    assert!(matches!(refused, Err(StoreError::NotAllowed)));
    let all = store.unscoped().bans("norte", at(8)).await.unwrap();
    assert_eq!(all.len(), 6, "the router has all of them");
}
