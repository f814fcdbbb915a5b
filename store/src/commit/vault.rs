//! What people keep: identities, keys, memberships, logins.

use jiff::Timestamp;

use super::Refused;
use crate::engine::{Transaction, args};
use crate::id::{Sealed, SecretHash, UserId};
use crate::vault::{
    DeviceRow, HubKeyRow, HubRow, InviteRow, MemberRow, RoleRow, SessionRow, UserRow, VaultChange,
};

pub(super) async fn apply(db: &mut Transaction, change: &VaultChange) -> Result<(), Refused> {
    use VaultChange as V;
    match change {
        V::HubAdded(hub) => add_hub(db, hub).await,
        V::UserAdded(user) => add_user(db, user).await,
        V::ProfileChanged { user, profile } => {
            let sql = "UPDATE person SET profile = $2 WHERE id = $1 AND status <> 'erased'";
            let changed = db.execute(sql, args![&user.0, &profile.0]).await?;
            expect(changed, "a person who is not here")
        }
        V::ActiveChanged { user, active } => change_active(db, *user, *active).await,
        V::SuperAdminChanged { user, super_admin } => {
            let sql = "UPDATE person SET super_admin = $2 WHERE id = $1 AND status <> 'erased'";
            let changed = db
                .execute(sql, args![&user.0, i64::from(*super_admin)])
                .await?;
            expect(changed, "a person who is not here")
        }
        V::DeviceAdded(device) => add_device(db, device).await,
        V::DeviceRevoked { device, at } => {
            let sql = "UPDATE device SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1";
            let changed = db
                .execute(sql, args![&device.0, at.as_microsecond()])
                .await?;
            expect(changed, "a device that is not here")?;
            let sql = "DELETE FROM session WHERE device = $1";
            db.execute(sql, args![&device.0]).await?;
            Ok(())
        }
        V::SigchainExtended { user, seqno, link } => {
            let kept = db
                .execute(
                    "INSERT INTO sigchain_link (person, seqno, body) SELECT $1, $2, $3 \
                     WHERE $2 = 1 OR EXISTS \
                     (SELECT 1 FROM sigchain_link WHERE person = $1 AND seqno = $2 - 1) \
                     ON CONFLICT (person, seqno) DO UPDATE SET seqno = excluded.seqno \
                     WHERE sigchain_link.body = excluded.body",
                    args![&user.0, seqno.cast_signed(), link],
                )
                .await?;
            expect(kept, "a link that does not follow the sigchain")
        }
        V::RosterExtended { hub, seqno, link } => {
            let kept = db
                .execute(
                    "INSERT INTO roster_link (hub, seqno, body) SELECT $1, $2, $3 \
                     WHERE $2 = 1 OR EXISTS \
                     (SELECT 1 FROM roster_link WHERE hub = $1 AND seqno = $2 - 1) \
                     ON CONFLICT (hub, seqno) DO UPDATE SET seqno = excluded.seqno \
                     WHERE roster_link.body = excluded.body",
                    args![&hub.0, seqno.cast_signed(), link],
                )
                .await?;
            expect(kept, "a link that does not follow the roster")
        }
        V::RoleDefined(role) => define_role(db, role).await,
        V::MemberSet(member) => set_member(db, member).await,
        V::MemberRemoved { hub, user } => {
            for sql in [
                "DELETE FROM hub_key_wrap WHERE hub = $1 AND person = $2",
                "DELETE FROM membership WHERE hub = $1 AND person = $2",
            ] {
                db.execute(sql, args![&hub.0, &user.0]).await?;
            }
            Ok(())
        }
        V::HubKeyAdded(key) => add_hub_key(db, key).await,
        V::HubKeyWrapped {
            hub,
            epoch,
            user,
            wrap,
        } => wrap_hub_key(db, &hub.0, *epoch, *user, wrap).await,
        V::VaultShareSet { vault, user, body } => {
            let kept = db
                .execute(
                    "INSERT INTO vault_share (vault, person, body) VALUES ($1, $2, $3) \
                     ON CONFLICT (vault) DO UPDATE SET body = excluded.body \
                     WHERE vault_share.person = excluded.person",
                    args![&vault.0, &user.0, &body.0],
                )
                .await?;
            expect(kept, "a vault of somebody else")
        }
        V::RecordAdded { record, tokens } => super::record::add(db, record, tokens).await,
        V::ManifestReplaced {
            hub,
            record,
            revision,
            manifest_revision,
            manifest,
        } => {
            let place = (*hub, *record, *revision);
            super::record::replace_manifest(db, place, *manifest_revision, manifest).await
        }
        V::VoicemailReaderSet {
            recording,
            user,
            wrap,
        } => {
            let wrap = wrap.as_ref().map(|wrap| wrap.0.as_slice());
            db.execute(
                "INSERT INTO voicemail_reader (recording, person, wrap) VALUES ($1, $2, $3) \
                 ON CONFLICT (recording, person) DO UPDATE SET wrap = excluded.wrap",
                args![recording.cast_signed(), &user.0, wrap],
            )
            .await?;
            Ok(())
        }
        V::CallerSealed { call, sealed } => {
            let sql = "UPDATE call SET caller_sealed = $2 WHERE id = $1";
            let changed = db
                .execute(sql, args![call.cast_signed(), &sealed.0])
                .await?;
            expect(changed, "a call that is not here")
        }
        V::InviteAdded(invite) => add_invite(db, invite).await,
        V::InviteUsed { code, by, at } => use_invite(db, *code, *by, *at).await,
        V::InviteRevoked { code } => {
            let sql = "DELETE FROM invite WHERE code = $1 AND used_at IS NULL";
            db.execute(sql, args![&code.0]).await?;
            Ok(())
        }
        V::SessionOpened(session) => open_session(db, session).await,
        V::SessionClosed { token } => {
            let sql = "DELETE FROM session WHERE token = $1";
            db.execute(sql, args![&token.0]).await?;
            Ok(())
        }
        V::SessionsExpired { before } => {
            let sql = "DELETE FROM session WHERE expires_at < $1";
            db.execute(sql, args![before.as_microsecond()]).await?;
            Ok(())
        }
        V::LogExtended { position, leaf } => {
            let kept = db
                .execute(
                    "INSERT INTO log_leaf (position, body) SELECT $1, $2 \
                     WHERE $1 = 0 OR EXISTS (SELECT 1 FROM log_leaf WHERE position = $1 - 1) \
                     ON CONFLICT (position) DO UPDATE SET position = excluded.position \
                     WHERE log_leaf.body = excluded.body",
                    args![position.cast_signed(), leaf],
                )
                .await?;
            expect(kept, "a leaf that does not follow the log")
        }
        V::CheckpointSigned { size, note } => {
            db.execute(
                "INSERT INTO log_checkpoint (size, body) VALUES ($1, $2) \
                 ON CONFLICT (size) DO UPDATE SET body = excluded.body",
                args![size.cast_signed(), note],
            )
            .await?;
            Ok(())
        }
    }
}

/// A statement that touched nothing met something else than the change supposes.
pub(super) fn expect(touched: u64, otherwise: &'static str) -> Result<(), Refused> {
    if touched == 0 {
        return Err(Refused::Conflict(otherwise));
    }
    Ok(())
}

async fn add_hub(db: &mut Transaction, hub: &HubRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO hub (id, name, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET id = excluded.id WHERE hub.name = excluded.name",
            args![&hub.id.0, &hub.name, hub.created_at.as_microsecond()],
        )
        .await?;
    expect(kept, "a hub of another name")
}

async fn add_user(db: &mut Transaction, user: &UserRow) -> Result<(), Refused> {
    let profile = user.profile.as_ref().map(|profile| profile.0.as_slice());
    let kept = db
        .execute(
            "INSERT INTO person (id, profile, status, super_admin, created_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO UPDATE SET id = excluded.id \
             WHERE person.created_at = excluded.created_at",
            args![
                &user.id.0,
                profile,
                user.status.word(),
                i64::from(user.super_admin),
                user.created_at.as_microsecond()
            ],
        )
        .await?;
    expect(kept, "another person of the same id")
}

async fn change_active(db: &mut Transaction, user: UserId, active: bool) -> Result<(), Refused> {
    let status = if active { "active" } else { "deactivated" };
    let sql = "UPDATE person SET status = $2 WHERE id = $1 AND status <> 'erased'";
    let changed = db.execute(sql, args![&user.0, status]).await?;
    expect(changed, "a person who is not here")?;
    if !active {
        let sql = "DELETE FROM session WHERE person = $1";
        db.execute(sql, args![&user.0]).await?;
    }
    Ok(())
}

async fn add_device(db: &mut Transaction, device: &DeviceRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO device (id, person, sign_key, added_at, revoked_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO UPDATE SET id = excluded.id \
             WHERE device.person = excluded.person AND device.sign_key = excluded.sign_key",
            args![
                &device.id.0,
                &device.user.0,
                &device.sign_key,
                device.added_at.as_microsecond(),
                device.revoked_at.map(Timestamp::as_microsecond)
            ],
        )
        .await?;
    expect(kept, "another device of the same id")
}

async fn define_role(db: &mut Transaction, role: &RoleRow) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO hub_role (hub, id, name, permissions) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (hub, id) DO UPDATE SET name = excluded.name, \
         permissions = excluded.permissions",
        args![
            &role.hub.0,
            &role.id.0,
            &role.name.0,
            i64::from(role.permissions.bits())
        ],
    )
    .await?;
    Ok(())
}

async fn set_member(db: &mut Transaction, member: &MemberRow) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO membership (hub, person, role, own_role, since) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (hub, person) DO UPDATE SET role = excluded.role, \
         own_role = excluded.own_role, since = excluded.since",
        args![
            &member.hub.0,
            &member.user.0,
            member.role.word(),
            member.role.own(),
            member.since.as_microsecond()
        ],
    )
    .await?;
    Ok(())
}

async fn add_hub_key(db: &mut Transaction, key: &HubKeyRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO hub_key (hub, epoch, body, created_at) SELECT $1, $2, $3, $4 \
             WHERE $2 = 1 OR EXISTS (SELECT 1 FROM hub_key WHERE hub = $1 AND epoch = $2 - 1) \
             ON CONFLICT (hub, epoch) DO UPDATE SET epoch = excluded.epoch \
             WHERE hub_key.body = excluded.body",
            args![
                &key.hub.0,
                i64::from(key.epoch),
                &key.body.0,
                key.created_at.as_microsecond()
            ],
        )
        .await?;
    expect(kept, "a key that does not follow the hub's newest")?;
    for (user, wrap) in &key.wraps {
        wrap_hub_key(db, &key.hub.0, key.epoch, *user, wrap).await?;
    }
    Ok(())
}

async fn wrap_hub_key(
    db: &mut Transaction,
    hub: &[u8; 16],
    epoch: u32,
    user: UserId,
    wrap: &Sealed,
) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO hub_key_wrap (hub, epoch, person, wrap) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (hub, epoch, person) DO UPDATE SET wrap = excluded.wrap",
        args![hub, i64::from(epoch), &user.0, &wrap.0],
    )
    .await?;
    Ok(())
}

async fn add_invite(db: &mut Transaction, invite: &InviteRow) -> Result<(), Refused> {
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

async fn use_invite(
    db: &mut Transaction,
    code: SecretHash,
    by: UserId,
    at: Timestamp,
) -> Result<(), Refused> {
    let used = db
        .execute(
            "UPDATE invite SET used_at = $3, used_by = $2 WHERE code = $1 AND expires_at > $3 \
             AND (used_at IS NULL OR (used_by = $2 AND used_at = $3))",
            args![&code.0, &by.0, at.as_microsecond()],
        )
        .await?;
    expect(used, "an invitation that is used, expired or withdrawn")
}

async fn open_session(db: &mut Transaction, session: &SessionRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO session (token, person, device, sign_key, created_at, expires_at) \
             SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS \
             (SELECT 1 FROM person JOIN device ON device.person = person.id \
             WHERE person.id = $2 AND person.status = 'active' \
             AND device.id = $3 AND device.revoked_at IS NULL) \
             ON CONFLICT (token) DO UPDATE SET expires_at = excluded.expires_at \
             WHERE session.person = excluded.person AND session.device = excluded.device",
            args![
                &session.token.0,
                &session.user.0,
                &session.device.0,
                &session.sign_key,
                session.created_at.as_microsecond(),
                session.expires_at.as_microsecond()
            ],
        )
        .await?;
    expect(kept, "a login of somebody who may not")
}
