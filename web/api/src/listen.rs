//! The listener: connections come in, are encrypted, limited, and let go in order.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::limit::customer;
use crate::meter::{Meter, Metered};
use crate::patient::Patient;
use crate::tls::Tls;

/// Connections of one address at once; a shift behind one router is one address.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 250;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the front of a request may take, and how long a connection may rest before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HEADERS: usize = 64;
/// The longest front of a request, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How long to wait when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const CERTIFICATE_CHECK: Duration = Duration::from_secs(60 * 60);

/// What every answer carries unless its handler says otherwise (W-68).
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::STRICT_TRANSPORT_SECURITY,
        "max-age=63072000; includeSubDomains",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the port.
    #[error("port {} of {} is taken by another program; stop that one, or choose another port", .0.port(), .0.ip())]
    Taken(SocketAddr),
    /// The port is reserved for the system.
    #[error("port {} may not be used by this user; choose one above 1023, or give the program the capability CAP_NET_BIND_SERVICE", .0.port())]
    NotPermitted(SocketAddr),
    /// This machine does not have the address.
    #[error("this machine has no address {}", .0.ip())]
    NoSuchAddress(SocketAddr),
    /// Something else.
    #[error("cannot listen on {address}: {error}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// A bound listener; connections wait until [`WebServer::start`].
pub struct WebServer {
    listener: TcpListener,
    address: SocketAddr,
    tls: Tls,
    router: Router,
    most_connections: usize,
}

impl WebServer {
    /// Listens on `address`; takes `most_connections` at once.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind(
        address: SocketAddr,
        tls: Tls,
        router: Router,
        most_connections: usize,
    ) -> Result<Self, ListenError> {
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(address),
            io::ErrorKind::PermissionDenied => ListenError::NotPermitted(address),
            io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress(address),
            _ => ListenError::Other { address, error },
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            address,
            tls,
            most_connections,
            router: router.layer(axum::middleware::map_response(secured)),
        })
    }

    /// Where it listens; with the real port when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves in the background, until drained.
    #[must_use]
    pub fn start(self) -> Serving {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(self.accept_all(stopped));
        Serving { stop }
    }

    async fn accept_all(self, mut stopped: watch::Receiver<bool>) {
        let acceptor = TlsAcceptor::from(self.tls.config());
        let places = Arc::new(Places::new(self.most_connections));
        let mut check = tokio::time::interval(CERTIFICATE_CHECK);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = check.tick() => {
                    if let Err(error) = self.tls.renew(Timestamp::now()) {
                        tracing::error!(%error, "the certificate is not renewed");
                    }
                    continue;
                }
                _ = stopped.changed() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = places.take(peer.ip()) else {
                        tracing::debug!("too many connections");
                        continue;
                    };
                    let (acceptor, router) = (acceptor.clone(), self.router.clone());
                    let held = Connection::new(stopped.clone(), place);
                    // Answers are written whole; waiting to fill packets only delays them.
                    let _ = stream.set_nodelay(true);
                    let stream = Patient::new(stream, WRITE_TIMEOUT);
                    tokio::spawn(serve(stream, peer, acceptor, router, held));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl std::fmt::Debug for WebServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebServer({})", self.address)
    }
}

/// A server at work. It stops as well when this is dropped, without waiting for anything.
#[derive(Debug)]
pub struct Serving {
    stop: watch::Sender<bool>,
}

impl Serving {
    /// Takes no more connections, lets requests finish and closes feeds; waits for that for
    /// `limit` at most. Whether all were finished.
    pub async fn drain(self, limit: Duration) -> bool {
        self.stop.send_replace(true);
        tokio::time::timeout(limit, self.stop.closed())
            .await
            .is_ok()
    }
}

/// A connection, for what outlives its requests. The server waits for these when it stops.
#[derive(Clone)]
pub(crate) struct Connection {
    stop: watch::Receiver<bool>,
    meter: Arc<Meter>,
    _place: Arc<Place>,
}

impl Connection {
    fn new(stop: watch::Receiver<bool>, place: Place) -> Self {
        Self {
            stop,
            meter: Arc::default(),
            _place: Arc::new(place),
        }
    }

    /// Counts what comes in over it.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Returns when the server stops.
    pub(crate) async fn stopped(&mut self) {
        // An error says that the server is gone, and so does `true`.
        let _ = self.stop.wait_for(|stopped| *stopped).await;
    }
}

async fn serve(
    stream: Patient<TcpStream>,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    mut held: Connection,
) {
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let stream = Metered::new(stream, held.meter());
    let for_requests = held.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(for_requests.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = held.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Connections by who has the address.
struct Places {
    taken: Mutex<BTreeMap<u128, usize>>,
    most: usize,
    most_per_address: usize,
}

/// A place that is given back when dropped.
struct Place {
    all: Arc<Places>,
    customer: u128,
}

impl Places {
    fn new(most: usize) -> Self {
        Self {
            taken: Mutex::default(),
            most,
            // However few there are: nobody has all of them.
            most_per_address: MAX_CONNECTIONS_PER_ADDRESS.min(most / 2),
        }
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let customer = customer(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.most {
            return None;
        }
        let here = taken.entry(customer).or_default();
        if *here >= self.most_per_address {
            return None;
        }
        *here += 1;
        Some(Place {
            all: Arc::clone(self),
            customer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self
            .all
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = taken.get_mut(&self.customer) {
            *here -= 1;
            if *here == 0 {
                taken.remove(&self.customer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::*;
    use crate::tls::TlsSource;

    const MOST: usize = 2_000;

    #[test]
    fn an_address_has_its_share_of_connections_and_gives_them_back() {
        let places = Arc::new(Places::new(MOST));
        let one = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<Place> = std::iter::from_fn(|| places.take(one)).collect();
        assert_eq!(held.len(), MAX_CONNECTIONS_PER_ADDRESS);
        assert!(places.take(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(held);
        assert!(places.take(one).is_some());
        assert!(places.taken.lock().unwrap().is_empty());
    }

    /// One connection whose answers are large, and its places.
    async fn served(patience: Duration) -> (TlsStream<TcpStream>, Arc<Places>) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centralita-listen-{}-{count}", std::process::id());
        let source = TlsSource::Local {
            folder: std::env::temp_dir().join(name),
            names: vec!["listen.invalid".to_owned()],
        };
        let tls = Tls::open(source, Timestamp::now()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(tls.authority_pem().unwrap().as_bytes());
        roots.add(authority.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(near, listener.accept());
        let (far, peer) = far.unwrap();
        let places = Arc::new(Places::new(MOST));
        // Held, or the server would stop.
        let (stop, stopped) = watch::channel(false);
        let held = Connection::new(stopped, places.take(peer.ip()).unwrap());
        let large = || async { vec![1; LARGE_BYTES] };
        let router = Router::new().route("/", axum::routing::get(large));
        let acceptor = TlsAcceptor::from(tls.config());
        let stream = Patient::new(far, patience);
        tokio::spawn(async move {
            serve(stream, peer, acceptor, router, held).await;
            drop(stop);
        });
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("listen.invalid").unwrap();
        let near = connector.connect(name, near.unwrap()).await.unwrap();
        (near, places)
    }

    /// More than the system keeps on the way.
    const LARGE_BYTES: usize = 32 * 1024 * 1024;
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: listen.invalid\r\n\r\n";

    #[tokio::test]
    async fn who_does_not_take_the_answer_loses_the_place() {
        let (mut client, places) = served(Duration::from_millis(300)).await;
        client.write_all(REQUEST).await.unwrap();
        let free = async {
            while !places.taken.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let free = tokio::time::timeout(Duration::from_secs(10), free).await;
        assert!(free.is_ok(), "the place is still taken");
    }

    #[tokio::test]
    async fn who_takes_the_answer_slowly_gets_it_whole() {
        let patience = Duration::from_millis(500);
        let (mut client, _places) = served(patience).await;
        client.write_all(REQUEST).await.unwrap();
        let (mut taken, began) = (0, std::time::Instant::now());
        let mut piece = vec![0; LARGE_BYTES / 20];
        while taken < LARGE_BYTES {
            tokio::time::sleep(patience / 10).await;
            let mut here = 0;
            while here < piece.len() && taken + here < LARGE_BYTES {
                let read = client.read(&mut piece[here..]).await.unwrap();
                assert_ne!(read, 0, "cut off after {taken} bytes");
                here += read;
            }
            taken += here;
        }
        assert!(began.elapsed() > patience);
    }

    #[test]
    fn all_addresses_together_have_a_limit() {
        let places = Arc::new(Places::new(MOST));
        let mut held = Vec::new();
        for host in 0..=255 {
            for _ in 0..10 {
                held.extend(places.take(IpAddr::from([192, 0, 2, host])));
            }
        }
        assert_eq!(held.len(), MOST);
        // However few there are, one address has not all of them.
        let few = Arc::new(Places::new(20));
        let one = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<Place> = std::iter::from_fn(|| few.take(one)).collect();
        assert_eq!(held.len(), 10);
        assert!(few.take(IpAddr::from([192, 0, 2, 2])).is_some());
    }
}
