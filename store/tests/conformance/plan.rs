//! What people look at of the hotline file, and a hub's own settings.

use store::{
    Change, Changes, GroupKind, GroupRow, HotlineBody, HotlinePlan, HubPlan, HubSettingRow,
    PhoneAccountRow, ShiftRow, Store, StoreError, UserId, VaultChange,
};

use crate::database::Database;
use crate::folder::at;
use crate::vault::{ADMIN, ANA, BEN, EVE, NORTE, SUR, forgotten, keep, refused, sealed, settled};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn shift(name: &str, volunteers: &[&str], groups: &[&str]) -> ShiftRow {
    ShiftRow {
        name: name.to_owned(),
        days: 0b001_1111,
        from_minute: 22 * 60,
        to_minute: 8 * 60,
        volunteers: names(volunteers),
        groups: names(groups),
    }
}

fn group(name: &str, kind: GroupKind, volunteers: &[&str]) -> GroupRow {
    GroupRow {
        name: name.to_owned(),
        kind,
        volunteers: names(volunteers),
    }
}

fn plan(hub: &str, shifts: Vec<ShiftRow>, groups: Vec<GroupRow>, all: &[&str]) -> HotlinePlan {
    HotlinePlan {
        hubs: vec![HubPlan {
            hub: hub.to_owned(),
            shifts,
            groups,
        }],
        volunteers: names(all),
    }
}

fn norte() -> HotlinePlan {
    let shifts = vec![
        shift("night", &["ana", "ben"], &["night-team"]),
        shift("night", &[], &[]),
    ];
    let groups = vec![
        group("night-team", GroupKind::Ring, &["ben", "cris"]),
        group("night-team", GroupKind::Fallback, &["ana"]),
    ];
    plan("norte", shifts, groups, &["ana", "ben", "cris", "dora"])
}

async fn apply(store: &Store, plan: HotlinePlan) {
    let mut changes = Changes::from(Change::HotlineApplied {
        hash: "hash".to_owned(),
        body: HotlineBody("{}".to_owned()),
        applied_at: at(1),
    });
    changes.push(Change::HotlinePlanned(Box::new(plan)));
    store.commit(changes).await.unwrap();
}

fn linked(volunteer: &str, user: Option<UserId>) -> Change {
    Change::AccountLinked {
        volunteer: volunteer.to_owned(),
        user,
    }
}

pub async fn a_new_file_replaces_the_plan_and_keeps_who_is_who(database: Database) {
    let store = settled(&database).await;
    apply(&store, norte()).await;
    apply(&store, norte()).await;
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(ana.shifts().await.unwrap(), norte().hubs[0].shifts);
    assert_eq!(ana.groups().await.unwrap(), norte().hubs[0].groups);
    refused(&store, linked("nobody", Some(ANA))).await;
    keep(&store, linked("ana", Some(ANA))).await.unwrap();
    keep(&store, linked("dora", Some(BEN))).await.unwrap();
    // Ana, dora and the shifts are gone from the file; eve is new, in another hub.
    let new = plan(
        "sur",
        vec![shift("day", &["eve"], &[])],
        vec![],
        &["ben", "eve"],
    );
    apply(&store, new.clone()).await;
    assert_eq!(ana.shifts().await.unwrap(), []);
    assert_eq!(ana.groups().await.unwrap(), []);
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.shifts().await.unwrap(), new.hubs[0].shifts);
    let account = |volunteer: &str, user, in_file| PhoneAccountRow {
        volunteer: volunteer.to_owned(),
        user,
        in_file,
    };
    let reader = store.reader();
    assert_eq!(
        reader.unscoped().phone_accounts().await.unwrap(),
        [
            account("ana", Some(ANA), false),
            account("ben", None, true),
            account("dora", Some(BEN), false),
            account("eve", None, true),
        ]
    );
    assert!(reader.phone_accounts_of(ANA).await.unwrap().is_empty());
    apply(&store, norte()).await;
    assert_eq!(reader.phone_accounts_of(ANA).await.unwrap(), ["ana"]);
    keep(&store, linked("ana", None)).await.unwrap();
    assert!(reader.phone_accounts_of(ANA).await.unwrap().is_empty());
}

pub async fn the_plan_is_for_those_who_work_with_it(database: Database) {
    let store = settled(&database).await;
    apply(&store, norte()).await;
    keep(&store, linked("ana", Some(ANA))).await.unwrap();
    let reporter = VaultChange::MemberSet(store::MemberRow {
        hub: NORTE,
        user: BEN,
        role: store::Role::Reporter,
        since: at(3),
    });
    keep(&store, reporter).await.unwrap();
    let ben = store.scope(BEN, NORTE).await.unwrap();
    assert!(matches!(ben.shifts().await, Err(StoreError::NotAllowed)));
    assert!(matches!(ben.groups().await, Err(StoreError::NotAllowed)));
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert!(matches!(
        ana.phone_accounts().await,
        Err(StoreError::NotAllowed)
    ));
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let accounts = admin.phone_accounts().await.unwrap();
    let of: Vec<_> = accounts.iter().map(|a| (&*a.volunteer, a.user)).collect();
    assert_eq!(
        of,
        [("ana", Some(ANA)), ("ben", None), ("cris", None)],
        "dora does nothing in this hub"
    );
    store.commit(forgotten(ANA)).await.unwrap();
    assert!(!format!("{:?}", admin.shifts().await.unwrap()).contains("ana"));
    let accounts = admin.phone_accounts().await.unwrap();
    assert!(accounts.iter().all(|account| account.volunteer != "ana"));
}

pub async fn settings_take_only_their_next_revision(database: Database) {
    let store = settled(&database).await;
    let setting = |hub, topic, revision, body: &str| HubSettingRow {
        hub,
        topic,
        revision,
        body: sealed(body),
        author: ADMIN,
        changed_at: at(i64::from(revision)),
    };
    let changed = |row| VaultChange::HubSettingChanged(row);
    for row in [
        setting(NORTE, 2, 1, "other"),
        setting(NORTE, 1, 1, "fields"),
        setting(NORTE, 1, 2, "more fields"),
        setting(NORTE, 1, 2, "more fields"),
        setting(SUR, 1, 1, "theirs"),
    ] {
        keep(&store, changed(row)).await.unwrap();
    }
    for row in [
        setting(NORTE, 1, 2, "at the same time"),
        setting(NORTE, 1, 4, "gap"),
        setting(NORTE, 1, 1, "back"),
        setting(NORTE, 3, 2, "nothing before it"),
    ] {
        refused(&store, changed(row)).await;
    }
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(
        ana.settings().await.unwrap(),
        [
            setting(NORTE, 1, 2, "more fields"),
            setting(NORTE, 2, 1, "other")
        ]
    );
}
