//! Everybody who asks, and what there is to ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use crypto::identity::{DeviceKeys, RequestFacts};
use crypto::transparency::{LogSigner, NoteName};
use crypto::{OsEntropy, SigningKey};
use jiff::{SignedDuration, Timestamp};
use protocol::{Blob, PROOF_HEADER};
use sha2::{Digest, Sha256};
use store::{
    Change, Changes, DeviceId, DeviceRow, Engine, HubId, HubRow, LoginChange, MemberRow,
    Permissions, PostgresUrl, Role, RoleId, RoleRow, Sealed, SecretHash, SessionId, SessionRow,
    Store, StoreOptions, UserId, UserRow, UserStatus, VaultChange,
};
use tower::ServiceExt;
use web_api::{Shared, WebOptions};

use crate::ASKERS;

const HUB: [u8; 16] = [0xa0; 16];
const OTHER_HUB: [u8; 16] = [0xb0; 16];
const OWN_ROLE: RoleId = RoleId([0xc0; 16]);

/// A server, the people of its hubs, and who is somebody else.
pub struct World {
    folder: PathBuf,
    store: Arc<Store>,
    /// What answers.
    pub service: Router,
    asked: u32,
    logins: u32,
}

/// A way to ask: the device that signs, and the tokens that it has.
pub struct Pass {
    /// Of the device.
    pub keys: DeviceKeys,
    /// Of a device that is locked.
    pub view_key: Option<SigningKey>,
    pub access: [u8; 32],
    pub refresh: [u8; 32],
}

impl World {
    pub async fn new(name: &str) -> Self {
        let name = format!("centralita-access-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut options = match postgres_for_tests::database_if_asked().await {
            Some(url) => StoreOptions::new(Engine::Postgres {
                url: PostgresUrl::parse(&url).unwrap(),
            }),
            None => StoreOptions::sqlite(&folder),
        };
        options.audit_hash = Some(crypto::audit::entry_hash);
        let store = Arc::new(Store::open_with(options).await.unwrap());
        let name = NoteName::new("access.invalid/keys").unwrap();
        let signer = LogSigner::new(name, SigningKey::from_seed(&[7; 32]));
        let mut options = WebOptions::new("https://access.invalid");
        // Whoever is logged in was before the start.
        options.began -= Duration::from_secs(10 * 60);
        let shared = Shared::open(Arc::clone(&store), options, signer).await;
        let world = Self {
            service: web_api::service(Arc::new(shared.unwrap())),
            folder,
            store,
            asked: 0,
            logins: 0,
        };
        world.settle().await;
        world
    }

    /// Two hubs, with everybody in their place.
    async fn settle(&self) {
        let now = Timestamp::now();
        let mut changes = Changes::new();
        for (id, name) in [(HUB, "night"), (OTHER_HUB, "day")] {
            changes.push(VaultChange::HubAdded(HubRow {
                id: HubId(id),
                name: name.to_owned(),
                created_at: now,
            }));
        }
        changes.push(VaultChange::RoleDefined(RoleRow {
            hub: HubId(HUB),
            id: OWN_ROLE,
            name: Sealed(Vec::new()),
            permissions: Permissions::READ_AUDIT,
        }));
        for (letter, _) in ASKERS {
            changes.push(VaultChange::UserAdded(UserRow {
                id: user(letter),
                profile: Some(Sealed(vec![1])),
                status: UserStatus::Active,
                super_admin: matches!(letter, 's' | 'D' | 'E' | 'I'),
                created_at: now,
            }));
            let role = match letter {
                'a' | 'x' | 'd' | 'e' | 'i' | 'l' | 't' => Role::HubAdmin,
                'v' => Role::Volunteer,
                'r' => Role::Reviewer,
                'p' => Role::Reporter,
                'o' => Role::Own(OWN_ROLE),
                _ => continue,
            };
            changes.push(VaultChange::MemberSet(MemberRow {
                hub: HubId(if letter == 'x' { OTHER_HUB } else { HUB }),
                user: user(letter),
                role,
                since: now,
            }));
        }
        self.store.commit(changes).await.unwrap();
    }

    /// Logs everybody in with a new device, and does to it what their letter stands for.
    pub async fn passes(&mut self) -> BTreeMap<char, Pass> {
        let mut changes = Changes::new();
        let mut passes = BTreeMap::new();
        for (letter, _) in ASKERS.into_iter().filter(|(letter, _)| *letter != 'n') {
            self.logins += 1;
            let pass = Pass::new(letter, self.logins);
            for change in pass.login(letter) {
                changes.push(change);
            }
            passes.insert(letter, pass);
        }
        self.store.commit(changes).await.unwrap();
        passes
    }

    /// Asks. The status, and whether all that is kept is as it was before.
    pub async fn ask(
        &mut self,
        pass: Option<&Pass>,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, bool) {
        let before = self.kept();
        let status = self.status(pass, method, path, body).await;
        (status, self.kept() == before)
    }

    /// Asks, from an address that nobody has asked from.
    pub async fn status(
        &mut self,
        pass: Option<&Pass>,
        method: &str,
        path: &str,
        body: &str,
    ) -> u16 {
        self.asked += 1;
        let address = (0x0a00_0000 + self.asked).to_be_bytes();
        self.status_from(address, pass, method, path, body).await
    }

    pub async fn status_from(
        &self,
        address: [u8; 4],
        pass: Option<&Pass>,
        method: &str,
        path: &str,
        body: &str,
    ) -> u16 {
        let path = format!("{}{}", protocol::API_ROOT, filled_in(path));
        let mut request = Request::builder().method(method).uri(&path);
        if let Some(pass) = pass {
            let refreshes = path.ends_with("/session/refresh");
            let token = if refreshes { pass.refresh } else { pass.access };
            let facts = RequestFacts::new(method, &path, body.as_bytes(), &token).unwrap();
            let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap();
            let proof = match &pass.view_key {
                None => facts.sign(&pass.keys, now_ms, &mut OsEntropy),
                Some(key) => facts.sign_view(pass.keys.device(), key, now_ms, &mut OsEntropy),
            };
            let proof = proof.unwrap();
            let token = Blob(token.to_vec()).to_text();
            request = request
                .header("authorization", format!("Bearer {token}"))
                .header(PROOF_HEADER, Blob(proof.encode()).to_text());
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let peer = SocketAddr::from((address, 1024));
        request.extensions_mut().insert(peer);
        let answer = self.service.clone().oneshot(request).await.unwrap();
        answer.status().as_u16()
    }

    /// Every byte that is kept, but for the memory that SQLite's readers share.
    fn kept(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = std::fs::read_dir(&self.folder).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let kept = files.filter(|path| path.is_file() && !path.to_string_lossy().ends_with("-shm"));
        kept.map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }
}

impl Pass {
    fn new(letter: char, number: u32) -> Self {
        let secret = |what: &str| -> [u8; 32] {
            let text = format!("{what} of login {number}");
            Sha256::digest(text).into()
        };
        let id: [u8; 16] = secret("id")[..16].try_into().unwrap();
        let person = crypto::UserId::from_bytes(user(letter).0);
        let device = crypto::DeviceId::from_bytes(id);
        Self {
            keys: DeviceKeys::from_seed(person, device, &secret("seed")),
            view_key: (letter == 'l').then(|| SigningKey::from_seed(&secret("view"))),
            access: secret("access"),
            refresh: secret("refresh"),
        }
    }

    /// A login with it, and what then happened to it.
    fn login(&self, letter: char) -> Vec<Change> {
        let id = *self.keys.device().as_bytes();
        let (user, device) = (user(letter), DeviceId(id));
        let sign_key = *self.keys.card().sign_key().as_bytes();
        let (now, minute) = (Timestamp::now(), SignedDuration::from_mins(1));
        let until = |expired| match expired {
            true => now - minute,
            false => now + minute,
        };
        let active = |active| VaultChange::ActiveChanged { user, active };
        let mut changes = vec![
            active(true).into(),
            VaultChange::DeviceAdded(DeviceRow {
                id: device,
                user,
                sign_key,
                added_at: now,
                revoked_at: None,
            })
            .into(),
            LoginChange::SessionOpened(SessionRow {
                id: SessionId(id),
                user,
                device,
                sign_key,
                created_at: now,
                seen_at: now,
                access: hash(&self.access),
                access_expires_at: until(matches!(letter, 'e' | 'E' | 't')),
                refresh: hash(&self.refresh),
                refresh_expires_at: until(letter == 't'),
                view_key: self
                    .view_key
                    .as_ref()
                    .map(|key| *key.verifying_key().as_bytes()),
            })
            .into(),
        ];
        match letter {
            'd' | 'D' => changes.push(VaultChange::DeviceRevoked { device, at: now }.into()),
            'i' | 'I' => changes.push(active(false).into()),
            _ => {}
        }
        changes
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn user(letter: char) -> UserId {
    UserId([u8::try_from(letter).unwrap(); 16])
}

fn hash(secret: &[u8]) -> SecretHash {
    SecretHash(Sha256::digest(secret).into())
}

/// A path with the hub, and otherwise with what nobody has, in the place of its names.
fn filled_in(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{hub}" => "a0".repeat(16),
        "{call}" | "{recording}" | "{position}" => "7".to_owned(),
        part if part.starts_with('{') => "0123456789abcdef".repeat(2),
        part => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}
