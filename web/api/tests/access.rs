//! Every route, asked by everybody.
//!
//! Who is let through is written out here a second time, by hand. A route that is not in the
//! list fails the test, and so does one that lets other people through. Whoever is not let
//! through has not changed one byte of the database either.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// Who asks, by letter.
const ASKERS: [(char, &str); 16] = [
    ('n', "somebody who is not logged in"),
    ('v', "a volunteer"),
    ('a', "an admin of the hub"),
    ('r', "a reviewer"),
    ('p', "a reporter"),
    (
        'o',
        "a member who may read the audit trail and nothing else",
    ),
    ('s', "who runs the installation and is no member"),
    ('x', "an admin of another hub"),
    ('d', "an admin of the hub with a device that was revoked"),
    ('e', "an admin of the hub whose access token has expired"),
    ('i', "an admin of the hub who was deactivated"),
    ('l', "an admin of the hub with a device that is locked"),
    ('t', "an admin of the hub whose tokens have both expired"),
    (
        'D',
        "who runs the installation, with a device that was revoked",
    ),
    (
        'E',
        "who runs the installation and whose access token has expired",
    ),
    ('I', "who ran the installation and was deactivated"),
];
const ANYBODY: &str = "nvarposxdeiltDEI";
const LOGGED_IN: &str = "varposx";
/// Whoever runs the installation sees who belongs to a hub, to manage it.
const IN_THE_HUB: &str = "varpos";
const WRITERS: &str = "vap";
const READERS: &str = "vapr";

/// Method, path below the root of the API, who is let through, and a body that would be taken.
type Line = (&'static str, &'static str, &'static str, &'static str);

const EXPECTED: &[Line] = &[
    // Nobody can be logged in yet.
    ("GET", "/server", ANYBODY, ""),
    ("POST", "/bootstrap", ANYBODY, "{}"),
    ("POST", "/login", ANYBODY, "{}"),
    ("POST", "/login/challenge", ANYBODY, "{}"),
    ("POST", "/login/passkey", ANYBODY, "{}"),
    ("POST", "/login/passkey/begin", ANYBODY, "{}"),
    ("POST", "/invites/offer", ANYBODY, "{}"),
    ("POST", "/invites/redeem", ANYBODY, "{}"),
    // A device that is still locked, or new.
    ("POST", "/vaults/{vault}/share", ANYBODY, "{}"),
    ("POST", "/recovery/escrow", ANYBODY, "{}"),
    ("POST", "/recovery/backup-code", ANYBODY, "{}"),
    ("POST", "/pairing/{room}", ANYBODY, "{}"),
    ("POST", "/pairing/{room}/heard", ANYBODY, "{}"),
    ("POST", "/pairing/{room}/messages", ANYBODY, "{}"),
    (
        "POST",
        "/pairing/{room}/join",
        LOGGED_IN,
        r#"{"pass":"AQ"}"#,
    ),
    // Sessions. An expired access token is what the refresh token is for.
    ("POST", "/session/refresh", "varposxelE", ""),
    ("POST", "/session/logout", "varposxl", ""),
    ("PUT", "/session/view-key", LOGGED_IN, r#"{"key":"AQ"}"#),
    ("GET", "/me", "varposxl", ""),
    ("PUT", "/me/profile", LOGGED_IN, r#"{"profile":"AQ"}"#),
    ("GET", "/me/sessions", LOGGED_IN, ""),
    ("DELETE", "/me/sessions", LOGGED_IN, ""),
    ("DELETE", "/me/sessions/{session}", LOGGED_IN, ""),
    // One's own devices and keys.
    ("GET", "/me/devices", LOGGED_IN, ""),
    ("GET", "/me/sigchain", LOGGED_IN, ""),
    ("PUT", "/me/sigchain", LOGGED_IN, r#"{"sigchain":"AQ"}"#),
    ("PUT", "/vaults/{vault}/share", LOGGED_IN, "{}"),
    ("GET", "/me/recovery", LOGGED_IN, ""),
    ("PUT", "/me/backup-codes", LOGGED_IN, r#"{"codes":[]}"#),
    ("GET", "/me/items-keys", LOGGED_IN, ""),
    ("PUT", "/me/items-keys", LOGGED_IN, r#"{"key":"AQ"}"#),
    ("GET", "/me/passkeys", LOGGED_IN, ""),
    ("POST", "/me/passkeys", LOGGED_IN, "{}"),
    ("POST", "/me/passkeys/begin", LOGGED_IN, ""),
    (
        "PUT",
        "/me/passkeys/{credential}",
        LOGGED_IN,
        r#"{"name":"AQ"}"#,
    ),
    ("DELETE", "/me/passkeys/{credential}", LOGGED_IN, ""),
    // The installation.
    ("GET", "/audit", "s", ""),
    ("GET", "/audit/verification", "s", ""),
    ("POST", "/audit/head", "s", ""),
    ("PUT", "/users/{user}/active", "s", r#"{"active":false}"#),
    (
        "PUT",
        "/users/{user}/super-admin",
        "s",
        r#"{"super_admin":true}"#,
    ),
    ("POST", "/users/{user}/erasure", "s", ""),
    // What everybody must be able to check.
    ("GET", "/transparency/checkpoint", LOGGED_IN, ""),
    ("GET", "/transparency/leaves", LOGGED_IN, ""),
    ("GET", "/transparency/inclusion", LOGGED_IN, ""),
    ("GET", "/transparency/consistency", LOGGED_IN, ""),
    // Hubs and their people.
    ("GET", "/hubs", "varposxl", ""),
    ("GET", "/hubs/{hub}/members", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/profiles", "as", ""),
    ("GET", "/hubs/{hub}/settings", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/roster", IN_THE_HUB, ""),
    ("POST", "/hubs/{hub}/roster", "as", r#"{"links":["AQ"]}"#),
    ("GET", "/hubs/{hub}/sigchains", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/sigchains/{user}", IN_THE_HUB, ""),
    ("GET", "/hubs/{hub}/keys", IN_THE_HUB, ""),
    ("POST", "/hubs/{hub}/keys", IN_THE_HUB, r#"{"wraps":[]}"#),
    ("GET", "/hubs/{hub}/invites", "as", ""),
    (
        "POST",
        "/hubs/{hub}/invites",
        "as",
        r#"{"role":{"name":"volunteer"},"expires_at_ms":1}"#,
    ),
    ("DELETE", "/hubs/{hub}/invites/{invite}", "as", ""),
    ("POST", "/invites/join", LOGGED_IN, r#"{"code":"x"}"#),
    ("GET", "/hubs/{hub}/shifts", "vasl", ""),
    ("GET", "/hubs/{hub}/groups", "vasl", ""),
    ("GET", "/hubs/{hub}/accounts", "as", ""),
    (
        "PUT",
        "/hubs/{hub}/accounts/{volunteer}",
        "as",
        r#"{"user":null}"#,
    ),
    // Records. Of others' an admin, a reviewer reads; nobody else does, whatever they run.
    (
        "POST",
        "/hubs/{hub}/records",
        WRITERS,
        r#"{"record":"AQ","visibility":"shared"}"#,
    ),
    ("GET", "/hubs/{hub}/records", READERS, ""),
    ("GET", "/hubs/{hub}/records/{record}", READERS, ""),
    ("PUT", "/hubs/{hub}/records/{record}/readers", READERS, "{}"),
    (
        "POST",
        "/hubs/{hub}/records/{record}/erasure",
        "vaps",
        r#"{"erasure":"AQ"}"#,
    ),
    ("GET", "/hubs/{hub}/records/{record}/files", READERS, ""),
    ("POST", "/hubs/{hub}/search", READERS, r#"{"tokens":[]}"#),
    ("GET", "/hubs/{hub}/export", READERS, ""),
    (
        "PUT",
        "/hubs/{hub}/files/{file}",
        WRITERS,
        r#"{"size":1024}"#,
    ),
    ("GET", "/hubs/{hub}/files/{file}", READERS, ""),
    ("POST", "/hubs/{hub}/files/{file}", WRITERS, "{}"),
    ("DELETE", "/hubs/{hub}/files/{file}", WRITERS, ""),
    (
        "PUT",
        "/hubs/{hub}/files/{file}/pieces/{position}",
        WRITERS,
        "piece",
    ),
    ("GET", "/hubs/{hub}/files/{file}/bytes", READERS, ""),
    // Calls and callers.
    ("GET", "/hubs/{hub}/calls", "arl", ""),
    ("POST", "/hubs/{hub}/calls/{call}/report", "var", ""),
    ("POST", "/hubs/{hub}/calls/{call}/caller", "a", ""),
    (
        "POST",
        "/hubs/{hub}/calls/{call}/caller/erasure",
        "as",
        r#"{"keep_ban":false}"#,
    ),
    ("GET", "/hubs/{hub}/bans", "a", ""),
    ("POST", "/hubs/{hub}/bans", "a", r#"{"call":7}"#),
    ("DELETE", "/hubs/{hub}/bans/{ban}", "a", ""),
    ("GET", "/hubs/{hub}/voicemails", "ar", ""),
    ("GET", "/hubs/{hub}/voicemails/{recording}/bytes", "ar", ""),
    ("POST", "/hubs/{hub}/voicemails/{recording}/heard", "ar", ""),
    ("DELETE", "/hubs/{hub}/voicemails/{recording}", "as", ""),
    // The trail.
    ("GET", "/hubs/{hub}/audit", "aos", ""),
    ("GET", "/hubs/{hub}/audit/verification", "aos", ""),
    ("POST", "/hubs/{hub}/audit/head", "aos", ""),
];

const HUB: [u8; 16] = [0xa0; 16];
const OTHER_HUB: [u8; 16] = [0xb0; 16];
const OWN_ROLE: RoleId = RoleId([0xc0; 16]);
/// Where a shift asks from.
const ROUTER: [u8; 4] = [192, 0, 2, 77];
/// What no path takes.
const NONSENSE: &str = "{";

#[tokio::test]
async fn every_route_lets_through_whom_it_should_and_nobody_else() {
    let mut world = World::new("routes").await;
    let mut wrong = Vec::new();
    for (method, path, through, body) in EXPECTED {
        let passes = world.passes().await;
        for (letter, name) in ASKERS {
            let expected = through.contains(letter);
            // Who is let through goes no further than the reading of the body.
            let body = match expected && !body.is_empty() {
                true => NONSENSE,
                false => body,
            };
            let pass = passes.get(&letter);
            let (status, unchanged) = world.ask(pass, method, path, body).await;
            let as_expected = match expected {
                // Nor is it too much or a mistake.
                true => !matches!(status, 401 | 403 | 429 | 500..),
                false => matches!(status, 401 | 403),
            };
            if !as_expected {
                wrong.push(format!("{method} {path}: {name} is answered {status}"));
            }
            if !expected && !unchanged {
                wrong.push(format!("{method} {path}: {name} changed something"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// From however many addresses they ask.
#[tokio::test]
async fn one_person_does_not_ask_without_end_and_others_are_served() {
    let mut world = World::new("limits").await;
    let passes = world.passes().await;
    let (one, other) = (passes.get(&'v'), passes.get(&'a'));
    let began = Instant::now();
    let mut taken = 0;
    while world.status(one, "GET", "/me", "").await == 200 {
        taken += 1;
    }
    // Three hundred at once, and thirty more each second.
    let most = 300 + 30 * (began.elapsed().as_secs() + 1);
    assert!((300..=most).contains(&taken), "{taken}");
    assert_eq!(world.status(one, "GET", "/me", "").await, 429);
    assert_eq!(world.status(other, "GET", "/me", "").await, 200);
}

/// Whatever they ask for: also what nobody has to be let through for.
#[tokio::test]
async fn one_address_does_not_ask_without_end() {
    let world = World::new("address").await;
    for (number, path) in (1..).zip(["/", "/assets/none.js", "/nothing", protocol::FEED_PATH]) {
        let ask = async |host: u8| {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            let peer = SocketAddr::from(([192, 0, 2, host], 1024));
            request.extensions_mut().insert(peer);
            let answer = world.service.clone().oneshot(request).await.unwrap();
            answer.status().as_u16()
        };
        let began = Instant::now();
        let mut taken = 0;
        while ask(number).await != 429 {
            taken += 1;
            // A thousand at once, and a hundred more each second.
            let most = 1000 + 100 * (began.elapsed().as_secs() + 1);
            assert!(taken <= most, "{path}: {taken}");
        }
        assert!(taken >= 1000, "{path}: {taken}");
        assert_ne!(ask(100 + number).await, 429, "{path}");
    }
}

/// A shift behind one router: what people answer for does not count against their address.
#[tokio::test]
async fn many_people_ask_from_one_address() {
    let mut world = World::new("shift").await;
    let passes = world.passes().await;
    for _ in 0..250 {
        for letter in LOGGED_IN.chars() {
            let pass = passes.get(&letter);
            let status = world.status_from(ROUTER, pass, "GET", "/me", "").await;
            assert_eq!(status, 200, "{letter}");
        }
    }
}

/// A token alone, also a spent one, uses up nothing of its owner's; its bearer's address pays.
#[tokio::test]
async fn who_has_a_token_without_the_key_keeps_nobody_out() {
    let mut world = World::new("token").await;
    let passes = world.passes().await;
    let owner = passes.get(&'v').unwrap();
    let thief = Pass {
        keys: DeviceKeys::from_seed(owner.keys.user(), owner.keys.device(), &[9; 32]),
        view_key: None,
        ..*owner
    };
    for _ in 0..400 {
        for (method, path) in [("GET", "/me"), ("POST", "/session/refresh")] {
            let status = world.status_from(ROUTER, Some(&thief), method, path, "");
            assert_eq!(status.await, 401, "{path}");
        }
    }
    assert_eq!(world.status(Some(owner), "GET", "/me", "").await, 200);
    let began = Instant::now();
    let mut taken = 800;
    while world
        .status_from(ROUTER, Some(&thief), "GET", "/me", "")
        .await
        == 401
    {
        taken += 1;
        let most = 1000 + 100 * (began.elapsed().as_secs() + 60);
        assert!(taken <= most, "{taken}");
    }
    assert_eq!(world.status(Some(owner), "GET", "/me", "").await, 200);
}

#[test]
fn the_list_has_every_route() {
    let listed: BTreeSet<(String, String)> = EXPECTED
        .iter()
        .map(|(method, path, ..)| (path.to_string(), method.to_string()))
        .collect();
    assert_eq!(listed.len(), EXPECTED.len(), "a route is listed twice");
    let root = protocol::API_ROOT;
    let served: BTreeSet<(String, String)> = web_api::routes()
        .into_iter()
        .map(|route| {
            let path = route.path.strip_prefix(root).unwrap().to_owned();
            (path, route.method.to_string())
        })
        .collect();
    let missing: Vec<_> = served.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&served).collect();
    assert!(missing.is_empty(), "not in the list: {missing:?}");
    assert!(gone.is_empty(), "in the list and not served: {gone:?}");
}

struct World {
    folder: PathBuf,
    store: Arc<Store>,
    service: Router,
    asked: u32,
    logins: u32,
}

/// A way to ask: the device that signs, and the tokens that it has.
struct Pass {
    keys: DeviceKeys,
    /// Of a device that is locked.
    view_key: Option<SigningKey>,
    access: [u8; 32],
    refresh: [u8; 32],
}

impl World {
    async fn new(name: &str) -> Self {
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
    async fn passes(&mut self) -> BTreeMap<char, Pass> {
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
    async fn ask(
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
    async fn status(&mut self, pass: Option<&Pass>, method: &str, path: &str, body: &str) -> u16 {
        self.asked += 1;
        let address = (0x0a00_0000 + self.asked).to_be_bytes();
        self.status_from(address, pass, method, path, body).await
    }

    async fn status_from(
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
