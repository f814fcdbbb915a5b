//! The one place where a request is let through.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use bytes::Bytes;
use crypto::VerifyingKey;
use crypto::identity::{LoginError, RequestFacts, RequestProof};
use hyper::body::Body as _;
use jiff::Timestamp;
use protocol::{Blob, Code, Id, PROOF_HEADER};
use store::{Changes, HubId, HubRow, LoginChange, Permissions, SessionRow};

use crate::activity::Use;
use crate::body::{self, BodyError};
use crate::call::{Call, Caller};
use crate::refusal::Refusal;
use crate::route::Access;
use crate::shared::{Shared, hash, unix_ms};
use crate::watch::Ended;

/// The part of a path that names its hub.
const HUB: &str = "hub";
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A request that may be handled.
pub(crate) struct Passed {
    pub(crate) call: Call,
    pub(crate) body: Bytes,
}

/// What a route asks of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) access: Access,
    pub(crate) max_body_bytes: usize,
    /// Whether a locked device may ask, too.
    pub(crate) locked: bool,
}

/// Counts a request, before anything is done for it.
pub(crate) fn count(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    shared.limits.address(peer(request)?)
}

/// The listener notes the peer of every connection.
fn peer(request: &Request) -> Result<IpAddr, Refusal> {
    let peer = request.extensions().get::<SocketAddr>();
    let peer = peer.ok_or_else(|| Refusal::internal("a request without a peer"))?;
    Ok(peer.ip())
}

/// Lets a request through, or not.
pub(crate) async fn pass(
    shared: Arc<Shared>,
    terms: Terms,
    path: &RawPathParams,
    request: Request,
) -> Result<Passed, Refusal> {
    let now = (shared.options.clock)();
    let peer = peer(&request)?;
    let access = terms.access;
    if access == Access::Open {
        shared.limits.open(peer)?;
    }
    let (head, body) = request.into_parts();
    if access != Access::Open && !body.is_end_stream() {
        // Nothing is kept for whoever has no login.
        if let Err(refused) = shown(&shared, access, &head.headers, now).await {
            body::discard(body, terms.max_body_bytes, BODY_TIMEOUT).await;
            return Err(refused);
        }
    }
    let body = read(body, terms.max_body_bytes).await?;
    let caller = match access {
        Access::Open => None,
        _ => {
            let target = head
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str());
            let asked = Asked {
                method: head.method.as_str(),
                target,
                headers: &head.headers,
                body: &body,
            };
            Some(identify(&shared, terms, &asked, now).await?)
        }
    };
    let path: Vec<(String, String)> = path
        .iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    let hub = authorise(&shared, access, caller.as_ref(), &path).await?;
    let call = Call {
        shared,
        now,
        peer,
        caller,
        hub,
        path,
    };
    Ok(Passed { call, body })
}

async fn read(body: axum::body::Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let read = body::read(body, max_bytes, BODY_TIMEOUT).await;
    read.map_err(|error| match error {
        BodyError::TooLong => Refusal::new(
            Code::TooLarge,
            format!("a body has at most {max_bytes} bytes here"),
        ),
        BodyError::TooSlow | BodyError::BrokeOff => Refusal::malformed(error),
    })
}

/// What a device signed.
struct Asked<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// Who asks: the token names the session, and the session's device has signed this request.
async fn identify(
    shared: &Shared,
    terms: Terms,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let (token, session) = shown(shared, terms.access, asked.headers, now).await?;
    shared.limits.account(session.user)?;
    let signer = verify(shared, asked, &token, &session, now)?;
    if signer == Signer::View && !terms.locked {
        return Err(Refusal::new(
            Code::Locked,
            "this device is locked; unlock it first",
        ));
    }
    shared.limits.bytes(session.user, asked.body.len())?;
    note(shared, signer, &session, now).await?;
    let user = shared.store.reader().user(session.user).await?;
    Ok(Caller {
        user: session.user,
        device: session.device,
        session: session.id,
        locked: signer == Signer::View,
        token: hash(&token),
        super_admin: user.is_some_and(|user| user.super_admin),
    })
}

/// The token that is shown, and its session.
async fn shown(
    shared: &Shared,
    access: Access,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(Vec<u8>, SessionRow), Refusal> {
    let token = bearer(headers).ok_or_else(Refusal::login_needed)?;
    let reader = shared.store.reader();
    let session = match access {
        Access::Refresh => {
            let session = reader.session_of_refresh(hash(&token)).await?;
            session.ok_or_else(Refusal::login_needed)?
        }
        _ => {
            let session = reader.session(hash(&token), now).await?;
            session.ok_or_else(token_expired)?
        }
    };
    Ok((token, session))
}

fn token_expired() -> Refusal {
    Refusal::new(
        Code::TokenExpired,
        "this login has ended; refresh it, or log in again",
    )
}

/// With which of its keys a device has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signer {
    Device,
    /// The one that a locked device looks with.
    View,
}

/// Ends a session that was idle for too long. Looking is no use.
async fn note(
    shared: &Shared,
    signer: Signer,
    session: &SessionRow,
    now: Timestamp,
) -> Result<(), Refusal> {
    let idle_after = shared.options.idle_after;
    let looks = signer == Signer::View;
    if looks && !shared.activity.is_idle(session, unix_ms(now), idle_after) {
        return Ok(());
    }
    note_use(shared, session, now).await
}

/// Ends a session that was idle for too long.
async fn note_use(shared: &Shared, session: &SessionRow, now: Timestamp) -> Result<(), Refusal> {
    let idle_after = shared.options.idle_after;
    let mut changes = Changes::new();
    match shared.activity.note(session, unix_ms(now), idle_after) {
        Use::Goes => Ok(()),
        Use::Written => {
            let session = session.id;
            changes.push(LoginChange::SessionSeen { session, at: now });
            if let Err(error) = shared.store.commit(changes).await {
                // After a restart the session counts as idle since the last use that was kept.
                tracing::warn!(%error, "the use of a session is not kept");
            }
            Ok(())
        }
        Use::Idle => {
            let session = session.id;
            changes.push(LoginChange::SessionClosed { session });
            shared.store.commit(changes).await?;
            shared.end(Ended::Session(session));
            Err(Refusal::new(
                Code::Idle,
                "this login was not used for too long and has ended; log in again",
            ))
        }
    }
}

/// The session of a token whose device has signed `GET target` without a body: for what
/// cannot carry headers.
pub(crate) async fn session_of(
    shared: &Shared,
    target: &str,
    token: &[u8],
    proof: &[u8],
) -> Result<SessionRow, Refusal> {
    let now = (shared.options.clock)();
    let session = shared.store.reader().session(hash(token), now).await?;
    let session = session.ok_or_else(token_expired)?;
    shared.limits.account(session.user)?;
    let facts = RequestFacts::new("GET", target, &[], token).map_err(bad_proof)?;
    let signer = verify_facts(shared, proof, &facts, &session, now)?;
    note(shared, signer, &session, now).await?;
    Ok(session)
}

fn verify(
    shared: &Shared,
    asked: &Asked<'_>,
    token: &[u8],
    session: &SessionRow,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let proof = asked.headers.get(PROOF_HEADER);
    let proof = proof.and_then(|text| text.to_str().ok()?.parse::<Blob>().ok());
    let proof = proof.ok_or_else(|| {
        Refusal::new(
            Code::BadProof,
            format!("the header {PROOF_HEADER} with the device's signature is missing"),
        )
    })?;
    let facts = RequestFacts::new(asked.method, asked.target, asked.body, token);
    verify_facts(shared, &proof.0, &facts.map_err(bad_proof)?, session, now)
}

fn verify_facts(
    shared: &Shared,
    proof: &[u8],
    facts: &RequestFacts,
    session: &SessionRow,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let proof = RequestProof::decode(proof).map_err(bad_proof)?;
    if *proof.device().as_bytes() != session.device.0 {
        return Err(bad_proof(LoginError::OtherDevice));
    }
    let now_ms = unix_ms(now);
    let by = |key: &[u8; 32]| {
        let key = VerifyingKey::from_bytes(key).map_err(Refusal::internal)?;
        let first_time = |nonce: &[u8; 16]| shared.proofs.first_time(*nonce, now_ms);
        let verified = proof.verify(facts, &key, now_ms, first_time);
        Ok::<_, Refusal>(verified)
    };
    match (by(&session.sign_key)?, &session.view_key) {
        (Ok(()), _) => Ok(Signer::Device),
        (Err(LoginError::BadSignature), Some(view_key)) => {
            by(view_key)?.map(|()| Signer::View).map_err(bad_proof)
        }
        (Err(error), _) => Err(bad_proof(error)),
    }
}

fn bad_proof(error: LoginError) -> Refusal {
    Refusal::new(Code::BadProof, error.to_string())
}

fn bearer(headers: &HeaderMap) -> Option<Vec<u8>> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token: Blob = text.strip_prefix("Bearer ")?.parse().ok()?;
    Some(token.0)
}

/// Whether this caller may use a route of this access.
async fn authorise(
    shared: &Shared,
    access: Access,
    caller: Option<&Caller>,
    path: &[(String, String)],
) -> Result<Option<(HubRow, Permissions)>, Refusal> {
    let allowed = |held: Permissions| match access {
        Access::Hub(needed) => held.has(needed),
        Access::HubAny(any) => held.without(any) != held,
        Access::Member => true,
        Access::Open | Access::Refresh | Access::LoggedIn | Access::SuperAdmin => false,
    };
    match (access, caller) {
        (Access::Open, _) => Ok(None),
        (_, None) => Err(Refusal::login_needed()),
        (Access::LoggedIn | Access::Refresh, Some(_)) => Ok(None),
        (Access::SuperAdmin, Some(caller)) if caller.super_admin => Ok(None),
        (Access::SuperAdmin, Some(_)) => Err(Refusal::not_allowed()),
        (Access::Hub(_) | Access::HubAny(_) | Access::Member, Some(caller)) => {
            let id = path.iter().find(|(name, _)| name == HUB);
            let id: Option<Id> = id.and_then(|(_, text)| text.parse().ok());
            let id = HubId(id.ok_or_else(Refusal::not_found)?.0);
            let scope = shared.store.scope(caller.user, id).await?;
            match allowed(scope.permissions()) {
                true => Ok(Some((scope.hub().clone(), scope.permissions()))),
                false => Err(Refusal::not_allowed()),
            }
        }
    }
}
