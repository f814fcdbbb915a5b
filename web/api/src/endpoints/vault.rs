//! What the server keeps for a person's keys.
//!
//! The share of a vault is asked for while the device's key is still locked, so nothing can sign
//! the request: what lets a device try is the id of its vault, 128 random bits that stand in its
//! vault file and on the server only.

use axum::http::Method;
use crypto::vault::{AuthSecret, Escrow, ServerShare, Share, ShareRefused};
use protocol::{
    BACKUP_CODES, BackupCodeUse, BackupCodes, Blob, Code, EscrowAnswer, EscrowRequest,
    ItemsKeyAdded, ItemsKeys, RecoveryFacts, ShareAnswer, ShareProposal, ShareRequest,
};
use store::{
    AuditKind, AuditSubject, Changes, LoginChange, Sealed, SecretHash, UserId, UserStatus,
    VaultChange, VaultId,
};

use super::device::items_key_set;
use crate::call::{Call, Json, Nothing};
use crate::refusal::Refusal;
use crate::route::{Access, Routes};

pub(crate) fn routes() -> Routes {
    Routes::default()
        .add(
            Method::POST,
            "/vaults/{vault}/share",
            Access::Open,
            "Ask for the server's share, with a proof of the code",
            ask,
        )
        .add(
            Method::PUT,
            "/vaults/{vault}/share",
            Access::LoggedIn,
            "Leave a share of a vault that is sealed for the first time, or anew",
            propose,
        )
        .add(
            Method::GET,
            "/me/recovery",
            Access::LoggedIn,
            "Which ways back in I have",
            recovery,
        )
        .add(
            Method::PUT,
            "/me/backup-codes",
            Access::LoggedIn,
            "Replace my backup codes",
            replace_codes,
        )
        .add(
            Method::GET,
            "/me/items-keys",
            Access::LoggedIn,
            "My items keys",
            items_keys,
        )
        .add(
            Method::PUT,
            "/me/items-keys",
            Access::LoggedIn,
            "Keep an items key",
            add_items_key,
        )
        .add(
            Method::POST,
            "/recovery/escrow",
            Access::Open,
            "What a recovery key opens",
            escrow,
        )
        .add(
            Method::POST,
            "/recovery/backup-code",
            Access::Open,
            "Use a backup code up, for what it opens",
            use_code,
        )
}

async fn ask(call: Call, Json(request): Json<ShareRequest>) -> Result<Json<ShareAnswer>, Refusal> {
    let vault = VaultId(call.id("vault")?);
    let auth = AuthSecret::from_bytes(&exactly(&request.auth)?);
    // One after the other: two tries at once must count as two.
    let _turn = call.shared.shares.lock().await;
    let (user, mut share) = load(&call, vault).await?.ok_or_else(Refusal::not_found)?;
    let row = call.shared.store.reader().user(user).await?;
    if row.is_none_or(|row| row.status != UserStatus::Active) {
        return Err(Refusal::not_allowed());
    }
    let (before, was_destroyed) = (share.encode(), share.is_destroyed());
    let given = share.request(&auth, call.now_ms());
    let after = share.encode();
    if before != after {
        let mut changes = Changes::new();
        changes.push(VaultChange::VaultShareTried {
            vault,
            body: Sealed(after),
        });
        if share.is_destroyed() && !was_destroyed {
            let subject = AuditSubject::User(user);
            changes.push(call.noted_by_nobody(AuditKind::VaultShareDestroyed, subject));
        }
        // Kept before anything is said: nobody gets a try for free by pulling the plug.
        call.shared.store.commit(changes).await?;
    }
    Ok(Json(match given {
        Ok(share) => ShareAnswer::Given {
            share: Blob::from(&share.reveal()[..]),
        },
        Err(ShareRefused::Wrong { left }) => ShareAnswer::Wrong { left },
        Err(ShareRefused::Wait { until_ms }) => ShareAnswer::Wait { until_ms },
        Err(ShareRefused::Destroyed) => ShareAnswer::Destroyed,
        Err(error) => return Err(Refusal::internal(error)),
    }))
}

async fn propose(call: Call, Json(proposal): Json<ShareProposal>) -> Result<Nothing, Refusal> {
    let vault = VaultId(call.id("vault")?);
    let caller = call.caller()?;
    let (user, device) = (caller.user, caller.device);
    let auth = AuthSecret::from_bytes(&exactly(&proposal.auth)?);
    let new = Share::from_bytes(&exactly(&proposal.share)?);
    call.shared.limits.share(user)?;
    let _turn = call.shared.shares.lock().await;
    let share = match load(&call, vault).await? {
        Some((owner, _)) if owner != user => return Err(Refusal::not_found()),
        Some((_, mut share)) => {
            share
                .propose(new, &auth)
                .map_err(|error| Refusal::new(Code::Spent, error.to_string()))?;
            share
        }
        None => {
            let vault = crypto::vault::VaultId::from_bytes(vault.0);
            ServerShare::new(vault, new, &auth)
        }
    };
    let mut changes = Changes::new();
    changes.push(VaultChange::VaultShareSet {
        vault,
        user,
        device,
        body: Sealed(share.encode()),
    });
    call.shared.store.commit(changes).await?;
    call.shared.notify_devices(user);
    Ok(Nothing)
}

async fn load(call: &Call, vault: VaultId) -> Result<Option<(UserId, ServerShare)>, Refusal> {
    let kept = call.shared.store.reader().vault_share(vault).await?;
    let Some((user, body)) = kept else {
        return Ok(None);
    };
    let share = ServerShare::decode(&body.0).map_err(Refusal::internal)?;
    match share.vault().as_bytes() == &vault.0 {
        true => Ok(Some((user, share))),
        false => Err(Refusal::internal("a share is kept for another vault")),
    }
}

async fn recovery(call: Call, Nothing: Nothing) -> Result<Json<RecoveryFacts>, Refusal> {
    let (reader, user) = (call.shared.store.reader(), call.caller()?.user);
    Ok(Json(RecoveryFacts {
        recovery_key: reader.recovery_escrow(user).await?.is_some(),
        backup_codes: reader.backup_codes_left(user).await?,
    }))
}

async fn replace_codes(call: Call, Json(request): Json<BackupCodes>) -> Result<Nothing, Refusal> {
    if request.codes.len() != BACKUP_CODES {
        return Err(Refusal::malformed("backup codes come eight at a time"));
    }
    let user = call.caller()?.user;
    let mut codes = Vec::with_capacity(BACKUP_CODES);
    for code in request.codes {
        Escrow::decode(&code.escrow.0).map_err(Refusal::not_verified)?;
        codes.push((SecretHash(exactly(&code.verifier)?), Sealed(code.escrow.0)));
    }
    let mut changes = Changes::new();
    changes.push(LoginChange::BackupCodesReplaced {
        user,
        codes,
        at: call.now,
    });
    changes.push(call.noted(AuditKind::RecoveryReplaced, AuditSubject::User(user))?);
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

/// An escrow opens with 128 random bits only, so whoever knows of the person may have it.
async fn escrow(
    call: Call,
    Json(request): Json<EscrowRequest>,
) -> Result<Json<EscrowAnswer>, Refusal> {
    let user = UserId(request.user.0);
    let kept = call.shared.store.reader().recovery_escrow(user).await?;
    let kept = kept.ok_or_else(Refusal::not_found)?;
    Ok(Json(EscrowAnswer {
        escrow: Blob(kept.0),
    }))
}

async fn use_code(
    call: Call,
    Json(request): Json<BackupCodeUse>,
) -> Result<Json<EscrowAnswer>, Refusal> {
    let user = UserId(request.user.0);
    let auth = AuthSecret::from_bytes(&exactly(&request.auth)?);
    let verifier = SecretHash(*auth.verifier().as_bytes());
    let spent = || Refusal::new(Code::Spent, "this backup code is none, or was used");
    let kept = call
        .shared
        .store
        .reader()
        .backup_code(user, verifier)
        .await?;
    let kept = kept.ok_or_else(spent)?;
    let mut changes = Changes::new();
    changes.push(LoginChange::BackupCodeUsed {
        user,
        verifier,
        at: call.now,
    });
    let subject = AuditSubject::User(user);
    changes.push(call.noted_of(user, AuditKind::AccountRecovered, subject));
    let used = call
        .shared
        .store
        .commit(changes)
        .await
        .map_err(Refusal::from);
    used.map_err(|refused| match refused.code() {
        Code::Conflict => spent(),
        _ => refused,
    })?;
    Ok(Json(EscrowAnswer {
        escrow: Blob(kept.0),
    }))
}

async fn items_keys(call: Call, Nothing: Nothing) -> Result<Json<ItemsKeys>, Refusal> {
    let user = call.caller()?.user;
    let keys = call.shared.store.reader().items_keys(user).await?;
    let keys = keys.into_iter().map(|(_, key)| Blob(key.0)).collect();
    Ok(Json(ItemsKeys { keys }))
}

async fn add_items_key(call: Call, Json(added): Json<ItemsKeyAdded>) -> Result<Nothing, Refusal> {
    let user = call.caller()?.user;
    let chain = call.shared.sigchain(user).await?;
    let chain = chain.ok_or_else(Refusal::not_found)?;
    let mut changes = Changes::new();
    changes.push(items_key_set(user, &chain, added.key)?);
    call.shared.store.commit(changes).await?;
    Ok(Nothing)
}

fn exactly<const N: usize>(blob: &Blob) -> Result<[u8; N], Refusal> {
    let bytes = blob.0.as_slice().try_into();
    bytes.map_err(|_| Refusal::malformed(format!("{N} bytes are needed here")))
}
