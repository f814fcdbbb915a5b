//! Banned numbers.

use axum::http::Method;
use jiff::Timestamp;
use protocol::{BanList, BanQuery, BanView, Cursor, Id, MAX_BANS_PER_PAGE, NewBan, Topic};
use sha2::{Digest, Sha256};
use store::{
    AuditKind, AuditSubject, BanFilter, BanRow, Caller, CallerHash, Change, Changes, HubId,
    MAX_BANS_PER_QUERY, Permissions, Scoped,
};

use super::call::find;
use crate::call::{Call, Json, Nothing, Query};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::{time_of, unix_ms};

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

async fn list(call: Call, Query(query): Query<BanQuery>) -> Result<Json<BanList>, Refusal> {
    let hub = call.hub()?.id;
    let scope = call.scope().await?;
    let limit = query.limit.unwrap_or(MAX_BANS_PER_PAGE);
    let limit = limit.clamp(1, MAX_BANS_PER_PAGE);
    let (since, after) = match query.after {
        None => (None, None),
        Some(place) => {
            let since = time_of(place)?;
            (Some(since), caller_at(&scope, since, place.id).await?)
        }
    };
    let filter = BanFilter {
        at: call.now,
        since,
        after,
        limit,
    };
    let rows = scope.bans(filter).await?;
    let next = next_page(hub, &rows, limit);
    let bans = rows.into_iter().map(|ban| BanView {
        id: Id(name(hub, ban.caller)),
        created_at_ms: unix_ms(ban.created_at),
        expires_at_ms: ban.expires_at.map(unix_ms),
        reason: ban.reason,
    });
    Ok(Json(BanList {
        bans: bans.collect(),
        next,
    }))
}

fn next_page(hub: HubId, rows: &[BanRow], limit: u32) -> Option<Cursor> {
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    rows.last().filter(|_| full).map(|last| Cursor {
        at_us: last.created_at.as_microsecond(),
        id: Id(name(hub, last.caller)),
    })
}

/// The caller of the ban at a place in the list; `None` when it is gone. Also one that has ended
/// has its place: it was in force when it was made.
async fn caller_at(
    scope: &Scoped<'_>,
    since: Timestamp,
    id: Id,
) -> Result<Option<CallerHash>, Refusal> {
    let mut filter = BanFilter {
        at: since,
        since: Some(since),
        after: None,
        limit: MAX_BANS_PER_QUERY,
    };
    loop {
        let rows = scope.bans(filter).await?;
        let mut same = rows.iter().take_while(|ban| ban.created_at == since);
        if let Some(ban) = same.find(|ban| name(scope.hub().id, ban.caller) == id.0) {
            return Ok(Some(ban.caller));
        }
        match rows.last().filter(|last| last.created_at == since) {
            Some(last) => filter.after = Some(last.caller),
            None => return Ok(None),
        }
    }
}

/// The ban of this name that is in force at `at`. The database does not have the names, so all
/// bans are looked at, a page at a time.
async fn named(
    scope: &Scoped<'_>,
    at: Timestamp,
    wanted: [u8; 16],
) -> Result<Option<BanRow>, Refusal> {
    let mut filter = BanFilter {
        at,
        since: None,
        after: None,
        limit: MAX_BANS_PER_QUERY,
    };
    loop {
        let rows = scope.bans(filter).await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        (filter.since, filter.after) = (Some(last.created_at), Some(last.caller));
        let mut rows = rows.into_iter();
        let found = rows.find(|ban| name(scope.hub().id, ban.caller) == wanted);
        if found.is_some() {
            return Ok(found);
        }
    }
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
    let ban = named(&call.scope().await?, call.now, wanted).await?;
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
