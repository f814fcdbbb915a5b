//! A reader written from `docs/protocol/backup-v1.md` alone opens what we seal.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod peer;

use std::fs;
use std::path::{Path, PathBuf};

use crypto::backup::{BackupFacts, BackupId, BackupWriter};
use crypto::{OsEntropy, ReaderSecretKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use peer::{hex, run};

const FILE: &[u8] = b"hlcid1 is not what a caller-id key looks like";

/// Rows of one table, as the page describes them.
fn rows() -> Vec<u8> {
    let mut out = b"centralita rows\n\x00\x01\x00\x00\x00\x04".to_vec();
    out.extend(b"\x01\x07counter\x02\x04name\x05value");
    for (name, value) in [("call_id", 5_i64), ("x", -1)] {
        out.extend(b"\x02\x02");
        out.extend((name.len() as u32).to_be_bytes());
        out.extend(name.as_bytes());
        out.push(1);
        out.extend(value.to_be_bytes());
    }
    out.push(255);
    out.extend(2_u64.to_be_bytes());
    let digest = Sha256::digest(&out);
    out.extend(digest);
    out
}

fn part(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, name.len() as u8];
    out.extend(name.as_bytes());
    for piece in content.chunks(20) {
        out.extend((piece.len() as u32).to_be_bytes());
        out.extend(piece);
    }
    out.extend([0; 4]);
    out
}

fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"centralita pack\n".to_vec();
    out.extend(parts.concat());
    out.push(255);
    out.extend((parts.len() as u32).to_be_bytes());
    out
}

fn whole() -> Vec<u8> {
    archive(&[part(1, "", &rows()), part(2, "keys/caller-id.key", FILE)])
}

fn seal(body: &[u8], key: &ReaderSecretKey) -> (BackupFacts, Vec<u8>) {
    let facts = BackupFacts {
        id: BackupId::generate(&mut OsEntropy).unwrap(),
        created_at_ms: 1_763_690_000_123,
    };
    let other = ReaderSecretKey::generate().unwrap();
    let readers = [*other.public_key(), *key.public_key()];
    let (mut writer, mut sealed) = BackupWriter::new(&facts, &readers, &mut OsEntropy).unwrap();
    sealed.extend(writer.push(body).unwrap());
    sealed.extend(writer.finish().unwrap());
    (facts, sealed)
}

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn open_in_python(folder: &Path, key: &ReaderSecretKey, sealed: &[u8]) -> Result<Value, String> {
    let paths = ["key", "backup"].map(|name| folder.join(name));
    fs::write(&paths[0], format!("{}\n", *key.reveal())).unwrap();
    fs::write(&paths[1], sealed).unwrap();
    let arguments = paths.each_ref().map(|path| path.to_str().unwrap());
    let output = run("open_backup.py", &arguments, b"");
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap().trim().to_owned()),
    }
}

#[test]
fn a_reader_written_from_the_document_opens_a_backup() {
    let folder = folder("backup-opens");
    let key = ReaderSecretKey::generate().unwrap();
    let (facts, sealed) = seal(&whole(), &key);
    let found = open_in_python(&folder, &key, &sealed).unwrap();
    let expected = json!({
        "id": facts.id.to_string(),
        "created_at_ms": facts.created_at_ms,
        "tables": { "counter": 2 },
        "files": { "keys/caller-id.key": hex(Sha256::digest(FILE)) },
    });
    assert_eq!(found, expected);
}

#[test]
fn the_reader_written_from_the_document_refuses_what_it_must() {
    let folder = folder("backup-refused");
    let [key, stranger] = [(); 2].map(|()| ReaderSecretKey::generate().unwrap());
    let (_, good) = seal(&whole(), &key);
    let refusal = |key: &ReaderSecretKey, sealed: &[u8]| {
        let refused = open_in_python(&folder, key, sealed).unwrap_err();
        refused.strip_prefix("refused: ").unwrap().to_owned()
    };
    assert_eq!(refusal(&stranger, &good), "not made for this key");
    let changed = |place: usize| {
        let mut changed = good.clone();
        changed[place] ^= 1;
        changed
    };
    assert_eq!(refusal(&key, &changed(4)), "unknown version");
    assert_eq!(
        refusal(&key, &changed(9)),
        "the entry for this key does not open"
    );
    assert_eq!(
        refusal(&key, &changed(good.len() - 40)),
        "the body does not open"
    );
    assert_eq!(
        refusal(&key, &good[..good.len() - 1]),
        "the body does not open"
    );
    let of = |body: &[u8]| refusal(&key, &seal(body, &key).1);
    let (rows, file) = (part(1, "", &rows()), part(2, "a", FILE));
    assert_eq!(of(&archive(&[])), "parts are missing");
    assert_eq!(
        of(&archive(&[file.clone(), rows.clone()])),
        "a part out of place"
    );
    let twice = archive(&[rows.clone(), file.clone(), file]);
    assert_eq!(of(&twice), "a part out of place");
    let outside = archive(&[rows, part(2, "../a", FILE)]);
    assert_eq!(of(&outside), "a path leads elsewhere");
}
