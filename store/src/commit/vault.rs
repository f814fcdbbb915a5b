//! What people keep: identities, keys, memberships.

use jiff::Timestamp;

use super::{Refused, attachment, login, record};
use crate::engine::{Transaction, args};
use crate::id::{DeviceId, HubId, Sealed, UserId, VaultId};
use crate::vault::{
    DeviceRow, HubKeyRow, HubRow, HubSettingRow, MemberRow, RoleRow, UserRow, VaultChange,
};

pub(super) async fn apply(db: &mut Transaction, change: &VaultChange) -> Result<(), Refused> {
    use VaultChange as V;
    match change {
        V::HubAdded(hub) => add_hub(db, hub).await,
        V::UserAdded(user) => add_user(db, user).await,
        V::ProfileChanged { user, profile } => change_profile(db, *user, profile).await,
        V::ActiveChanged { user, active } => change_active(db, *user, *active).await,
        V::SuperAdminChanged { user, super_admin } => {
            change_super_admin(db, *user, *super_admin).await
        }
        V::DeviceAdded(device) => add_device(db, device).await,
        V::DeviceRevoked { device, at } => revoke_device(db, *device, *at).await,
        V::SigchainExtended { user, seqno, link } => extend_sigchain(db, *user, *seqno, link).await,
        V::RosterExtended { hub, seqno, link } => extend_roster(db, *hub, *seqno, link).await,
        V::RoleDefined(role) => define_role(db, role).await,
        V::MemberSet(member) => set_member(db, member).await,
        V::MemberRemoved { hub, user } => remove_member(db, *hub, *user).await,
        V::HubKeyAdded(key) => add_hub_key(db, key).await,
        V::HubKeyWrapped {
            hub,
            epoch,
            user,
            wrap,
        } => wrap_hub_key(db, *hub, *epoch, *user, wrap).await,
        V::VaultShareSet {
            vault,
            user,
            device,
            body,
        } => set_share(db, *vault, *user, *device, body).await,
        V::VaultShareTried { vault, body } => count_try(db, *vault, body).await,
        V::RecordAdded { record, tokens } => record::add(db, record, tokens).await,
        V::ManifestReplaced {
            hub,
            record,
            revision,
            manifest_revision,
            manifest,
            visibility,
        } => {
            let place = (*hub, *record, *revision);
            record::replace_manifest(db, place, *manifest_revision, manifest, *visibility).await
        }
        V::VoicemailReaderSet {
            recording,
            user,
            wrap,
        } => record::set_voicemail_reader(db, *recording, *user, wrap.as_ref()).await,
        V::CallerSealed { call, sealed } => record::seal_caller(db, *call, sealed).await,
        V::InviteAdded(invite) => login::add_invite(db, invite).await,
        V::InviteUsed {
            code,
            by,
            at,
            voucher,
        } => login::use_invite(db, *code, *by, *at, voucher).await,
        V::InviteRevoked { code } => login::revoke_invite(db, *code).await,
        V::HubSettingChanged(setting) => change_setting(db, setting).await,
        V::AttachmentBegun(row) => attachment::begin(db, row).await,
        V::AttachmentChunkAdded {
            hub,
            record,
            position,
            body,
        } => attachment::add_chunk(db, *hub, *record, *position, &body.0).await,
        V::AttachmentCompleted { hub, record } => attachment::complete(db, *hub, *record).await,
        V::AttachmentCancelled { hub, record } => attachment::cancel(db, *hub, *record).await,
        V::UploadsExpired { before } => attachment::expire(db, *before).await,
        V::LogExtended { position, leaf } => extend_log(db, *position, leaf).await,
        V::CheckpointSigned { size, note } => sign_checkpoint(db, *size, note).await,
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

/// Whether somebody runs the installation.
pub(super) async fn has_super_admin(db: &mut Transaction) -> Result<bool, Refused> {
    let sql = "SELECT 1 FROM person WHERE super_admin = 1 AND status = 'active' LIMIT 1";
    Ok(!db.rows(sql, &[]).await?.is_empty())
}

/// Two who shut each other out at the same moment would leave nobody. `had` is from before the
/// change.
pub(super) async fn expect_super_admin(db: &mut Transaction, had: bool) -> Result<(), Refused> {
    if had && !has_super_admin(db).await? {
        return Err(Refused::Conflict(
            "nobody would be left who runs the installation",
        ));
    }
    Ok(())
}

async fn change_active(db: &mut Transaction, user: UserId, active: bool) -> Result<(), Refused> {
    let had = has_super_admin(db).await?;
    let status = if active { "active" } else { "deactivated" };
    let sql = "UPDATE person SET status = $2 WHERE id = $1 AND status <> 'erased'";
    let changed = db.execute(sql, args![&user.0, status]).await?;
    expect(changed, "a person who is not here")?;
    if !active {
        let sql = "DELETE FROM session WHERE person = $1";
        db.execute(sql, args![&user.0]).await?;
    }
    expect_super_admin(db, had).await
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
    let kept = db
        .execute(
            "INSERT INTO membership (hub, person, role, own_role, since) \
             SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
             (SELECT 1 FROM person WHERE id = $2 AND status = 'erased') \
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
    expect(kept, "a person who was erased")
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
        wrap_hub_key(db, key.hub, key.epoch, *user, wrap).await?;
    }
    Ok(())
}

async fn wrap_hub_key(
    db: &mut Transaction,
    hub: HubId,
    epoch: u32,
    user: UserId,
    wrap: &Sealed,
) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO hub_key_wrap (hub, epoch, person, wrap) SELECT $1, $2, $3, $4 \
         WHERE NOT EXISTS (SELECT 1 FROM person WHERE id = $3 AND status = 'erased') \
         ON CONFLICT (hub, epoch, person) DO UPDATE SET wrap = excluded.wrap",
        args![&hub.0, i64::from(epoch), &user.0, &wrap.0],
    )
    .await?;
    Ok(())
}

async fn change_profile(
    db: &mut Transaction,
    user: UserId,
    profile: &Sealed,
) -> Result<(), Refused> {
    let sql = "UPDATE person SET profile = $2 WHERE id = $1 AND status <> 'erased'";
    let changed = db.execute(sql, args![&user.0, &profile.0]).await?;
    expect(changed, "a person who is not here")
}

async fn change_super_admin(
    db: &mut Transaction,
    user: UserId,
    super_admin: bool,
) -> Result<(), Refused> {
    let had = has_super_admin(db).await?;
    let sql = "UPDATE person SET super_admin = $2 WHERE id = $1 AND status <> 'erased'";
    let args = args![&user.0, i64::from(super_admin)];
    let changed = db.execute(sql, args).await?;
    expect(changed, "a person who is not here")?;
    expect_super_admin(db, had).await
}

async fn revoke_device(
    db: &mut Transaction,
    device: DeviceId,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE device SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1";
    let args = args![&device.0, at.as_microsecond()];
    let changed = db.execute(sql, args).await?;
    expect(changed, "a device that is not here")?;
    for sql in [
        "DELETE FROM session WHERE device = $1",
        "DELETE FROM passkey WHERE device = $1",
        "DELETE FROM vault_share WHERE device = $1",
    ] {
        db.execute(sql, args![&device.0]).await?;
    }
    Ok(())
}

/// Adds the next link of a chain; the same one again does no harm.
macro_rules! next_link_sql {
    ($table:literal of $owner:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            $owner,
            ", seqno, body) SELECT $1, $2, $3 WHERE $2 = 1 OR EXISTS (SELECT 1 FROM ",
            $table,
            " WHERE ",
            $owner,
            " = $1 AND seqno = $2 - 1) ON CONFLICT (",
            $owner,
            ", seqno) DO UPDATE SET seqno = excluded.seqno WHERE ",
            $table,
            ".body = excluded.body"
        )
    };
}

async fn extend_sigchain(
    db: &mut Transaction,
    user: UserId,
    seqno: u64,
    link: &[u8],
) -> Result<(), Refused> {
    let sql = next_link_sql!("sigchain_link" of "person");
    let args = args![&user.0, seqno.cast_signed(), link];
    let kept = db.execute(sql, args).await?;
    expect(kept, "a link that does not follow the sigchain")
}

async fn extend_roster(
    db: &mut Transaction,
    hub: HubId,
    seqno: u64,
    link: &[u8],
) -> Result<(), Refused> {
    let sql = next_link_sql!("roster_link" of "hub");
    let args = args![&hub.0, seqno.cast_signed(), link];
    let kept = db.execute(sql, args).await?;
    expect(kept, "a link that does not follow the roster")
}

async fn extend_log(db: &mut Transaction, position: u64, leaf: &[u8]) -> Result<(), Refused> {
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

async fn sign_checkpoint(db: &mut Transaction, size: u64, note: &str) -> Result<(), Refused> {
    db.execute(
        "INSERT INTO log_checkpoint (size, body) VALUES ($1, $2) \
         ON CONFLICT (size) DO UPDATE SET body = excluded.body",
        args![size.cast_signed(), note],
    )
    .await?;
    Ok(())
}

async fn remove_member(db: &mut Transaction, hub: HubId, user: UserId) -> Result<(), Refused> {
    for sql in [
        "DELETE FROM hub_key_wrap WHERE hub = $1 AND person = $2",
        "DELETE FROM membership WHERE hub = $1 AND person = $2",
        // Nobody is to take them in again by the invitation that they once used.
        "DELETE FROM invite WHERE hub = $1 AND used_by = $2",
    ] {
        db.execute(sql, args![&hub.0, &user.0]).await?;
    }
    Ok(())
}

async fn set_share(
    db: &mut Transaction,
    vault: VaultId,
    user: UserId,
    device: DeviceId,
    body: &Sealed,
) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO vault_share (vault, person, body, device) \
             SELECT $1, $2, $3, device.id FROM device \
             WHERE device.id = $4 AND device.person = $2 AND device.revoked_at IS NULL \
             ON CONFLICT (vault) DO UPDATE SET body = excluded.body, device = excluded.device \
             WHERE vault_share.person = excluded.person",
            args![&vault.0, &user.0, &body.0, &device.0],
        )
        .await?;
    expect(
        kept,
        "a vault of somebody else, or a device that was revoked",
    )
}

async fn count_try(db: &mut Transaction, vault: VaultId, body: &Sealed) -> Result<(), Refused> {
    let sql = "UPDATE vault_share SET body = $2 WHERE vault = $1";
    let kept = db.execute(sql, args![&vault.0, &body.0]).await?;
    expect(kept, "a vault that is not here")
}

async fn change_setting(db: &mut Transaction, setting: &HubSettingRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO hub_setting (hub, topic, revision, body, author, changed_at) \
             SELECT $1, $2, $3, $4, $5, $6 WHERE $3 = 1 OR EXISTS \
             (SELECT 1 FROM hub_setting WHERE hub = $1 AND topic = $2) \
             ON CONFLICT (hub, topic) DO UPDATE SET revision = excluded.revision, \
             body = excluded.body, author = excluded.author, changed_at = excluded.changed_at \
             WHERE hub_setting.revision = excluded.revision - 1 \
             OR (hub_setting.revision = excluded.revision AND hub_setting.body = excluded.body)",
            args![
                &setting.hub.0,
                i64::from(setting.topic),
                i64::from(setting.revision),
                &setting.body.0,
                &setting.author.0,
                setting.changed_at.as_microsecond()
            ],
        )
        .await?;
    expect(kept, "settings that do not follow the newest")
}
