//! A caller leaves a message at a box whose hub has an admin: the admin opens it, and the number,
//! with their own key. On the disk nothing of it is in clear.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use centralita::control::{self, Request, Response};
use centralita::hotline::{DEMO_NUMBER, DemoPorts, demo_hotline};
use centralita::{database, keys};
use crypto::hub::{Change, Role, RoleFlags, RoleId, Roster, Sigchains};
use crypto::identity::{DeviceKeys, Puk, Sigchain};
use crypto::record::{
    Expected, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace, SealedRecord,
};
use crypto::{DeviceId, OsEntropy, ReaderSecretKey, RecordId, UserId, VoicemailReader};
use e2e::net::Net;
use jiff::Timestamp;
use media::tone::tone_level;
use phone::{Phone, PhoneConfig, PhoneEvent};
use store::{
    AuditChain, AuditKind, AuditLine, CallFilter, CallRow, Changes, HubId, MemberRow, Permissions,
    Store, UserRow, UserStatus, VaultChange,
};

const NUMBER: &str = "+34911987654";
/// What is looked for on the disk, with and without the country.
const DIGITS: &[u8] = b"911987654";
const CALLER_HZ: u32 = 440;
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("centralita-test-ingest-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running box.
struct Server(Child);

impl Server {
    async fn start(data: &Path, log: &Path) -> Self {
        let child = program(data)
            .arg("serve")
            .env("RUST_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap();
        let server = Self(child);
        stage(data, |_| true).await;
        server
    }

    /// SIGTERM, and its end.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_centralita"));
    command.arg("--data").arg(data);
    command
}

/// Waits until the stages of the live calls are as wanted.
async fn stage(data: &Path, wanted: impl Fn(&[String]) -> bool) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Ok(Some(Response::Status(status))) = control::request(data, &Request::Status).await {
            let stages: Vec<String> = status.calls.into_iter().map(|call| call.stage).collect();
            if wanted(&stages) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the call did not get on in {PATIENCE:?}");
}

/// The hub's admin, as their device and the server know them.
struct Admin {
    user: store::UserId,
    keys: DeviceKeys,
    puk: Puk,
}

impl Admin {
    /// Enters a new person as the founder of the hub's roster.
    async fn enter(store: &Store, hub: HubId) -> Self {
        let user = UserId::generate(&mut OsEntropy).unwrap();
        let device = DeviceId::generate(&mut OsEntropy).unwrap();
        let keys = DeviceKeys::from_seed(user, device, &[7; 32]);
        let mut chain = Sigchain::create(&keys, 1).unwrap();
        let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
        let role = RoleId(1);
        let founding = vec![
            Change::DefineRole(
                role,
                Role {
                    flags: RoleFlags {
                        admin: true,
                        reviewer: false,
                    },
                    permissions: Permissions::ALL.bits().into(),
                },
            ),
            Change::AddMember {
                user,
                role,
                head: chain.head(),
            },
        ];
        let chains = Sigchains::from([(user, chain.clone())]);
        let hub_id = crypto::HubId::from_bytes(hub.0);
        let roster = Roster::create(hub_id, &keys, founding, &chains, 3).unwrap();

        let user = store::UserId(*user.as_bytes());
        let mut changes = Changes::new();
        changes.push(VaultChange::UserAdded(UserRow {
            id: user,
            profile: None,
            status: UserStatus::Active,
            super_admin: false,
            created_at: Timestamp::now(),
        }));
        for (seqno, link) in (1..).zip(chain.links()) {
            let link = link.to_vec();
            changes.push(VaultChange::SigchainExtended { user, seqno, link });
        }
        for (seqno, link) in (1..).zip(roster.links()) {
            let link = link.to_vec();
            changes.push(VaultChange::RosterExtended { hub, seqno, link });
        }
        changes.push(VaultChange::MemberSet(MemberRow {
            hub,
            user,
            role: store::Role::HubAdmin,
            since: Timestamp::now(),
        }));
        store.commit(changes).await.unwrap();
        Self { user, keys, puk }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_opens_a_message_and_its_callers_number() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let sip = apply(&folder.0, &data);
    let store = database::open(&data).await.unwrap();
    let hub = store.unscoped().hubs().await.unwrap().remove(0).id;
    let admin = Admin::enter(&store, hub).await;
    store.close().await;

    let log = folder.0.join("log");
    let server = Server::start(&data, &log).await;
    leave_a_message(&data, sip).await;
    assert_nothing_in_clear(&folder.0);
    server.stop();
    assert_nothing_in_clear(&folder.0);

    let store = database::open(&data).await.unwrap();
    let view = store.scope(admin.user, hub).await.unwrap();
    let mine = view.my_voicemail(0, u64::MAX >> 1).await.unwrap();
    let [(recording, None)] = mine[..] else {
        panic!("the one message, without a key outside of its file");
    };
    let file = data.join(format!("voicemail/{recording:016x}.sealed"));
    assert_heard(&file, &admin.puk.reader_key());

    let filter = CallFilter {
        limit: 10,
        ..CallFilter::default()
    };
    let calls = view.calls(&filter).await.unwrap();
    let [CallRow::Ended(call)] = &calls[..] else {
        panic!("the one call");
    };
    let sealed = view.caller_of(call.start.call).await.unwrap();
    let number = number_of(call.start.call, &sealed.unwrap().0, &data, hub, &admin);
    assert_eq!(number, NUMBER.as_bytes());

    let told = view.audit(0, 10).await.unwrap();
    let kinds = told.iter().map(|line| match line {
        AuditLine::Entry(row) => row.entry.kind,
        AuditLine::Unreadable { seqno, .. } => panic!("entry {seqno} cannot be read"),
    });
    let kinds: Vec<AuditKind> = kinds.collect();
    assert_eq!(kinds, [AuditKind::CallMissed, AuditKind::VoicemailReceived]);
    for chain in [AuditChain::Installation, AuditChain::Hub(hub)] {
        let hash = crypto::audit::entry_hash;
        let verdict = store.unscoped().verify_audit(chain, hash, None);
        let whole = verdict.await.unwrap().unwrap();
        assert_eq!(whole.verified, 2, "{chain:?}");
    }
}

/// Applies the demonstration hotline, for whose phones nobody has registered; where it listens.
fn apply(folder: &Path, data: &Path) -> SocketAddr {
    let sip = Net::new().sip();
    let ports = DemoPorts {
        sip: sip.port(),
        rtp_first: 42_000,
        rtp_last: 42_199,
        metrics: None,
    };
    let key = ReaderSecretKey::generate().unwrap();
    let demo = demo_hotline(key.public_key(), ports).unwrap();
    let file = folder.join("hotline.toml");
    let demo = demo
        .text
        .reveal()
        .replace("127.0.0.1", &sip.ip().to_string());
    let text = format!("{demo}\n[web]\nlisten = \"off\"\n");
    std::fs::write(&file, text).unwrap();
    let applied = program(data).arg("apply").arg(&file).output().unwrap();
    assert!(applied.status.success(), "{applied:?}");
    sip
}

async fn leave_a_message(data: &Path, sip: SocketAddr) {
    let caller = Phone::start(PhoneConfig {
        // As the trunk, which is at the box's own address.
        local: SocketAddr::new(sip.ip(), 0),
        server: sip,
        account: None,
        caller_id: NUMBER.into(),
        voice_hz: CALLER_HZ,
    })
    .unwrap();
    caller.call(DEMO_NUMBER);
    stage(data, |calls| calls.iter().any(|call| call == "recording")).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    caller.press('#');
    let over = caller.wait_for(PATIENCE, |event| *event == PhoneEvent::HungUp);
    assert!(over.is_some(), "the box says thanks and hangs up");
    stage(data, <[String]>::is_empty).await;
    // Facts gather for a moment before they are written.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn assert_heard(file: &Path, key: &ReaderSecretKey) {
    let mut reader = VoicemailReader::open(File::open(file).unwrap(), key).unwrap();
    let rate = reader.meta().sample_rate_hz;
    let bytes: Vec<u8> = reader.chunks().flat_map(Result::unwrap).collect();
    let pcm: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    assert!(reader.is_complete());
    let second = rate as usize;
    assert!(pcm.len() > 2 * second, "{} samples", pcm.len());
    let heard = tone_level(&pcm[second..2 * second], rate, f64::from(CALLER_HZ));
    assert!(heard > 0.8, "{heard}");
    assert!(holds_tone(&bytes), "the look at the disk would find it");
}

/// The number, opened as the admin's device opens it.
fn number_of(call: u64, sealed: &[u8], data: &Path, hub: HubId, admin: &Admin) -> Vec<u8> {
    let server = keys::existing_ingest_key(data).unwrap().unwrap();
    let user = admin.keys.user();
    let allowed = BTreeSet::from([user]);
    let expected = Expected {
        place: RecordPlace {
            kind: RecordKind::Contact,
            hub: crypto::HubId::from_bytes(hub.0),
            record: RecordId::from_bytes(u128::from(call).to_be_bytes()),
        },
        at_least: Position::START,
        author: RecordAuthor::Ingest {
            server: server.id(),
            key: server.signing_key().verifying_key(),
        },
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let secret = admin.puk.reader_key();
    let key = OpeningKey::PerUserKey {
        user,
        generation: admin.puk.generation(),
        secret: &secret,
    };
    let record = SealedRecord::decode(sealed).unwrap();
    let opened = record.open(&key, &expected).unwrap();
    opened.plaintext.to_vec()
}

/// Neither the number nor the sound is in any file: database, log of it, messages, log of the box.
fn assert_nothing_in_clear(folder: &Path) {
    let mut looked_at = BTreeSet::new();
    for file in files(folder) {
        let bytes = std::fs::read(&file).unwrap();
        let name = file.display();
        assert!(
            !bytes.windows(DIGITS.len()).any(|part| part == DIGITS),
            "the number is in {name}"
        );
        if !file.starts_with(folder.join("data/prompts")) {
            assert!(!holds_tone(&bytes), "the caller is heard in {name}");
        }
        looked_at.extend(file.file_name().map(|name| name.to_owned()));
    }
    for needed in ["centralita.db", "log"] {
        assert!(looked_at.contains(std::ffi::OsStr::new(needed)), "{needed}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.metadata().unwrap() {
            kind if kind.is_dir() => files(&path),
            kind if kind.is_file() => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

/// Whether half a second of the caller's tone is in there as PCM of 8 or 16 kHz.
fn holds_tone(bytes: &[u8]) -> bool {
    [0, 1].into_iter().any(|skip| {
        let pcm: Vec<i16> = bytes
            .get(skip..)
            .unwrap_or_default()
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        [8_000, 16_000].into_iter().any(|rate| {
            let mut pieces = pcm.chunks_exact(rate as usize / 2);
            pieces.any(|piece| tone_level(piece, rate, f64::from(CALLER_HZ)) > 0.8)
        })
    })
}
