//! Login with a device key, and its end.

use std::time::Duration;

use axum::http::Method;
use crypto::OsEntropy;
use crypto::identity::LoginChallenge;
use protocol::{Blob, ChallengeAnswer, ChallengeRequest};

use crate::call::{Call, Json};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

/// How long a challenge is good, in milliseconds.
const CHALLENGE_MS: u64 = 60_000;
/// What a device is told to wait when too many others log in.
const BUSY_WAIT: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Routes {
    Routes::default().add(
        Method::POST,
        "/login/challenge",
        Access::Open,
        "Ask for something to sign",
        challenge,
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
    let challenge = LoginChallenge::new(
        &shared.options.origin,
        device,
        expires_at_ms,
        &mut OsEntropy,
    )
    .map_err(Refusal::internal)?;
    if !shared.challenges.give(*challenge.nonce(), call.now_ms()) {
        return Err(Refusal::too_many(BUSY_WAIT));
    }
    Ok(Json(ChallengeAnswer {
        challenge: Blob(challenge.encode()),
    }))
}
