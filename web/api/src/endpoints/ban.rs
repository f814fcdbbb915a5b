//! Banned numbers.

use axum::http::Method;
use jiff::Timestamp;
use protocol::{BanList, BanView, Id, NewBan, Topic};
use sha2::{Digest, Sha256};
use store::{
    AuditKind, AuditSubject, BanRow, Caller, CallerHash, Change, Changes, HubId, Permissions,
};

use super::call::find;
use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::unix_ms;

pub(crate) fn routes() -> Routes {
    let access = Access::Hub(Permissions::MANAGE_BANS);
    Routes::default()
        .add(
            Method::GET,
            "/hubs/{hub}/bans",
            access,
            "The banned numbers",
            list,
        )
        .add(
            Method::POST,
            "/hubs/{hub}/bans",
            access,
            "Ban the caller of a call",
            add,
        )
        .add(
            Method::DELETE,
            "/hubs/{hub}/bans/{ban}",
            access,
            "Lift a ban",
            lift,
        )
}

/// The name of a ban: nobody needs the keyed hash of the number to lift it.
fn name(hub: HubId, caller: CallerHash) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(hub.0)
        .chain_update(caller.0)
        .finalize()
        .into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}

async fn in_force(call: &Call) -> Result<Vec<BanRow>, Refusal> {
    Ok(call.scope().await?.bans(call.now).await?)
}

async fn list(call: Call, _: Nothing) -> Result<Json<BanList>, Refusal> {
    let hub = call.hub()?.id;
    let bans = in_force(&call).await?.into_iter().map(|ban| BanView {
        id: Id(name(hub, ban.caller)),
        created_at_ms: unix_ms(ban.created_at),
        expires_at_ms: ban.expires_at.map(unix_ms),
        reason: ban.reason,
    });
    Ok(Json(BanList {
        bans: bans.collect(),
    }))
}

async fn add(call: Call, Json(request): Json<NewBan>) -> Result<Nothing, Refusal> {
    let found = find(&call, request.call).await?;
    let found = found.ok_or_else(Refusal::not_found)?;
    let Caller::Known(caller) = found.caller else {
        return Err(Refusal::conflict("this caller's number is not known"));
    };
    let expires_at = request.expires_at_ms.map(|at_ms| {
        let at = i64::try_from(at_ms).map_err(Refusal::malformed)?;
        let at = Timestamp::from_millisecond(at).map_err(Refusal::malformed)?;
        match at > call.now {
            true => Ok(at),
            false => Err(Refusal::malformed("a ban ends in the future")),
        }
    });
    let hub = call.hub()?;
    let subject = AuditSubject::Call(request.call);
    let mut changes = Changes::new();
    changes.push(Change::BanAdded(BanRow {
        hub: hub.name.clone(),
        caller,
        created_at: call.now,
        expires_at: expires_at.transpose()?,
        reason: None,
    }));
    changes.push(call.noted_in_hub(AuditKind::NumberBanned, subject)?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(hub.id, Topic::Bans);
    Ok(Nothing)
}

async fn lift(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let wanted = call.id("ban")?;
    let hub = call.hub()?;
    let bans = in_force(&call).await?;
    let ban = bans
        .into_iter()
        .find(|ban| name(hub.id, ban.caller) == wanted);
    let ban = ban.ok_or_else(Refusal::not_found)?;
    let mut changes = Changes::new();
    changes.push(Change::BanRemoved {
        hub: ban.hub,
        caller: ban.caller,
    });
    changes.push(call.noted_in_hub(AuditKind::NumberUnbanned, AuditSubject::Thing(wanted))?);
    call.shared.store.commit(changes).await?;
    call.shared.notify(hub.id, Topic::Bans);
    Ok(Nothing)
}
