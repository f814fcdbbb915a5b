//! People: their own profile, and what whoever runs the installation decides about them.

use axum::http::Method;
use protocol::{ActiveChange, ProfileChange, SuperAdminChange, Topic};
use store::{
    AuditChain, AuditEntry, AuditKind, AuditSubject, Changes, Erasure, HubId, UserId, UserRow,
    UserStatus, VaultChange,
};

use crate::call::{Call, Json, Nothing};
use crate::chains::person;
use crate::newcomer::sealed_profile;
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::scrub::scrub;
use crate::watch::Ended;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::PUT,
            "/me/profile",
            Access::LoggedIn,
            "Seal my profile anew",
            change_profile,
        )
        .add(
            Method::PUT,
            "/users/{user}/active",
            Access::SuperAdmin,
            "Let somebody log in, or not; all their sessions end then",
            change_active,
        )
        .add(
            Method::PUT,
            "/users/{user}/super-admin",
            Access::SuperAdmin,
            "Let somebody run the installation, or not",
            change_super_admin,
        )
        .add(
            Method::POST,
            "/users/{user}/erasure",
            Access::SuperAdmin,
            "Forget a person; their sigchain and what they wrote for others stay",
            erase,
        )
}

async fn change_profile(
    call: Call,
    Json(request): Json<ProfileChange>,
) -> Result<Nothing, Refusal> {
    let user = call.caller()?.user;
    let profile = sealed_profile(request.profile)?;
    let mut changes = Changes::new();
    changes.push(VaultChange::ProfileChanged { user, profile });
    changes.push(call.noted(AuditKind::ProfileChanged, AuditSubject::User(user))?);
    call.shared.store.commit(changes).await?;
    for hub in hubs_of(&call, user).await? {
        call.shared.notify(hub, Topic::Members);
    }
    Ok(Nothing)
}

/// The person of the path, who is somebody else: so there is always one more super-admin.
async fn other(call: &Call) -> Result<UserRow, Refusal> {
    let user = UserId(call.id("user")?);
    if user == call.caller()?.user {
        return Err(Refusal::conflict(
            "another super-admin has to do this for you",
        ));
    }
    let row = call.shared.store.reader().user(user).await?;
    let row = row.filter(|row| row.status != UserStatus::Erased);
    row.ok_or_else(Refusal::not_found)
}

async fn hubs_of(call: &Call, user: UserId) -> Result<Vec<HubId>, Refusal> {
    let places = call.shared.store.reader().memberships(user).await?;
    Ok(places.into_iter().map(|place| place.hub).collect())
}

/// Tells the trail of the installation, and those of the hubs.
fn tell(
    call: &Call,
    changes: &mut Changes,
    hubs: &[HubId],
    kind: AuditKind,
    user: UserId,
) -> Result<(), Refusal> {
    let told = call.noted(kind, AuditSubject::User(user))?;
    changes.push(told);
    for hub in hubs {
        changes.push(AuditEntry {
            chain: AuditChain::Hub(*hub),
            ..told
        });
    }
    Ok(())
}

async fn change_active(call: Call, Json(request): Json<ActiveChange>) -> Result<Nothing, Refusal> {
    let user = other(&call).await?.id;
    let hubs = hubs_of(&call, user).await?;
    let active = request.active;
    let kind = match active {
        true => AuditKind::UserActivated,
        false => AuditKind::UserDeactivated,
    };
    let mut changes = Changes::new();
    changes.push(VaultChange::ActiveChanged { user, active });
    tell(&call, &mut changes, &hubs, kind, user)?;
    call.shared.store.commit(changes).await?;
    if !active {
        call.shared.end(Ended::User(user, None));
    }
    for hub in hubs {
        call.shared.notify(hub, Topic::Members);
    }
    Ok(Nothing)
}

async fn change_super_admin(
    call: Call,
    Json(request): Json<SuperAdminChange>,
) -> Result<Nothing, Refusal> {
    let user = other(&call).await?.id;
    let super_admin = request.super_admin;
    let kind = match super_admin {
        true => AuditKind::AdminPromoted,
        false => AuditKind::AdminDemoted,
    };
    let mut changes = Changes::new();
    changes.push(VaultChange::SuperAdminChanged { user, super_admin });
    tell(&call, &mut changes, &[], kind, user)?;
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

async fn erase(call: Call, _: Nothing) -> Result<Nothing, Refusal> {
    let user = other(&call).await?.id;
    let hubs = left_hubs(&call, user).await?;
    let mut changes = Changes::new();
    changes.push(Erasure::User { user });
    tell(&call, &mut changes, &hubs, AuditKind::UserErased, user)?;
    call.shared.store.commit(changes).await?;
    call.shared.end(Ended::User(user, None));
    scrub(&call.shared).await;
    Ok(Nothing)
}

/// The hubs whose roster once listed `user`, which all are to be told. None may list them still:
/// clients seal to whom a roster lists, and only an admin's device can change it. So nobody's
/// only admin is erased either.
async fn left_hubs(call: &Call, user: UserId) -> Result<Vec<HubId>, Refusal> {
    let caller = call.caller()?.user;
    let store = &call.shared.store;
    let (mut left, mut listing) = (Vec::new(), Vec::new());
    // A super-admin's hubs are all there are.
    for hub in store.reader().hubs_of(caller).await? {
        let scope = store.scope(caller, hub.id).await?;
        let Some(roster) = call.shared.roster(&scope).await? else {
            continue;
        };
        if roster.state().member(person(user)).is_some() {
            listing.push(hub.name);
        } else if roster.state().was_member(person(user)) {
            left.push(hub.id);
        }
    }
    if listing.is_empty() {
        return Ok(left);
    }
    Err(Refusal::conflict(format!(
        "the list of members of {} still has this person: deactivate them now, have an admin of \
         each of these hubs take them off its list, then erase them",
        listing.join(", ")
    )))
}
