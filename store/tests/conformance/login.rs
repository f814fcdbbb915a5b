//! Sessions, passkeys, the ways back in, the first admin.

use store::{
    AuditChain, DeviceId, LoginChange, MAX_PASSKEYS_PER_PERSON, MAX_SESSIONS_PER_DEVICE,
    PasskeyRow, Refreshed, SecretHash, SessionId, SessionRefresh, SessionRow, UserId, VaultChange,
};

use crate::database::Database;
use crate::folder::at;
use crate::vault::{ANA, BEN, EVE, forgotten, keep, refused, sealed, session, settled};

fn exchange(shown: SecretHash, next: u8, second: i64) -> SessionRefresh {
    SessionRefresh {
        shown,
        at: at(second),
        access: SecretHash([next; 32]),
        access_expires_at: at(second + 100),
        refresh: SecretHash([next + 1; 32]),
        refresh_expires_at: at(second + 1000),
        is_use: true,
    }
}

pub async fn a_session_goes_on_with_new_tokens(database: Database) {
    let store = settled(&database).await;
    keep(&store, LoginChange::SessionOpened(session(ANA)))
        .await
        .unwrap();
    let (id, view_key) = (session(ANA).id, [5; 32]);
    let viewed = LoginChange::SessionViewed {
        session: id,
        view_key,
    };
    keep(&store, viewed).await.unwrap();
    let first = exchange(session(ANA).refresh, 200, 90);
    let renewed = store.refresh_session(&first).await.unwrap();
    let expected = SessionRow {
        seen_at: at(90),
        access: first.access,
        access_expires_at: at(190),
        refresh: first.refresh,
        refresh_expires_at: at(1090),
        view_key: Some(view_key),
        ..session(ANA)
    };
    assert_eq!(renewed, Refreshed::Renewed(expected.clone()));
    // The answer was lost: the same exchange again gives the same.
    let again = store.refresh_session(&first).await.unwrap();
    assert_eq!(again, renewed);
    let reader = store.reader();
    assert_eq!(
        reader.session(session(ANA).access, at(95)).await.unwrap(),
        None
    );
    let found = reader.session(first.access, at(95)).await.unwrap();
    assert_eq!(found, Some(expected.clone()));
    assert_eq!(reader.session(first.access, at(190)).await.unwrap(), None);
    for shown in [session(ANA).refresh, first.refresh] {
        let found = reader.session_of_refresh(shown).await.unwrap();
        assert_eq!(found, Some(expected.clone()), "spent or not");
    }
    let late = exchange(first.refresh, 210, 1090);
    let too_late = store.refresh_session(&late).await.unwrap();
    assert_eq!(too_late, Refreshed::Refused);
    let unknown = exchange(SecretHash([1; 32]), 210, 100);
    assert_eq!(
        store.refresh_session(&unknown).await.unwrap(),
        Refreshed::Refused
    );
    let seen = |second| LoginChange::SessionSeen {
        session: expected.id,
        at: at(second),
    };
    keep(&store, seen(120)).await.unwrap();
    keep(&store, seen(110)).await.unwrap();
    let found = reader.session(first.access, at(121)).await.unwrap();
    assert_eq!(found.unwrap().seen_at, at(120));
}

pub async fn a_token_shown_twice_ends_its_session(database: Database) {
    let store = settled(&database).await;
    for user in [ANA, BEN] {
        keep(&store, LoginChange::SessionOpened(session(user)))
            .await
            .unwrap();
    }
    let first = exchange(session(ANA).refresh, 200, 10);
    let second = exchange(first.refresh, 202, 20);
    for exchange in [&first, &second] {
        let renewed = store.refresh_session(exchange).await.unwrap();
        assert!(matches!(renewed, Refreshed::Renewed(_)));
    }
    // Not only the newest of the spent ones is known.
    let stolen = exchange(session(ANA).refresh, 204, 30);
    let Refreshed::Reused(ended) = store.refresh_session(&stolen).await.unwrap() else {
        panic!("a spent token was taken");
    };
    assert_eq!((ended.user, ended.refresh), (ANA, second.refresh));
    let reader = store.reader();
    assert_eq!(reader.session(second.access, at(31)).await.unwrap(), None);
    for shown in [second.refresh, session(ANA).refresh] {
        let after = store.refresh_session(&exchange(shown, 206, 31)).await;
        assert_eq!(after.unwrap(), Refreshed::Refused);
    }
    let others = reader.session(session(BEN).access, at(31)).await.unwrap();
    assert!(others.is_some());
    let heads = reader.unscoped().audit_heads().await.unwrap();
    assert_eq!(
        heads.iter().map(|(c, h)| (*c, h.seqno)).collect::<Vec<_>>(),
        [(AuditChain::Installation, 1)],
        "the trail tells of it once"
    );
    // Who is shut out renews nothing.
    let revoked = VaultChange::DeviceRevoked {
        device: DeviceId(BEN.0),
        at: at(32),
    };
    keep(&store, revoked).await.unwrap();
    let after = exchange(session(BEN).refresh, 208, 33);
    let after = store.refresh_session(&after).await.unwrap();
    assert_eq!(after, Refreshed::Refused);
}

pub async fn looking_at_a_locked_device_is_no_use(database: Database) {
    let store = settled(&database).await;
    keep(&store, LoginChange::SessionOpened(session(ANA)))
        .await
        .unwrap();
    let looked = SessionRefresh {
        is_use: false,
        ..exchange(session(ANA).refresh, 200, 90)
    };
    let Refreshed::Renewed(renewed) = store.refresh_session(&looked).await.unwrap() else {
        panic!("a locked device stays logged in");
    };
    assert_eq!(renewed.seen_at, session(ANA).seen_at);
    assert_eq!(renewed.access, looked.access);
}

pub async fn a_device_has_a_limited_number_of_sessions(database: Database) {
    let store = settled(&database).await;
    let one_more = u8::try_from(MAX_SESSIONS_PER_DEVICE).unwrap() + 1;
    for number in 1..=one_more {
        let opened = SessionRow {
            id: SessionId([number; 16]),
            seen_at: at(i64::from(number)),
            access: SecretHash([number; 32]),
            refresh: SecretHash([number + 100; 32]),
            ..session(ANA)
        };
        keep(&store, LoginChange::SessionOpened(opened.clone()))
            .await
            .unwrap();
        keep(&store, LoginChange::SessionOpened(opened))
            .await
            .unwrap();
    }
    let left = store.reader().sessions(ANA, at(50)).await.unwrap();
    let left: Vec<u8> = left.iter().map(|session| session.id.0[0]).collect();
    let expected: Vec<u8> = (2..=one_more).rev().collect();
    assert_eq!(left, expected, "the least lately used one went");
}

pub async fn sessions_end_one_by_one_or_all_at_once(database: Database) {
    let store = settled(&database).await;
    let opened = |number: u8, expires: i64| {
        LoginChange::SessionOpened(SessionRow {
            id: SessionId([number; 16]),
            access: SecretHash([number; 32]),
            access_expires_at: at(expires),
            refresh: SecretHash([number + 100; 32]),
            refresh_expires_at: at(expires),
            ..session(ANA)
        })
    };
    for (number, expires) in [(1, 60), (2, 500), (3, 500), (4, 500)] {
        keep(&store, opened(number, expires)).await.unwrap();
    }
    keep(&store, LoginChange::SessionOpened(session(BEN)))
        .await
        .unwrap();
    let left = async |user| {
        let left = store.reader().sessions(user, at(5)).await.unwrap();
        left.iter()
            .map(|session| session.id.0[0])
            .collect::<Vec<_>>()
    };
    let before = at(61);
    keep(&store, LoginChange::SessionsExpired { before })
        .await
        .unwrap();
    assert_eq!(left(ANA).await, [2, 3, 4]);
    let closed = LoginChange::SessionClosed {
        session: SessionId([2; 16]),
    };
    keep(&store, closed.clone()).await.unwrap();
    keep(&store, closed).await.unwrap();
    assert_eq!(left(ANA).await, [3, 4]);
    for (except, expected) in [(Some(SessionId([4; 16])), vec![4]), (None, vec![])] {
        let closed = LoginChange::SessionsClosed { user: ANA, except };
        keep(&store, closed).await.unwrap();
        assert_eq!(left(ANA).await, expected);
    }
    assert_eq!(left(BEN).await, [BEN.0[0]]);
}

fn passkey(number: u8, user: UserId) -> PasskeyRow {
    PasskeyRow {
        credential: vec![number; 40],
        user,
        device: None,
        body: sealed("credential"),
        name: sealed("key ring"),
        counter: 3,
        created_at: at(i64::from(number)),
        used_at: None,
    }
}

pub async fn passkeys_are_kept_and_copies_noticed(database: Database) {
    let store = settled(&database).await;
    let added = |row| LoginChange::PasskeyAdded(Box::new(row));
    let of_device = PasskeyRow {
        device: Some(DeviceId(ANA.0)),
        ..passkey(2, ANA)
    };
    for row in [passkey(1, ANA), of_device.clone(), passkey(3, BEN)] {
        keep(&store, added(row.clone())).await.unwrap();
        keep(&store, added(row)).await.unwrap();
    }
    refused(&store, added(passkey(1, EVE))).await;
    let used = |counter, second| LoginChange::PasskeyUsed {
        credential: vec![1; 40],
        body: sealed("later"),
        counter,
        at: at(second),
    };
    keep(&store, used(5, 20)).await.unwrap();
    refused(&store, used(4, 21)).await;
    let renamed = |user| LoginChange::PasskeyRenamed {
        credential: vec![1; 40],
        user,
        name: sealed("phone"),
    };
    keep(&store, renamed(ANA)).await.unwrap();
    refused(&store, renamed(BEN)).await;
    let reader = store.reader();
    let first = PasskeyRow {
        body: sealed("later"),
        name: sealed("phone"),
        counter: 5,
        used_at: Some(at(20)),
        ..passkey(1, ANA)
    };
    assert_eq!(
        reader.passkeys(ANA).await.unwrap(),
        [first.clone(), of_device]
    );
    assert_eq!(reader.passkey(&[1; 40]).await.unwrap(), Some(first.clone()));
    let revoked = VaultChange::DeviceRevoked {
        device: DeviceId(ANA.0),
        at: at(30),
    };
    keep(&store, revoked).await.unwrap();
    assert_eq!(reader.passkeys(ANA).await.unwrap(), [first]);
    let removed = |user| LoginChange::PasskeyRemoved {
        credential: vec![1; 40],
        user,
    };
    keep(&store, removed(BEN)).await.unwrap();
    assert_eq!(reader.passkeys(ANA).await.unwrap().len(), 1);
    keep(&store, removed(ANA)).await.unwrap();
    assert_eq!(reader.passkeys(ANA).await.unwrap(), []);
    for number in 0..MAX_PASSKEYS_PER_PERSON {
        let row = passkey(100 + u8::try_from(number).unwrap(), EVE);
        keep(&store, added(row)).await.unwrap();
    }
    refused(&store, added(passkey(99, EVE))).await;
}

pub async fn the_ways_back_in_are_each_used_once(database: Database) {
    let store = settled(&database).await;
    let reader = store.reader();
    let paper = DeviceId(ANA.0);
    for (body, device, second) in [("escrow", None, 1), ("newer", Some(paper), 2)] {
        let change = LoginChange::RecoveryEscrowSet {
            user: ANA,
            body: sealed(body),
            device,
            at: at(second),
        };
        keep(&store, change).await.unwrap();
    }
    assert_eq!(
        reader.recovery_escrow(ANA).await.unwrap(),
        Some(sealed("newer"))
    );
    assert_eq!(reader.recovery_device(ANA).await.unwrap(), Some(paper));
    assert_eq!(reader.recovery_escrow(BEN).await.unwrap(), None);
    assert_eq!(reader.recovery_device(BEN).await.unwrap(), None);

    let codes = |from: u8, second| LoginChange::BackupCodesReplaced {
        user: ANA,
        codes: (from..from + 8)
            .map(|number| {
                (
                    SecretHash([number; 32]),
                    sealed(&format!("escrow {number}")),
                )
            })
            .collect(),
        at: at(second),
    };
    let used = |user, number, second| LoginChange::BackupCodeUsed {
        user,
        verifier: SecretHash([number; 32]),
        at: at(second),
    };
    let opens = async |user, number| {
        let verifier = SecretHash([number; 32]);
        reader.backup_code(user, verifier).await.unwrap()
    };
    keep(&store, codes(1, 1)).await.unwrap();
    assert_eq!(opens(ANA, 3).await, Some(sealed("escrow 3")));
    assert_eq!(opens(BEN, 3).await, None);
    refused(&store, used(BEN, 3, 5)).await;
    keep(&store, used(ANA, 3, 5)).await.unwrap();
    keep(&store, used(ANA, 3, 5)).await.unwrap();
    refused(&store, used(ANA, 3, 6)).await;
    // Told again after a lost answer, the set must not give the used code back.
    keep(&store, codes(1, 1)).await.unwrap();
    assert_eq!(opens(ANA, 3).await, None);
    assert_eq!(reader.backup_codes_left(ANA).await.unwrap(), 7);
    keep(&store, codes(11, 7)).await.unwrap();
    assert_eq!(reader.backup_codes_left(ANA).await.unwrap(), 8);
    assert_eq!(opens(ANA, 4).await, None, "all are replaced together");
    refused(&store, used(ANA, 4, 8)).await;

    let items = |generation, body: &str| LoginChange::ItemsKeySet {
        user: ANA,
        generation,
        body: sealed(body),
    };
    for change in [items(2, "b"), items(1, "a"), items(1, "a")] {
        keep(&store, change).await.unwrap();
    }
    refused(&store, items(1, "other")).await;
    let keys = reader.items_keys(ANA).await.unwrap();
    assert_eq!(keys, [(1, sealed("a")), (2, sealed("b"))]);

    store.commit(forgotten(ANA)).await.unwrap();
    assert_eq!(reader.recovery_escrow(ANA).await.unwrap(), None);
    assert_eq!(reader.backup_codes_left(ANA).await.unwrap(), 0);
    assert_eq!(reader.items_keys(ANA).await.unwrap(), []);
}

pub async fn the_first_admin_comes_in_once(database: Database) {
    let store = settled(&database).await;
    let reader = store.reader();
    assert_eq!(reader.bootstrap().await.unwrap(), None);
    let set = |code| LoginChange::BootstrapCodeSet {
        code: SecretHash([code; 32]),
        created_at: at(1),
        expires_at: at(10),
    };
    let used = |code, by, second| LoginChange::BootstrapUsed {
        code: SecretHash([code; 32]),
        by,
        at: at(second),
    };
    keep(&store, set(1)).await.unwrap();
    keep(&store, set(2)).await.unwrap();
    refused(&store, used(1, ANA, 5)).await;
    refused(&store, used(2, ANA, 10)).await;
    keep(&store, used(2, ANA, 5)).await.unwrap();
    keep(&store, used(2, ANA, 5)).await.unwrap();
    refused(&store, used(2, BEN, 6)).await;
    // The same code told again is not made good again.
    keep(&store, set(2)).await.unwrap();
    refused(&store, used(2, BEN, 6)).await;
    let found = reader.bootstrap().await.unwrap().unwrap();
    assert_eq!(found.used, Some((ANA, at(5))));
    keep(&store, set(3)).await.unwrap();
    let found = reader.bootstrap().await.unwrap().unwrap();
    assert_eq!((found.code, found.used), (SecretHash([3; 32]), None));
}
