//! Logins and the ways into an account: sessions, passkeys, what opens with paper, the first
//! admin's code.

use jiff::Timestamp;

use crate::decode::{fixed, optional_fixed, optional_time, small, time};
use crate::engine::{Row, args};
use crate::error::StoreError;
use crate::id::{DeviceId, Sealed, SecretHash, SessionId, UserId};
use crate::read::Reader;

/// Most logins of one device; one more ends the one that was used least lately.
pub const MAX_SESSIONS_PER_DEVICE: u32 = 8;
/// Most passkeys of one person.
pub const MAX_PASSKEYS_PER_PERSON: u32 = 20;

/// A login. Both tokens are bound to the device's key and known here by their hashes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The key that the tokens are bound to.
    pub sign_key: [u8; 32],
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used; exact to the step with which the server notes it.
    pub seen_at: Timestamp,
    /// The hash of the token that requests show.
    pub access: SecretHash,
    /// Until when that one is taken.
    pub access_expires_at: Timestamp,
    /// The hash of the token that gets the next pair of tokens, once.
    pub refresh: SecretHash,
    /// Until when that one is taken.
    pub refresh_expires_at: Timestamp,
    /// The key with which the device asks while it is locked: for views only.
    pub view_key: Option<[u8; 32]>,
}

/// A passkey (a WebAuthn credential).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Its credential id, as its maker chose it; at most 1023 bytes.
    pub credential: Vec<u8>,
    /// Whose.
    pub user: UserId,
    /// The device that it came with; it goes when that device is revoked.
    pub device: Option<DeviceId>,
    /// The credential as the WebAuthn library keeps it.
    pub body: Sealed,
    /// What its owner calls it; sealed.
    pub name: Sealed,
    /// How often it signed, as far as its maker counts.
    pub counter: u32,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// The code with which the first admin comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapRow {
    /// The hash of the code.
    pub code: SecretHash,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Who used it, and when.
    pub used: Option<(UserId, Timestamp)>,
}

/// One thing about logins to be kept. Each may be told again and then changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginChange {
    /// Somebody logged in; refused unless they are active and the device is theirs. See
    /// [`Store::refresh_session`](crate::Store::refresh_session) for how it goes on.
    SessionOpened(SessionRow),
    /// A session was used. A session that has ended stays so.
    SessionSeen {
        /// Which.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A session's device will look with this key while it is locked.
    SessionViewed {
        /// Which.
        session: SessionId,
        /// The key, in place of one before.
        view_key: [u8; 32],
    },
    /// Somebody logged out, or was logged out.
    SessionClosed {
        /// Which.
        session: SessionId,
    },
    /// All sessions of a person end.
    SessionsClosed {
        /// Whose.
        user: UserId,
        /// But for this one, from which it was asked.
        except: Option<SessionId>,
    },
    /// Sessions whose tokens have both expired before this are forgotten.
    SessionsExpired {
        /// When they expired at the latest.
        before: Timestamp,
    },
    /// A passkey was registered; refused for a credential that is somebody else's already, and
    /// beyond [`MAX_PASSKEYS_PER_PERSON`].
    PasskeyAdded(Box<PasskeyRow>),
    /// A passkey was used; refused when its counter went back, as that of a copy does.
    PasskeyUsed {
        /// Which.
        credential: Vec<u8>,
        /// The credential as the WebAuthn library keeps it from now on.
        body: Sealed,
        /// How often it signed.
        counter: u32,
        /// When.
        at: Timestamp,
    },
    /// Its owner calls a passkey something else.
    PasskeyRenamed {
        /// Which.
        credential: Vec<u8>,
        /// Whose.
        user: UserId,
        /// The name; sealed.
        name: Sealed,
    },
    /// A passkey was removed.
    PasskeyRemoved {
        /// Which.
        credential: Vec<u8>,
        /// Whose.
        user: UserId,
    },
    /// What a person's recovery key opens.
    RecoveryEscrowSet {
        /// Whose.
        user: UserId,
        /// The escrow.
        body: Sealed,
        /// The device that is on paper, when it is known.
        device: Option<DeviceId>,
        /// When.
        at: Timestamp,
    },
    /// A person made new backup codes; those before are void.
    BackupCodesReplaced {
        /// Whose.
        user: UserId,
        /// Per code the verifier of its half that is shown, and the escrow that the other half
        /// opens.
        codes: Vec<(SecretHash, Sealed)>,
        /// When.
        at: Timestamp,
    },
    /// A backup code was used, and its escrow is gone; refused when it is none or was used.
    BackupCodeUsed {
        /// Whose.
        user: UserId,
        /// The verifier.
        verifier: SecretHash,
        /// When.
        at: Timestamp,
    },
    /// A person's items key of a generation of their key; refused when another one is there.
    ItemsKeySet {
        /// Whose.
        user: UserId,
        /// Which generation, from 1.
        generation: u32,
        /// The key, sealed to that generation.
        body: Sealed,
    },
    /// A code for the first admin was printed; the one before is void.
    BootstrapCodeSet {
        /// The hash of the code.
        code: SecretHash,
        /// Since when.
        created_at: Timestamp,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The first admin came in; refused when the code is not the one, was used or has expired.
    BootstrapUsed {
        /// The hash of the code.
        code: SecretHash,
        /// By whom.
        by: UserId,
        /// When.
        at: Timestamp,
    },
}

impl Reader {
    /// The session that this access token is in force for at `at`: the person is active, the
    /// device is not revoked.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn session(
        &self,
        access: SecretHash,
        at: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        let sql = "SELECT session.* FROM session \
                   JOIN person ON person.id = session.person \
                   JOIN device ON device.id = session.device \
                   WHERE access = $1 AND access_expires_at > $2 AND person.status = 'active' \
                   AND device.revoked_at IS NULL";
        let args = args![&access.0, at.as_microsecond()];
        Ok(self.query(sql, args, session).await?.pop())
    }

    /// The session that this refresh token belongs to, be it expired or spent, so that the proof
    /// for its key can be checked; what the token is still good for is decided by
    /// [`Store::refresh_session`](crate::Store::refresh_session).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn session_of_refresh(
        &self,
        refresh: SecretHash,
    ) -> Result<Option<SessionRow>, StoreError> {
        let sql = "SELECT * FROM session WHERE refresh = $1 OR id IN \
                   (SELECT session FROM session_spent WHERE session_spent.refresh = $1)";
        Ok(self.query(sql, args![&refresh.0], session).await?.pop())
    }

    /// A person's sessions that can still be renewed at `at`, the one used latest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn sessions(
        &self,
        user: UserId,
        at: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let sql = "SELECT * FROM session WHERE person = $1 AND refresh_expires_at > $2 \
                   ORDER BY seen_at DESC, id";
        let args = args![&user.0, at.as_microsecond()];
        self.query(sql, args, session).await
    }

    /// A person's passkeys, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn passkeys(&self, user: UserId) -> Result<Vec<PasskeyRow>, StoreError> {
        let sql = "SELECT * FROM passkey WHERE person = $1 ORDER BY created_at, credential";
        self.query(sql, args![&user.0], passkey).await
    }

    /// The passkey of this credential id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn passkey(&self, credential: &[u8]) -> Result<Option<PasskeyRow>, StoreError> {
        let sql = "SELECT * FROM passkey WHERE credential = $1";
        Ok(self.query(sql, args![credential], passkey).await?.pop())
    }

    /// What a person's recovery key opens.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn recovery_escrow(&self, user: UserId) -> Result<Option<Sealed>, StoreError> {
        let sql = "SELECT body FROM recovery_escrow WHERE person = $1";
        let body = |row: &Row| row.get("body").map(Sealed);
        Ok(self.query(sql, args![&user.0], body).await?.pop())
    }

    /// The device that a person has on paper, when it is known.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn recovery_device(&self, user: UserId) -> Result<Option<DeviceId>, StoreError> {
        let sql = "SELECT device FROM recovery_escrow WHERE person = $1";
        let device = |row: &Row| optional_fixed(row, "device");
        let found = self.query(sql, args![&user.0], device).await?.pop();
        Ok(found.flatten().map(DeviceId))
    }

    /// What an unused backup code opens.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn backup_code(
        &self,
        user: UserId,
        verifier: SecretHash,
    ) -> Result<Option<Sealed>, StoreError> {
        let sql = "SELECT escrow FROM backup_code WHERE person = $1 AND verifier = $2 \
                   AND used_at IS NULL";
        let escrow = |row: &Row| row.get("escrow").map(Sealed);
        let args = args![&user.0, &verifier.0];
        Ok(self.query(sql, args, escrow).await?.pop())
    }

    /// How many of a person's backup codes are unused.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn backup_codes_left(&self, user: UserId) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) AS unused FROM backup_code WHERE person = $1 \
                   AND used_at IS NULL";
        let unused = |row: &Row| small(row, "unused");
        Ok(self
            .query(sql, args![&user.0], unused)
            .await?
            .pop()
            .unwrap_or(0))
    }

    /// A person's items keys by generation, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn items_keys(&self, user: UserId) -> Result<Vec<(u32, Sealed)>, StoreError> {
        let sql = "SELECT generation, body FROM items_key WHERE person = $1 ORDER BY generation";
        let key = |row: &Row| Ok((small(row, "generation")?, Sealed(row.get("body")?)));
        self.query(sql, args![&user.0], key).await
    }

    /// The newest code for the first admin, used or not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bootstrap(&self) -> Result<Option<BootstrapRow>, StoreError> {
        let sql = "SELECT * FROM bootstrap";
        Ok(self.query(sql, &[], bootstrap).await?.pop())
    }
}

pub(crate) fn session(row: &Row) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        id: SessionId(fixed(row, "id")?),
        user: UserId(fixed(row, "person")?),
        device: DeviceId(fixed(row, "device")?),
        sign_key: fixed(row, "sign_key")?,
        created_at: time(row, "created_at")?,
        seen_at: time(row, "seen_at")?,
        access: SecretHash(fixed(row, "access")?),
        access_expires_at: time(row, "access_expires_at")?,
        refresh: SecretHash(fixed(row, "refresh")?),
        refresh_expires_at: time(row, "refresh_expires_at")?,
        view_key: optional_fixed(row, "view_key")?,
    })
}

fn passkey(row: &Row) -> Result<PasskeyRow, sqlx::Error> {
    Ok(PasskeyRow {
        credential: row.get("credential")?,
        user: UserId(fixed(row, "person")?),
        device: optional_fixed(row, "device")?.map(DeviceId),
        body: Sealed(row.get("body")?),
        name: Sealed(row.get("name")?),
        counter: small(row, "counter")?,
        created_at: time(row, "created_at")?,
        used_at: optional_time(row, "used_at")?,
    })
}

fn bootstrap(row: &Row) -> Result<BootstrapRow, sqlx::Error> {
    let used_by = optional_fixed(row, "used_by")?.map(UserId);
    Ok(BootstrapRow {
        code: SecretHash(fixed(row, "code")?),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        used: used_by.zip(optional_time(row, "used_at")?),
    })
}
