//! What is forgotten is gone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use store::{
    BanRow, CallEnd, CallFilter, CallRow, CallStart, Caller, CallerHash, Change, Changes, Erasure,
    HotlinePlan, HubKeyRow, LoginChange, MemberRow, RecordId, RecordRow, Role, Sealed, Store,
    StoreError, Token, UserId, UserStatus, VaultChange, Visibility, VoicemailStart,
};

use crate::attachment::{record, uploaded};
use crate::database::Database;
use crate::folder::{answered, at, start};
use crate::vault::{
    ADMIN, ALL, ANA, BEN, EVE, MESSAGES, NORTE, SUR, added, forgotten, keep, note, refused, sealed,
    session, settled,
};

const CALLER: CallerHash = CallerHash([7; 32]);

pub async fn an_erased_caller_is_in_no_call(database: Database) {
    let store = settled(&database).await;
    let mut changes = Changes::new();
    for call in [1, 2, 3] {
        let mut end = answered(call);
        if call == 2 {
            end.start.caller = Caller::Known(CallerHash([8; 32]));
        }
        changes.push(Change::CallEnded(Box::new(end)));
        changes.push(VaultChange::CallerSealed {
            call,
            sealed: Sealed(b"number".to_vec()),
        });
    }
    let ban = BanRow {
        hub: "norte".to_owned(),
        caller: CALLER,
        created_at: at(1),
        expires_at: None,
        reason: None,
    };
    changes.push(Change::BanAdded(ban.clone()));
    store.commit(changes).await.unwrap();
    let erase = |hub: Option<&str>, keep_bans| {
        Change::Erased(Erasure::Caller {
            caller: CALLER,
            hub: hub.map(str::to_owned),
            keep_bans,
        })
    };
    let known = async || {
        let filter = CallFilter {
            limit: 9,
            ..CallFilter::default()
        };
        let calls = store.unscoped().calls(None, &filter).await.unwrap();
        let known = calls
            .iter()
            .filter(|c| c.start().caller != Caller::Anonymous);
        known.map(|c| c.start().call).collect::<Vec<_>>()
    };
    store
        .commit(erase(Some("sur"), false).into())
        .await
        .unwrap();
    assert_eq!(known().await, [3, 2, 1]);
    store
        .commit(erase(Some("norte"), true).into())
        .await
        .unwrap();
    assert_eq!(known().await, [2]);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.caller_of(1).await.unwrap(), None);
    assert!(admin.caller_of(2).await.unwrap().is_some());
    assert_eq!(store.unscoped().bans("norte", at(2)).await.unwrap(), [ban]);
    store.commit(erase(None, false).into()).await.unwrap();
    assert_eq!(store.unscoped().bans("norte", at(2)).await.unwrap(), []);
    store.scrub().await.unwrap();
}

/// A message of a caller; `whole` unless a crash cut its call off.
fn message(call: u64, hub: &str, caller: u8, whole: bool) -> Changes {
    let start = CallStart {
        hub: Some(hub.to_owned()),
        caller: Caller::Known(CallerHash([caller; 32])),
        ..start(call)
    };
    let mut changes = Changes::from(Change::CallStarted(start.clone()));
    changes.push(Change::VoicemailStarted(VoicemailStart {
        recording: call,
        hub: hub.to_owned(),
        path: format!("voicemail/{call}.sealed"),
        created_at: at(1),
    }));
    changes.push(VaultChange::VoicemailReaderSet {
        recording: call,
        user: ADMIN,
        wrap: None,
    });
    if whole {
        let mut end = answered(call);
        end.start = start;
        end.voicemail = Some((call, Duration::from_secs(4)));
        changes.push(Change::CallEnded(Box::new(end)));
    }
    changes
}

pub async fn the_messages_of_an_erased_caller_are_deleted(database: Database) {
    let store = settled(&database).await;
    for changes in [
        message(1, "norte", 7, true),
        message(2, "norte", 8, true),
        message(3, "sur", 7, true),
        message(4, "norte", 7, false),
    ] {
        store.commit(changes).await.unwrap();
    }
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let numbers = |rows: Vec<store::VoicemailRow>| {
        let numbers = rows.into_iter().map(|row| row.start.recording);
        numbers.collect::<Vec<_>>()
    };
    let theirs = numbers(admin.voicemails_of(CALLER).await.unwrap());
    assert_eq!(theirs, [1, 4]);
    let refused = ana.voicemails_of(CALLER).await;
    assert!(matches!(refused, Err(StoreError::NotAllowed)));
    let erase = |hub: Option<&str>| {
        Change::Erased(Erasure::Caller {
            caller: CALLER,
            hub: hub.map(str::to_owned),
            keep_bans: true,
        })
    };
    store.commit(erase(Some("norte")).into()).await.unwrap();
    let left = store.unscoped().voicemails(None, MESSAGES).await.unwrap();
    assert_eq!(numbers(left), [3, 2]);
    let readers = "SELECT count(*) FROM voicemail_reader";
    assert_eq!(database.number(readers).await, 2);
    store.commit(erase(None).into()).await.unwrap();
    let left = store.unscoped().voicemails(None, MESSAGES).await.unwrap();
    assert_eq!(numbers(left), [2]);
    store.scrub().await.unwrap();
}

pub async fn a_caller_who_is_erased_while_calling_stays_so(database: Database) {
    let store = settled(&database).await;
    keep(&store, Change::CallStarted(start(1))).await.unwrap();
    let erasure = Erasure::Caller {
        caller: CALLER,
        hub: Some("norte".to_owned()),
        keep_bans: false,
    };
    keep(&store, Change::Erased(erasure)).await.unwrap();
    let end = Change::CallEnded(Box::new(answered(1)));
    keep(&store, end).await.unwrap();
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let calls = store.unscoped().calls(None, &filter).await.unwrap();
    assert_eq!(calls[0].start().caller, Caller::Anonymous);
}

pub async fn an_erased_record_leaves_a_tombstone(database: Database) {
    let store = settled(&database).await;
    let word = store::Token {
        field: 1,
        word: [1; 16],
    };
    for revision in [1, 2] {
        let change = added(note(NORTE, 1, revision, ANA), &[word]);
        keep(&store, change).await.unwrap();
    }
    let record = RecordId([1; 16]);
    let erasure = |record| {
        Change::Erased(Erasure::Record {
            hub: NORTE,
            record,
            tombstone: Sealed(b"signed".to_vec()),
            at: at(9),
        })
    };
    let missing = store.commit(erasure(RecordId([2; 16])).into()).await;
    assert!(matches!(missing, Err(StoreError::Conflict { .. })));
    store.commit(erasure(record).into()).await.unwrap();
    store.commit(erasure(record).into()).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let rows = admin.record(record).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.sealed.is_none()));
    assert_eq!(admin.search([word; 8], None, 10).await.unwrap(), []);
    let tombstone = admin.tombstone(record).await.unwrap();
    assert_eq!(tombstone.map(|left| left.record), Some(record));
    let other = RecordId([2; 16]);
    assert_eq!(admin.tombstone(other).await.unwrap(), None);
    let revived = keep(&store, added(note(NORTE, 1, 3, ANA), &[])).await;
    assert!(matches!(revived, Err(StoreError::Conflict { .. })));
}

pub async fn an_erased_person_cannot_come_back(database: Database) {
    let store = settled(&database).await;
    let mut changes: Changes = Change::CallEnded(Box::new(answered(1))).into();
    changes.push(LoginChange::SessionOpened(session(ANA)));
    changes.push(added(note(NORTE, 1, 1, ANA), &[]));
    // Who has left the hotline file was in calls all the same.
    let file = |volunteers: &[&str]| {
        let volunteers = volunteers.iter().map(|name| (*name).to_owned());
        Change::HotlinePlanned(Box::new(HotlinePlan {
            hubs: Vec::new(),
            volunteers: volunteers.collect(),
        }))
    };
    changes.push(file(&["ana", "ben"]));
    changes.push(Change::AccountLinked {
        volunteer: "ana".to_owned(),
        user: Some(ANA),
    });
    changes.push(file(&["ben"]));
    store.commit(changes).await.unwrap();
    refused(&store, Erasure::User { user: ANA }).await;
    assert!(store.scope(ANA, NORTE).await.is_ok());
    store.commit(forgotten(ANA)).await.unwrap();
    let accounts = store.unscoped().phone_accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    let reader = store.reader();
    let ana = reader.user(ANA).await.unwrap().unwrap();
    assert_eq!((ana.status, ana.profile), (UserStatus::Erased, None));
    let token = session(ANA).access;
    assert_eq!(reader.session(token, at(4)).await.unwrap(), None);
    assert!(store.scope(ANA, NORTE).await.is_err());
    assert_eq!(reader.memberships(ANA).await.unwrap(), []);
    let filter = CallFilter {
        limit: 9,
        ..CallFilter::default()
    };
    let calls = format!(
        "{:?}",
        reader.unscoped().calls(None, &filter).await.unwrap()
    );
    assert!(!calls.contains("\"ana\""), "{calls}");
    assert!(calls.contains("\"ben\""), "{calls}");
    for change in [
        Change::from(VaultChange::ActiveChanged {
            user: ANA,
            active: true,
        }),
        Change::from(VaultChange::ProfileChanged {
            user: ANA,
            profile: Sealed(vec![1]),
        }),
        Change::from(LoginChange::SessionOpened(session(ANA))),
    ] {
        refused(&store, change).await;
    }
    // What she wrote for others stays theirs to read.
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let rows = admin.record(RecordId([1; 16])).await.unwrap();
    assert!(rows[0].sealed.is_some());
}

/// What is kept of the call 1, whose end the exchange tells of after an erasure, of which it knows
/// nothing: who answered, and who was rung.
async fn ended_after(store: &Store, erased: UserId, taken: bool) -> (Option<String>, Vec<String>) {
    let end = answered(1);
    let mut changes: Changes = Change::HotlinePlanned(Box::new(HotlinePlan {
        hubs: Vec::new(),
        volunteers: vec!["ana".to_owned(), "ben".to_owned()],
    }))
    .into();
    for (volunteer, user) in [("ana", ANA), ("ben", BEN)] {
        changes.push(Change::AccountLinked {
            volunteer: volunteer.to_owned(),
            user: Some(user),
        });
    }
    changes.push(Change::CallStarted(end.start.clone()));
    if taken {
        changes.push(Change::CallAnswered {
            call: 1,
            volunteer: "ana".to_owned(),
        });
    }
    store.commit(changes).await.unwrap();
    store.commit(forgotten(erased)).await.unwrap();
    let rung = rung_in(store, end).await;
    (newest(store).await.answered_by, rung)
}

/// Who was rung, by the records, in a call that ends now.
async fn rung_in(store: &Store, end: CallEnd) -> Vec<String> {
    keep(store, Change::CallEnded(Box::new(end))).await.unwrap();
    let rung = newest(store).await.rung;
    rung.into_iter().map(|rung| rung.volunteer).collect()
}

async fn newest(store: &Store) -> CallEnd {
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let mut calls = store.unscoped().calls(None, &filter).await.unwrap();
    match calls.pop() {
        Some(CallRow::Ended(end)) => *end,
        other => panic!("{other:?}"),
    }
}

pub async fn who_is_erased_during_their_call_stays_so(database: Database) {
    let store = settled(&database).await;
    let (answered_by, rung) = ended_after(&store, ANA, true).await;
    assert_eq!(answered_by.as_deref(), Some("erased"));
    assert_eq!(rung, ["erased", "ben"]);
}

pub async fn who_was_rung_and_is_erased_during_the_call_stays_so(database: Database) {
    let store = settled(&database).await;
    let (answered_by, rung) = ended_after(&store, BEN, false).await;
    assert_eq!(answered_by.as_deref(), Some("ana"));
    assert_eq!(rung, ["ana", "erased"]);
    // A refused erasure takes no name away.
    refused(&store, Change::Erased(Erasure::User { user: ANA })).await;
    assert_eq!(rung_in(&store, answered(2)).await, ["ana", "erased"]);
    // Whoever has the name of somebody who was erased is named, in what begins later.
    let mut later = answered(3);
    later.start.started_at = Timestamp::now() + SignedDuration::from_secs(60);
    later.ended_at = later.start.started_at + SignedDuration::from_secs(60);
    assert_eq!(rung_in(&store, later).await, ["ana", "ben"]);
}

fn private(record: RecordRow) -> RecordRow {
    RecordRow {
        visibility: Visibility::Private,
        ..record
    }
}

pub async fn what_only_an_erased_person_could_open_goes_with_them(database: Database) {
    let store = settled(&database).await;
    let word = |word| Token {
        field: 1,
        word: [word; 16],
    };
    for (row, words) in [
        (note(NORTE, 1, 1, ANA), [word(1)]),
        (private(note(NORTE, 2, 1, ANA)), [word(2)]),
        // Shared later on, and taken back.
        (private(note(NORTE, 3, 1, ANA)), [word(3)]),
        (note(NORTE, 3, 2, ANA), [word(3)]),
        (note(NORTE, 4, 1, ANA), [word(4)]),
        (private(note(NORTE, 4, 2, ANA)), [word(4)]),
        (private(note(NORTE, 5, 1, BEN)), [word(5)]),
    ] {
        keep(&store, added(row, &words)).await.unwrap();
    }
    uploaded(&store, 6, private(record(6, ANA))).await;
    uploaded(&store, 7, record(7, ANA)).await;
    let link = VaultChange::SigchainExtended {
        user: ANA,
        seqno: 1,
        link: b"link".to_vec(),
    };
    keep(&store, link).await.unwrap();
    store.commit(forgotten(ANA)).await.unwrap();
    store.commit(forgotten(ANA)).await.unwrap();

    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let seen = admin.records(&ALL).await.unwrap().into_iter();
    let seen: Vec<_> = seen.map(|row| (row.id.0[0], row.revision)).collect();
    assert_eq!(seen, [(1, 1), (3, 2), (7, 1)]);
    let ben = store.scope(BEN, NORTE).await.unwrap();
    assert_eq!(ben.records(&ALL).await.unwrap().len(), 1);
    for (left, sql) in [
        (4, "SELECT count(*) FROM record"),
        (3, "SELECT count(*) FROM record_token"),
        (1, "SELECT count(*) FROM attachment"),
        (3, "SELECT count(*) FROM attachment_chunk"),
        (4, "SELECT count(*) FROM device"),
    ] {
        assert_eq!(database.number(sql).await, left, "{sql}");
    }
    // Others verify with it what she signed for them.
    let links = store.reader().sigchain(ANA, 0).await.unwrap();
    assert_eq!(links, [b"link"]);
    store.scrub().await.unwrap();
}

pub async fn an_erased_person_is_no_member_again(database: Database) {
    let store = settled(&database).await;
    store.commit(forgotten(ANA)).await.unwrap();
    let member = VaultChange::MemberSet(MemberRow {
        hub: NORTE,
        user: ANA,
        role: Role::Volunteer,
        since: at(9),
    });
    refused(&store, member).await;
    // Whoever made the key did not know: its other wraps are kept.
    let key = VaultChange::HubKeyAdded(Box::new(HubKeyRow {
        hub: NORTE,
        epoch: 1,
        body: sealed("key"),
        wraps: vec![(ADMIN, sealed("wrap")), (ANA, sealed("wrap"))],
        created_at: at(9),
    }));
    keep(&store, key).await.unwrap();
    let wraps = "SELECT count(*) FROM hub_key_wrap";
    assert_eq!(database.number(wraps).await, 1);
    // Nor did whoever sealed a message.
    store.commit(message(1, "norte", 8, true)).await.unwrap();
    let reader = VaultChange::VoicemailReaderSet {
        recording: 1,
        user: ANA,
        wrap: None,
    };
    keep(&store, reader).await.unwrap();
    let readers = "SELECT count(*) FROM voicemail_reader";
    assert_eq!(database.number(readers).await, 1);
    // The other hub knows nothing of it.
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.members().await.unwrap().len(), 1);
}
