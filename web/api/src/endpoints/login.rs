//! Login with a device key.

use axum::http::Method;
use crypto::identity::{LoginError, LoginProof};
use crypto::{OsEntropy, VerifyingKey};
use protocol::{Blob, ChallengeAnswer, ChallengeRequest, Code, LoginRequest, Tokens};
use store::{AuditKind, AuditSubject, Changes, DeviceId, DeviceRow, UserStatus};

use super::session;
use crate::call::{Call, Json};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

/// How long a challenge is good, in milliseconds.
const CHALLENGE_MS: u64 = 60_000;
/// A key that no device has (the base point of RFC 8032 section 5.1, whose secret scalar is one):
/// what an unknown device signed is checked as long as what a known one did, and lets nobody in.
const NOBODY: [u8; 32] = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    key
};

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::POST,
            "/login/challenge",
            Access::Open,
            "Ask for something to sign",
            challenge,
        )
        .add(
            Method::POST,
            "/login",
            Access::Open,
            "Log in with the signed challenge",
            login,
        )
}

async fn challenge(
    call: Call,
    Json(request): Json<ChallengeRequest>,
) -> Result<Json<ChallengeAnswer>, Refusal> {
    let shared = &call.shared;
    let device = crypto::DeviceId::from_bytes(request.device.0);
    let expires_at_ms = call.now_ms() + CHALLENGE_MS;
    // An unknown device gets one as well: whether it is known is nobody's business.
    let origin = &shared.options.origin;
    let issued = shared
        .issuer
        .issue(origin, device, expires_at_ms, &mut OsEntropy);
    let challenge = issued.map_err(Refusal::internal)?;
    Ok(Json(ChallengeAnswer {
        challenge: Blob(challenge.encode()),
    }))
}

async fn login(call: Call, Json(request): Json<LoginRequest>) -> Result<Json<Tokens>, Refusal> {
    let device = device_of(&call, &request).await?;
    session::open(&call, &device, AuditKind::KeyLogin).await
}

/// The device that signed a challenge of this server, which is spent now.
pub(super) async fn device_of(call: &Call, request: &LoginRequest) -> Result<DeviceRow, Refusal> {
    let proof = LoginProof::decode(&request.proof.0).map_err(Refusal::malformed)?;
    let known = live_device(call, DeviceId(*proof.device().as_bytes())).await?;
    let key = known.as_ref().map_or(NOBODY, |device| device.sign_key);
    let key = VerifyingKey::from_bytes(&key).map_err(Refusal::internal)?;
    let (shared, now_ms) = (&call.shared, call.now_ms());
    let verified = proof.verify(&key, &shared.options.origin, now_ms, |nonce| {
        let (challenge, until_ms) = (proof.challenge(), proof.challenge().expires_at_ms());
        // Anybody can sign for an unknown device: the secret of the key above is one.
        known.as_ref().is_some_and(|device| {
            shared.issuer.has_issued(challenge)
                && shared
                    .answered
                    .first_time(device.id.0, *nonce, now_ms, until_ms)
        })
    });
    match (verified, known) {
        (Ok(()), Some(device)) => Ok(device),
        (Err(error @ (LoginError::Expired | LoginError::OtherOrigin)), _) => {
            // Said before any key is looked at, to whoever asks.
            Err(Refusal::new(Code::BadProof, error.to_string()))
        }
        (_, known) => {
            failed(call, known.map(|device| device.id)).await;
            Err(refused())
        }
    }
}

/// The same answer whether a device is unknown or its signature is wrong.
pub(super) fn refused() -> Refusal {
    Refusal::new(
        Code::BadProof,
        "this device cannot log in here, or its challenge was used before",
    )
}

/// The device, if its person may log in with it.
pub(super) async fn live_device(call: &Call, id: DeviceId) -> Result<Option<DeviceRow>, Refusal> {
    let reader = call.shared.store.reader();
    let device = reader.device(id).await?;
    // Asked for an unknown device too, so that both take as long.
    let user = device
        .as_ref()
        .map_or(store::UserId([0; 16]), |known| known.user);
    let user = reader.user(user).await?;
    let active = user.is_some_and(|user| user.status == UserStatus::Active);
    Ok(device.filter(|device| active && device.revoked_at.is_none()))
}

/// Notes that a login failed. What strangers can make the trail grow by is limited.
pub(super) async fn failed(call: &Call, device: Option<DeviceId>) {
    let subject = device.map_or(AuditSubject::Whole, AuditSubject::Device);
    let counted = device.map_or([0; 16], |device| device.0);
    if !call.shared.limits.failure(counted) {
        return;
    }
    let noted = call.noted_by_nobody(AuditKind::LoginFailed, subject);
    let mut changes = Changes::new();
    changes.push(noted);
    if let Err(error) = call.shared.store.commit(changes).await {
        tracing::error!(%error, "a failed login is not in the trail");
    }
}
