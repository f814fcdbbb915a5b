//! Sessions: opened, renewed, ended.

use jiff::Timestamp;

use super::vault::expect;
use super::{Refused, audit};
use crate::audit::{AuditChain, AuditEntry, AuditHash, AuditKind, AuditSubject};
use crate::engine::{Transaction, args};
use crate::error::StoreError;
use crate::id::{SecretHash, SessionId, UserId};
use crate::login::{MAX_SESSIONS_PER_DEVICE, SessionRow, session};
use crate::open::Store;

/// What a client shows and gets when it renews its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefresh {
    /// The hash of the refresh token that it shows.
    pub shown: SecretHash,
    /// When.
    pub at: Timestamp,
    /// The hash of its next access token.
    pub access: SecretHash,
    /// Until when that one is taken.
    pub access_expires_at: Timestamp,
    /// The hash of its next refresh token.
    pub refresh: SecretHash,
    /// Until when that one is taken.
    pub refresh_expires_at: Timestamp,
    /// Whether somebody uses the session, rather than looks at a locked device.
    pub is_use: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The session goes on with the new tokens.
    Renewed(SessionRow),
    /// The token had been used before: somebody has a copy of it. The session, as it was, has
    /// ended.
    Reused(SessionRow),
    /// The token is unknown or has expired, or its person or device may no longer log in.
    Refused,
}

impl Store {
    /// Exchanges the tokens of a session, in one commit. A token that was exchanged before ends
    /// its session in that same commit, with an entry in the installation's trail where the
    /// store has a hash function for it. The same exchange told twice is made once.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing has changed then.
    pub async fn refresh_session(&self, asked: &SessionRefresh) -> Result<Refreshed, StoreError> {
        let failed = |error| StoreError::from_sqlx(error, self.path());
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        let refreshed = refresh(&mut transaction, asked, self.audit_hash)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(refreshed)
    }
}

async fn refresh(
    db: &mut Transaction,
    asked: &SessionRefresh,
    audit_hash: Option<AuditHash>,
) -> Result<Refreshed, sqlx::Error> {
    let sql = "SELECT session.* FROM session JOIN person ON person.id = session.person \
               JOIN device ON device.id = session.device \
               WHERE refresh = $1 AND refresh_expires_at > $2 AND person.status = 'active' \
               AND device.revoked_at IS NULL";
    let args = args![&asked.shown.0, asked.at.as_microsecond()];
    if let Some(found) = db.rows(sql, args).await?.first() {
        return renew(db, session(found)?, asked)
            .await
            .map(Refreshed::Renewed);
    }
    let sql = "SELECT session.* FROM session \
               JOIN session_spent ON session_spent.session = session.id \
               WHERE session_spent.refresh = $1";
    let Some(found) = db.rows(sql, args![&asked.shown.0]).await?.pop() else {
        return Ok(Refreshed::Refused);
    };
    let found = session(&found)?;
    if found.refresh == asked.refresh {
        return Ok(Refreshed::Renewed(found));
    }
    let sql = "DELETE FROM session WHERE id = $1";
    db.execute(sql, args![&found.id.0]).await?;
    if let Some(hash) = audit_hash {
        let entry = AuditEntry {
            chain: AuditChain::Installation,
            at: asked.at,
            kind: AuditKind::TokenReused,
            actor: None,
            subject: AuditSubject::Device(found.device),
        };
        audit::append(db, &entry, hash).await?;
    }
    Ok(Refreshed::Reused(found))
}

async fn renew(
    db: &mut Transaction,
    found: SessionRow,
    asked: &SessionRefresh,
) -> Result<SessionRow, sqlx::Error> {
    let renewed = SessionRow {
        seen_at: match asked.is_use {
            true => found.seen_at.max(asked.at),
            false => found.seen_at,
        },
        access: asked.access,
        access_expires_at: asked.access_expires_at,
        refresh: asked.refresh,
        refresh_expires_at: asked.refresh_expires_at,
        ..found
    };
    db.execute(
        "INSERT INTO session_spent (refresh, session, expires_at) VALUES ($1, $2, $3)",
        args![
            &asked.shown.0,
            &renewed.id.0,
            found.refresh_expires_at.as_microsecond()
        ],
    )
    .await?;
    db.execute(
        "UPDATE session SET seen_at = $2, access = $3, access_expires_at = $4, refresh = $5, \
         refresh_expires_at = $6 WHERE id = $1",
        args![
            &renewed.id.0,
            renewed.seen_at.as_microsecond(),
            &renewed.access.0,
            renewed.access_expires_at.as_microsecond(),
            &renewed.refresh.0,
            renewed.refresh_expires_at.as_microsecond()
        ],
    )
    .await?;
    Ok(renewed)
}

pub(super) async fn open(db: &mut Transaction, session: &SessionRow) -> Result<(), Refused> {
    let kept = db
        .execute(
            "INSERT INTO session (id, person, device, sign_key, created_at, seen_at, access, \
             access_expires_at, refresh, refresh_expires_at, view_key) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE EXISTS \
             (SELECT 1 FROM person JOIN device ON device.person = person.id \
             WHERE person.id = $2 AND person.status = 'active' \
             AND device.id = $3 AND device.revoked_at IS NULL) \
             ON CONFLICT (id) DO UPDATE SET id = excluded.id \
             WHERE session.access = excluded.access AND session.refresh = excluded.refresh",
            args![
                &session.id.0,
                &session.user.0,
                &session.device.0,
                &session.sign_key,
                session.created_at.as_microsecond(),
                session.seen_at.as_microsecond(),
                &session.access.0,
                session.access_expires_at.as_microsecond(),
                &session.refresh.0,
                session.refresh_expires_at.as_microsecond(),
                session.view_key.as_ref().map(<[u8; 32]>::as_slice)
            ],
        )
        .await?;
    expect(kept, "a login of somebody who may not")?;
    let sql = "DELETE FROM session WHERE device = $1 AND id <> $2 AND id NOT IN \
               (SELECT id FROM session WHERE device = $1 AND id <> $2 \
               ORDER BY seen_at DESC, id LIMIT $3)";
    let others = i64::from(MAX_SESSIONS_PER_DEVICE) - 1;
    db.execute(sql, args![&session.device.0, &session.id.0, others])
        .await?;
    Ok(())
}

pub(super) async fn seen(
    db: &mut Transaction,
    session: SessionId,
    at: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $2";
    db.execute(sql, args![&session.0, at.as_microsecond()])
        .await?;
    Ok(())
}

pub(super) async fn viewed(
    db: &mut Transaction,
    session: SessionId,
    view_key: &[u8; 32],
) -> Result<(), Refused> {
    let sql = "UPDATE session SET view_key = $2 WHERE id = $1";
    db.execute(sql, args![&session.0, view_key]).await?;
    Ok(())
}

pub(super) async fn close(db: &mut Transaction, session: SessionId) -> Result<(), Refused> {
    let sql = "DELETE FROM session WHERE id = $1";
    db.execute(sql, args![&session.0]).await?;
    Ok(())
}

pub(super) async fn close_all(
    db: &mut Transaction,
    user: UserId,
    except: Option<SessionId>,
) -> Result<(), Refused> {
    let sql = "DELETE FROM session WHERE person = $1 AND ($2 IS NULL OR id <> $2)";
    let except = except.as_ref().map(|session| session.0.as_slice());
    db.execute(sql, args![&user.0, except]).await?;
    Ok(())
}

pub(super) async fn expire(db: &mut Transaction, before: Timestamp) -> Result<(), Refused> {
    for sql in [
        "DELETE FROM session WHERE access_expires_at < $1 AND refresh_expires_at < $1",
        "DELETE FROM session_spent WHERE expires_at < $1",
    ] {
        db.execute(sql, args![before.as_microsecond()]).await?;
    }
    Ok(())
}
