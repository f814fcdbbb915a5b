//! A server of its own for each test, and the clients of it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use crypto::SigningKey;
use crypto::transparency::{LogSigner, NoteName};
use crypto_session::Session;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use protocol::{
    Blob, BootstrapRequest, ChallengeAnswer, ChallengeRequest, EntryCode, Id, LoginRequest,
    PROOF_HEADER, Problem, Tokens, Welcome,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{
    AuditChain, AuditKind, Changes, Engine, HubId, HubRow, MemberRow, PostgresUrl, Role, Store,
    StoreOptions, UserId, VaultChange,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use web_api::{Serving, Shared, Tls, TlsSource, WebOptions, WebServer};

pub const ORIGIN: &str = "https://hotline.example";
pub const NAME: &str = "hotline.example";
/// More connections at once than a test opens.
const CONNECTIONS: usize = 500;

thread_local! {
    /// How far the clock of this test is ahead. A test and its server share one thread.
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

pub fn now() -> Timestamp {
    Timestamp::now() + AHEAD.get()
}

pub fn now_ms() -> u64 {
    u64::try_from(now().as_millisecond()).unwrap()
}

/// Lets time pass.
pub fn pass(time: Duration) {
    AHEAD.set(AHEAD.get() + time);
}

pub fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

pub struct Server {
    pub folder: PathBuf,
    /// The address of its database there.
    pub postgres: Option<String>,
    pub store: Arc<Store>,
    pub shared: Arc<Shared>,
    pub address: SocketAddr,
    pub serving: Option<Serving>,
    authority: String,
}

impl Server {
    pub async fn start() -> Self {
        let folder = new_folder();
        let tls = own_tls(&folder);
        Self::start_in(folder, tls).await
    }

    /// The next process, over the same store. This one goes away with its memory.
    pub async fn start_again(&self) -> Self {
        let (folder, store) = (self.folder.clone(), Arc::clone(&self.store));
        let tls = own_tls(&folder);
        Self::serve(folder, self.postgres.clone(), store, tls).await
    }

    /// With a certificate by somebody whom no client trusts yet.
    pub async fn start_with(tls: Tls) -> Self {
        Self::start_in(new_folder(), tls).await
    }

    async fn start_in(folder: PathBuf, tls: Tls) -> Self {
        let postgres = postgres_for_tests::database_if_asked().await;
        let mut options = match &postgres {
            Some(url) => StoreOptions::new(Engine::Postgres {
                url: PostgresUrl::parse(url).unwrap(),
            }),
            None => StoreOptions::sqlite(&folder),
        };
        options.audit_hash = Some(crypto::audit::entry_hash);
        let store = Arc::new(Store::open_with(options).await.unwrap());
        Self::serve(folder, postgres, store, tls).await
    }

    async fn serve(folder: PathBuf, postgres: Option<String>, store: Arc<Store>, tls: Tls) -> Self {
        let name = NoteName::new("hotline.example/keys").unwrap();
        let signer = LogSigner::new(name, SigningKey::from_seed(&[7; 32]));
        let mut options = WebOptions::new(ORIGIN);
        options.clock = now;
        options.unlocked_at_most = minutes(120);
        let shared = Shared::open(Arc::clone(&store), options, signer).await;
        let shared = Arc::new(shared.unwrap());
        let authority = tls.authority_pem().unwrap().to_owned();
        let router = web_api::service(Arc::clone(&shared));
        let server = WebServer::bind(([127, 0, 0, 1], 0).into(), tls, router, CONNECTIONS);
        let server = server.await.unwrap();
        Self {
            folder,
            postgres,
            store,
            shared,
            address: server.address(),
            serving: Some(server.start()),
            authority,
        }
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority.as_bytes());
        roots.add(authority.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.unwrap()
    }

    /// One request over a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Answer {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path);
        request = request.header("host", NAME);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    /// A request that nobody signs.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.ask("POST", &format!("/api/v1{path}"), &[], body).await
    }

    /// What asks for a challenge and signs it; `None` for a session that does not log in.
    pub async fn proof_of(&self, session: &Session) -> LoginRequest {
        let device = Id(*session.device().as_bytes());
        let request = ChallengeRequest { device };
        let answer: ChallengeAnswer = self.post("/login/challenge", &request).await.json();
        let proof = session.answer_login(&answer.challenge.0, ORIGIN, now_ms());
        let proof = Blob(proof.unwrap());
        LoginRequest { proof }
    }

    pub async fn login(&self, session: Session) -> Client<'_> {
        let request = self.proof_of(&session).await;
        let tokens: Tokens = self.post("/login", &request).await.json();
        Client {
            server: self,
            session,
            tokens,
        }
    }

    /// What a new person sends to come in with `code`.
    pub fn bootstrap_of(&self, session: &Session, code: &str) -> BootstrapRequest {
        BootstrapRequest {
            code: EntryCode::new(code),
            sigchain: Blob(session.sigchain().unwrap()),
            recovery_escrow: escrow(),
            profile: Blob(b"sealed".to_vec()),
            proof: Blob(session.redeem_invite(code, ORIGIN).unwrap()),
        }
    }

    /// The first admin, logged in.
    pub async fn admin(&self) -> Client<'_> {
        let code = self.shared.bootstrap_code().await.unwrap().unwrap();
        let session = newcomer();
        let request = self.bootstrap_of(&session, &code);
        let welcome: Welcome = self.post("/bootstrap", &request).await.json();
        assert_eq!(welcome.user.0, *session.user().as_bytes());
        self.login(session).await
    }

    /// A hub in which `user` is what an admin's roster would have made them.
    pub async fn hub(&self, id: u8, user: Id, role: Role) -> Id {
        let hub = HubId([id; 16]);
        let mut changes = Changes::new();
        if self
            .store
            .unscoped()
            .hubs()
            .await
            .unwrap()
            .iter()
            .all(|row| row.id != hub)
        {
            changes.push(VaultChange::HubAdded(HubRow {
                id: hub,
                name: format!("hub {id}"),
                created_at: now(),
            }));
        }
        changes.push(VaultChange::MemberSet(MemberRow {
            hub,
            user: UserId(user.0),
            role,
            since: now(),
        }));
        self.store.commit(changes).await.unwrap();
        Id(hub.0)
    }

    /// How often something stands in the installation's trail.
    pub async fn noted(&self, kind: AuditKind) -> usize {
        self.noted_in(AuditChain::Installation, kind).await
    }

    /// How often something stands in a trail.
    pub async fn noted_in(&self, chain: AuditChain, kind: AuditKind) -> usize {
        let reader = self.store.reader();
        let trail = reader.unscoped().audit_trail(chain, 0, 1000).await;
        let trail = trail.unwrap();
        trail.iter().filter(|row| row.entry.kind == kind).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn own_tls(folder: &Path) -> Tls {
    let source = TlsSource::Local {
        folder: folder.join("tls"),
        names: vec![NAME.to_owned()],
    };
    Tls::open(source, Timestamp::now()).unwrap()
}

pub fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("centralita-door-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A new person with a first device.
pub fn newcomer() -> Session {
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(now_ms()).unwrap();
    session.make_recovery_key(now_ms()).unwrap();
    session
}

/// Of somebody's recovery key: whose it is, only the paper can tell.
pub fn escrow() -> Blob {
    let mut session = Session::create(None).unwrap();
    session.begin_sigchain(now_ms()).unwrap();
    Blob(session.make_recovery_key(now_ms()).unwrap().escrow)
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{:?}", self.body);
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub fn done(&self) {
        assert_eq!(self.status, 204, "{:?}", self.body);
    }

    /// Status and code of a refusal.
    #[track_caller]
    pub fn refused(&self) -> (u16, String) {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        let code = serde_json::to_value(problem.code).unwrap();
        (self.status, code.as_str().unwrap().to_owned())
    }
}

/// A device that is logged in.
pub struct Client<'a> {
    pub server: &'a Server,
    pub session: Session,
    pub tokens: Tokens,
}

impl Client<'_> {
    pub fn user(&self) -> Id {
        Id(*self.session.user().as_bytes())
    }

    /// The headers of a request that this device signs with `token`.
    pub fn sign(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        token: &Blob,
    ) -> [(&'static str, String); 2] {
        let path = format!("/api/v1{path}");
        let proof = self
            .session
            .prove_request(method, &path, body, &token.0, now_ms())
            .unwrap();
        [
            ("authorization", format!("Bearer {}", token.to_text())),
            (PROOF_HEADER, Blob(proof).to_text()),
        ]
    }

    async fn send(&mut self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let token = self.tokens.access.clone();
        let headers = self.sign(method, path, &body, &token);
        let path = format!("/api/v1{path}");
        self.server.ask(method, &path, &headers, body).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, Vec::new()).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send("DELETE", path, Vec::new()).await
    }

    pub async fn post(&mut self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send("POST", path, body).await
    }

    pub async fn put(&mut self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send("PUT", path, body).await
    }

    pub async fn logout(&mut self) -> Answer {
        self.send("POST", "/session/logout", Vec::new()).await
    }

    /// Shows a refresh token, signed by this device.
    pub async fn refresh_with(&mut self, token: &Blob) -> Answer {
        let headers = self.sign("POST", "/session/refresh", &[], token);
        let path = "/api/v1/session/refresh";
        self.server.ask("POST", path, &headers, Vec::new()).await
    }

    pub async fn refresh(&mut self) {
        let token = self.tokens.refresh.clone();
        self.tokens = self.refresh_with(&token).await.json();
    }
}
