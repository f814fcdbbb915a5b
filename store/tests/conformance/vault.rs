//! Identities, roles, records, logins: who sees what, and what contradicts what.

use store::{
    CallFilter, Change, Changes, DeviceId, DeviceRow, Erasure, HubId, HubKeyRow, HubRow, InviteRow,
    LoginChange, MemberRow, Permissions, RecordFilter, RecordId, RecordRow, Role, RoleId, RoleRow,
    Sealed, SealedRecord, SecretHash, SessionId, SessionRow, Store, StoreError, Token, UserId,
    UserRow, UserStatus, VaultChange, Visibility, VoicemailStart,
};

use crate::database::Database;
use crate::folder::{answered, at};

pub const NORTE: HubId = HubId([1; 16]);
pub const SUR: HubId = HubId([2; 16]);
pub const ADMIN: UserId = UserId([10; 16]);
pub const ANA: UserId = UserId([11; 16]);
pub const BEN: UserId = UserId([12; 16]);
/// Runs the installation and is a member nowhere.
const ROOT: UserId = UserId([13; 16]);
/// Of the other hub.
pub const EVE: UserId = UserId([14; 16]);

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

fn member(hub: HubId, user: UserId, role: Role) -> VaultChange {
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

pub async fn a_role_decides_which_records_are_seen(database: Database) {
    let store = settled(&database).await;
    let own = RoleId([3; 16]);
    let role = RoleRow {
        hub: NORTE,
        id: own,
        name: sealed("historian"),
        permissions: Permissions::READ_CALLS,
    };
    let mut end = answered(7);
    end.start.hub = Some("norte".to_owned());
    let mut changes: Changes = Change::CallEnded(Box::new(end)).into();
    for change in [
        added(note(NORTE, 1, 1, ANA), &[]),
        added(note(NORTE, 2, 1, BEN), &[]),
        // An admin's revision of a volunteer's note stays the volunteer's to read.
        added(note(NORTE, 1, 2, ADMIN), &[]),
        VaultChange::CallerSealed {
            call: 7,
            sealed: sealed("number"),
        },
        VaultChange::RoleDefined(role.clone()),
    ] {
        changes.push(change);
    }
    store.commit(changes).await.unwrap();
    let ids = async |user| {
        let scoped = store.scope(user, NORTE).await.unwrap();
        let rows = scoped.records(&ALL).await.unwrap();
        rows.iter()
            .map(|r| (r.id.0[0], r.revision))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(ANA).await, [(1, 2)]);
    assert_eq!(ids(BEN).await, [(2, 1)]);
    assert_eq!(ids(ADMIN).await, [(1, 2), (2, 1)]);
    assert_eq!(ids(ROOT).await, []);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(ana.record(RecordId([2; 16])).await.unwrap(), []);
    assert_eq!(
        ana.record(RecordId([1; 16])).await.unwrap(),
        [note(NORTE, 1, 1, ANA), note(NORTE, 1, 2, ADMIN)]
    );
    let calls = CallFilter {
        limit: 9,
        ..CallFilter::default()
    };
    assert!(matches!(
        ana.calls(&calls).await,
        Err(StoreError::NotAllowed)
    ));
    assert!(matches!(
        ana.caller_of(7).await,
        Err(StoreError::NotAllowed)
    ));
    assert!(matches!(ana.audit(0, 9).await, Err(StoreError::NotAllowed)));
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.caller_of(7).await.unwrap(), Some(sealed("number")));
    assert_eq!(admin.roles().await.unwrap(), [role]);
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.records(&ALL).await.unwrap(), []);
    assert_eq!(eve.calls(&calls).await.unwrap(), []);
    assert_eq!(eve.caller_of(7).await.unwrap(), None);
    keep(&store, member(NORTE, ANA, Role::Own(own)))
        .await
        .unwrap();
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert_eq!(ana.permissions(), Permissions::READ_CALLS);
    assert_eq!(ana.calls(&calls).await.unwrap().len(), 1);
    // A role of another hub is none here.
    refused(&store, member(SUR, ANA, Role::Own(own))).await;
}

pub async fn a_private_record_is_for_its_author(database: Database) {
    let store = settled(&database).await;
    let word = Token {
        field: 1,
        word: [1; 16],
    };
    let private = |id, revision, author| RecordRow {
        visibility: Visibility::Private,
        ..note(NORTE, id, revision, author)
    };
    for change in [
        added(private(1, 1, ANA), &[word]),
        added(note(NORTE, 2, 1, BEN), &[word]),
        added(private(2, 2, BEN), &[word]),
        added(private(3, 1, ADMIN), &[word]),
    ] {
        keep(&store, change).await.unwrap();
    }
    let seen = async |user| {
        let scoped = store.scope(user, NORTE).await.unwrap();
        let listed = scoped.records(&ALL).await.unwrap();
        let found = scoped.search(word).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|record| record.id.0[0]).collect();
        assert_eq!(found.iter().map(|id| id.0[0]).collect::<Vec<_>>(), listed);
        listed
    };
    assert_eq!(seen(ADMIN).await, [3], "what others keep to themselves");
    assert_eq!(seen(ANA).await, [1]);
    assert_eq!(seen(BEN).await, [2]);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let revisions = async |id| {
        let rows = admin.record(RecordId([id; 16])).await.unwrap();
        rows.iter().map(|row| row.revision).collect::<Vec<_>>()
    };
    assert!(revisions(1).await.is_empty());
    assert_eq!(
        revisions(2).await,
        [1],
        "what was shown before it was private"
    );
    let shared = VaultChange::ManifestReplaced {
        hub: NORTE,
        record: RecordId([1; 16]),
        revision: 1,
        manifest_revision: 2,
        manifest: sealed("with the admins"),
        visibility: Visibility::Shared,
    };
    keep(&store, shared).await.unwrap();
    assert_eq!(seen(ADMIN).await, [1, 3]);
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

pub async fn a_record_takes_only_its_next_revision(database: Database) {
    let store = settled(&database).await;
    let manifest = |manifest_revision, text: &str| VaultChange::ManifestReplaced {
        hub: NORTE,
        record: RecordId([1; 16]),
        revision: 1,
        manifest_revision,
        manifest: sealed(text),
        visibility: Visibility::Shared,
    };
    let mut other = note(NORTE, 1, 1, ANA);
    other.sealed.as_mut().unwrap().body = sealed("other");
    for change in [
        added(note(NORTE, 1, 1, ANA), &[]),
        added(note(NORTE, 1, 1, ANA), &[]),
        manifest(2, "more readers"),
        manifest(2, "more readers"),
    ] {
        keep(&store, change).await.unwrap();
    }
    for change in [
        added(other, &[]),
        added(note(NORTE, 1, 3, ANA), &[]),
        manifest(2, "others"),
        manifest(4, "gap"),
        manifest(1, "back"),
    ] {
        refused(&store, change).await;
    }
    let scoped = store.scope(ANA, NORTE).await.unwrap();
    let rows = scoped.record(RecordId([1; 16])).await.unwrap();
    let sealed_part = rows[0].sealed.as_ref().unwrap();
    assert_eq!(sealed_part.manifest, sealed("more readers"));
    assert_eq!((rows.len(), sealed_part.manifest_revision), (1, 2));
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
    };
    let used = |by, second| VaultChange::InviteUsed {
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
        ..invite
    };
    assert_eq!(found, expected);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    assert_eq!(admin.invites().await.unwrap(), [expected]);
    let eve = store.scope(EVE, SUR).await.unwrap();
    assert_eq!(eve.invites().await.unwrap(), []);
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

pub async fn words_find_records_of_their_hub_only(database: Database) {
    let store = settled(&database).await;
    let word = |byte| Token {
        field: 1,
        word: [byte; 16],
    };
    for change in [
        added(note(NORTE, 1, 1, ANA), &[word(1), word(2), word(2)]),
        added(note(NORTE, 2, 1, BEN), &[word(1)]),
        added(note(SUR, 3, 1, EVE), &[word(1)]),
        added(note(NORTE, 1, 2, ANA), &[word(1), word(3)]),
    ] {
        keep(&store, change).await.unwrap();
    }
    let found = async |user, hub, token| {
        let scoped = store.scope(user, hub).await.unwrap();
        let ids = scoped.search(token).await.unwrap();
        ids.iter().map(|id| id.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(found(ADMIN, NORTE, word(1)).await, [1, 2]);
    assert_eq!(found(ANA, NORTE, word(1)).await, [1]);
    assert_eq!(
        found(ADMIN, NORTE, word(2)).await,
        [],
        "an old revision's word"
    );
    assert_eq!(found(ADMIN, NORTE, word(3)).await, [1]);
    assert_eq!(found(EVE, SUR, word(1)).await, [3]);
    let other_field = Token {
        field: 2,
        ..word(1)
    };
    assert_eq!(found(ADMIN, NORTE, other_field).await, []);
}

pub async fn a_message_is_for_its_readers(database: Database) {
    let store = settled(&database).await;
    let mut changes = Changes::new();
    for (recording, hub) in [(1, "norte"), (2, "norte"), (3, "sur")] {
        changes.push(Change::VoicemailStarted(VoicemailStart {
            recording,
            hub: hub.to_owned(),
            path: format!("voicemail/{recording}"),
            created_at: at(1),
        }));
    }
    for (recording, wrap) in [(1, Some(sealed("wrap"))), (3, None)] {
        changes.push(VaultChange::VoicemailReaderSet {
            recording,
            user: ADMIN,
            wrap,
        });
    }
    store.commit(changes).await.unwrap();
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let mine = admin.my_voicemail().await.unwrap();
    assert_eq!(
        mine,
        [(1, Some(sealed("wrap")))],
        "not that of the other hub"
    );
    assert_eq!(admin.voicemails().await.unwrap().len(), 2);
    for (by, second) in [(ADMIN, 2), (ANA, 3)] {
        let (recording, at) = (1, at(second));
        let heard = Change::VoicemailHeard { recording, by, at };
        store.commit(heard.into()).await.unwrap();
    }
    let heard = admin.voicemails().await.unwrap();
    let heard: Vec<_> = heard
        .iter()
        .map(|row| (row.heard_at, row.heard_by))
        .collect();
    assert_eq!(heard, [(None, None), (Some(at(2)), Some(ADMIN))]);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert!(matches!(
        ana.voicemails().await,
        Err(StoreError::NotAllowed)
    ));
    assert_eq!(ana.my_voicemail().await.unwrap(), []);
    let change = Change::VoicemailRemoved { recording: 1 };
    store.commit(change.into()).await.unwrap();
    assert_eq!(admin.my_voicemail().await.unwrap(), []);
}
