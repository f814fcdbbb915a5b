//! Invitations and sessions.

use jiff::Timestamp;

use super::Refused;
use super::vault::expect;
use crate::engine::{Transaction, args};
use crate::id::{SecretHash, UserId};
use crate::vault::{InviteRow, SessionRow};

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

pub(super) async fn open_session(
    db: &mut Transaction,
    session: &SessionRow,
) -> Result<(), Refused> {
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

pub(super) async fn revoke_invite(db: &mut Transaction, code: SecretHash) -> Result<(), Refused> {
    let sql = "DELETE FROM invite WHERE code = $1 AND used_at IS NULL";
    db.execute(sql, args![&code.0]).await?;
    Ok(())
}

pub(super) async fn close_session(db: &mut Transaction, token: SecretHash) -> Result<(), Refused> {
    let sql = "DELETE FROM session WHERE token = $1";
    db.execute(sql, args![&token.0]).await?;
    Ok(())
}

pub(super) async fn expire_sessions(
    db: &mut Transaction,
    before: Timestamp,
) -> Result<(), Refused> {
    let sql = "DELETE FROM session WHERE expires_at < $1";
    db.execute(sql, args![before.as_microsecond()]).await?;
    Ok(())
}
