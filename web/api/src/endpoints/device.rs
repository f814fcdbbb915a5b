//! A person's own sigchain: their devices and keys.

use axum::http::Method;
use crypto::identity::{ItemsKey, Sigchain};
use crypto::vault::Escrow;
use protocol::{Blob, DeviceFacts, Devices, Id, PersonSigchain, SigchainUpdate, Topic};
use store::{
    AuditKind, AuditSubject, Changes, DeviceId, DeviceRow, LoginChange, Sealed, UserId, VaultChange,
};

use crate::call::{Call, Json, Nothing};
use crate::chains::person;
use crate::newcomer::leaf_of;
use crate::refusal::Refusal;
use crate::route::{Access, Routes};
use crate::shared::unix_ms;
use crate::watch::Ended;

/// The longest sigchain that is taken, in bytes of JSON.
const SIGCHAIN_MAX_BYTES: usize = 4 << 20;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::GET,
            "/me/devices",
            Access::LoggedIn,
            "My devices, and which of them a code opens",
            devices,
        )
        .add(
            Method::GET,
            "/me/sigchain",
            Access::LoggedIn,
            "My devices and keys",
            mine,
        )
        .add_large(
            SIGCHAIN_MAX_BYTES,
            Method::PUT,
            "/me/sigchain",
            Access::LoggedIn,
            "Add or revoke a device, or change my key",
            extend,
        )
}

async fn devices(call: Call, Nothing: Nothing) -> Result<Json<Devices>, Refusal> {
    let (reader, user) = (call.shared.store.reader(), call.caller()?.user);
    let with_vault = reader.devices_with_vault(user).await?;
    let recovery = reader.recovery_device(user).await?;
    let known = reader.devices(user).await?.into_iter();
    let live = known.filter(|device| device.revoked_at.is_none());
    let facts = live.map(|device| DeviceFacts {
        device: Id(device.id.0),
        added_at_ms: unix_ms(device.added_at),
        has_vault: with_vault.contains(&device.id),
        is_recovery: recovery == Some(device.id),
    });
    Ok(Json(Devices {
        devices: facts.collect(),
    }))
}

async fn mine(call: Call, Nothing: Nothing) -> Result<Json<PersonSigchain>, Refusal> {
    let user = call.caller()?.user;
    let chain = call.shared.sigchain(user).await?;
    let chain = chain.ok_or_else(Refusal::not_found)?;
    Ok(Json(PersonSigchain {
        user: Id(user.0),
        sigchain: Blob(chain.encode()),
    }))
}

/// Takes what the person's devices signed, and lets rows and sessions follow.
async fn extend(call: Call, Json(update): Json<SigchainUpdate>) -> Result<Nothing, Refusal> {
    let (shared, user) = (&call.shared, call.caller()?.user);
    let known = shared.sigchain(user).await?;
    let known = known.ok_or_else(Refusal::not_found)?;
    let chain = Sigchain::decode(&update.sigchain.0).map_err(Refusal::not_verified)?;
    if chain.user() != person(user) {
        return Err(Refusal::not_verified(
            "this is another person's device list",
        ));
    }
    // Another of the person's devices may have been faster.
    chain
        .check_contains(&known.head())
        .map_err(|error| Refusal::conflict(error.to_string()))?;
    // It has arrived before, and its answer was lost.
    if chain.head() == known.head() {
        return Ok(Nothing);
    }
    let mut changes = Changes::new();
    let first = usize::try_from(known.head().seqno).map_err(Refusal::internal)?;
    for (seqno, link) in (1..).zip(chain.links()).skip(first) {
        let link = link.to_vec();
        changes.push(VaultChange::SigchainExtended { user, seqno, link });
    }
    let revoked = follow_devices(&call, &known, &chain, &mut changes)?;
    if let Some(escrow) = update.recovery_escrow {
        let paper = only_new(&known, &chain);
        changes.push(escrow_set(&call, user, escrow, paper)?);
        changes.push(call.noted(AuditKind::RecoveryReplaced, AuditSubject::User(user))?);
    }
    if let Some(key) = update.items_key {
        changes.push(items_key_set(user, &chain, key)?);
    }
    shared
        .commit_with_heads(changes, &[leaf_of(chain.state())])
        .await?;
    for device in revoked {
        shared.end(Ended::Device(device));
    }
    shared.notify_devices(user);
    for member in shared.store.reader().memberships(user).await? {
        // Its admins enter the new head in the roster.
        shared.notify(member.hub, Topic::Members);
    }
    Ok(Nothing)
}

/// Rows and trail for what the chain says of devices; gives those that were revoked.
fn follow_devices(
    call: &Call,
    before: &Sigchain,
    after: &Sigchain,
    changes: &mut Changes,
) -> Result<Vec<DeviceId>, Refusal> {
    let user = call.caller()?.user;
    let mut revoked = Vec::new();
    for (id, device) in after.state().devices() {
        let known = before.state().device(id);
        let id = DeviceId(*id.as_bytes());
        if known.is_none() {
            changes.push(VaultChange::DeviceAdded(DeviceRow {
                id,
                user,
                sign_key: *device.sign_key.as_bytes(),
                added_at: call.now,
                revoked_at: None,
            }));
            changes.push(call.noted(AuditKind::DeviceAdded, AuditSubject::Device(id))?);
        }
        if !device.is_live() && known.is_none_or(|known| known.is_live()) {
            changes.push(VaultChange::DeviceRevoked {
                device: id,
                at: call.now,
            });
            changes.push(call.noted(AuditKind::DeviceRevoked, AuditSubject::Device(id))?);
            revoked.push(id);
        }
    }
    if after.state().reader() != before.state().reader() {
        changes.push(call.noted(AuditKind::UserKeyRotated, AuditSubject::User(user))?);
    }
    Ok(revoked)
}

/// The device that came along with a recovery key: the one that this key is.
fn only_new(before: &Sigchain, after: &Sigchain) -> Option<DeviceId> {
    let live = after.state().live_devices();
    let mut added = live.filter(|(id, _)| before.state().device(*id).is_none());
    let (id, _) = added.next()?;
    added.next().is_none().then(|| DeviceId(*id.as_bytes()))
}

fn escrow_set(
    call: &Call,
    user: UserId,
    escrow: Blob,
    device: Option<DeviceId>,
) -> Result<LoginChange, Refusal> {
    Escrow::decode(&escrow.0).map_err(Refusal::not_verified)?;
    Ok(LoginChange::RecoveryEscrowSet {
        user,
        body: Sealed(escrow.0),
        device,
        at: call.now,
    })
}

/// An items key of one of the chain's generations.
pub(super) fn items_key_set(
    user: UserId,
    chain: &Sigchain,
    key: Blob,
) -> Result<LoginChange, Refusal> {
    if key.0.len() != ItemsKey::SEALED_BYTES {
        return Err(Refusal::not_verified("this is no items key"));
    }
    let generation = ItemsKey::generation_of(&key.0).map_err(Refusal::not_verified)?;
    if chain.state().reader_of(generation).is_none() {
        return Err(Refusal::not_verified(
            "there is no such generation of the key",
        ));
    }
    Ok(LoginChange::ItemsKeySet {
        user,
        generation,
        body: Sealed(key.0),
    })
}
