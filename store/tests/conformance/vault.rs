//! Identities, roles, invitations: who sees what, and what contradicts what.

use store::{
    Change, Changes, DeviceId, DeviceRow, Erasure, HubId, HubKeyRow, HubRow, InviteFilter,
    InviteRow, LoginChange, MemberRow, RecordFilter, RecordId, RecordRow, Role, Sealed,
    SealedRecord, SecretHash, SessionId, SessionRow, Store, StoreError, Token, UserId, UserRow,
    UserStatus, VaultChange, Visibility, VoicemailFilter,
};

use crate::database::Database;
use crate::folder::at;

pub const NORTE: HubId = HubId([1; 16]);
pub const SUR: HubId = HubId([2; 16]);
pub const ADMIN: UserId = UserId([10; 16]);
pub const ANA: UserId = UserId([11; 16]);
pub const BEN: UserId = UserId([12; 16]);
/// Runs the installation and is a member nowhere.
pub const ROOT: UserId = UserId([13; 16]);
/// Of the other hub.
pub const EVE: UserId = UserId([14; 16]);

pub const MESSAGES: VoicemailFilter = VoicemailFilter {
    before: None,
    limit: 10,
};
pub const INVITES: InviteFilter = InviteFilter {
    before: None,
    limit: 10,
};
pub const ALL: RecordFilter = RecordFilter {
    kind: None,
    call: None,
    after: None,
    limit: 100,
};

pub fn sealed(text: &str) -> Sealed {
    Sealed(text.as_bytes().to_vec())
}

fn user(id: UserId) -> UserRow {
    UserRow {
        id,
        profile: Some(sealed("profile")),
        status: UserStatus::Active,
        super_admin: id == ROOT,
        created_at: at(0),
    }
}

pub fn device(user: UserId) -> DeviceRow {
    DeviceRow {
        id: DeviceId(user.0),
        user,
        sign_key: [9; 32],
        added_at: at(1),
        revoked_at: None,
    }
}

pub fn member(hub: HubId, user: UserId, role: Role) -> VaultChange {
    VaultChange::MemberSet(MemberRow {
        hub,
        user,
        role,
        since: at(2),
    })
}

pub fn session(user: UserId) -> SessionRow {
    SessionRow {
        id: SessionId(user.0),
        user,
        device: DeviceId(user.0),
        sign_key: [9; 32],
        created_at: at(3),
        seen_at: at(3),
        access: SecretHash([user.0[0]; 32]),
        access_expires_at: at(100),
        refresh: SecretHash([user.0[0] + 100; 32]),
        refresh_expires_at: at(1000),
        view_key: None,
    }
}

pub fn note(hub: HubId, id: u8, revision: u32, author: UserId) -> RecordRow {
    RecordRow {
        hub,
        id: RecordId([id; 16]),
        revision,
        kind: 1,
        parent: [0; 32],
        author: Some(author),
        call: Some(7),
        visibility: Visibility::Shared,
        sealed: Some(SealedRecord {
            header: sealed("header"),
            body: sealed(&format!("body {id} {revision}")),
            manifest_revision: 1,
            manifest: sealed("manifest"),
        }),
        created_at: at(i64::from(revision)),
    }
}

pub fn added(record: RecordRow, tokens: &[Token]) -> VaultChange {
    VaultChange::RecordAdded {
        record: Box::new(record),
        tokens: tokens.to_vec(),
    }
}

pub async fn keep(store: &Store, change: impl Into<Change>) -> Result<(), StoreError> {
    store.commit(change.into().into()).await
}

/// What it takes to erase somebody of the hub NORTE.
pub fn forgotten(user: UserId) -> Changes {
    let mut changes = Changes::new();
    changes.push(VaultChange::MemberRemoved { hub: NORTE, user });
    changes.push(Erasure::User { user });
    changes
}

pub async fn refused(store: &Store, change: impl Into<Change>) {
    let refused = keep(store, change).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
}

/// Two hubs with their people.
pub async fn settled(database: &Database) -> Store {
    let store = database.open().await;
    let mut changes = Changes::new();
    for (id, name) in [(NORTE, "norte"), (SUR, "sur")] {
        changes.push(VaultChange::HubAdded(HubRow {
            id,
            name: name.to_owned(),
            created_at: at(0),
        }));
    }
    for id in [ADMIN, ANA, BEN, ROOT, EVE] {
        changes.push(VaultChange::UserAdded(user(id)));
        changes.push(VaultChange::DeviceAdded(device(id)));
    }
    changes.push(member(NORTE, ADMIN, Role::HubAdmin));
    changes.push(member(NORTE, ANA, Role::Volunteer));
    changes.push(member(NORTE, BEN, Role::Volunteer));
    changes.push(member(SUR, EVE, Role::HubAdmin));
    // Told twice, as after a lost answer.
    store.commit(changes.clone()).await.unwrap();
    store.commit(changes).await.unwrap();
    store
}

pub async fn people_and_hubs_are_read_back(database: Database) {
    let store = settled(&database).await;
    let share = sealed("share");
    let vault = store::VaultId([5; 16]);
    for change in [
        VaultChange::SuperAdminChanged {
            user: BEN,
            super_admin: true,
        },
        VaultChange::ProfileChanged {
            user: BEN,
            profile: sealed("new"),
        },
        VaultChange::VaultShareSet {
            vault,
            user: BEN,
            device: DeviceId(BEN.0),
            body: share.clone(),
        },
        VaultChange::LogExtended {
            position: 0,
            leaf: b"leaf".to_vec(),
        },
        VaultChange::CheckpointSigned {
            size: 1,
            note: "note".to_owned(),
        },
    ] {
        keep(&store, change).await.unwrap();
    }
    let reader = store.reader();
    let hubs = reader.unscoped().hubs().await.unwrap();
    assert_eq!(hubs.iter().map(|h| h.id).collect::<Vec<_>>(), [NORTE, SUR]);
    let ben = UserRow {
        super_admin: true,
        profile: Some(sealed("new")),
        ..user(BEN)
    };
    assert_eq!(reader.user(BEN).await.unwrap(), Some(ben));
    assert_eq!(reader.user(UserId([99; 16])).await.unwrap(), None);
    assert_eq!(reader.devices(ANA).await.unwrap(), [device(ANA)]);
    assert_eq!(reader.memberships(ANA).await.unwrap()[0].hub, NORTE);
    assert_eq!(reader.vault_share(vault).await.unwrap(), Some((BEN, share)));
    assert_eq!(
        reader.unscoped().log_leaves(0).await.unwrap(),
        [b"leaf".to_vec()]
    );
    let checkpoint = reader.unscoped().log_checkpoint().await.unwrap();
    assert_eq!(checkpoint, Some((1, "note".to_owned())));
    assert!(reader.has_super_admin().await.unwrap());
}

pub async fn who_is_not_a_member_sees_nothing(database: Database) {
    let store = settled(&database).await;
    let unknown = HubId([77; 16]);
    for (user, hub) in [
        (EVE, NORTE),
        (ANA, SUR),
        (UserId([99; 16]), NORTE),
        (ANA, unknown),
    ] {
        let refused = store.scope(user, hub).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotAllowed), "{refused}");
    }
    let change = VaultChange::ActiveChanged {
        user: ANA,
        active: false,
    };
    keep(&store, change).await.unwrap();
    assert!(store.scope(ANA, NORTE).await.is_err());
}

pub async fn chains_take_only_their_next_link(database: Database) {
    let store = settled(&database).await;
    let link = |seqno, link: &str| VaultChange::SigchainExtended {
        user: ANA,
        seqno,
        link: link.as_bytes().to_vec(),
    };
    let roster = |seqno, link: &str| VaultChange::RosterExtended {
        hub: NORTE,
        seqno,
        link: link.as_bytes().to_vec(),
    };
    let leaf = |position, leaf: &str| VaultChange::LogExtended {
        position,
        leaf: leaf.as_bytes().to_vec(),
    };
    for change in [
        link(1, "a"),
        link(2, "b"),
        link(2, "b"),
        roster(1, "r"),
        leaf(0, "x"),
    ] {
        keep(&store, change).await.unwrap();
    }
    for change in [
        link(2, "fork"),
        link(4, "gap"),
        link(0, "zero"),
        roster(1, "s"),
        leaf(0, "y"),
        leaf(2, "gap"),
    ] {
        refused(&store, change).await;
    }
    let links = store.reader().sigchain(ANA, 0).await.unwrap();
    assert_eq!(links, [b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(
        store.reader().sigchain(ANA, 1).await.unwrap(),
        [b"b".to_vec()]
    );
    let scoped = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(scoped.roster(0).await.unwrap(), [b"r".to_vec()]);
}

pub async fn who_is_shut_out_is_logged_out(database: Database) {
    let store = settled(&database).await;
    for user in [ANA, BEN] {
        keep(&store, LoginChange::SessionOpened(session(user)))
            .await
            .unwrap();
    }
    let logged_in = async |user, second| {
        let token = session(user).access;
        store
            .reader()
            .session(token, at(second))
            .await
            .unwrap()
            .is_some()
    };
    assert!(logged_in(ANA, 99).await);
    assert!(!logged_in(ANA, 100).await, "it has expired");
    let change = VaultChange::ActiveChanged {
        user: ANA,
        active: false,
    };
    keep(&store, change).await.unwrap();
    let change = VaultChange::DeviceRevoked {
        device: DeviceId(BEN.0),
        at: at(50),
    };
    keep(&store, change).await.unwrap();
    for user in [ANA, BEN] {
        assert!(!logged_in(user, 60).await);
        refused(&store, LoginChange::SessionOpened(session(user))).await;
    }
    // Back again, but the old token stays dead.
    let change = VaultChange::ActiveChanged {
        user: ANA,
        active: true,
    };
    keep(&store, change).await.unwrap();
    assert!(!logged_in(ANA, 60).await);
    // Nobody logs in with somebody else's device.
    let stolen = SessionRow {
        device: DeviceId(EVE.0),
        ..session(ANA)
    };
    refused(&store, LoginChange::SessionOpened(stolen)).await;
}

pub async fn somebody_always_runs_the_installation(database: Database) {
    let store = settled(&database).await;
    let runs = |user, super_admin| VaultChange::SuperAdminChanged { user, super_admin };
    let active = |user, active| VaultChange::ActiveChanged { user, active };
    keep(&store, runs(BEN, true)).await.unwrap();
    // Each of two shuts the other out.
    let (one, other) = tokio::join!(
        keep(&store, runs(BEN, false)),
        keep(&store, active(ROOT, false))
    );
    assert_eq!(one.is_ok(), other.is_err());
    assert!(store.reader().has_super_admin().await.unwrap());
    keep(&store, active(ROOT, true)).await.unwrap();
    keep(&store, runs(ROOT, true)).await.unwrap();
    keep(&store, runs(BEN, false)).await.unwrap();
    refused(&store, runs(ROOT, false)).await;
    refused(&store, active(ROOT, false)).await;
    refused(&store, Erasure::User { user: ROOT }).await;
    // One who cannot log in is none.
    keep(&store, runs(BEN, true)).await.unwrap();
    keep(&store, active(BEN, false)).await.unwrap();
    refused(&store, active(ROOT, false)).await;
    keep(&store, active(BEN, true)).await.unwrap();
    keep(&store, active(ROOT, false)).await.unwrap();
    keep(&store, Erasure::User { user: ROOT }).await.unwrap();
}

pub async fn a_share_goes_with_its_device(database: Database) {
    let store = settled(&database).await;
    let reader = store.reader();
    let vault = store::VaultId([5; 16]);
    let left = |user: UserId, device: UserId, body: &str| VaultChange::VaultShareSet {
        vault,
        user,
        device: DeviceId(device.0),
        body: sealed(body),
    };
    let tried = |body: &str| VaultChange::VaultShareTried {
        vault,
        body: sealed(body),
    };
    refused(&store, tried("before there is one")).await;
    refused(&store, left(BEN, ANA, "for a device of another")).await;
    keep(&store, left(BEN, BEN, "first")).await.unwrap();
    assert_eq!(
        reader.devices_with_vault(BEN).await.unwrap(),
        [DeviceId(BEN.0)]
    );
    refused(&store, left(ANA, ANA, "another's")).await;
    keep(&store, tried("counted")).await.unwrap();
    let kept = reader.vault_share(vault).await.unwrap();
    assert_eq!(kept, Some((BEN, sealed("counted"))));

    let revoked = VaultChange::DeviceRevoked {
        device: DeviceId(BEN.0),
        at: at(50),
    };
    keep(&store, revoked).await.unwrap();
    assert_eq!(reader.vault_share(vault).await.unwrap(), None);
    assert!(reader.devices_with_vault(BEN).await.unwrap().is_empty());
    refused(&store, left(BEN, BEN, "for one that is out")).await;
    refused(&store, tried("too late")).await;
}

pub async fn an_invitation_is_used_once(database: Database) {
    let store = settled(&database).await;
    let code = SecretHash([4; 32]);
    let invite = InviteRow {
        code,
        hub: NORTE,
        role: Role::Reporter,
        invited_by: ADMIN,
        created_at: at(1),
        expires_at: at(10),
        used: None,
        voucher: None,
    };
    let used = |by, second| VaultChange::InviteUsed {
        voucher: b"voucher".to_vec(),
        code,
        by,
        at: at(second),
    };
    refused(&store, used(EVE, 5)).await;
    keep(&store, VaultChange::InviteAdded(invite.clone()))
        .await
        .unwrap();
    refused(&store, used(EVE, 10)).await;
    keep(&store, used(EVE, 5)).await.unwrap();
    keep(&store, used(EVE, 5)).await.unwrap();
    refused(&store, used(BEN, 6)).await;
    keep(&store, VaultChange::InviteRevoked { code })
        .await
        .unwrap();
    let found = store.reader().invite(code).await.unwrap().unwrap();
    let expected = InviteRow {
        used: Some((EVE, at(5))),
        voucher: Some(b"voucher".to_vec()),
        ..invite
    };
    assert_eq!(found, expected);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.invites(INVITES).await.unwrap(), [expected]);
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.invites(INVITES).await.unwrap(), []);
}

/// Those whose codes begin with these bytes wait until the tenth second; the numbers are the
/// seconds at which they were made.
async fn invited(store: &Store, invites: &[(u8, HubId, i64)]) {
    for (byte, hub, second) in invites {
        let invite = InviteRow {
            code: SecretHash([*byte; 32]),
            hub: *hub,
            role: Role::Reporter,
            invited_by: ADMIN,
            created_at: at(*second),
            expires_at: at(10),
            used: None,
            voucher: None,
        };
        keep(store, VaultChange::InviteAdded(invite)).await.unwrap();
    }
}

pub async fn invitations_come_in_pages(database: Database) {
    let store = settled(&database).await;
    let of_norte = [(1, 2), (2, 1), (3, 2), (0, 2), (4, 3), (255, 2)];
    let of_norte = of_norte.map(|(byte, second)| (byte, NORTE, second));
    invited(&store, &of_norte).await;
    invited(&store, &[(5, SUR, 2)]).await;
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let page = async |before, limit| {
        let rows = admin.invites(InviteFilter { before, limit }).await.unwrap();
        rows.iter().map(|row| row.code.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 9).await, [4, 0, 1, 3, 255, 2]);
    assert_eq!(page(None, 2).await, [4, 0]);
    let after = |second, byte| Some((at(second), [byte; 16]));
    assert_eq!(page(after(2, 0), 2).await, [1, 3]);
    assert_eq!(page(after(2, 3), 2).await, [255, 2]);
    assert_eq!(page(after(2, 255), 2).await, [2]);
    assert_eq!(page(after(1, 2), 2).await, []);
    // The place of one that is gone is still a place.
    let code = SecretHash([1; 32]);
    keep(&store, VaultChange::InviteRevoked { code })
        .await
        .unwrap();
    assert_eq!(page(after(2, 1), 2).await, [3, 255]);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let refused = ana.invites(INVITES).await;
    assert!(matches!(refused, Err(StoreError::NotAllowed)));
}

pub async fn one_asks_about_invitations_of_ones_hub(database: Database) {
    let store = settled(&database).await;
    invited(&store, &[(1, NORTE, 1), (2, NORTE, 2), (3, SUR, 3)]).await;
    let used = VaultChange::InviteUsed {
        voucher: b"voucher".to_vec(),
        code: SecretHash([1; 32]),
        by: ROOT,
        at: at(5),
    };
    keep(&store, used).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.open_invites(at(9)).await.unwrap(), 1);
    assert_eq!(admin.open_invites(at(10)).await.unwrap(), 0, "it ended");
    let named = async |byte| {
        let mut beginning = [byte; 16];
        let found = admin.invite_named(beginning).await.unwrap();
        beginning[15] ^= 1;
        assert_eq!(admin.invite_named(beginning).await.unwrap(), None);
        found.map(|row| row.code)
    };
    assert_eq!(named(2).await, Some(SecretHash([2; 32])));
    assert_eq!(named(1).await, Some(SecretHash([1; 32])));
    assert_eq!(named(3).await, None, "of the other hub");
    assert!(admin.was_invited(ROOT).await.unwrap());
    assert!(!admin.was_invited(ADMIN).await.unwrap());
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert!(!eve.was_invited(ROOT).await.unwrap());
    assert_eq!(eve.open_invites(at(9)).await.unwrap(), 1);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    for refused in [
        ana.invite_named([2; 16]).await.map(drop),
        ana.open_invites(at(9)).await.map(drop),
        ana.was_invited(ROOT).await.map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::NotAllowed)));
    }
}

pub async fn a_removed_member_gets_no_keys(database: Database) {
    let store = settled(&database).await;
    let key = |epoch, wraps: &[UserId]| {
        VaultChange::HubKeyAdded(Box::new(HubKeyRow {
            hub: NORTE,
            epoch,
            body: sealed("signed"),
            wraps: wraps.iter().map(|user| (*user, sealed("wrap"))).collect(),
            created_at: at(1),
        }))
    };
    keep(&store, key(1, &[ADMIN, ANA])).await.unwrap();
    refused(&store, key(3, &[ADMIN])).await;
    let ana = store.scope(ANA, NORTE).await.unwrap();
    let one = (1, sealed("signed"), sealed("wrap"));
    assert_eq!(ana.my_hub_keys().await.unwrap(), [one]);
    let change = VaultChange::MemberRemoved {
        hub: NORTE,
        user: ANA,
    };
    keep(&store, change).await.unwrap();
    assert!(store.scope(ANA, NORTE).await.is_err());
    keep(&store, member(NORTE, ANA, Role::Volunteer))
        .await
        .unwrap();
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(ana.my_hub_keys().await.unwrap(), []);
}
