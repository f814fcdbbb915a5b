//! `centralita export`: what a person took away, opened on their own machine.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use crypto::ReaderSecretKey;
use crypto::record::{Export, OpeningKey, RecordError};
use data_encoding::BASE64;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::say;
use crate::private_file;

const FOLDER_MODE: u32 = 0o700;
/// What lies beside the files.
const DOCUMENT: &str = "export.json";
const FILES: &str = "files";
const MAX_NAME_BYTES: usize = 200;

/// What to do with an export.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Open one with its owner's key: notes as JSON, files beside it.
    Open {
        /// The sealed export.
        file: PathBuf,
        /// The secret key file whose public half the export was made for (`keygen` writes such a
        /// file).
        #[arg(long)]
        key: PathBuf,
        /// The folder that everything goes to; must not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Runs the action.
pub(super) fn run(action: Action) -> Result<(), String> {
    let Action::Open { file, key, out } = action;
    let sealed = std::fs::read(&file)
        .map_err(|error| format!("cannot read the export {}: {error}", file.display()))?;
    let text = std::fs::read_to_string(&key)
        .map(Zeroizing::new)
        .map_err(|error| format!("cannot read the key file {}: {error}", key.display()))?;
    let key = text
        .trim()
        .parse()
        .map_err(|error| format!("{} holds no secret key: {error}", key.display()))?;
    let plain = open(&sealed, &key).map_err(|error| error.to_string())?;
    let files = write(&plain, &out)?;
    say(format_args!(
        "{} and {files} files written; they are readable for you alone, and no longer sealed",
        out.join(DOCUMENT).display()
    ));
    Ok(())
}

/// Tries the key at every entry: an export names people, not keys.
fn open(sealed: &[u8], key: &ReaderSecretKey) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    let export = Export::decode(sealed)?;
    let mut refused = RecordError::NotAReader;
    for entry in export.entries() {
        let (user, generation) = (entry.user(), entry.generation());
        let key = OpeningKey::PerUserKey {
            user,
            generation,
            secret: key,
        };
        match export.open(&key) {
            Err(RecordError::WrapRefused) => refused = RecordError::NotAReader,
            Err(error) => return Err(error),
            opened => return opened,
        }
    }
    Err(refused)
}

/// Writes document and files, and returns how many files there were. Nothing is written of an
/// export that breaks the format.
fn write(plain: &[u8], out: &Path) -> Result<usize, String> {
    let mut document: Map<String, Value> = serde_json::from_slice(plain)
        .map_err(|error| format!("the export opened, but is no JSON: {error}"))?;
    let files = take_files(&mut document)?;
    let failed = |error| format!("cannot write to {}: {error}", out.display());
    let folder = |path: &Path| DirBuilder::new().mode(FOLDER_MODE).create(path);
    folder(out).map_err(failed)?;
    let text = serde_json::to_vec_pretty(&document).map_err(|error| error.to_string())?;
    private_file::create(&out.join(DOCUMENT), &Zeroizing::new(text)).map_err(failed)?;
    if !files.is_empty() {
        folder(&out.join(FILES)).map_err(failed)?;
    }
    for (name, content) in &files {
        private_file::create(&out.join(FILES).join(name), content).map_err(failed)?;
    }
    Ok(files.len())
}

type NamedFile = (String, Zeroizing<Vec<u8>>);

/// Takes the contents of the files out of the document; their names stay.
fn take_files(document: &mut Map<String, Value>) -> Result<Vec<NamedFile>, String> {
    let Some(listed) = document.get_mut("files") else {
        return Ok(Vec::new());
    };
    let wrong = || "the export opened, but its list of files is malformed".to_owned();
    let mut names = BTreeSet::new();
    let mut files = Vec::new();
    for entry in listed.as_array_mut().ok_or_else(wrong)? {
        let entry = entry.as_object_mut().ok_or_else(wrong)?;
        let content = entry.remove("content");
        let content = content.as_ref().and_then(Value::as_str).ok_or_else(wrong)?;
        let content = BASE64.decode(content.as_bytes()).map_err(|_| wrong())?;
        let name = entry.get("name").and_then(Value::as_str);
        let name = name.filter(|name| is_plain_name(name)).ok_or_else(wrong)?;
        if !names.insert(name.to_owned()) {
            return Err(wrong());
        }
        files.push((name.to_owned(), Zeroizing::new(content)));
    }
    Ok(files)
}

/// Whether a name stays in its folder and shows as what it is.
fn is_plain_name(name: &str) -> bool {
    let length = 1..=MAX_NAME_BYTES;
    length.contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use crypto::identity::Reader;
    use crypto::record::ExportFacts;
    use crypto::{HubId, OsEntropy, RecordId, UserId};
    use serde_json::json;

    use super::*;

    fn sealed(plain: &[u8], key: &ReaderSecretKey) -> Vec<u8> {
        let facts = ExportFacts {
            hub: HubId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            export: RecordId::from_bytes([3; 16]),
            created_at_ms: 1_763_690_000_000,
        };
        let other = ReaderSecretKey::generate().unwrap();
        let reader = |user, key: &ReaderSecretKey| Reader {
            user: UserId::from_bytes([user; 16]),
            generation: 1,
            key: *key.public_key(),
        };
        let readers = [reader(2, &other), reader(9, key)];
        let export = Export::seal(facts, plain, &readers, &mut OsEntropy).unwrap();
        export.encode()
    }

    fn folder(name: &str) -> PathBuf {
        let name = format!("centralita-export-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn its_owner_gets_notes_and_files_and_nobody_else_anything() {
        let [key, stranger] = [(); 2].map(|()| ReaderSecretKey::generate().unwrap());
        let document = json!({
            "records": [{ "text": "she called again" }],
            "files": [{ "name": "letter 1.pdf", "content": BASE64.encode(b"%PDF") }],
        });
        let sealed = sealed(document.to_string().as_bytes(), &key);
        let refused = open(&sealed, &stranger).unwrap_err();
        assert!(matches!(refused, RecordError::NotAReader), "{refused}");
        let plain = open(&sealed, &key).unwrap();
        let out = folder("opens");
        assert_eq!(write(&plain, &out), Ok(1));
        let text = std::fs::read(out.join(DOCUMENT)).unwrap();
        let written: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(written["records"], document["records"]);
        assert_eq!(written["files"], json!([{ "name": "letter 1.pdf" }]));
        let file = std::fs::read(out.join("files/letter 1.pdf")).unwrap();
        assert_eq!(file, b"%PDF");
        assert!(write(&plain, &out).is_err(), "nothing is overwritten");
        std::fs::remove_dir_all(out).unwrap();
    }

    #[test]
    fn no_file_lands_elsewhere() {
        let entry = |name: &str| json!({ "name": name, "content": "" });
        for files in [
            json!([entry("../x")]),
            json!([entry("/etc/x")]),
            json!([entry("..")]),
            json!([entry("a\\b")]),
            json!([entry("a\u{0}")]),
            json!([entry("")]),
            json!([entry("a"), entry("a")]),
            json!([{ "name": "a", "content": "not base64" }]),
            json!([{ "name": "a" }]),
            json!("files"),
        ] {
            let out = folder("elsewhere");
            let plain = json!({ "files": files }).to_string();
            assert!(write(plain.as_bytes(), &out).is_err(), "{files}");
            assert!(!out.exists(), "{files}");
        }
    }
}
