//! A whole box, there and back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crypto::backup::BackupError;
use store::{CallFilter, CallRow, CallStart, Caller, CallerHash, Change, PostgresUrl};

use super::*;

struct Scene(PathBuf);

impl Scene {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centralita-backup-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sqlite(data: &Path) -> Engine {
    Engine::Sqlite {
        folder: data.to_path_buf(),
    }
}

fn started(call: u64) -> Change {
    Change::CallStarted(CallStart {
        call,
        hub: Some("norte".to_owned()),
        trunk: None,
        caller: Caller::Known(CallerHash([7; 32])),
        started_at: Timestamp::from_second(1_800_000_000 + call.cast_signed()).unwrap(),
    })
}

async fn calls(engine: &Engine) -> Vec<CallRow> {
    let reader = Reader::open_on(engine).await.unwrap();
    let filter = CallFilter {
        limit: 1000,
        ..CallFilter::default()
    };
    let calls = reader.unscoped().calls(None, &filter).await.unwrap();
    reader.close().await;
    calls
}

/// A data folder as a server leaves it, and what of it must come back.
async fn filled(data: &Path) -> (Store, BTreeMap<String, Vec<u8>>) {
    let store = crate::database::open(data).await.unwrap();
    let changes: Changes = (1..=300).map(started).collect();
    store.commit(changes).await.unwrap();
    crate::keys::caller_id_key(data, &store).await.unwrap();
    let mut expected = BTreeMap::new();
    fs::create_dir_all(data.join("tls/ca")).unwrap();
    fs::create_dir_all(data.join("voicemail")).unwrap();
    fs::create_dir_all(data.join("prompts")).unwrap();
    for number in 0..8_usize {
        let sealed = (0..number * 20_000).map(|place| (place % 249) as u8);
        expected.insert(format!("voicemail/{number:016x}.sealed"), sealed.collect());
    }
    expected.insert("tls/ca/authority.key".to_owned(), b"secret".to_vec());
    for (path, content) in &expected {
        fs::write(data.join(path), content).unwrap();
    }
    let key = fs::read(data.join("caller-id.key")).unwrap();
    expected.insert("caller-id.key".to_owned(), key);
    fs::write(data.join("prompts/greeting.wav"), b"made again").unwrap();
    fs::write(data.join("voicemail/start.part"), b"unfinished").unwrap();
    (store, expected)
}

/// All files below a folder but the database's.
fn found(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = folder::files(data).unwrap();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(data.join(path)).unwrap()))
        .collect()
}

async fn made(data: &Path, key: &ReaderSecretKey, file: &Path) -> Contents {
    let readers = [*key.public_key()];
    let engine = sqlite(data);
    let mut quiet = |_: &str| {};
    let mut progress = Progress::new(&mut quiet);
    make((data, &engine), &readers, file, &mut progress)
        .await
        .unwrap()
}

async fn restored(
    file: &Path,
    key: &ReaderSecretKey,
    data: &Path,
    url: Option<&str>,
) -> Result<Contents, Failure> {
    let mut quiet = |_: &str| {};
    let mut progress = Progress::new(&mut quiet);
    let data = DataFolder::find(data, url)?;
    restore(file, key, &data, &mut progress).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_comes_back_as_it_was_while_it_went_on() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, expected) = filled(&data).await;
    let _socket = UnixListener::bind(data.join("control.sock")).unwrap();
    let key = ReaderSecretKey::generate().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writing = {
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            let mut next = 301;
            while !done.load(Ordering::Relaxed) {
                store.commit(started(next).into()).await.unwrap();
                next += 1;
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            (store, next - 1)
        })
    };
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let made = made(&data, &key, &file).await;
    done.store(true, Ordering::Relaxed);
    let (store, last) = writing.await.unwrap();
    assert!(last > 300, "something was written meanwhile");
    assert_eq!(made.files, expected.len() as u64);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(!scene.at("box.backup.part").exists());

    // A folder that is new, and one that is there and empty.
    let (new, empty) = (scene.at("new"), scene.at("empty"));
    fs::create_dir_all(empty.join("lost+found")).unwrap();
    for target in [&new, &empty] {
        let taken = restored(&file, &key, target, None).await.unwrap();
        assert_eq!((taken.facts, taken.rows), (made.facts, made.rows));
        assert_eq!(found(target), expected);
        assert!(!target.join(".restore").exists());
        for name in ["centralita.db", "tls/ca/authority.key"] {
            let mode = fs::metadata(target.join(name)).unwrap().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
        let back = calls(&sqlite(target)).await;
        let now = calls(&sqlite(&data)).await;
        // Of one moment: a prefix of what there is now, without gaps.
        assert!(back.len() >= 300 && now.ends_with(&back));
        let opened = crate::database::open(target).await.unwrap();
        let trail = opened.unscoped().verify_audit(
            AuditChain::Installation,
            crypto::audit::entry_hash,
            None,
        );
        let verified = trail.await.unwrap().unwrap().verified;
        assert_eq!(verified, 1, "the trail tells of it");
        opened.commit(started(9_999).into()).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, _) = filled(&data).await;
    let key = ReaderSecretKey::generate().unwrap();
    made(&data, &key, &file).await;
    store.close().await;
    let good = fs::read(&file).unwrap();
    let (new, empty) = (scene.at("new"), scene.at("empty"));
    fs::create_dir_all(&empty).unwrap();
    let damaged = scene.at("damaged");
    let refused = async |bytes: &[u8], key: &ReaderSecretKey| {
        fs::write(&damaged, bytes).unwrap();
        let mut sentence = String::new();
        for target in [&new, &empty] {
            let failure = restored(&damaged, key, target, None).await.unwrap_err();
            sentence = failure.to_string();
        }
        assert!(!new.exists(), "{sentence}");
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0, "{sentence}");
        sentence
    };
    // Spread by a step without pattern; the last byte too.
    let places = (0..12).map(|step| step * 2_654_435_761_usize % good.len());
    for place in places.chain([good.len() - 1]) {
        let mut changed = good.clone();
        changed[place] ^= 0x10;
        let sentence = refused(&changed, &key).await;
        assert!(!sentence.contains('\n'), "{sentence}");
        let cut = refused(&good[..place], &key).await;
        assert!(cut.contains("Take another copy") || place < 5, "{cut}");
    }
    let stranger = ReaderSecretKey::generate().unwrap();
    let sentence = refused(&good, &stranger).await;
    assert!(sentence.contains("not made for this recovery key"));
    let sentence = refused(b"something else altogether", &key).await;
    assert_eq!(sentence, "this is not a backup of centralita");
    let mut quiet = |_: &str| {};
    fs::write(&damaged, &good[..good.len() - 20]).unwrap();
    let checked = check(&damaged, &key, &mut Progress::new(&mut quiet));
    assert!(matches!(
        checked,
        Err(Failure::Sealed(BackupError::Altered | BackupError::CutOff))
    ));
    restored(&file, &key, &empty, None).await.unwrap();
    let checked = check(&file, &key, &mut Progress::new(&mut quiet)).unwrap();
    assert_eq!(checked.files, 10);
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, _) = filled(&data).await;
    let key = ReaderSecretKey::generate().unwrap();
    made(&data, &key, &file).await;
    let before = found(&data);
    let refused = restored(&file, &key, &data, None).await.unwrap_err();
    assert!(matches!(refused, Failure::NotEmpty(_)), "{refused}");
    assert_eq!(found(&data), before);
    assert_eq!(calls(&sqlite(&data)).await.len(), 300);

    let readers = [*key.public_key()];
    let engine = sqlite(&data);
    let mut quiet = |_: &str| {};
    let mut progress = Progress::new(&mut quiet);
    let kept = fs::read(&file).unwrap();
    let again = make((&data, &engine), &readers, &file, &mut progress).await;
    assert!(matches!(again, Err(Failure::Exists(_))));
    assert!(fs::read(&file).unwrap() == kept);
    let inside = data.join("tls/box.backup");
    let inside = make((&data, &engine), &readers, &inside, &mut progress).await;
    assert!(matches!(inside, Err(Failure::Inside(_))));
    // Without a database there is nothing to back up, and nothing is left of the attempt.
    let (none, other) = (scene.at("none"), scene.at("other.backup"));
    let engine = sqlite(&none);
    let missing = make((&none, &engine), &readers, &other, &mut progress).await;
    assert!(matches!(
        missing,
        Err(Failure::Store(StoreError::Missing { .. }))
    ));
    assert!(!other.exists() && !scene.at("other.backup.part").exists());
    store.close().await;
}

/// Killed, or on a disk that was full: the next one need not be told to clean up.
#[tokio::test]
async fn what_was_cut_off_is_in_nobodys_way() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, _) = filled(&data).await;
    let key = ReaderSecretKey::generate().unwrap();
    let readers = [*key.public_key()];
    let part = scene.at("box.backup.part");
    fs::write(&part, "half").unwrap();
    // As another backup that is at it.
    let other = fs::File::open(&part).unwrap();
    other.lock().unwrap();
    let mut quiet = |_: &str| {};
    let mut progress = Progress::new(&mut quiet);
    let busy = make((&data, &sqlite(&data)), &readers, &file, &mut progress).await;
    assert!(matches!(busy, Err(Failure::Busy(_))));
    assert_eq!(fs::read(&part).unwrap(), b"half");
    drop(other);
    made(&data, &key, &file).await;
    assert!(!part.exists());

    let new = scene.at("new");
    fs::create_dir_all(new.join(".restore/voicemail")).unwrap();
    let other = fs::File::open(new.join(".restore")).unwrap();
    other.lock().unwrap();
    let busy = restored(&file, &key, &new, None).await;
    assert!(matches!(busy, Err(Failure::Busy(_))));
    assert!(new.join(".restore/voicemail").exists());
    drop(other);
    restored(&file, &key, &new, None).await.unwrap();
    assert_eq!(found(&new), found(&data));
    store.close().await;
}

#[tokio::test]
async fn a_reader_written_from_the_document_opens_a_box() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, expected) = filled(&data).await;
    let key = ReaderSecretKey::generate().unwrap();
    let made = made(&data, &key, &file).await;
    store.close().await;
    fs::write(scene.at("key"), &*key.reveal()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv =
        std::env::var_os("CENTRALITA_TEST_VENV").map_or_else(|| root.join(".venv"), PathBuf::from);
    let output = Command::new(venv.join("bin/python"))
        .arg("-B")
        .arg(root.join("crypto/tests/python/open_backup.py"))
        .args([scene.at("key"), file])
        .output()
        .expect("the tests need a Python environment: run scripts/setup-tests");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let opened: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(opened["id"], made.facts.id.to_string());
    assert_eq!(opened["tables"]["call"], 300);
    let files = opened["files"].as_object().unwrap();
    let names: Vec<_> = files.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
}

/// With its address. Ends with the pipe to its script.
pub struct Postgres(std::process::Child, pub String);

impl Postgres {
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-for-tests");
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        answers.read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_box_moves_to_postgresql_and_back() {
    let scene = Scene::new();
    let (data, file) = (scene.at("data"), scene.at("box.backup"));
    let (store, expected) = filled(&data).await;
    store.close().await;
    let key = ReaderSecretKey::generate().unwrap();
    made(&data, &key, &file).await;
    let server = Postgres::start();
    let engine = Engine::Postgres {
        url: PostgresUrl::parse(&server.1).unwrap(),
    };
    let moved = scene.at("moved");
    // What is damaged does not reach the database either.
    let good = fs::read(&file).unwrap();
    let cut = scene.at("cut");
    fs::write(&cut, &good[..good.len() - 1]).unwrap();
    let refused = restored(&cut, &key, &moved, Some(&server.1)).await;
    assert!(refused.is_err() && !moved.exists());
    restored(&file, &key, &moved, Some(&server.1))
        .await
        .unwrap();
    assert_eq!(found(&moved), expected);
    assert!(!moved.join("centralita.db").exists());
    // The folder knows where its rows are; a backup of it does not.
    let kept = DataFolder::find(&moved, None).unwrap();
    assert!(matches!(kept.engine(), Engine::Postgres { .. }));
    assert!(!found(&moved).contains_key("database.url"));
    assert_eq!(calls(&engine).await, calls(&sqlite(&data)).await);
    let again = restored(&file, &key, &scene.at("second"), Some(&server.1)).await;
    let not_empty = matches!(again, Err(Failure::Store(StoreError::NotEmpty { .. })));
    assert!(not_empty && !scene.at("second").exists());

    let lines = Mutex::new(Vec::new());
    let mut keep = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let (back, home) = (scene.at("back.backup"), scene.at("home"));
    let readers = [*key.public_key()];
    make(
        (&moved, &engine),
        &readers,
        &back,
        &mut Progress::new(&mut keep),
    )
    .await
    .unwrap();
    assert!(lines.lock().unwrap()[1].starts_with("the database: 30"));
    restored(&back, &key, &home, None).await.unwrap();
    assert_eq!(calls(&sqlite(&home)).await, calls(&sqlite(&data)).await);
    assert_eq!(found(&home), expected);
}
