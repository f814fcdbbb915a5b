//! Queries about people, and about what belongs to no hub.

use crate::decode::{fixed, id, optional_fixed, optional_time, time, unreadable, word};
use crate::engine::{Row, args};
use crate::error::StoreError;
use crate::id::{DeviceId, HubId, Sealed, SecretHash, UserId, VaultId};
use crate::read::Reader;
use crate::role::Role;
use crate::unscoped::Unscoped;
use crate::vault::{DeviceRow, HubRow, InviteRow, MemberRow, UserRow, UserStatus};

/// Most leaves that one query returns.
const MAX_LEAVES_PER_QUERY: u32 = 10_000;

impl Reader {
    /// A person.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn user(&self, user: UserId) -> Result<Option<UserRow>, StoreError> {
        let sql = "SELECT * FROM person WHERE id = $1";
        Ok(self.query(sql, args![&user.0], person).await?.pop())
    }

    /// Whether anybody runs the installation yet.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn has_super_admin(&self) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM person WHERE super_admin = 1 AND status = 'active' LIMIT 1";
        Ok(!self.query(sql, &[], |_| Ok(())).await?.is_empty())
    }

    /// A person's devices, revoked ones included, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn devices(&self, user: UserId) -> Result<Vec<DeviceRow>, StoreError> {
        let sql = "SELECT * FROM device WHERE person = $1 ORDER BY added_at, id";
        self.query(sql, args![&user.0], device).await
    }

    /// The device of this id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, StoreError> {
        let sql = "SELECT * FROM device WHERE id = $1";
        Ok(self.query(sql, args![&id.0], device).await?.pop())
    }

    /// The links of a person's sigchain after the one numbered `after`, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn sigchain(&self, user: UserId, after: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM sigchain_link WHERE person = $1 AND seqno > $2 ORDER BY seqno";
        self.query(sql, args![&user.0, after.cast_signed()], |row| {
            row.get("body")
        })
        .await
    }

    /// Those devices of a person that have a vault of which the server keeps a share, by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn devices_with_vault(&self, user: UserId) -> Result<Vec<DeviceId>, StoreError> {
        let sql = "SELECT DISTINCT device FROM vault_share \
                   WHERE person = $1 AND device IS NOT NULL ORDER BY device";
        let id = |row: &Row| Ok(DeviceId(fixed(row, "device")?));
        self.query(sql, args![&user.0], id).await
    }

    /// Where a person is a member, by hub.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn memberships(&self, user: UserId) -> Result<Vec<MemberRow>, StoreError> {
        let sql = "SELECT * FROM membership WHERE person = $1 ORDER BY hub";
        self.query(sql, args![&user.0], member).await
    }

    /// The hubs that a person may look into, by name: where they are a member, or all of them
    /// for a super-admin. Nothing of what is in them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hubs_of(&self, user: UserId) -> Result<Vec<HubRow>, StoreError> {
        let sql = "SELECT hub.* FROM hub JOIN person ON person.id = $1 \
                   WHERE person.status = 'active' AND (person.super_admin = 1 OR EXISTS \
                   (SELECT 1 FROM membership WHERE membership.hub = hub.id \
                   AND membership.person = person.id)) ORDER BY hub.name";
        self.query(sql, args![&user.0], hub).await
    }

    /// The hub that the invitation of this code is for, for whoever holds the code.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hub_of_invite(&self, code: SecretHash) -> Result<Option<HubRow>, StoreError> {
        let sql = "SELECT hub.* FROM hub JOIN invite ON invite.hub = hub.id WHERE invite.code = $1";
        Ok(self.query(sql, args![&code.0], hub).await?.pop())
    }

    /// The invitation of this code, used or not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn invite(&self, code: SecretHash) -> Result<Option<InviteRow>, StoreError> {
        let sql = "SELECT * FROM invite WHERE code = $1";
        Ok(self.query(sql, args![&code.0], invite).await?.pop())
    }

    /// The server's share of a vault's key, and whose it is.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn vault_share(
        &self,
        vault: VaultId,
    ) -> Result<Option<(UserId, Sealed)>, StoreError> {
        let sql = "SELECT person, body FROM vault_share WHERE vault = $1";
        let share = |row: &Row| Ok((UserId(fixed(row, "person")?), Sealed(row.get("body")?)));
        Ok(self.query(sql, args![&vault.0], share).await?.pop())
    }
}

impl Unscoped<'_> {
    /// All hubs, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hubs(self) -> Result<Vec<HubRow>, StoreError> {
        self.reader
            .query("SELECT * FROM hub ORDER BY name", &[], hub)
            .await
    }

    /// Leaves of the key-transparency log from the one numbered `from`, at most 10,000.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn log_leaves(self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM log_leaf WHERE position >= $1 ORDER BY position LIMIT $2";
        let args = args![from.cast_signed(), i64::from(MAX_LEAVES_PER_QUERY)];
        self.reader.query(sql, args, |row| row.get("body")).await
    }

    /// The newest signed head of the log: how many leaves it covers, and the note.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn log_checkpoint(self) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT size, body FROM log_checkpoint ORDER BY size DESC LIMIT 1";
        let checkpoint = |row: &Row| Ok((id(row, "size")?, row.get("body")?));
        Ok(self.reader.query(sql, &[], checkpoint).await?.pop())
    }
}

pub(crate) fn hub(row: &Row) -> Result<HubRow, sqlx::Error> {
    Ok(HubRow {
        id: HubId(fixed(row, "id")?),
        name: row.get("name")?,
        created_at: time(row, "created_at")?,
    })
}

pub(crate) fn person(row: &Row) -> Result<UserRow, sqlx::Error> {
    let super_admin: i64 = row.get("super_admin")?;
    Ok(UserRow {
        id: UserId(fixed(row, "id")?),
        profile: row.get::<Option<Vec<u8>>>("profile")?.map(Sealed),
        status: word(row, "status", UserStatus::parse)?,
        super_admin: super_admin == 1,
        created_at: time(row, "created_at")?,
    })
}

fn device(row: &Row) -> Result<DeviceRow, sqlx::Error> {
    Ok(DeviceRow {
        id: DeviceId(fixed(row, "id")?),
        user: UserId(fixed(row, "person")?),
        sign_key: fixed(row, "sign_key")?,
        added_at: time(row, "added_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

pub(crate) fn role(row: &Row) -> Result<Role, sqlx::Error> {
    let own = optional_fixed(row, "own_role")?;
    let word: String = row.get("role")?;
    Role::parse(&word, own).ok_or_else(|| unreadable("role"))
}

pub(crate) fn member(row: &Row) -> Result<MemberRow, sqlx::Error> {
    Ok(MemberRow {
        hub: HubId(fixed(row, "hub")?),
        user: UserId(fixed(row, "person")?),
        role: role(row)?,
        since: time(row, "since")?,
    })
}

pub(crate) fn invite(row: &Row) -> Result<InviteRow, sqlx::Error> {
    let used_by = optional_fixed(row, "used_by")?.map(UserId);
    Ok(InviteRow {
        code: SecretHash(fixed(row, "code")?),
        hub: HubId(fixed(row, "hub")?),
        role: role(row)?,
        invited_by: UserId(fixed(row, "invited_by")?),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        used: used_by.zip(optional_time(row, "used_at")?),
        voucher: row.get("voucher")?,
    })
}
