//! A server with a hub, and people with devices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use crypto::hub::{Change, Role, RoleFlags, RoleId, Roster, Sigchains};
use crypto::identity::{DeviceKeys, Puk, Reader, RequestFacts, Sigchain};
use crypto::record::{
    Expected, KnownDevice, NOBODY, OpeningKey, Position, RecordAuthor, RecordError, RecordKind,
    RecordPlace, RecordWriter, SealedRecord,
};
use crypto::transparency::{LogKey, LogSigner, NoteName};
use crypto::{DeviceId, HubId, OsEntropy, RecordId, SigningKey, UserId};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use protocol::{Blob, Id, NewRecord, PROOF_HEADER, RosterExtension, Visibility};
use sha2::{Digest, Sha256};
use store::{
    Change as StoreChange, Changes, DeviceRow, Engine, HubRow, LoginChange, Permissions,
    PostgresUrl, Sealed, SecretHash, SessionId, SessionRow, Store, StoreOptions, UserRow,
    UserStatus, VaultChange,
};
use tower::ServiceExt;
use web_api::{Shared, WebOptions};

/// The hub of most tests, and another one.
pub const NORTE: HubId = HubId::from_bytes([0xa1; 16]);
pub const SUR: HubId = HubId::from_bytes([0xa2; 16]);

pub const ADMIN: RoleId = RoleId(protocol::ROSTER_ROLE_HUB_ADMIN);
pub const VOLUNTEER: RoleId = RoleId(protocol::ROSTER_ROLE_VOLUNTEER);
pub const REVIEWER: RoleId = RoleId(protocol::ROSTER_ROLE_REVIEWER);
pub const REPORTER: RoleId = RoleId(protocol::ROSTER_ROLE_REPORTER);

/// One person with one device, logged in.
pub struct Person {
    pub keys: DeviceKeys,
    pub chain: Sigchain,
    pub puk: Puk,
    pub token: [u8; 32],
}

impl Person {
    /// A person without an account; `number` makes their ids.
    pub fn new(number: u8) -> Self {
        let user = UserId::from_bytes([number; 16]);
        let device = DeviceId::from_bytes([number ^ 0x80; 16]);
        let keys = DeviceKeys::from_seed(user, device, &[number; DeviceKeys::SEED_BYTES]);
        let mut chain = Sigchain::create(&keys, 1).unwrap();
        let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
        Self {
            keys,
            chain,
            puk,
            token: [number; 32],
        }
    }

    pub fn user(&self) -> UserId {
        self.keys.user()
    }

    pub fn id(&self) -> Id {
        Id(*self.user().as_bytes())
    }

    pub fn reader(&self) -> Reader {
        self.puk.reader()
    }

    pub fn device(&self) -> KnownDevice {
        KnownDevice {
            user: self.user(),
            device: self.keys.device(),
            key: self.keys.signing_key().verifying_key(),
        }
    }

    /// Seals a first revision for themselves and `others`.
    pub fn seal(&self, place: RecordPlace, text: &str, others: &[&Person]) -> SealedRecord {
        let mut readers = vec![self.reader()];
        readers.extend(others.iter().map(|other| other.reader()));
        RecordWriter::person(&self.keys)
            .seal(place, text.as_bytes(), &readers, &mut OsEntropy)
            .unwrap()
    }

    /// Opens a record as `author`'s.
    pub fn open(&self, sealed: &[u8], author: &Person) -> Result<String, RecordError> {
        let record = SealedRecord::decode(sealed)?;
        let readers = record.front().manifest().entries().iter();
        let allowed: BTreeSet<_> = readers.map(|entry| entry.user()).collect();
        let expected = Expected {
            place: record.front().context().place(),
            at_least: Position::START,
            author: RecordAuthor::Person(author.device()),
            manifest_signers: &[],
            allowed_readers: &allowed,
            former_readers: &NOBODY,
        };
        let secret = self.puk.reader_key();
        let key = OpeningKey::PerUserKey {
            user: self.user(),
            generation: self.puk.generation(),
            secret: &secret,
        };
        let opened = record.open(&key, &expected)?;
        Ok(String::from_utf8(opened.plaintext.to_vec()).unwrap())
    }
}

/// A note of the hub NORTE.
pub fn note(number: u8) -> RecordPlace {
    place(NORTE, RecordKind::Note, number)
}

pub fn place(hub: HubId, kind: RecordKind, number: u8) -> RecordPlace {
    RecordPlace {
        kind,
        hub,
        record: RecordId::from_bytes([number; 16]),
    }
}

/// A record as it is sent.
pub fn sent(sealed: &SealedRecord) -> NewRecord {
    NewRecord {
        record: Blob(sealed.encode()),
        visibility: Visibility::Shared,
        call: None,
        tokens: Vec::new(),
    }
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    #[track_caller]
    pub fn done(&self) {
        assert!(self.status.is_success(), "{}", self.text());
    }

    #[track_caller]
    pub fn refused(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
    }
}

pub struct Town {
    pub folder: PathBuf,
    pub store: Arc<Store>,
    pub shared: Arc<Shared>,
    pub log: LogKey,
    router: Router,
    /// Of its database in PostgreSQL.
    url: Option<String>,
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Town {
    /// With the hubs `norte` and `sur`, and nobody.
    pub async fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centralita-records-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let url = postgres_for_tests::database_if_asked().await;
        let options = match &url {
            Some(url) => StoreOptions::new(Engine::Postgres {
                url: PostgresUrl::parse(url).unwrap(),
            }),
            None => StoreOptions::sqlite(&folder),
        };
        let store = Store::open_with(StoreOptions {
            audit_hash: Some(crypto::audit::entry_hash),
            ..options
        });
        let store = Arc::new(store.await.unwrap());
        let mut changes = Changes::new();
        for (id, name) in [(NORTE, "norte"), (SUR, "sur")] {
            changes.push(VaultChange::HubAdded(HubRow {
                id: store::HubId(*id.as_bytes()),
                name: name.to_owned(),
                created_at: Timestamp::now(),
            }));
        }
        store.commit(changes).await.unwrap();
        let (shared, router, log) = open(&store, &folder).await;
        Self {
            folder,
            store,
            shared,
            log,
            router,
            url,
        }
    }

    /// Another process over the same database.
    pub async fn restart(&mut self) {
        let (shared, router, _) = open(&self.store, &self.folder).await;
        (self.shared, self.router) = (shared, router);
    }

    /// Waits until the disk has followed the erasures: a slow one takes longer than an answer.
    pub async fn scrubbed(&self) {
        let until = Instant::now() + Duration::from_secs(50);
        while self.store.unscrubbed().await.unwrap().is_some() {
            assert!(Instant::now() < until, "erased bytes stay on the disk");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the bytes are anywhere in the database or its log.
    pub fn on_disk(&self, needle: &[u8]) -> bool {
        if let Some(url) = &self.url {
            return postgres_for_tests::is_on_disk(url, needle);
        }
        let mut files = std::fs::read_dir(&self.folder).unwrap();
        files.any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    }

    /// Gives a person an account and a login.
    pub async fn settle(&self, person: &Person, super_admin: bool) {
        let now = Timestamp::now();
        let user = store::UserId(*person.user().as_bytes());
        let device = store::DeviceId(*person.keys.device().as_bytes());
        let sign_key = *person.keys.signing_key().verifying_key().as_bytes();
        let mut changes = Changes::new();
        changes.push(VaultChange::UserAdded(UserRow {
            id: user,
            profile: Some(Sealed(vec![person.id().0[0]; 40])),
            status: UserStatus::Active,
            super_admin,
            created_at: now,
        }));
        changes.push(VaultChange::DeviceAdded(DeviceRow {
            id: device,
            user,
            sign_key,
            added_at: now,
            revoked_at: None,
        }));
        for (seqno, link) in (1..).zip(person.chain.links()) {
            let link = link.to_vec();
            changes.push(VaultChange::SigchainExtended { user, seqno, link });
        }
        let later = now + SignedDuration::from_hours(1);
        changes.push(LoginChange::SessionOpened(SessionRow {
            id: SessionId(person.id().0),
            user,
            device,
            sign_key,
            created_at: now,
            seen_at: now,
            access: SecretHash(Sha256::digest(person.token).into()),
            access_expires_at: later,
            refresh: SecretHash(Sha256::digest([&person.token[..], b"r"].concat()).into()),
            refresh_expires_at: later,
            view_key: None,
        }));
        self.store.commit(changes).await.unwrap();
    }

    /// Sends a request, signed by the person's device.
    pub async fn send(&self, person: &Person, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let path = format!("/api/v1{path}");
        let facts = RequestFacts::new(method, &path, &body, &person.token).unwrap();
        let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap();
        let proof = facts.sign(&person.keys, now_ms, &mut OsEntropy).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", Blob(person.token.to_vec()).to_text()),
            )
            .header(PROOF_HEADER, Blob(proof.encode()).to_text())
            .extension(SocketAddr::from(([192, 0, 2, person.id().0[0]], 40_000)))
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            body: body.to_vec(),
        }
    }

    pub async fn get(&self, person: &Person, path: &str) -> Answer {
        self.send(person, "GET", path, Vec::new()).await
    }

    pub async fn delete(&self, person: &Person, path: &str) -> Answer {
        self.send(person, "DELETE", path, Vec::new()).await
    }

    pub async fn post(&self, person: &Person, path: &str, body: &impl serde::Serialize) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send(person, "POST", path, body).await
    }

    pub async fn put(&self, person: &Person, path: &str, body: &impl serde::Serialize) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send(person, "PUT", path, body).await
    }

    pub async fn write(&self, person: &Person, hub: HubId, record: &NewRecord) -> Answer {
        self.post(person, &format!("/hubs/{hub}/records"), record)
            .await
    }

    /// Sends the newest `count` links of a roster.
    pub async fn extend(&self, person: &Person, roster: &Roster, count: usize) -> Answer {
        let path = format!("/hubs/{}/roster", roster.state().hub());
        self.post(person, &path, &extension(roster, count)).await
    }

    /// Keeps the links that a person's sigchain has got since the one numbered `after`.
    pub async fn follow(&self, person: &Person, after: usize) {
        let user = store::UserId(*person.user().as_bytes());
        let mut changes = Changes::new();
        for (seqno, link) in (1..).zip(person.chain.links()).skip(after) {
            let link = link.to_vec();
            changes.push(VaultChange::SigchainExtended { user, seqno, link });
        }
        self.store.commit(changes).await.unwrap();
    }

    /// The words of the installation's trail, the oldest first.
    pub async fn own_trail(&self, admin: &Person) -> Vec<String> {
        let page: protocol::AuditPage = self.get(admin, "/audit").await.read();
        page.entries.into_iter().map(|entry| entry.kind).collect()
    }

    /// The words of a hub's trail, the oldest first.
    pub async fn trail(&self, admin: &Person, hub: HubId) -> Vec<String> {
        let page: protocol::AuditPage = self.get(admin, &format!("/hubs/{hub}/audit")).await.read();
        page.entries.into_iter().map(|entry| entry.kind).collect()
    }
}

async fn open(store: &Arc<Store>, folder: &Path) -> (Arc<Shared>, Router, LogKey) {
    let origin = NoteName::new("hotline.example/log").unwrap();
    let signer = LogSigner::new(origin, SigningKey::from_seed(&[9; 32]));
    let log = signer.key().clone();
    let mut options = WebOptions::new("https://hotline.example");
    options.data = Some(folder.to_owned());
    // Whoever is logged in was before the start.
    options.began -= Duration::from_secs(10 * 60);
    let shared = Shared::open(Arc::clone(store), options, signer).await;
    let shared = Arc::new(shared.unwrap());
    let router = web_api::service(Arc::clone(&shared));
    (shared, router, log)
}

/// The newest `count` links, and nothing else.
pub fn extension(roster: &Roster, count: usize) -> RosterExtension {
    let skipped = roster.links().len() - count;
    let links = roster.links().skip(skipped);
    RosterExtension {
        links: links.map(Blob::from).collect(),
        ..RosterExtension::default()
    }
}

pub fn chains_of(people: &[&Person]) -> Sigchains {
    let chains: BTreeMap<_, _> = people
        .iter()
        .map(|person| (person.user(), person.chain.clone()))
        .collect();
    chains
}

/// The definition of a built-in role.
pub fn built_in(id: RoleId) -> Change {
    let role = match id {
        ADMIN => store::Role::HubAdmin,
        VOLUNTEER => store::Role::Volunteer,
        REVIEWER => store::Role::Reviewer,
        _ => store::Role::Reporter,
    };
    let flags = RoleFlags {
        admin: id == ADMIN,
        reviewer: id == REVIEWER,
    };
    let permissions = role.permissions().map_or(0, Permissions::bits);
    let permissions = u64::from(permissions);
    Change::DefineRole(id, Role { flags, permissions })
}

pub fn joins(person: &Person, role: RoleId) -> Change {
    Change::AddMember {
        user: person.user(),
        role,
        head: person.chain.head(),
    }
}

/// The usual people of the hub NORTE.
pub struct Norte {
    pub town: Town,
    pub roster: Roster,
    pub ada: Person,
    pub vera: Person,
    pub vito: Person,
    pub rita: Person,
    pub rolf: Person,
    /// Logged in, and no member of any hub.
    pub otto: Person,
}

impl Norte {
    /// Ada is the admin and runs the installation; Vera and Vito are volunteers, Rita reviews,
    /// Rolf reports, Otto has an account and belongs to no hub.
    pub async fn new() -> Self {
        let town = Town::new().await;
        let [ada, vera, vito, rita, rolf, otto] = [1, 2, 3, 4, 5, 6].map(Person::new);
        town.settle(&ada, true).await;
        for person in [&vera, &vito, &rita, &rolf, &otto] {
            town.settle(person, false).await;
        }
        let chains = chains_of(&[&ada, &vera, &vito, &rita, &rolf, &otto]);
        let changes = vec![
            built_in(ADMIN),
            built_in(VOLUNTEER),
            built_in(REVIEWER),
            built_in(REPORTER),
            joins(&ada, ADMIN),
            joins(&vera, VOLUNTEER),
            joins(&vito, VOLUNTEER),
            joins(&rita, REVIEWER),
            joins(&rolf, REPORTER),
        ];
        let roster = Roster::create(NORTE, &ada.keys, changes, &chains, 3).unwrap();
        town.extend(&ada, &roster, 1).await.done();
        Self {
            town,
            roster,
            ada,
            vera,
            vito,
            rita,
            rolf,
            otto,
        }
    }

    pub fn chains(&self) -> Sigchains {
        chains_of(&[
            &self.ada, &self.vera, &self.vito, &self.rita, &self.rolf, &self.otto,
        ])
    }

    /// Ada signs the next link and sends it.
    pub async fn change(&mut self, changes: Vec<Change>) -> Answer {
        let chains = self.chains();
        self.roster
            .change(&self.ada.keys, changes, &chains, 4)
            .unwrap();
        self.town.extend(&self.ada, &self.roster, 1).await
    }

    /// Writes a note of Vera's, for herself and the admin.
    pub async fn vera_writes(&self, number: u8, text: &str) -> SealedRecord {
        let sealed = self.vera.seal(note(number), text, &[&self.ada]);
        self.town
            .write(&self.vera, NORTE, &sent(&sealed))
            .await
            .done();
        sealed
    }
}

/// A change to be committed by itself.
pub fn alone(change: impl Into<StoreChange>) -> Changes {
    change.into().into()
}

/// The id of a record in a path.
pub fn named(number: u8) -> Id {
    Id([number; 16])
}
