//! Reports of calls as abuse: who makes them, and what becomes of them.

use std::collections::BTreeMap;

use store::{
    CallEnd, CallFilter, CallReport, CallRow, Change, Changes, Erasure, HotlinePlan, RungRow,
    Store, StoreError, UserId,
};

use crate::database::Database;
use crate::folder::{answered, at, start};
use crate::vault::{ADMIN, ANA, BEN, EVE, NORTE, ROOT, SUR, forgotten, keep, refused, settled};

/// Two hubs with their people, of whom two are volunteers, and the call 1 of one of the hubs.
async fn called(database: &Database) -> Store {
    let store = settled(database).await;
    let mut changes = Changes::from(Change::HotlinePlanned(Box::new(HotlinePlan {
        hubs: Vec::new(),
        volunteers: vec!["ana".to_owned(), "ben".to_owned()],
    })));
    for (volunteer, user) in [("ana", ANA), ("ben", BEN)] {
        changes.push(Change::AccountLinked {
            volunteer: volunteer.to_owned(),
            user: Some(user),
        });
    }
    changes.push(Change::CallStarted(start(1)));
    store.commit(changes).await.unwrap();
    store
}

fn has_it(call: u64, volunteer: &str) -> Change {
    let volunteer = volunteer.to_owned();
    Change::CallAnswered { call, volunteer }
}

fn report(call: u64, by: UserId, second: i64) -> Change {
    let at = at(second);
    Change::CallReported { call, by, at }
}

/// Whether the call was reported, as `user` is told; `Err` when it is not theirs to report.
async fn told(store: &Store, user: UserId, call: u64) -> Result<Option<bool>, ()> {
    let scope = store.scope(user, NORTE).await.unwrap();
    match scope.is_reported(call).await {
        Ok(told) => Ok(told),
        Err(StoreError::NotAllowed) => Err(()),
        Err(error) => panic!("{error}"),
    }
}

async fn reports(store: &Store) -> BTreeMap<u64, CallReport> {
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    admin.reports(1, 9).await.unwrap()
}

async fn newest(store: &Store) -> CallEnd {
    let filter = CallFilter {
        limit: 1,
        ..CallFilter::default()
    };
    let mut calls = store.unscoped().calls(None, &filter).await.unwrap();
    match calls.pop() {
        Some(CallRow::Ended(end)) => *end,
        other => panic!("{other:?} is not over"),
    }
}

pub async fn a_call_is_for_those_to_report_who_had_the_caller(database: Database) {
    let store = called(&database).await;
    for nobody in [ANA, BEN, ROOT] {
        assert_eq!(told(&store, nobody, 1).await, Err(()));
    }
    assert_eq!(told(&store, ADMIN, 1).await, Ok(Some(false)));
    for change in [has_it(1, "ana"), has_it(1, "ana")] {
        keep(&store, change).await.unwrap();
    }
    assert_eq!(told(&store, ANA, 1).await, Ok(Some(false)));
    assert_eq!(told(&store, BEN, 1).await, Err(()));
    // Ana's line breaks, and Ben takes over.
    keep(&store, has_it(1, "ben")).await.unwrap();
    for user in [ANA, BEN] {
        assert_eq!(told(&store, user, 1).await, Ok(Some(false)));
    }
    let rung = "SELECT count(*) FROM call_rung";
    assert_eq!(database.number(rung).await, 2);

    let end = CallEnd {
        rung: vec![RungRow {
            answered: true,
            ..answered(1).rung[1].clone()
        }],
        answered_by: Some("ben".to_owned()),
        ..answered(1)
    };
    let ended = Change::CallEnded(Box::new(end.clone()));
    keep(&store, ended).await.unwrap();
    assert_eq!(newest(&store).await, end, "the end tells it anew");
    keep(&store, has_it(1, "ana")).await.unwrap();
    assert_eq!(newest(&store).await, end, "and nothing later does");
    assert_eq!(told(&store, BEN, 1).await, Ok(Some(false)));
    assert_eq!(told(&store, ANA, 1).await, Err(()));

    // What is not here, and what is another hub's.
    keep(&store, has_it(2, "ana")).await.unwrap();
    let mut others = start(3);
    others.hub = Some("sur".to_owned());
    keep(&store, Change::CallStarted(others)).await.unwrap();
    keep(&store, has_it(3, "ana")).await.unwrap();
    for call in [2, 3, u64::MAX] {
        assert_eq!(told(&store, ANA, call).await, Ok(None));
        assert_eq!(told(&store, ADMIN, call).await, Ok(None));
    }
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.is_reported(1).await.unwrap(), None);
}

pub async fn the_first_report_of_a_call_stays(database: Database) {
    let store = called(&database).await;
    for change in [has_it(1, "ana"), report(1, ANA, 5)] {
        keep(&store, change).await.unwrap();
    }
    refused(&store, report(1, ADMIN, 6)).await;
    refused(&store, report(2, ADMIN, 6)).await;
    assert_eq!(told(&store, ANA, 1).await, Ok(Some(true)));
    let first = CallReport {
        at: at(5),
        by: Some(ANA),
    };
    let kept = BTreeMap::from([(1, first)]);
    assert_eq!(reports(&store).await, kept);
    // The call goes on, ends, and its caller is forgotten.
    let ended = Change::CallEnded(Box::new(answered(1)));
    let forgets = Erasure::Caller {
        caller: store::CallerHash([7; 32]),
        hub: None,
        keep_bans: false,
    };
    for change in [ended, Change::Erased(forgets)] {
        keep(&store, change).await.unwrap();
        assert_eq!(reports(&store).await, kept);
    }
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert!(matches!(
        ana.reports(1, 9).await,
        Err(StoreError::NotAllowed)
    ));
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert!(eve.reports(1, 9).await.unwrap().is_empty());

    let mut backup = Vec::new();
    store.unscoped().backup(&mut backup).await.unwrap();
    let target = database.on_the_other_engine().await;
    let restored = target.open().await;
    restored.restore(&mut backup.as_slice()).await.unwrap();
    assert_eq!(reports(&restored).await, kept);

    store.commit(forgotten(ANA)).await.unwrap();
    let nobody = CallReport { by: None, ..first };
    assert_eq!(reports(&store).await, BTreeMap::from([(1, nobody)]));
    refused(&store, report(1, ADMIN, 7)).await;
}

pub async fn a_crash_takes_nobody_the_call_that_they_had(database: Database) {
    let store = called(&database).await;
    keep(&store, has_it(1, "ana")).await.unwrap();
    store.close_crashed_calls(at(500)).await.unwrap();
    let crashed = newest(&store).await;
    assert_eq!(crashed.answered_by.as_deref(), Some("ana"));
    assert!(crashed.rung[0].answered);
    assert_eq!(told(&store, ANA, 1).await, Ok(Some(false)));
    assert_eq!(told(&store, BEN, 1).await, Err(()));
}
