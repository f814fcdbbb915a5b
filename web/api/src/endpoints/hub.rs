//! Hubs: which there are for somebody, who belongs to them, their settings.

use axum::http::Method;
use protocol::{
    Blob, HubList, HubSettings, HubSummary, Id, Member, MemberList, Profile, ProfileList,
};
use store::{Permissions, Role, StoreError, UserStatus};

use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::role::{listed, to_client};
use crate::route::{Access, Routes};
use crate::shared::unix_ms;

/// The topic under which the store keeps a hub's announced settings.
pub(super) const SETTINGS_TOPIC: u16 = 1;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add_for_locked(
            Method::GET,
            "/hubs",
            Access::LoggedIn,
            "The hubs that I belong to, or run",
            hubs,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/members",
            Access::Member,
            "Who belongs to a hub",
            members,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/profiles",
            Access::Hub(Permissions::MANAGE_MEMBERS),
            "The members' sealed profiles",
            profiles,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/settings",
            Access::Member,
            "The hub's sealed settings",
            settings,
        )
}

async fn hubs(call: Call, _: Nothing) -> Result<Json<HubList>, Refusal> {
    let user = call.caller()?.user;
    let reader = call.shared.store.reader();
    let memberships = reader.memberships(user).await?;
    let mut hubs = Vec::new();
    for hub in reader.hubs_of(user).await? {
        let permissions = match call.shared.store.scope(user, hub.id).await {
            Ok(scope) => listed(scope.permissions()),
            Err(StoreError::NotAllowed) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut places = memberships.iter();
        let role: Option<Role> = places
            .find(|member| member.hub == hub.id)
            .map(|member| member.role);
        hubs.push(HubSummary {
            id: Id(hub.id.0),
            name: hub.name,
            role: role.map(to_client),
            permissions,
        });
    }
    Ok(Json(HubList { hubs }))
}

async fn members(call: Call, _: Nothing) -> Result<Json<MemberList>, Refusal> {
    let rows = call.scope().await?.members().await?;
    let members = rows.into_iter().map(|row| Member {
        user: Id(row.user.0),
        role: to_client(row.role),
        since_ms: unix_ms(row.since),
    });
    Ok(Json(MemberList {
        members: members.collect(),
    }))
}

async fn profiles(call: Call, _: Nothing) -> Result<Json<ProfileList>, Refusal> {
    let rows = call.scope().await?.profiles().await?;
    let profiles = rows.into_iter().map(|row| Profile {
        user: Id(row.id.0),
        profile: row.profile.map(|profile| Blob(profile.0)),
        active: row.status == UserStatus::Active,
    });
    Ok(Json(ProfileList {
        profiles: profiles.collect(),
    }))
}

async fn settings(call: Call, _: Nothing) -> Result<Json<HubSettings>, Refusal> {
    let rows = call.scope().await?.settings().await?;
    let row = rows.into_iter().find(|row| row.topic == SETTINGS_TOPIC);
    Ok(Json(HubSettings {
        settings: row.map(|row| Blob(row.body.0)),
    }))
}
