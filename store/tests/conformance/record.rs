//! Records and messages: who sees them, and what contradicts them.

use store::{
    CallFilter, Change, Changes, Permissions, RecordId, RecordRow, Role, RoleId, RoleRow,
    StoreError, Token, VaultChange, Visibility, VoicemailStart,
};

use crate::database::Database;
use crate::folder::{answered, at};
use crate::vault::{
    ADMIN, ALL, ANA, BEN, EVE, MESSAGES, NORTE, ROOT, SUR, added, keep, member, note, refused,
    sealed, settled,
};

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
        let found = scoped.search([word; 8], None, 10).await.unwrap();
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
        let ids = scoped.search([token; 8], None, 10).await.unwrap();
        ids.iter().map(|id| id.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(found(ADMIN, NORTE, word(1)).await, [1, 2]);
    let admin = store.scope(ADMIN, NORTE).await.unwrap();
    let page = async |after| admin.search([word(1); 8], after, 1).await.unwrap();
    let [first, second] = [1, 2].map(|byte| RecordId([byte; 16]));
    assert_eq!(page(None).await, [first]);
    assert_eq!(page(Some(first)).await, [second]);
    assert_eq!(page(Some(second)).await, []);
    for place in 0..8 {
        let mut both = [word(1); 8];
        both[place] = word(3);
        assert_eq!(admin.search(both, None, 10).await.unwrap(), [first]);
    }
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
    let mine = admin.my_voicemail(1, 9).await.unwrap();
    assert_eq!(
        mine,
        [(1, Some(sealed("wrap")))],
        "not that of the other hub"
    );
    assert_eq!(admin.voicemails(MESSAGES).await.unwrap().len(), 2);
    for (by, second) in [(ADMIN, 2), (ANA, 3)] {
        let (recording, at) = (1, at(second));
        let heard = Change::VoicemailHeard { recording, by, at };
        store.commit(heard.into()).await.unwrap();
    }
    let heard = admin.voicemails(MESSAGES).await.unwrap();
    let heard: Vec<_> = heard
        .iter()
        .map(|row| (row.heard_at, row.heard_by))
        .collect();
    assert_eq!(heard, [(None, None), (Some(at(2)), Some(ADMIN))]);
    let ana = store.scope(ANA, NORTE).await.unwrap();
    assert!(matches!(
        ana.voicemails(MESSAGES).await,
        Err(StoreError::NotAllowed)
    ));
    assert_eq!(ana.my_voicemail(1, 9).await.unwrap(), []);
    let change = Change::VoicemailRemoved { recording: 1 };
    store.commit(change.into()).await.unwrap();
    assert_eq!(admin.my_voicemail(1, 9).await.unwrap(), []);
}
