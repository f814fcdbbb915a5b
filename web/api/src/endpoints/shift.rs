//! Who is rung when: shifts and groups of the hotline file, and which person a volunteer of the
//! file is.

use axum::http::Method;
use protocol::{
    Account, AccountLink, AccountList, Group, GroupKind, GroupList, Id, Shift, ShiftList, Topic,
};
use store::{AuditKind, AuditSubject, Change, Changes, Permissions, UserId};

use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

pub(crate) fn routes() -> Routes {
    let look = Access::HubAny(Permissions::TAKE_CALLS | Permissions::MANAGE_HUB);
    Routes::default()
        .add_for_locked(
            Method::GET,
            "/hubs/{hub}/shifts",
            look,
            "The recurring shifts",
            shifts,
        )
        .add_for_locked(
            Method::GET,
            "/hubs/{hub}/groups",
            look,
            "The groups that are rung",
            groups,
        )
        .add(
            Method::GET,
            "/hubs/{hub}/accounts",
            Access::HubAny(Permissions::MANAGE_HUB | Permissions::MANAGE_MEMBERS),
            "The volunteers of the hotline file, and who they are",
            accounts,
        )
        .add(
            Method::PUT,
            "/hubs/{hub}/accounts/{volunteer}",
            Access::Hub(Permissions::MANAGE_MEMBERS),
            "Say which member a volunteer of the hotline file is",
            link,
        )
}

/// Whose names somebody sees: everybody's who manages the hub, else their own (RBAC-06).
enum Names {
    All,
    Only(Vec<String>),
}

impl Names {
    async fn of(call: &Call) -> Result<Self, Refusal> {
        let manages = Permissions::MANAGE_HUB | Permissions::MANAGE_MEMBERS;
        let held = call.permissions();
        if held.without(manages) != held {
            return Ok(Self::All);
        }
        let reader = call.shared.store.reader();
        Ok(Self::Only(
            reader.phone_accounts_of(call.caller()?.user).await?,
        ))
    }

    fn seen(&self, mut volunteers: Vec<String>) -> Vec<String> {
        if let Self::Only(own) = self {
            volunteers.retain(|volunteer| own.contains(volunteer));
        }
        volunteers
    }
}

async fn shifts(call: Call, _: Nothing) -> Result<Json<ShiftList>, Refusal> {
    let names = Names::of(&call).await?;
    let rows = call.scope().await?.shifts().await?;
    let shifts = rows.into_iter().map(|row| Shift {
        name: row.name,
        days: row.days,
        from_minute: row.from_minute,
        to_minute: row.to_minute,
        volunteers: names.seen(row.volunteers),
        groups: row.groups,
    });
    Ok(Json(ShiftList {
        shifts: shifts.collect(),
    }))
}

async fn groups(call: Call, _: Nothing) -> Result<Json<GroupList>, Refusal> {
    let names = Names::of(&call).await?;
    let rows = call.scope().await?.groups().await?;
    let groups = rows.into_iter().map(|row| Group {
        name: row.name,
        kind: match row.kind {
            store::GroupKind::Ring => GroupKind::Ring,
            store::GroupKind::Fallback => GroupKind::Fallback,
        },
        volunteers: names.seen(row.volunteers),
    });
    Ok(Json(GroupList {
        groups: groups.collect(),
    }))
}

async fn accounts(call: Call, _: Nothing) -> Result<Json<AccountList>, Refusal> {
    let rows = call.scope().await?.phone_accounts().await?;
    let accounts = rows.into_iter().map(|row| Account {
        volunteer: row.volunteer,
        user: row.user.map(|user| Id(user.0)),
        in_file: row.in_file,
    });
    Ok(Json(AccountList {
        accounts: accounts.collect(),
    }))
}

async fn link(call: Call, Json(request): Json<AccountLink>) -> Result<Nothing, Refusal> {
    let volunteer: String = call.part("volunteer")?;
    let scope = call.scope().await?;
    let accounts = scope.phone_accounts().await?;
    let mut accounts = accounts.into_iter();
    let account = accounts.find(|account| account.volunteer == volunteer);
    let before = account.ok_or_else(Refusal::not_found)?.user;
    let user = request.user.map(|user| UserId(user.0));
    if let Some(user) = user {
        let members = scope.members().await?;
        if !members.iter().any(|member| member.user == user) {
            return Err(Refusal::conflict("this person is no member of the hub"));
        }
    }
    if let Some(before) = before {
        check_ours(&call, before).await?;
    }
    let mut changes = Changes::new();
    changes.push(Change::AccountLinked { volunteer, user });
    for concerned in before.into_iter().chain(user) {
        let subject = AuditSubject::User(concerned);
        changes.push(call.noted_in_hub(AuditKind::PhoneChanged, subject)?);
    }
    call.shared.store.commit(changes).await?;
    call.shared.notify(scope.hub().id, Topic::Members);
    Ok(Nothing)
}

/// A volunteer may be on duty in several hubs: one's admins do not decide for another's people.
async fn check_ours(call: &Call, user: UserId) -> Result<(), Refusal> {
    let hub = call.hub()?.id;
    let places = call.shared.store.reader().memberships(user).await?;
    match places.is_empty() || places.iter().any(|place| place.hub == hub) {
        true => Ok(()),
        false => Err(Refusal::conflict(
            "this volunteer is a member of another hub only; its admins decide",
        )),
    }
}
