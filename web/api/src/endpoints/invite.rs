//! Invitations: made, looked up, redeemed, withdrawn.
//!
//! To redeem one makes nobody a member: that is for the hub's roster, which admins sign. Until
//! then the person can log in and sees no hub.

use axum::http::Method;
use crypto::OsEntropy;
use crypto::hub::Voucher;
use jiff::Timestamp;
use protocol::{
    Blob, Code, Cursor, EntryCode, INVITE_LIFETIME_MAX_MS, Id, InviteCode, InviteFacts, InviteMade,
    InviteOffer, InviteQuery, InviteRedemption, InviteRequest, InviteUse, Invites,
    MAX_INVITES_PER_PAGE, Topic, Welcome,
};
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, Changes, InviteFilter, InviteRow, Permissions,
    Role, SecretHash, UserId, VaultChange,
};

use crate::call::{Call, Json, Nothing, Query};
use crate::code;
use crate::newcomer::{Brought, Newcomer};
use crate::refusal::Refusal;
use crate::role::{from_client, to_client};
use crate::route::{Access, Routes};
use crate::shared::{hash, time_of, unix_ms};

/// Invitations of a hub that wait to be used.
const MAX_OPEN_INVITES: u64 = 200;

pub(crate) fn routes() -> Routes {
    let admins = Access::Hub(Permissions::MANAGE_MEMBERS);
    Routes::default()
        .add(
            Method::POST,
            "/hubs/{hub}/invites",
            admins,
            "Invite somebody",
            invite,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/invites",
            admins,
            "The hub's invitations",
            list,
        )
        .add(
            Method::DELETE,
            "/hubs/{hub}/invites/{invite}",
            admins,
            "Withdraw an invitation",
            revoke,
        )
        .add(
            Method::POST,
            "/invites/offer",
            Access::Open,
            "What a code is good for",
            offer,
        )
        .add(
            Method::POST,
            "/invites/redeem",
            Access::Open,
            "Come in as a new person",
            redeem,
        )
        .add(
            Method::POST,
            "/invites/join",
            Access::LoggedIn,
            "Use an invitation as somebody who is here already",
            join,
        )
}

async fn invite(
    call: Call,
    Json(request): Json<InviteRequest>,
) -> Result<Json<InviteMade>, Refusal> {
    let scope = call.scope().await?;
    let role = from_client(request.role);
    let given = permissions_of(&call, role).await?;
    if !call.permissions().has(given) {
        return Err(Refusal::new(
            Code::NotAllowed,
            "this role may do more than you may",
        ));
    }
    let expires_at = until(&call, request.expires_at_ms)?;
    if scope.open_invites(call.now).await? >= MAX_OPEN_INVITES {
        return Err(Refusal::conflict(
            "too many invitations wait to be used; withdraw some",
        ));
    }
    let code = code::generate(&mut OsEntropy).map_err(Refusal::internal)?;
    let row = InviteRow {
        code: hash(code.as_bytes()),
        hub: call.hub()?.id,
        role,
        invited_by: call.caller()?.user,
        created_at: call.now,
        expires_at,
        used: None,
        voucher: None,
    };
    let invite = id_of(row.code);
    let mut changes = Changes::new();
    changes.push(VaultChange::InviteAdded(row));
    changes.push(call.noted_in_hub(AuditKind::InviteCreated, AuditSubject::Thing(invite.0))?);
    call.shared.store.commit(changes).await?;
    let code = EntryCode::new(code.as_str());
    Ok(Json(InviteMade { invite, code }))
}

async fn list(call: Call, Query(query): Query<InviteQuery>) -> Result<Json<Invites>, Refusal> {
    let before = match query.before {
        None => None,
        Some(place) => Some((time_of(place)?, place.id.0)),
    };
    let limit = query.limit.unwrap_or(MAX_INVITES_PER_PAGE);
    let limit = limit.clamp(1, MAX_INVITES_PER_PAGE);
    let scope = call.scope().await?;
    let rows = scope.invites(InviteFilter { before, limit }).await?;
    let facts = rows.iter().map(|row| InviteFacts {
        invite: id_of(row.code),
        role: to_client(row.role),
        invited_by: Id(row.invited_by.0),
        created_at_ms: unix_ms(row.created_at),
        expires_at_ms: unix_ms(row.expires_at),
        used_by: row.used.map(|(user, _)| Id(user.0)),
        used_at_ms: row.used.map(|(_, at)| unix_ms(at)),
        voucher: row.voucher.clone().map(Blob),
    });
    let invites = facts.collect();
    let next = next_page(&rows, limit);
    Ok(Json(Invites { invites, next }))
}

fn next_page(rows: &[InviteRow], limit: u32) -> Option<Cursor> {
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    rows.last().filter(|_| full).map(|last| Cursor {
        at_us: last.created_at.as_microsecond(),
        id: id_of(last.code),
    })
}

async fn revoke(call: Call, Nothing: Nothing) -> Result<Nothing, Refusal> {
    let invite = Id(call.id("invite")?);
    let row = call.scope().await?.invite_named(invite.0).await?;
    let row = row.ok_or_else(Refusal::not_found)?;
    if row.used.is_some() {
        return Err(Refusal::new(Code::Spent, "this invitation was used"));
    }
    let mut changes = Changes::new();
    changes.push(VaultChange::InviteRevoked { code: row.code });
    changes.push(call.noted_in_hub(AuditKind::InviteRevoked, AuditSubject::Thing(invite.0))?);
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

async fn offer(call: Call, Json(request): Json<InviteCode>) -> Result<Json<InviteOffer>, Refusal> {
    let code = code::normal(request.code.reveal()).ok_or_else(spent)?;
    let row = open_invite(&call, hash(code.as_bytes())).await?;
    let hub = call.shared.store.reader().hub_of_invite(row.code).await?;
    let hub = hub.ok_or_else(spent)?;
    Ok(Json(InviteOffer {
        code: EntryCode::new(code.as_str()),
        hub: Id(hub.id.0),
        hub_name: hub.name,
        role: to_client(row.role),
        expires_at_ms: unix_ms(row.expires_at),
    }))
}

async fn redeem(
    call: Call,
    Json(request): Json<InviteRedemption>,
) -> Result<Json<Welcome>, Refusal> {
    let code = code::normal(request.code.reveal()).ok_or_else(spent)?;
    let row = open_invite(&call, hash(code.as_bytes())).await?;
    let brought = Brought {
        sigchain: request.sigchain,
        recovery_escrow: request.recovery_escrow,
        profile: request.profile,
        proof: request.proof,
    };
    let newcomer = Newcomer::verify(&call, row.code, brought)?;
    let user = newcomer.user();
    if call.shared.store.reader().user(user).await?.is_some() {
        return Err(Refusal::conflict(
            "this person is here already; log in and use the invitation then",
        ));
    }
    let (mut changes, leaf) = newcomer.changes(&call, false);
    use_up(&call, &row, user, request.voucher, &mut changes)?;
    let kept = call.shared.commit_with_heads(changes, &[leaf]).await;
    kept.map_err(lost_race)?;
    call.shared.notify(row.hub, Topic::Members);
    Ok(Json(Welcome { user: Id(user.0) }))
}

async fn join(call: Call, Json(request): Json<InviteUse>) -> Result<Nothing, Refusal> {
    let code = code::normal(request.code.reveal()).ok_or_else(spent)?;
    let row = open_invite(&call, hash(code.as_bytes())).await?;
    let user = call.caller()?.user;
    let memberships = call.shared.store.reader().memberships(user).await?;
    if memberships.iter().any(|member| member.hub == row.hub) {
        return Err(Refusal::conflict("you belong to this hub already"));
    }
    let mut changes = Changes::new();
    use_up(&call, &row, user, request.voucher, &mut changes)?;
    let kept = call.shared.store.commit(changes).await;
    kept.map_err(|error| lost_race(error.into()))?;
    call.shared.notify(row.hub, Topic::Members);
    Ok(Nothing)
}

/// The store refuses the whole commit when the invitation was used in the meantime.
fn use_up(
    call: &Call,
    row: &InviteRow,
    user: UserId,
    voucher: Blob,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    // Whether it is true, the hub's admins find out.
    Voucher::decode(&voucher.0).map_err(Refusal::malformed)?;
    changes.push(VaultChange::InviteUsed {
        code: row.code,
        by: user,
        at: call.now,
        voucher: voucher.0,
    });
    changes.push(AuditEntry {
        chain: AuditChain::Hub(row.hub),
        at: call.now,
        kind: AuditKind::InviteRedeemed,
        actor: Some(user),
        subject: AuditSubject::Thing(id_of(row.code).0),
    });
    Ok(())
}

async fn open_invite(call: &Call, code: SecretHash) -> Result<InviteRow, Refusal> {
    let row = call.shared.store.reader().invite(code).await?;
    let open = row.filter(|row| row.used.is_none() && row.expires_at > call.now);
    open.ok_or_else(spent)
}

async fn permissions_of(call: &Call, role: Role) -> Result<Permissions, Refusal> {
    if let Some(permissions) = role.permissions() {
        return Ok(permissions);
    }
    let roles = call.scope().await?.roles().await?;
    let own = roles.into_iter().find(|own| role == Role::Own(own.id));
    own.map(|own| own.permissions)
        .ok_or_else(Refusal::not_found)
}

fn until(call: &Call, expires_at_ms: u64) -> Result<Timestamp, Refusal> {
    let now_ms = call.now_ms();
    let latest_ms = now_ms.saturating_add(INVITE_LIFETIME_MAX_MS);
    if !(now_ms + 1..=latest_ms).contains(&expires_at_ms) {
        return Err(Refusal::malformed(
            "an invitation ends in the future, and within 30 days",
        ));
    }
    let expires_at_ms = i64::try_from(expires_at_ms).map_err(Refusal::malformed)?;
    Timestamp::from_millisecond(expires_at_ms).map_err(Refusal::malformed)
}

/// The name of an invitation for those who manage it. It does not let anybody in.
fn id_of(code: SecretHash) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&code.0[..16]);
    Id(id)
}

fn lost_race(refused: Refusal) -> Refusal {
    match refused.code() {
        Code::Conflict => spent(),
        _ => refused,
    }
}

fn spent() -> Refusal {
    Refusal::new(
        Code::Spent,
        "this invitation was used, withdrawn, has expired, or never existed; ask for a new one",
    )
}
