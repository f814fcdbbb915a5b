//! The one place where a request is let through.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use bytes::Bytes;
use crypto::VerifyingKey;
use crypto::identity::{LoginError, REQUEST_WINDOW_MS, RequestFacts, RequestProof};
use hyper::body::Body as _;
use jiff::Timestamp;
use protocol::{Blob, Code, Id, PROOF_HEADER};
use store::{Changes, HubId, HubRow, LoginChange, Permissions, SessionRow};

use crate::activity::Use;
use crate::body::{self, BodyError};
use crate::call::{Call, Caller};
use crate::charge::Charge;
use crate::refusal::Refusal;
use crate::room::Held;
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
    /// Where the body lies, until it is dealt with.
    pub(crate) room: Held,
}

/// What a route asks of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) access: Access,
    /// Zero where there is none.
    pub(crate) max_body_bytes: usize,
    /// Whether a locked device may ask, too.
    pub(crate) locked: bool,
}

/// Charges a request to its address, before anything is done for it.
pub(crate) fn charge(shared: &Shared, request: &mut Request) -> Result<(), Refusal> {
    let charge = shared.charges.charge(peer(request)?)?;
    request.extensions_mut().insert(charge);
    Ok(())
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
    let announced = body.size_hint().upper();
    let admitted = admit(&shared, terms, peer, &head, announced, now).await;
    let (claim, room) = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            body::discard(body, terms.max_body_bytes, BODY_TIMEOUT).await;
            return Err(refused);
        }
    };
    let body = read(body, terms.max_body_bytes).await?;
    let caller = match claim {
        None => None,
        Some(claim) => {
            let target = head
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str());
            let facts = RequestFacts::new(head.method.as_str(), target, &body, &claim.token);
            let facts = facts.map_err(bad_proof)?;
            let signer = verify(&shared, &claim, &facts, charge_of(&head), now)?;
            Some(identify(&shared, terms, &claim, signer, body.len(), now).await?)
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
    Ok(Passed { call, body, room })
}

/// Whom a request says it is from, and room for its body. Nothing is kept for whoever has no
/// login; and of a login nothing is believed before its proof is verified, for which the body must
/// be there.
async fn admit(
    shared: &Shared,
    terms: Terms,
    peer: IpAddr,
    head: &Parts,
    announced: Option<u64>,
    now: Timestamp,
) -> Result<(Option<Claim>, Held), Refusal> {
    let claim = match terms.access {
        Access::Open => None,
        access => Some(claimed(shared, access, &head.headers, now).await?),
    };
    let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let bytes = match announced {
        Some(bytes) if bytes > terms.max_body_bytes => return Err(too_long(terms.max_body_bytes)),
        Some(bytes) => bytes,
        None => terms.max_body_bytes,
    };
    let user = claim.as_ref().map(|claim| claim.session.user);
    let room = shared.body_room.take(peer, user, bytes)?;
    Ok((claim, room))
}

async fn read(body: axum::body::Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let read = body::read(body, max_bytes, BODY_TIMEOUT).await;
    read.map_err(|error| match error {
        BodyError::TooLong => too_long(max_bytes),
        BodyError::TooSlow | BodyError::BrokeOff => Refusal::malformed(error),
    })
}

fn too_long(max_bytes: usize) -> Refusal {
    match max_bytes {
        0 => Refusal::malformed("this path takes no body"),
        _ => Refusal::new(
            Code::TooLarge,
            format!("a body has at most {max_bytes} bytes here"),
        ),
    }
}

/// What the address was charged with for this request.
pub(crate) fn charge_of(head: &Parts) -> Option<&Charge> {
    head.extensions.get()
}

/// A session that somebody has a token of, and what is said to be its device's signature.
struct Claim {
    token: Vec<u8>,
    session: SessionRow,
    proof: RequestProof,
}

/// The token that is shown, its session, and the proof as far as it can be checked without what was
/// signed.
async fn claimed(
    shared: &Shared,
    access: Access,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Claim, Refusal> {
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
    let proof = headers.get(PROOF_HEADER);
    let proof = proof.and_then(|text| text.to_str().ok()?.parse::<Blob>().ok());
    let proof = proof.ok_or_else(|| {
        Refusal::new(
            Code::BadProof,
            format!("the header {PROOF_HEADER} with the device's signature is missing"),
        )
    })?;
    Claim::new(shared, token, session, &proof.0, now)
}

impl Claim {
    fn new(
        shared: &Shared,
        token: Vec<u8>,
        session: SessionRow,
        proof: &[u8],
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let proof = RequestProof::decode(proof).map_err(bad_proof)?;
        if *proof.device().as_bytes() != session.device.0 {
            return Err(bad_proof(LoginError::OtherDevice));
        }
        let (now_ms, shown) = (unix_ms(now), hash(&token));
        if now_ms.abs_diff(proof.time_ms()) > REQUEST_WINDOW_MS {
            return Err(bad_proof(LoginError::ClockSkew));
        }
        if shared.start.may_follow(shown, proof.time_ms(), now_ms) {
            if session.access == shown {
                return Err(token_expired());
            }
            // With one that was not exchanged yet, no proof was taken.
            if session.refresh != shown {
                return Err(spent());
            }
        }
        Ok(Self {
            token,
            session,
            proof,
        })
    }
}

/// Who asks: the session's device has signed this request.
async fn identify(
    shared: &Shared,
    terms: Terms,
    claim: &Claim,
    signer: Signer,
    body_bytes: usize,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let session = &claim.session;
    if signer == Signer::View && !terms.locked {
        return Err(Refusal::new(
            Code::Locked,
            "this device is locked; unlock it first",
        ));
    }
    shared.limits.bytes(session.user, body_bytes)?;
    note(shared, signer, session, now).await?;
    let user = shared.store.reader().user(session.user).await?;
    Ok(Caller {
        user: session.user,
        device: session.device,
        session: session.id,
        locked: signer == Signer::View,
        token: hash(&claim.token),
        super_admin: user.is_some_and(|user| user.super_admin),
    })
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
    charge: Option<&Charge>,
) -> Result<SessionRow, Refusal> {
    let now = (shared.options.clock)();
    let session = shared.store.reader().session(hash(token), now).await?;
    let session = session.ok_or_else(token_expired)?;
    let claim = Claim::new(shared, token.to_vec(), session, proof, now)?;
    let facts = RequestFacts::new("GET", target, &[], token).map_err(bad_proof)?;
    let signer = verify(shared, &claim, &facts, charge, now)?;
    note(shared, signer, &claim.session, now).await?;
    Ok(claim.session)
}

/// Verifies the proof. What is verified, and not more than the account may ask, is the account's
/// affair; what is not remains with the address. So nobody who has a token alone uses up what its
/// owner may ask.
fn verify(
    shared: &Shared,
    claim: &Claim,
    facts: &RequestFacts,
    charge: Option<&Charge>,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let Claim { session, proof, .. } = claim;
    let now_ms = unix_ms(now);
    let by = |key: &[u8; 32]| {
        let key = VerifyingKey::from_bytes(key).map_err(Refusal::internal)?;
        let mut allowed = Ok(());
        let first_time = |nonce: &[u8; 16]| {
            // First: what is too much takes no place among the proofs that are remembered.
            allowed = shared.limits.account(session.user);
            allowed.is_ok() && shared.proofs.first_time(*nonce, now_ms)
        };
        let verified = proof.verify(facts, &key, now_ms, first_time);
        allowed.map(|()| verified)
    };
    let signer = match (by(&session.sign_key)?, &session.view_key) {
        (Ok(()), _) => Signer::Device,
        (Err(LoginError::BadSignature), Some(view_key)) => {
            by(view_key)?.map(|()| Signer::View).map_err(bad_proof)?
        }
        (Err(error), _) => return Err(bad_proof(error)),
    };
    if let Some(charge) = charge {
        charge.give_back();
    }
    Ok(signer)
}

/// A copy of a refresh token ends its session; a copy of a whole request that was taken before the
/// start is no sign of one.
fn spent() -> Refusal {
    Refusal::new(
        Code::Spent,
        "this refresh token was used before; log in again",
    )
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
