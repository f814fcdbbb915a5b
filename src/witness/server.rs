//! The HTTP side of a witness.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crypto::transparency::{ADD_CHECKPOINT_PATH, MAX_REQUEST_BYTES};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use web_api::body::BodyError;

use super::Ready;
use super::keeper::{Keeper, Refusal};
use super::limit::{Door, Place};

/// Until a request's head is there; also how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// However slowly the other side reads.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
/// What is being confirmed when the process is to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// After `accept` failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const MAX_HEAD_BYTES: usize = 8 * 1024;

type Answer = Response<Full<Bytes>>;

/// Answers until `stop`; what is being confirmed then is still answered.
pub async fn serve(ready: Ready, stop: impl Future<Output = ()>) {
    let desk = Arc::new(Desk {
        key: ready.key,
        keeper: Mutex::new(ready.keeper),
    });
    let (door, mut connections) = (Door::default(), JoinSet::new());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = ready.listener.accept() => accepted,
        };
        match accepted {
            // Whoever finds no place is hung up on.
            Ok((stream, from)) => {
                if let Some(place) = door.enter(from.ip()) {
                    connections.spawn(converse(desk.clone(), stream, place));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(ready.listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

async fn converse(desk: Arc<Desk>, stream: TcpStream, place: Place) {
    let service = service_fn(|request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // How it ended concerns the other side alone.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
    drop(place);
}

/// What all connections come to.
struct Desk {
    key: String,
    keeper: Mutex<Keeper>,
}

impl Desk {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        // Before any answer: a client that still writes then sees none.
        let body = web_api::body::read(body, MAX_REQUEST_BYTES, BODY_TIMEOUT).await;
        match (&head.method, head.uri.path()) {
            (&Method::POST, ADD_CHECKPOINT_PATH) => {}
            (_, ADD_CHECKPOINT_PATH) => return only(Method::POST),
            (&Method::GET, "/") => return text(StatusCode::OK, format!("{}\n", self.key)),
            (_, "/") => return only(Method::GET),
            _ => return text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
        let body = match body {
            Ok(body) => body,
            Err(error) => return text(status(error), format!("{error}\n")),
        };
        let confirmed = tokio::task::spawn_blocking(move || self.confirm(&body));
        confirmed.await.unwrap_or_else(|_| broken())
    }

    /// One after the other.
    fn confirm(&self, body: &[u8]) -> Answer {
        // After a panic nobody knows what is remembered.
        let Ok(mut keeper) = self.keeper.lock() else {
            return broken();
        };
        // What is not UTF-8 is no request, as nothing is.
        let body = str::from_utf8(body).unwrap_or_default();
        match keeper.confirm(body, now_s()) {
            Ok(line) => text(StatusCode::OK, line),
            Err(refusal) => refuse(&refusal),
        }
    }
}

fn status(error: BodyError) -> StatusCode {
    match error {
        BodyError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyError::BrokeOff => StatusCode::BAD_REQUEST,
    }
}

fn refuse(refusal: &Refusal) -> Answer {
    let refused = match refusal {
        Refusal::Witness(refused) => refused,
        Refusal::Disk(error) => {
            tracing::error!(%error, "{refusal}");
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{refusal}\n"));
        }
    };
    let status = StatusCode::from_u16(refused.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refused.body() {
        None => text(status, format!("{refused}\n")),
        Some((kind, body)) => {
            let mut answer = text(status, body);
            let kind = HeaderValue::from_static(kind);
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            answer
        }
    }
}

fn broken() -> Answer {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        "this witness must be started again\n",
    )
}

fn only(method: Method) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {method}\n"));
    if let Ok(method) = HeaderValue::from_str(method.as_str()) {
        answer.headers_mut().insert(ALLOW, method);
    }
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}
