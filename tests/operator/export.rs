//! Somebody takes their notes away.

use crypto::identity::Reader;
use crypto::record::{Export, ExportFacts};
use crypto::{HubId, OsEntropy, ReaderSecretKey, RecordId, UserId};

use crate::installed::{Installed, text};

#[test]
fn an_export_is_opened_by_its_owner_on_any_machine() {
    let installed = Installed::new("export", 44_400);
    let nowhere = installed.at("no-data-folder");
    let key = std::fs::read_to_string(installed.reader_key()).unwrap();
    let key: ReaderSecretKey = key.trim().parse().unwrap();
    let user = UserId::from_bytes([2; 16]);
    let facts = ExportFacts {
        hub: HubId::from_bytes([1; 16]),
        user,
        export: RecordId::from_bytes([3; 16]),
        created_at_ms: 1_763_690_000_000,
    };
    let owner = Reader {
        user,
        generation: 1,
        key: *key.public_key(),
    };
    let plain = br#"{"records":[{"text":"she called again"}]}"#;
    let sealed = Export::seal(facts, plain, &[owner], &mut OsEntropy).unwrap();
    let (file, out) = (installed.at("my.export"), installed.at("opened"));
    std::fs::write(&file, sealed.encode()).unwrap();

    let stranger = installed.at("stranger.key");
    installed.run(&nowhere, &["keygen", &text(&stranger)]);
    let open = |key: &str| {
        let (file, out) = (text(&file), text(&out));
        ["export", "open", &file, "--key", key, "--out", &out].map(str::to_owned)
    };
    let arguments = open(&text(&stranger));
    installed.refused(&nowhere, &arguments.each_ref().map(String::as_str));
    assert!(!out.exists());
    let arguments = open(&text(&installed.reader_key()));
    installed.run(&nowhere, &arguments.each_ref().map(String::as_str));
    let opened = std::fs::read_to_string(out.join("export.json")).unwrap();
    assert!(opened.contains("she called again"));
    assert!(!nowhere.exists());
}
