//! Passkeys: made, listed, renamed, removed, and logged in with.
//!
//! A login with a passkey shows two things: the device's key, first, and the passkey. So nobody
//! but the device learns which passkeys its person has, and the session is bound to the device
//! as every other is.
//!
//! Where the hotline has turned passkeys off, those that there are can be listed, renamed and
//! removed, and no more.

use axum::http::Method;
use protocol::{
    Blob, Code, Id, LoginRequest, PasskeyAttempt, PasskeyFacts, PasskeyLogin, PasskeyName,
    PasskeyRegistration, Passkeys, Tokens,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{AuditKind, AuditSubject, Changes, LoginChange, PasskeyRow, Sealed, UserId};
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{AuthenticationResult, Passkey, PasskeyAuthentication, Uuid};

use super::{login, session};
use crate::call::{Call, Json, Nothing};
use crate::passkeys::Attempt;
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::unix_ms;

/// The longest sealed name, in bytes.
const NAME_MAX_BYTES: usize = 1024;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::POST,
            "/me/passkeys/begin",
            Access::LoggedIn,
            "Begin to make a passkey",
            begin,
        )
        .add(
            Method::POST,
            "/me/passkeys",
            Access::LoggedIn,
            "Keep a passkey that was made",
            register,
        )
        .add(
            Method::GET,
            "/me/passkeys",
            Access::LoggedIn,
            "My passkeys",
            list,
        )
        .add(
            Method::PUT,
            "/me/passkeys/{credential}",
            Access::LoggedIn,
            "Rename a passkey",
            rename,
        )
        .add(
            Method::DELETE,
            "/me/passkeys/{credential}",
            Access::LoggedIn,
            "Remove a passkey",
            remove,
        )
        .add(
            Method::POST,
            "/login/passkey/begin",
            Access::Open,
            "Begin a login with a passkey, with the signed challenge of the device",
            begin_login,
        )
        .add(
            Method::POST,
            "/login/passkey",
            Access::Open,
            "Log in with what the passkey signed",
            finish_login,
        )
}

async fn begin(call: Call, Nothing: Nothing) -> Result<Json<PasskeyAttempt>, Refusal> {
    let webauthn = call.shared.passkeys.webauthn()?;
    let user = call.caller()?.user;
    let known = call.shared.store.reader().passkeys(user).await?;
    let known = known.into_iter().map(|row| row.credential);
    // Names are the client's business: the server knows none.
    let begun = webauthn.start_passkey_registration(
        Uuid::from_bytes(user.0),
        "centralita",
        "Centralita",
        Some(known.collect()),
    );
    let (options, state) = begun.map_err(Refusal::internal)?;
    let state = Box::new(state);
    wait_for(&call, Attempt::Registration { user, state }, &options)
}

async fn register(
    call: Call,
    Json(request): Json<PasskeyRegistration>,
) -> Result<Nothing, Refusal> {
    let webauthn = call.shared.passkeys.webauthn()?;
    let caller = *call.caller()?;
    let name = sealed_name(request.name)?;
    let taken = call.shared.passkeys.take(request.attempt.0, call.now_ms());
    let Some(Attempt::Registration { user, state }) = taken else {
        return Err(spent());
    };
    if user != caller.user {
        return Err(spent());
    }
    let credential = json(&request.credential)?;
    let passkey = webauthn
        .finish_passkey_registration(&credential, &state)
        .map_err(Refusal::not_verified)?;
    let mut changes = Changes::new();
    changes.push(LoginChange::PasskeyAdded(Box::new(PasskeyRow {
        credential: passkey.cred_id().to_vec(),
        user,
        device: request.of_device.then_some(caller.device),
        body: body_of(&passkey)?,
        name,
        counter: 0,
        created_at: call.now,
        used_at: None,
    })));
    changes.push(call.noted(AuditKind::WebauthnRegistered, AuditSubject::User(user))?);
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

async fn list(call: Call, Nothing: Nothing) -> Result<Json<Passkeys>, Refusal> {
    let rows = call
        .shared
        .store
        .reader()
        .passkeys(call.caller()?.user)
        .await?;
    let facts = rows.into_iter().map(|row| PasskeyFacts {
        credential: Blob(row.credential),
        name: Blob(row.name.0),
        device: row.device.map(|device| Id(device.0)),
        created_at_ms: unix_ms(row.created_at),
        used_at_ms: row.used_at.map(unix_ms),
    });
    let passkeys = facts.collect();
    Ok(Json(Passkeys { passkeys }))
}

async fn rename(call: Call, Json(request): Json<PasskeyName>) -> Result<Nothing, Refusal> {
    let credential = mine(&call).await?;
    let mut changes = Changes::new();
    changes.push(LoginChange::PasskeyRenamed {
        credential,
        user: call.caller()?.user,
        name: sealed_name(request.name)?,
    });
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

async fn remove(call: Call, Nothing: Nothing) -> Result<Nothing, Refusal> {
    let credential = mine(&call).await?;
    let user = call.caller()?.user;
    let mut changes = Changes::new();
    changes.push(LoginChange::PasskeyRemoved { credential, user });
    changes.push(call.noted(AuditKind::WebauthnDeleted, AuditSubject::User(user))?);
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

/// The credential of the path, when it is the caller's.
async fn mine(call: &Call) -> Result<Vec<u8>, Refusal> {
    let credential = call.part::<Blob>("credential")?.0;
    let row = call.shared.store.reader().passkey(&credential).await?;
    let user = call.caller()?.user;
    match row {
        Some(row) if row.user == user => Ok(credential),
        _ => Err(Refusal::not_found()),
    }
}

async fn begin_login(
    call: Call,
    Json(request): Json<LoginRequest>,
) -> Result<Json<PasskeyAttempt>, Refusal> {
    let webauthn = call.shared.passkeys.webauthn()?;
    let device = login::device_of(&call, &request).await?;
    let rows = call.shared.store.reader().passkeys(device.user).await?;
    let passkeys: Result<Vec<Passkey>, Refusal> = rows.iter().map(passkey_of).collect();
    let passkeys = passkeys?;
    if passkeys.is_empty() {
        return Err(Refusal::not_found());
    }
    let begun = webauthn.start_passkey_authentication(&passkeys);
    let (options, state) = begun.map_err(Refusal::internal)?;
    let (device, state) = (device.id, Box::new(state));
    wait_for(&call, Attempt::Login { device, state }, &options)
}

async fn finish_login(
    call: Call,
    Json(request): Json<PasskeyLogin>,
) -> Result<Json<Tokens>, Refusal> {
    // First: an attempt that the hotline's rule ends is no failed login.
    let webauthn = call.shared.passkeys.webauthn()?;
    let taken = call.shared.passkeys.take(request.attempt.0, call.now_ms());
    let Some(Attempt::Login { device, state }) = taken else {
        return Err(spent());
    };
    // It may have been revoked, or its person deactivated, since.
    let known = login::live_device(&call, device).await?;
    let known = known.ok_or_else(login::refused)?;
    let signed = match verify(webauthn, &request.credential, &state) {
        Ok(signed) => signed,
        Err(refused) => {
            login::failed(&call, Some(device)).await;
            return Err(refused);
        }
    };
    let used = passkey_used(&call, known.user, &signed).await?;
    let (row, tokens) = session::prepare(&call, &known)?;
    let mut changes = Changes::new();
    changes.push(used);
    changes.push(LoginChange::SessionOpened(row));
    let subject = AuditSubject::Device(device);
    changes.push(call.noted_of(known.user, AuditKind::WebauthnLogin, subject));
    session::forget_expired(&call, &mut changes);
    call.shared.store.commit(changes).await?;
    call.shared.notify_devices(known.user);
    Ok(tokens)
}

fn verify(
    webauthn: &Webauthn,
    credential: &str,
    state: &PasskeyAuthentication,
) -> Result<AuthenticationResult, Refusal> {
    let credential = json(credential)?;
    let signed = webauthn.finish_passkey_authentication(&credential, state);
    signed.map_err(|error| Refusal::new(Code::BadProof, error.to_string()))
}

/// What is kept of a passkey after it signed.
async fn passkey_used(
    call: &Call,
    user: UserId,
    signed: &AuthenticationResult,
) -> Result<LoginChange, Refusal> {
    let credential = signed.cred_id().to_vec();
    let row = call.shared.store.reader().passkey(&credential).await?;
    // It may have been removed since.
    let row = row
        .filter(|row| row.user == user)
        .ok_or_else(login::refused)?;
    let mut passkey = passkey_of(&row)?;
    passkey.update_credential(signed);
    Ok(LoginChange::PasskeyUsed {
        credential,
        body: body_of(&passkey)?,
        counter: signed.counter(),
        at: call.now,
    })
}

fn wait_for(
    call: &Call,
    attempt: Attempt,
    options: &impl Serialize,
) -> Result<Json<PasskeyAttempt>, Refusal> {
    let options = serde_json::to_string(options).map_err(Refusal::internal)?;
    let attempt = Id(call.shared.passkeys.wait_for(attempt, call.now_ms())?);
    Ok(Json(PasskeyAttempt { attempt, options }))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(Refusal::malformed)
}

fn passkey_of(row: &PasskeyRow) -> Result<Passkey, Refusal> {
    serde_json::from_slice(&row.body.0).map_err(Refusal::internal)
}

fn body_of(passkey: &Passkey) -> Result<Sealed, Refusal> {
    let body = serde_json::to_vec(passkey).map_err(Refusal::internal)?;
    Ok(Sealed(body))
}

fn sealed_name(name: Blob) -> Result<Sealed, Refusal> {
    match name.0.len() {
        1..=NAME_MAX_BYTES => Ok(Sealed(name.0)),
        _ => Err(Refusal::malformed("a name has 1 to 1024 bytes")),
    }
}

fn spent() -> Refusal {
    Refusal::new(Code::Spent, "this took too long; begin again")
}
