//! Invitations, passkeys, the ways back in, the first admin.

use jiff::Timestamp;

use super::vault::expect;
use super::{Refused, session};
use crate::engine::{Transaction, args};
use crate::id::{DeviceId, Sealed, SecretHash, UserId};
use crate::login::{LoginChange, MAX_PASSKEYS_PER_PERSON, PasskeyRow};
use crate::vault::InviteRow;

pub(super) async fn apply(db: &mut Transaction, change: &LoginChange) -> Result<(), Refused> {
    use LoginChange as L;
    match change {
        L::SessionOpened(row) => session::open(db, row).await,
        L::SessionSeen { session, at } => session::seen(db, *session, *at).await,
        L::SessionViewed { session, view_key } => session::viewed(db, *session, view_key).await,
        L::SessionClosed { session } => session::close(db, *session).await,
        L::SessionsClosed { user, except } => session::close_all(db, *user, *except).await,
        L::SessionsExpired { before } => session::expire(db, *before).await,
        L::PasskeyAdded(passkey) => add_passkey(db, passkey).await,
        L::PasskeyUsed {
            credential,
            body,
            counter,
            at,
        } => use_passkey(db, credential, body, *counter, *at).await,
        L::PasskeyRenamed {
            credential,
            user,
            name,
        } => {
            let sql = "UPDATE passkey SET name = $3 WHERE credential = $1 AND person = $2";
            let renamed = db.execute(sql, args![credential, &user.0, &name.0]).await?;
            expect(renamed, "a passkey that is not here")
        }
        L::PasskeyRemoved { credential, user } => {
            let sql = "DELETE FROM passkey WHERE credential = $1 AND person = $2";
            db.execute(sql, args![credential, &user.0]).await?;
            Ok(())
        }
        L::RecoveryEscrowSet {
            user,
            body,
            device,
            at,
        } => set_escrow(db, *user, body, *device, *at).await,
        L::BackupCodesReplaced { user, codes, at } => replace_codes(db, *user, codes, *at).await,
        L::BackupCodeUsed { user, verifier, at } => use_code(db, *user, *verifier, *at).await,
        L::ItemsKeySet {
            user,
            generation,
            body,
        } => set_items_key(db, *user, *generation, body).await,
        L::BootstrapCodeSet {
            code,
            created_at,
            expires_at,
        } => set_bootstrap(db, *code, *created_at, *expires_at).await,
        L::BootstrapUsed { code, by, at } => use_bootstrap(db, *code, *by, *at).await,
    }
}

async fn add_passkey(db: &mut Transaction, passkey: &PasskeyRow) -> Result<(), Refused> {
    let device: Option<&DeviceId> = passkey.device.as_ref();
    let kept = db
        .execute(
            "INSERT INTO passkey (credential, person, device, body, name, counter, created_at, \
             used_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
             WHERE (SELECT count(*) FROM passkey WHERE person = $2 AND credential <> $1) < $9 \
             ON CONFLICT (credential) DO UPDATE SET credential = excluded.credential \
             WHERE passkey.person = excluded.person \
             AND passkey.created_at = excluded.created_at",
            args![
                &passkey.credential,
                &passkey.user.0,
                device.map(|device| device.0.as_slice()),
                &passkey.body.0,
                &passkey.name.0,
                i64::from(passkey.counter),
                passkey.created_at.as_microsecond(),
                passkey.used_at.map(Timestamp::as_microsecond),
                i64::from(MAX_PASSKEYS_PER_PERSON)
            ],
        )
        .await?;
    expect(kept, "a passkey that is known, or one too many")
}

async fn use_passkey(
    db: &mut Transaction,
    credential: &[u8],
    body: &Sealed,
    counter: u32,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE passkey SET body = $2, counter = $3, used_at = $4 \
               WHERE credential = $1 AND counter <= $3";
    let args = args![credential, &body.0, i64::from(counter), at.as_microsecond()];
    let used = db.execute(sql, args).await?;
    expect(used, "a passkey that is not here, or a copy of one")
}

async fn set_escrow(
    db: &mut Transaction,
    user: UserId,
    body: &Sealed,
    device: Option<DeviceId>,
    at: Timestamp,
) -> Result<(), Refused> {
    let device = device.as_ref().map(|device| device.0.as_slice());
    db.execute(
        "INSERT INTO recovery_escrow (person, body, set_at, device) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (person) DO UPDATE SET body = excluded.body, set_at = excluded.set_at, \
         device = excluded.device",
        args![&user.0, &body.0, at.as_microsecond(), device],
    )
    .await?;
    Ok(())
}

async fn replace_codes(
    db: &mut Transaction,
    user: UserId,
    codes: &[(SecretHash, Sealed)],
    at: Timestamp,
) -> Result<(), Refused> {
    // Told again, it must not give a code back that was used since.
    let sql = "SELECT 1 FROM backup_code WHERE person = $1 AND set_at = $2 LIMIT 1";
    let known = db.rows(sql, args![&user.0, at.as_microsecond()]).await?;
    if !known.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM backup_code WHERE person = $1";
    db.execute(sql, args![&user.0]).await?;
    for (verifier, escrow) in codes {
        db.execute(
            "INSERT INTO backup_code (person, verifier, escrow, set_at) VALUES ($1, $2, $3, $4)",
            args![&user.0, &verifier.0, &escrow.0, at.as_microsecond()],
        )
        .await?;
    }
    Ok(())
}

async fn use_code(
    db: &mut Transaction,
    user: UserId,
    verifier: SecretHash,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE backup_code SET escrow = NULL, used_at = $3 \
               WHERE person = $1 AND verifier = $2 AND (used_at IS NULL OR used_at = $3)";
    let args = args![&user.0, &verifier.0, at.as_microsecond()];
    let used = db.execute(sql, args).await?;
    expect(used, "a backup code that is none, or was used")
}

async fn set_items_key(
    db: &mut Transaction,
    user: UserId,
    generation: u32,
    body: &Sealed,
) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO items_key (person, generation, body) VALUES ($1, $2, $3) \
             ON CONFLICT (person, generation) DO UPDATE SET body = excluded.body \
             WHERE items_key.body = excluded.body",
            args![&user.0, i64::from(generation), &body.0],
        )
        .await?;
    expect(kept, "another items key of the same generation")
}

async fn set_bootstrap(
    db: &mut Transaction,
    code: SecretHash,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO bootstrap (one, code, created_at, expires_at) VALUES (1, $1, $2, $3) \
         ON CONFLICT (one) DO UPDATE SET code = excluded.code, \
         created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL, \
         used_by = NULL WHERE bootstrap.code <> excluded.code",
        args![
            &code.0,
            created_at.as_microsecond(),
            expires_at.as_microsecond()
        ],
    )
    .await?;
    Ok(())
}

/// Uses a code that is good for one; told again by the same person, it changes nothing.
macro_rules! use_up_sql {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET used_at = $3, used_by = $2 WHERE code = $1 AND expires_at > $3 \
             AND (used_at IS NULL OR (used_by = $2 AND used_at = $3))"
        )
    };
}

async fn use_bootstrap(
    db: &mut Transaction,
    code: SecretHash,
    by: UserId,
    at: Timestamp,
) -> Result<(), Refused> {
    let args = args![&code.0, &by.0, at.as_microsecond()];
    let used = db.execute(use_up_sql!("bootstrap"), args).await?;
    expect(used, "a first admin's code that is used, expired or void")
}

pub(super) async fn add_invite(db: &mut Transaction, invite: &InviteRow) -> Result<(), Refused> {
    let used_by = invite.used.as_ref().map(|(user, _)| user.0.as_slice());
    let kept = db
        .execute(
            "INSERT INTO invite (code, hub, role, own_role, invited_by, created_at, expires_at, \
             used_at, used_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (code) DO UPDATE SET code = excluded.code \
             WHERE invite.hub = excluded.hub AND invite.created_at = excluded.created_at",
            args![
                &invite.code.0,
                &invite.hub.0,
                invite.role.word(),
                invite.role.own(),
                &invite.invited_by.0,
                invite.created_at.as_microsecond(),
                invite.expires_at.as_microsecond(),
                invite.used.map(|(_, at)| at.as_microsecond()),
                used_by
            ],
        )
        .await?;
    expect(kept, "another invitation of the same code")
}

pub(super) async fn use_invite(
    db: &mut Transaction,
    code: SecretHash,
    by: UserId,
    at: Timestamp,
    voucher: &[u8],
) -> Result<(), Refused> {
    let args = args![&code.0, &by.0, at.as_microsecond()];
    let used = db.execute(use_up_sql!("invite"), args).await?;
    expect(used, "an invitation that is used, expired or withdrawn")?;
    let sql = "UPDATE invite SET voucher = coalesce(voucher, $2) WHERE code = $1";
    db.execute(sql, args![&code.0, voucher]).await?;
    Ok(())
}

pub(super) async fn revoke_invite(db: &mut Transaction, code: SecretHash) -> Result<(), Refused> {
    let sql = "DELETE FROM invite WHERE code = $1 AND used_at IS NULL";
    db.execute(sql, args![&code.0]).await?;
    Ok(())
}
