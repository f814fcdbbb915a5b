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
use crate::tls::Tls;

/// Connections at once.
const MAX_CONNECTIONS: usize = 2_000;
/// Connections of one address at once; a shift behind one router is one address.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 250;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the front of a request may take, and how long a connection may rest before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
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
}

impl WebServer {
    /// Listens on `address`.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind(address: SocketAddr, tls: Tls, router: Router) -> Result<Self, ListenError> {
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
        let places = Arc::new(Places::default());
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
                    let held = Connection {
                        stop: stopped.clone(),
                        _place: Arc::new(place),
                    };
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
    _place: Arc<Place>,
}

impl Connection {
    /// Returns when the server stops.
    pub(crate) async fn stopped(&mut self) {
        // An error says that the server is gone, and so does `true`.
        let _ = self.stop.wait_for(|stopped| *stopped).await;
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    mut held: Connection,
) {
    // Answers are written whole; waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
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
#[derive(Default)]
struct Places(Mutex<BTreeMap<u128, usize>>);

/// A place that is given back when dropped.
struct Place {
    all: Arc<Places>,
    customer: u128,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let customer = customer(address);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= MAX_CONNECTIONS {
            return None;
        }
        let here = taken.entry(customer).or_default();
        if *here >= MAX_CONNECTIONS_PER_ADDRESS {
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
        let mut taken = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    use super::*;

    #[test]
    fn an_address_has_its_share_of_connections_and_gives_them_back() {
        let places = Arc::new(Places::default());
        let one = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<Place> = std::iter::from_fn(|| places.take(one)).collect();
        assert_eq!(held.len(), MAX_CONNECTIONS_PER_ADDRESS);
        assert!(places.take(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(held);
        assert!(places.take(one).is_some());
        assert!(places.0.lock().unwrap().is_empty());
    }

    #[test]
    fn all_addresses_together_have_a_limit() {
        let places = Arc::new(Places::default());
        let mut held = Vec::new();
        for host in 0..=255 {
            for _ in 0..10 {
                held.extend(places.take(IpAddr::from([192, 0, 2, host])));
            }
        }
        assert_eq!(held.len(), MAX_CONNECTIONS);
    }
}
