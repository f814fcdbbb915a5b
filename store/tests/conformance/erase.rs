//! What is forgotten is gone.

use store::{
    BanRow, CallFilter, Caller, CallerHash, Change, Changes, Erasure, LoginChange, RecordId,
    Sealed, StoreError, UserStatus, VaultChange,
};

use crate::database::Database;
use crate::folder::{answered, at};
use crate::vault::{ADMIN, ANA, NORTE, added, keep, note, refused, session, settled};

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
    assert_eq!(admin.search(word).await.unwrap(), []);
    let tombstones = admin.tombstones().await.unwrap();
    assert_eq!((tombstones.len(), tombstones[0].record), (1, record));
    let revived = keep(&store, added(note(NORTE, 1, 3, ANA), &[])).await;
    assert!(matches!(revived, Err(StoreError::Conflict { .. })));
}

pub async fn an_erased_person_cannot_come_back(database: Database) {
    let store = settled(&database).await;
    let mut changes: Changes = Change::CallEnded(Box::new(answered(1))).into();
    changes.push(LoginChange::SessionOpened(session(ANA)));
    changes.push(added(note(NORTE, 1, 1, ANA), &[]));
    store.commit(changes).await.unwrap();
    let erasure = Change::Erased(Erasure::User {
        user: ANA,
        volunteer: Some("ana".to_owned()),
    });
    store.commit(erasure.into()).await.unwrap();
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
