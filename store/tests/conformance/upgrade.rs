//! Databases of earlier programs, with data in them, as they are opened by this one.

use store::{
    AuditChain, AuditSubject, CallFilter, CallRow, Caller, CallerHash, Change, DeviceId, HubId,
    RecordId, Role, Sealed, SecretHash, StoreError, Token, UserId, VaultId, Visibility,
};

use crate::database::Database;
use crate::folder::start;
use crate::vault::{ALL, INVITES, MESSAGES, keep};

/// The schemas that were released, and rows as the program of each wrote them. A schema later
/// the rows are still there.
const SCHEMAS: [(&str, &str, &str); 11] = [
    (
        "0001_begin",
        include_str!("../../migrations/0001_begin.sql"),
        FIRST,
    ),
    (
        "0002_vault",
        include_str!("../../migrations/0002_vault.sql"),
        SECOND,
    ),
    (
        "0003_answered",
        include_str!("../../migrations/0003_answered.sql"),
        THIRD,
    ),
    (
        "0004_panel",
        include_str!("../../migrations/0004_panel.sql"),
        FOURTH,
    ),
    (
        "0005_heard",
        include_str!("../../migrations/0005_heard.sql"),
        FIFTH,
    ),
    (
        "0006_view_key",
        include_str!("../../migrations/0006_view_key.sql"),
        SIXTH,
    ),
    (
        "0007_report",
        include_str!("../../migrations/0007_report.sql"),
        SEVENTH,
    ),
    (
        "0008_device_share",
        include_str!("../../migrations/0008_device_share.sql"),
        EIGHTH,
    ),
    (
        "0009_voucher",
        include_str!("../../migrations/0009_voucher.sql"),
        NINTH,
    ),
    (
        "0010_key_mark",
        include_str!("../../migrations/0010_key_mark.sql"),
        TENTH,
    ),
    (
        "0011_pages",
        include_str!("../../migrations/0011_pages.sql"),
        "",
    ),
];

const FIRST: &str = "
    INSERT INTO counter VALUES ('call_id', 41);
    INSERT INTO call VALUES (1, 'norte', 'sip', x'$7', 1000, 2000, 10, 20, 30, 'ana', NULL, NULL,
                             'answered', NULL);
    INSERT INTO call VALUES (2, 'norte', 'sip', NULL, 3000, 4000, NULL, 20, 0, NULL, 2, 5000,
                             'voicemail', NULL);
    INSERT INTO call (id, hub, trunk, started_at) VALUES (3, 'norte', 'sip', 5000);
    INSERT INTO call_rung (call, position, volunteer, rang) VALUES (1, 1, 'ana', 10);
    INSERT INTO voicemail VALUES (2, 'norte', 'voicemail/2.sealed', 3500, 5000, 1);
    INSERT INTO binding VALUES (9, 'ana', 'sip:ana@10.0.0.1', NULL, NULL, '', 'udp',
                                '10.0.0.2:5060', '10.0.0.1:5060', 'id', 1, 9000, NULL);
    INSERT INTO hotline VALUES (1, 'hash', 'body', 900);
    INSERT INTO ban VALUES ('norte', x'$7', 1000, NULL, NULL);
    INSERT INTO volunteer_break VALUES ('ben', 800);";

const SECOND: &str = "
    UPDATE call SET caller_sealed = x'0102' WHERE id = 1;
    INSERT INTO hub VALUES (x'$1', 'norte', 1000);
    INSERT INTO person VALUES (x'$2', x'aa', 'active', 1, 1000);
    INSERT INTO person VALUES (x'$3', x'bb', 'active', 0, 1000);
    INSERT INTO device VALUES (x'$2', x'$2', x'$7', 1000, NULL);
    INSERT INTO sigchain_link VALUES (x'$2', 1, x'cc');
    INSERT INTO roster_link VALUES (x'$1', 1, x'dd');
    INSERT INTO hub_role VALUES (x'$1', x'$4', x'', 1);
    INSERT INTO membership VALUES (x'$1', x'$2', 'hub-admin', NULL, 1000);
    INSERT INTO membership VALUES (x'$1', x'$3', 'own', x'$4', 1000);
    INSERT INTO hub_key VALUES (x'$1', 1, x'ee', 1000);
    INSERT INTO hub_key_wrap VALUES (x'$1', 1, x'$2', x'ff');
    INSERT INTO record (hub, id, revision, kind, parent, author, call, header, body,
                        manifest_revision, manifest, created_at)
        VALUES (x'$1', x'$5', 1, 1, x'$7', x'$2', 1, x'01', x'02', 1, x'03', 1000);
    INSERT INTO record_token VALUES (x'$1', 1, x'$6', x'$5');
    INSERT INTO tombstone VALUES (x'$1', x'$6', x'04', 1000);
    INSERT INTO voicemail_reader VALUES (2, x'$2', NULL);
    INSERT INTO invite VALUES (x'$7', x'$1', 'volunteer', NULL, x'$2', 1000, 2000, NULL, NULL);
    INSERT INTO audit_head VALUES (x'$1', 1, x'$7');
    INSERT INTO audit VALUES (x'$1', 1, 1000, 1, x'$2', 5, x'$0', x'$7');
    INSERT INTO vault_share VALUES (x'$4', x'$2', x'09');
    INSERT INTO log_leaf VALUES (0, x'05');
    INSERT INTO log_checkpoint VALUES (1, 'note');";

const THIRD: &str = "
    UPDATE call_rung SET answered = 1 WHERE call = 1;";

const FOURTH: &str = "
    INSERT INTO shift VALUES ('norte', 0, 'night', 1, 1200, 60);
    INSERT INTO shift_member VALUES ('norte', 0, 'volunteer', 'ana');
    INSERT INTO ring_group VALUES ('norte', 'all', 'ring');
    INSERT INTO ring_group_member VALUES ('norte', 'ring', 'all', 'ana');
    INSERT INTO phone_account VALUES ('ana', x'$2', 1);
    INSERT INTO session VALUES (x'$2', x'$2', x'$2', x'$7', 1000, 1000, x'$7', 9000, x'$8', 9000);
    INSERT INTO recovery_escrow VALUES (x'$2', x'06', 1000);
    INSERT INTO hub_setting VALUES (x'$1', 1, 1, x'07', x'$2', 1000);
    UPDATE record SET visibility = 1;
    INSERT INTO attachment VALUES (x'$1', x'$5', NULL, x'$2', 1, 1, 1000);
    INSERT INTO attachment_chunk VALUES (x'$1', x'$5', 0, x'08');";

const FIFTH: &str = "
    UPDATE voicemail SET header = x'0a', heard_at = 6000, heard_by = x'$2' WHERE recording = 2;";

const SIXTH: &str = "
    UPDATE session SET view_key = x'$8' WHERE id = x'$2';";

const SEVENTH: &str = "
    UPDATE call SET reported_at = 7000, reported_by = x'$2' WHERE id = 1;";

const EIGHTH: &str = "
    UPDATE vault_share SET device = x'$2' WHERE vault = x'$4';
    UPDATE recovery_escrow SET device = x'$2';";

const NINTH: &str = "
    UPDATE invite SET voucher = x'0b' WHERE code = x'$7';";

const TENTH: &str = "
    INSERT INTO key_mark VALUES ('log.key', x'$7');";

const HUB: HubId = HubId([0x11; 16]);
const ADMIN: UserId = UserId([0x22; 16]);
const OTHER: UserId = UserId([0x33; 16]);
const RECORD: RecordId = RecordId([0x55; 16]);
const HASH: [u8; 32] = [0x77; 32];

/// `$7` and `$8` stand for 32 bytes, `$0` to `$6` for 16.
fn spelled(text: &str) -> String {
    (0..=8).fold(text.to_owned(), |text, digit| {
        let bytes = if digit < 7 { 16 } else { 32 };
        let digits = digit.to_string().repeat(2 * bytes);
        text.replace(&format!("${digit}"), &digits)
    })
}

/// A database of the schema numbered `version`, with rows that were written at each schema up to
/// it.
async fn of_schema(database: &Database, version: usize) {
    database
        .script("CREATE TABLE migration (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT;")
        .await;
    for (number, (name, schema, rows)) in (1..=version).zip(SCHEMAS) {
        database.script(schema).await;
        database.script(&spelled(rows)).await;
        let noted = format!("INSERT INTO migration VALUES ({number}, '{name}')");
        database.script(&noted).await;
    }
}

pub async fn every_earlier_schema_is_brought_up_to_date(database: Database) {
    let newest = database.another().await;
    newest.open().await.close().await;
    let mut columns = newest.columns().await;
    columns.sort();
    for version in 1..=SCHEMAS.len() {
        let database = database.another().await;
        of_schema(&database, version).await;
        let store = database.open().await;
        let mut upgraded = database.columns().await;
        upgraded.sort();
        assert_eq!(upgraded, columns, "from {version}");
        assert_first(&store, version).await;
        if version >= 2 {
            assert_second(&store, version).await;
        }
        if version >= 4 {
            assert_fourth(&store, version).await;
        }
        if version >= 7 {
            assert_seventh(&store).await;
        }
        let mark = store.unscoped().key_mark("log.key").await.unwrap();
        assert_eq!(mark, (version >= 10).then_some(HASH));
        // It is written to like any other.
        keep(&store, Change::CallStarted(start(50))).await.unwrap();
        store.close().await;
        let store = database.open().await;
        assert_eq!(store.unscoped().open_calls().await.unwrap().len(), 2);
        store.reader().check_integrity().await.unwrap();
        store.close().await;
    }
}

async fn assert_first(store: &store::Store, version: usize) {
    let all = store.unscoped();
    let filter = CallFilter {
        limit: 9,
        ..CallFilter::default()
    };
    let calls = all.calls(None, &filter).await.unwrap();
    let [
        CallRow::Open(_),
        CallRow::Ended(message),
        CallRow::Ended(answered),
    ] = &calls[..]
    else {
        panic!("{calls:?}");
    };
    assert_eq!(message.voicemail.unwrap().0, 2);
    assert_eq!(answered.start.caller, Caller::Known(CallerHash(HASH)));
    assert_eq!(answered.rung[0].volunteer, "ana");
    // Who answered was not kept apart from who was rung before the third.
    assert_eq!(answered.rung[0].answered, version >= 3);
    let messages = all.voicemails(None, MESSAGES).await.unwrap();
    assert_eq!((messages.len(), messages[0].complete), (1, true));
    let signed = (version >= 5).then(|| vec![10]);
    assert_eq!(messages[0].header, signed);
    assert_eq!(messages[0].heard_at.is_some(), version >= 5);
    assert_eq!(all.bindings().await.unwrap()[0].id, 9);
    assert_eq!(all.hotline().await.unwrap().unwrap().body, "body");
    let bans = all.bans("norte", jiff::Timestamp::UNIX_EPOCH).await;
    assert_eq!(bans.unwrap()[0].caller, CallerHash(HASH));
    assert_eq!(all.breaks().await.unwrap()[0].volunteer, "ben");
    assert_eq!(store.allocate_call_ids(1).await.unwrap(), 42);
}

async fn assert_second(store: &store::Store, version: usize) {
    let admin = store.scope(ADMIN, HUB).await.unwrap();
    assert_eq!(admin.caller_of(1).await.unwrap().unwrap().0, [1, 2]);
    let members = admin.members().await.unwrap();
    assert_eq!(members[0].role, Role::HubAdmin);
    assert!(matches!(members[1].role, Role::Own(_)));
    assert_eq!(admin.roster(0).await.unwrap(), [[0xdd]]);
    assert_eq!(admin.my_hub_keys().await.unwrap().len(), 1);
    let records = admin.records(&ALL).await.unwrap();
    let visibility = match version {
        2 | 3 => Visibility::Shared,
        _ => Visibility::Private,
    };
    assert_eq!((records[0].id, records[0].visibility), (RECORD, visibility));
    let word = Token {
        field: 1,
        word: [0x66; 16],
    };
    assert_eq!(admin.search([word; 8], None, 10).await.unwrap(), [RECORD]);
    let tombstone = admin.tombstone(RecordId([0x66; 16])).await.unwrap();
    assert_eq!(tombstone.unwrap().body, Sealed(vec![4]));
    assert_eq!(admin.my_voicemail(1, 9).await.unwrap(), [(2, None)]);
    let invites = admin.invites(INVITES).await.unwrap();
    assert_eq!(invites[0].code, SecretHash(HASH));
    assert_eq!(invites[0].voucher, (version >= 9).then(|| vec![11]));
    let all = store.unscoped();
    let told = all.audit_trail(AuditChain::Hub(HUB), 0, 9).await.unwrap();
    assert_eq!(told[0].entry.subject, AuditSubject::Call(0));
    let heads = store.unscoped().audit_heads().await.unwrap();
    assert_eq!(heads[0].0, AuditChain::Hub(HUB));
    let reader = store.reader();
    assert_eq!(reader.sigchain(ADMIN, 0).await.unwrap(), [[0xcc]]);
    let device = reader.device(DeviceId(ADMIN.0)).await.unwrap().unwrap();
    assert_eq!(device.sign_key, HASH);
    assert_eq!(store.unscoped().log_leaves(0).await.unwrap(), [[5]]);
    let share = reader.vault_share(VaultId([0x44; 16])).await.unwrap();
    assert_eq!(share, Some((ADMIN, Sealed(vec![9]))));
    // Of which device a share is was not known before the eighth.
    let with_vault = reader.devices_with_vault(ADMIN).await.unwrap();
    assert_eq!(with_vault.len(), usize::from(version >= 8));
    // The member whose role allows nothing of this.
    let other = store.scope(OTHER, HUB).await.unwrap();
    let refused = other.invites(INVITES).await;
    assert!(matches!(refused, Err(StoreError::NotAllowed)));
}

async fn assert_fourth(store: &store::Store, version: usize) {
    let admin = store.scope(ADMIN, HUB).await.unwrap();
    assert_eq!(admin.shifts().await.unwrap()[0].volunteers, ["ana"]);
    assert_eq!(admin.groups().await.unwrap()[0].volunteers, ["ana"]);
    let accounts = admin.phone_accounts().await.unwrap();
    assert_eq!(accounts[0].user, Some(ADMIN));
    assert_eq!(admin.settings().await.unwrap().len(), 1);
    let file = admin.attachment_bytes(RECORD, 0, 9).await.unwrap();
    assert_eq!(file.unwrap(), [8]);
    let reader = store.reader();
    let escrow = reader.recovery_escrow(ADMIN).await.unwrap();
    assert_eq!(escrow.unwrap().0, [6]);
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    let session = reader.session(SecretHash(HASH), epoch).await.unwrap();
    let session = session.unwrap();
    assert_eq!(session.user, ADMIN);
    assert_eq!(session.view_key, (version >= 6).then_some([0x88; 32]));
}

async fn assert_seventh(store: &store::Store) {
    let admin = store.scope(ADMIN, HUB).await.unwrap();
    let reports = admin.reports(1, 9).await.unwrap();
    assert_eq!(reports.keys().collect::<Vec<_>>(), [&1]);
}
