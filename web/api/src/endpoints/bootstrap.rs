//! The first admin.

use axum::http::Method;
use protocol::{BootstrapRequest, Code, Id, Welcome};
use store::{AuditKind, AuditSubject, LoginChange};

use crate::call::{Call, Json};
use crate::code;
use crate::newcomer::{Brought, Newcomer};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::hash;

pub(crate) fn routes() -> Routes {
    Routes::default().add(
        Method::POST,
        "/bootstrap",
        Access::Open,
        "Become the first admin, with the code that the server printed",
        redeem,
    )
}

/// One request wins: the code is used up in the commit that keeps the person.
async fn redeem(
    call: Call,
    Json(request): Json<BootstrapRequest>,
) -> Result<Json<Welcome>, Refusal> {
    let (shared, reader) = (&call.shared, call.shared.store.reader());
    let code = code::normal(request.code.reveal()).ok_or_else(spent)?;
    let code = hash(code.as_bytes());
    let known = reader.bootstrap().await?;
    let open = known.is_some_and(|known| {
        known.code == code && known.used.is_none() && known.expires_at > call.now
    });
    if !open || reader.has_super_admin().await? {
        return Err(spent());
    }
    let brought = Brought {
        sigchain: request.sigchain,
        recovery_escrow: request.recovery_escrow,
        profile: request.profile,
        proof: request.proof,
    };
    let newcomer = Newcomer::verify(&call, code, brought)?;
    let user = newcomer.user();
    let (mut changes, leaf) = newcomer.changes(&call, true);
    changes.push(LoginChange::BootstrapUsed {
        code,
        by: user,
        at: call.now,
    });
    changes.push(call.noted_of(user, AuditKind::AdminPromoted, AuditSubject::User(user)));
    let kept = shared.commit_with_heads(changes, &[leaf]).await;
    kept.map_err(|refused| match refused.code() {
        // Somebody was faster.
        Code::Conflict => spent(),
        _ => refused,
    })?;
    tracing::info!("the first admin came in");
    Ok(Json(Welcome { user: Id(user.0) }))
}

fn spent() -> Refusal {
    Refusal::new(
        Code::Spent,
        "this code was used, has expired, or never existed; a restart of the server prints a new one while there is no admin",
    )
}
