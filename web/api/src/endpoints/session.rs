//! Sessions: opened by a login, renewed, listed, ended.

use std::time::Duration;

use axum::http::Method;
use crypto::{Entropy, OsEntropy, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use protocol::{Blob, Code, Id, Me, MyHub, SessionFacts, Sessions, Tokens, ViewKey};
use store::{
    AuditKind, AuditSubject, Changes, DeviceRow, LoginChange, Refreshed, SecretHash, SessionId,
    SessionRefresh, SessionRow,
};

use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::role::{listed, to_client};
use crate::route::{Access, Routes};
use crate::shared::{TOKEN_BYTES, unix_ms};
use crate::watch::Ended;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add_for_locked(
            Method::POST,
            "/session/refresh",
            Access::Refresh,
            "Exchange the refresh token for new tokens",
            refresh,
        )
        .add_for_locked(
            Method::POST,
            "/session/logout",
            Access::LoggedIn,
            "Log out",
            logout,
        )
        .add_for_locked(Method::GET, "/me", Access::LoggedIn, "Who I am here", me)
        .add(
            Method::PUT,
            "/session/view-key",
            Access::LoggedIn,
            "Name the key with which this device looks while it is locked",
            name_view_key,
        )
        .add(
            Method::GET,
            "/me/sessions",
            Access::LoggedIn,
            "From where I am logged in",
            sessions,
        )
        .add(
            Method::DELETE,
            "/me/sessions",
            Access::LoggedIn,
            "End all my other sessions",
            end_others,
        )
        .add(
            Method::DELETE,
            "/me/sessions/{session}",
            Access::LoggedIn,
            "End one of my sessions",
            end_one,
        )
}

/// Two new tokens, and until when they are good.
struct Pair {
    access: [u8; TOKEN_BYTES],
    access_hash: SecretHash,
    access_expires_at: Timestamp,
    refresh: [u8; TOKEN_BYTES],
    refresh_hash: SecretHash,
    refresh_expires_at: Timestamp,
}

impl Pair {
    fn new(call: &Call) -> Result<Self, Refusal> {
        let options = &call.shared.options;
        let (access, access_hash) = call.shared.new_token()?;
        let (refresh, refresh_hash) = call.shared.new_token()?;
        call.shared.start.give_out([access_hash, refresh_hash]);
        Ok(Self {
            access,
            access_hash,
            access_expires_at: after(call.now, options.access_lifetime)?,
            refresh,
            refresh_hash,
            refresh_expires_at: after(call.now, options.refresh_lifetime)?,
        })
    }

    fn tell(&self, call: &Call, session: &SessionRow) -> Json<Tokens> {
        let options = &call.shared.options;
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Json(Tokens {
            user: Id(session.user.0),
            session: Id(session.id.0),
            access: Blob::from(&self.access[..]),
            access_expires_at_ms: unix_ms(self.access_expires_at),
            refresh: Blob::from(&self.refresh[..]),
            refresh_expires_at_ms: unix_ms(self.refresh_expires_at),
            idle_after_s: seconds(options.idle_after),
            unlocked_at_most_s: seconds(options.unlocked_at_most),
        })
    }
}

/// Opens a session of a device that has shown its key, and notes the login as `kind`.
pub(super) async fn open(
    call: &Call,
    device: &DeviceRow,
    kind: AuditKind,
) -> Result<Json<Tokens>, Refusal> {
    let (session, tokens) = prepare(call, device)?;
    let mut changes = Changes::new();
    changes.push(LoginChange::SessionOpened(session));
    changes.push(call.noted_of(device.user, kind, AuditSubject::Device(device.id)));
    let (user, reader) = (device.user, call.shared.store.reader());
    if reader.recovery_device(user).await? == Some(device.id) {
        let subject = AuditSubject::User(user);
        changes.push(call.noted_of(user, AuditKind::AccountRecovered, subject));
    }
    forget_expired(call, &mut changes);
    call.shared.store.commit(changes).await?;
    call.shared.notify_devices(device.user);
    Ok(tokens)
}

/// A session that is not kept yet, and what its device is told.
pub(super) fn prepare(
    call: &Call,
    device: &DeviceRow,
) -> Result<(SessionRow, Json<Tokens>), Refusal> {
    let mut id = [0; 16];
    OsEntropy.fill(&mut id).map_err(Refusal::internal)?;
    let pair = Pair::new(call)?;
    let session = SessionRow {
        id: SessionId(id),
        user: device.user,
        device: device.id,
        sign_key: device.sign_key,
        created_at: call.now,
        seen_at: call.now,
        access: pair.access_hash,
        access_expires_at: pair.access_expires_at,
        refresh: pair.refresh_hash,
        refresh_expires_at: pair.refresh_expires_at,
        view_key: None,
    };
    let tokens = pair.tell(call, &session);
    Ok((session, tokens))
}

/// Spent tokens are kept until they would have expired, so that a copy is recognised.
pub(super) fn forget_expired(call: &Call, changes: &mut Changes) {
    changes.push(LoginChange::SessionsExpired { before: call.now });
}

async fn refresh(call: Call, Nothing: Nothing) -> Result<Json<Tokens>, Refusal> {
    let caller = *call.caller()?;
    let pair = Pair::new(&call)?;
    let asked = SessionRefresh {
        shown: caller.token,
        at: call.now,
        access: pair.access_hash,
        access_expires_at: pair.access_expires_at,
        refresh: pair.refresh_hash,
        refresh_expires_at: pair.refresh_expires_at,
        is_use: !caller.locked,
    };
    match call.shared.store.refresh_session(&asked).await? {
        Refreshed::Renewed(session) => Ok(pair.tell(&call, &session)),
        Refreshed::Reused(session) => {
            tracing::warn!(session = ?session.id, "a spent refresh token was shown again");
            end(&call, session.id);
            Err(Refusal::new(
                Code::Spent,
                "this refresh token was used before; the session has ended, log in again",
            ))
        }
        Refreshed::Refused => Err(Refusal::login_needed()),
    }
}

async fn logout(call: Call, Nothing: Nothing) -> Result<Nothing, Refusal> {
    let caller = *call.caller()?;
    close(&call, caller.session).await?;
    Ok(Nothing)
}

async fn end_one(call: Call, Nothing: Nothing) -> Result<Nothing, Refusal> {
    let session = SessionId(call.id("session")?);
    let caller = call.caller()?;
    let mine = call
        .shared
        .store
        .reader()
        .sessions(caller.user, call.now)
        .await?;
    if !mine.iter().any(|row| row.id == session) {
        return Err(Refusal::not_found());
    }
    close(&call, session).await?;
    Ok(Nothing)
}

async fn end_others(call: Call, Nothing: Nothing) -> Result<Nothing, Refusal> {
    let caller = *call.caller()?;
    let except = Some(caller.session);
    let user = caller.user;
    let mut changes = Changes::new();
    changes.push(LoginChange::SessionsClosed { user, except });
    changes.push(call.noted(AuditKind::Logout, AuditSubject::User(user))?);
    call.shared.store.commit(changes).await?;
    call.shared.end(Ended::User(user, except));
    call.shared.notify_devices(user);
    Ok(Nothing)
}

async fn close(call: &Call, session: SessionId) -> Result<(), Refusal> {
    let mut changes = Changes::new();
    changes.push(LoginChange::SessionClosed { session });
    changes.push(call.noted(AuditKind::Logout, AuditSubject::Thing(session.0))?);
    call.shared.store.commit(changes).await?;
    end(call, session);
    call.shared.notify_devices(call.caller()?.user);
    Ok(())
}

fn end(call: &Call, session: SessionId) {
    call.shared.activity.forget(session);
    call.shared.end(Ended::Session(session));
}

async fn name_view_key(call: Call, Json(view): Json<ViewKey>) -> Result<Nothing, Refusal> {
    let key: Option<[u8; 32]> = view.key.0.try_into().ok();
    let key = key.filter(|key| VerifyingKey::from_bytes(key).is_ok());
    let change = LoginChange::SessionViewed {
        session: call.caller()?.session,
        view_key: key.ok_or_else(|| Refusal::malformed("an Ed25519 public key has 32 bytes"))?,
    };
    call.shared
        .store
        .commit(store::Change::from(change).into())
        .await?;
    Ok(Nothing)
}

async fn me(call: Call, Nothing: Nothing) -> Result<Json<Me>, Refusal> {
    let caller = call.caller()?;
    let reader = call.shared.store.reader();
    let user = reader.user(caller.user).await?;
    let user = user.ok_or_else(Refusal::login_needed)?;
    let mut hubs = Vec::new();
    for member in reader.memberships(caller.user).await? {
        let scope = reader.scope(caller.user, member.hub).await?;
        hubs.push(MyHub {
            hub: Id(member.hub.0),
            name: scope.hub().name.clone(),
            role: to_client(member.role),
            permissions: listed(scope.permissions()),
            since_ms: unix_ms(member.since),
        });
    }
    Ok(Json(Me {
        user: Id(caller.user.0),
        device: Id(caller.device.0),
        session: Id(caller.session.0),
        super_admin: caller.super_admin,
        profile: Blob(user.profile.map(|sealed| sealed.0).unwrap_or_default()),
        hubs,
    }))
}

async fn sessions(call: Call, Nothing: Nothing) -> Result<Json<Sessions>, Refusal> {
    let caller = call.caller()?;
    let mine = call
        .shared
        .store
        .reader()
        .sessions(caller.user, call.now)
        .await?;
    let (now_ms, idle_after) = (call.now_ms(), call.shared.options.idle_after);
    let in_use = mine
        .iter()
        .filter(|row| !call.shared.activity.is_idle(row, now_ms, idle_after));
    let facts = in_use.map(|row| SessionFacts {
        session: Id(row.id.0),
        device: Id(row.device.0),
        created_at_ms: unix_ms(row.created_at),
        seen_at_ms: unix_ms(row.seen_at),
        current: row.id == caller.session,
    });
    let sessions = facts.collect();
    Ok(Json(Sessions { sessions }))
}

fn after(now: Timestamp, lifetime: Duration) -> Result<Timestamp, Refusal> {
    let lifetime = SignedDuration::try_from(lifetime).map_err(Refusal::internal)?;
    now.checked_add(lifetime).map_err(Refusal::internal)
}
