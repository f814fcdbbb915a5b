use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crypto::hub::{Change, Role, RoleFlags, RoleId};
use crypto::identity::{DeviceKeys, Puk};
use crypto::record::{
    Expected, NOBODY, OpeningKey, Position, RecordAuthor, RecordKind, RecordPlace, SealedRecord,
};
use crypto::{DeviceId, OsEntropy, RecordId};
use jiff::Timestamp;
use routing::{CallId, PhoneNumber};
use store::{Changes, Erasure, UserRow, UserStatus, VaultChange};

use super::*;
use crate::hotline::{self, DemoPorts};
use crate::serve::callers::CallerSealer;
use crate::{applied, database, keys};

const ADMIN: RoleId = RoleId(1);
const LISTENER: RoleId = RoleId(2);
const VOLUNTEER: RoleId = RoleId(3);

/// A person with one device.
pub struct Person {
    pub keys: DeviceKeys,
    pub chain: Sigchain,
    pub puk: Puk,
}

pub fn person(number: u8) -> Person {
    let (user, device) = (
        UserId::from_bytes([number; 16]),
        DeviceId::from_bytes([number; 16]),
    );
    let keys = DeviceKeys::from_seed(user, device, &[number; 32]);
    let mut chain = Sigchain::create(&keys, 1).unwrap();
    let puk = chain.rotate_puk(&keys, None, 2, &mut OsEntropy).unwrap();
    Person { keys, chain, puk }
}

/// A demonstration hotline in a data folder.
pub struct Installed {
    pub data: PathBuf,
    pub store: Arc<Store>,
    pub hotline: Hotline,
    hub: store::HubId,
}

impl Installed {
    pub async fn new(name: &str) -> Self {
        let name = format!("centralita-ingest-{}-{name}", std::process::id());
        let data = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&data);
        let store = Arc::new(database::open(&data).await.unwrap());
        let key = crypto::ReaderSecretKey::generate().unwrap();
        let demo = hotline::demo_hotline(key.public_key(), DemoPorts::default()).unwrap();
        let hotline = hotline::parse(demo.text.reveal(), &data.join("demo.toml"));
        let hotline = hotline.unwrap().hotline;
        let changes = applied::changes(&store, None, &hotline).await.unwrap();
        store.commit(changes).await.unwrap();
        let hub = store.unscoped().hubs().await.unwrap().remove(0).id;
        Self {
            data,
            store,
            hotline,
            hub,
        }
    }

    pub fn crypto_hub(&self) -> crypto::HubId {
        crypto::HubId::from_bytes(self.hub.0)
    }

    pub async fn keep(&self, person: &Person) {
        let user = store::UserId(*person.keys.user().as_bytes());
        let mut changes = Changes::new();
        changes.push(VaultChange::UserAdded(UserRow {
            id: user,
            profile: None,
            status: UserStatus::Active,
            super_admin: false,
            created_at: Timestamp::UNIX_EPOCH,
        }));
        for (seqno, link) in (1..).zip(person.chain.links()) {
            let link = link.to_vec();
            changes.push(VaultChange::SigchainExtended { user, seqno, link });
        }
        self.store.commit(changes).await.unwrap();
    }

    pub async fn keep_roster(&self, roster: &Roster) {
        let mut changes = Changes::new();
        for (seqno, link) in (1..).zip(roster.links()) {
            changes.push(VaultChange::RosterExtended {
                hub: self.hub,
                seqno,
                link: link.to_vec(),
            });
        }
        self.store.commit(changes).await.unwrap();
    }

    async fn readers(&self) -> HubReaders {
        let ingest = load(&self.store, &self.hotline).await.unwrap();
        ingest.hubs.into_values().next().unwrap()
    }

    pub fn end(self) {
        drop(self.store);
        std::fs::remove_dir_all(self.data).unwrap();
    }
}

fn role(admin: bool, permissions: Permissions) -> Role {
    Role {
        flags: RoleFlags {
            admin,
            reviewer: false,
        },
        permissions: permissions.bits().into(),
    }
}

/// The first person is an admin, the second may hear messages, the third neither.
pub fn roster(hub: crypto::HubId, people: &[Person]) -> Roster {
    let chains: Sigchains = people
        .iter()
        .map(|person| (person.keys.user(), person.chain.clone()))
        .collect();
    let mut changes = vec![
        Change::DefineRole(ADMIN, role(true, Permissions::NONE)),
        Change::DefineRole(LISTENER, role(false, Permissions::HEAR_VOICEMAIL)),
        Change::DefineRole(VOLUNTEER, role(false, Permissions::TAKE_CALLS)),
    ];
    for (person, role) in people.iter().zip([ADMIN, LISTENER, VOLUNTEER]) {
        changes.push(Change::AddMember {
            user: person.keys.user(),
            role,
            head: person.chain.head(),
        });
    }
    Roster::create(hub, &people[0].keys, changes, &chains, 3).unwrap()
}

#[tokio::test]
async fn whom_the_roster_lets_is_sealed_to_beside_the_keys_in_the_file() {
    let hotline = Installed::new("roster").await;
    let before = hotline.readers().await;
    assert_eq!(before.voicemail.len(), 1);
    assert!(before.hear.is_empty() && before.call_back.is_empty());

    let mut people = [person(1), person(2), person(3)];
    for person in &people {
        hotline.keep(person).await;
    }
    let roster = roster(hotline.crypto_hub(), &people);
    hotline.keep_roster(&roster).await;
    let after = hotline.readers().await;
    let users = |readers: &[RecordReader]| readers.iter().map(|r| r.user).collect::<Vec<_>>();
    let [admin, listener, _] = [0, 1, 2].map(|n: usize| people[n].keys.user());
    assert_eq!(users(&after.hear), [admin, listener]);
    assert_eq!(users(&after.call_back), [admin]);
    let keys = [0, 1].map(|n: usize| people[n].puk.reader().key);
    assert_eq!(after.voicemail, [before.voicemail[0], keys[0], keys[1]]);

    // A new key counts from now on, the old one no longer.
    let Person { keys, chain, puk } = &mut people[0];
    let next = chain
        .rotate_puk(keys, Some(puk), 4, &mut OsEntropy)
        .unwrap();
    hotline.keep(&people[0]).await;
    let rotated = hotline.readers().await;
    assert_eq!(rotated.call_back, [next.reader()]);

    // Nothing is sealed to who was erased, whatever a roster says.
    let erasure = Erasure::User {
        user: store::UserId(*listener.as_bytes()),
    };
    let mut changes = Changes::new();
    changes.push(erasure);
    hotline.store.commit(changes).await.unwrap();
    assert_eq!(users(&hotline.readers().await.hear), [admin]);
    hotline.end();
}

#[tokio::test]
async fn a_hub_that_the_database_does_not_know_still_takes_messages() {
    let hotline = Installed::new("unknown").await;
    let mut renamed = hotline.hotline.clone();
    let (_, hub) = renamed.hubs.pop_first().unwrap();
    renamed.hubs.insert("renamed".to_owned(), hub);
    let ingest = load(&hotline.store, &renamed).await.unwrap();
    let hub = HubId::new("renamed");
    assert_eq!(ingest.hubs[&hub].voicemail.len(), 1);
    assert_eq!(ingest.hubs.len(), 1);
    hotline.end();
}

#[tokio::test]
async fn a_roster_that_does_not_verify_lets_nobody_read() {
    let hotline = Installed::new("forged").await;
    let people = [person(1), person(2), person(3)];
    for person in &people {
        hotline.keep(person).await;
    }
    // Signed by an admin, for another hub.
    let roster = roster(crypto::HubId::from_bytes([9; 16]), &people);
    hotline.keep_roster(&roster).await;
    let readers = hotline.readers().await;
    assert_eq!(readers.voicemail.len(), 1);
    assert!(readers.hear.is_empty() && readers.call_back.is_empty());
    hotline.end();
}

#[tokio::test]
async fn a_callers_number_opens_for_an_admin_and_as_this_calls_only() {
    let hotline = Installed::new("caller").await;
    let people = [person(1), person(2), person(3)];
    for person in &people {
        hotline.keep(person).await;
    }
    hotline
        .keep_roster(&roster(hotline.crypto_hub(), &people))
        .await;
    let key = keys::ingest_key(&hotline.data, &hotline.store)
        .await
        .unwrap();
    let author = RecordAuthor::Ingest {
        server: key.id(),
        key: key.signing_key().verifying_key(),
    };
    let readers = hotline.readers().await;
    let number = PhoneNumber::parse("+34600123456").unwrap();
    let sealed = CallerSealer::new(key).seal(CallId(41), &number, &readers);
    let sealed = sealed.unwrap().0;
    assert!(!sealed.windows(9).any(|part| part == b"600123456"));

    let record = SealedRecord::decode(&sealed).unwrap();
    let allowed: BTreeSet<UserId> = readers.call_back.iter().map(|r| r.user).collect();
    let expected = |call: u64| Expected {
        place: RecordPlace {
            kind: RecordKind::Contact,
            hub: hotline.crypto_hub(),
            record: RecordId::from_bytes(u128::from(call).to_be_bytes()),
        },
        at_least: Position::START,
        author,
        manifest_signers: &[],
        allowed_readers: &allowed,
        former_readers: &NOBODY,
    };
    let open = |call: u64, person: &Person| {
        let secret = person.puk.reader_key();
        let key = OpeningKey::PerUserKey {
            user: person.keys.user(),
            generation: person.puk.generation(),
            secret: &secret,
        };
        let opened = record.open(&key, &expected(call));
        opened.map(|opened| opened.plaintext.to_vec())
    };
    assert_eq!(open(41, &people[0]).unwrap(), b"+34600123456");
    assert!(open(42, &people[0]).is_err());
    assert!(open(41, &people[1]).is_err());
    hotline.end();
}
