//! A hub's invitations, for those who manage its members.

use jiff::Timestamp;

use super::Scoped;
use crate::engine::args;
use crate::error::StoreError;
use crate::id::UserId;
use crate::people::invite;
use crate::role::Permissions;
use crate::vault::InviteRow;

/// Most invitations that one query returns.
pub const MAX_INVITES_PER_QUERY: u32 = 500;

/// Which invitations to list, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct InviteFilter {
    /// Only those that come after the one of this time and this beginning of a code, to turn the
    /// page. It need not be there any more.
    pub before: Option<(Timestamp, [u8; 16])>,
    /// At most so many; at most [`MAX_INVITES_PER_QUERY`].
    pub limit: u32,
}

impl Scoped<'_> {
    /// The invitations, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn invites(&self, filter: InviteFilter) -> Result<Vec<InviteRow>, StoreError> {
        self.require(Permissions::MANAGE_MEMBERS)?;
        let sql = "SELECT * FROM invite WHERE hub = $1 AND created_at <= $2 \
                   AND (created_at < $2 OR code > $3) ORDER BY created_at DESC, code LIMIT $4";
        let (newest, last) = match filter.before {
            // No invitation is of so late a time.
            None => (i64::MAX, [0; 32]),
            Some((at, beginning)) => (at.as_microsecond(), code(beginning, 0xff)),
        };
        let limit = i64::from(filter.limit.min(MAX_INVITES_PER_QUERY));
        self.query(sql, args![newest, &last, limit], invite).await
    }

    /// The invitation whose code begins so.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn invite_named(&self, beginning: [u8; 16]) -> Result<Option<InviteRow>, StoreError> {
        self.require(Permissions::MANAGE_MEMBERS)?;
        let sql = "SELECT * FROM invite WHERE hub = $1 AND code BETWEEN $2 AND $3";
        let (first, last) = (code(beginning, 0), code(beginning, 0xff));
        let found = self.query(sql, args![&first, &last], invite).await?;
        Ok(found.into_iter().next())
    }

    /// How many invitations wait at `at` to be used.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn open_invites(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.require(Permissions::MANAGE_MEMBERS)?;
        let sql = "SELECT count(*) FROM invite \
                   WHERE hub = $1 AND used_at IS NULL AND expires_at > $2";
        let args = args![at.as_microsecond()];
        let count = self.query(sql, args, |row| row.at::<i64>(0)).await?;
        Ok(count.first().map_or(0, |count| count.cast_unsigned()))
    }

    /// Whether `user` used an invitation of this hub that is still kept.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn was_invited(&self, user: UserId) -> Result<bool, StoreError> {
        self.require(Permissions::MANAGE_MEMBERS)?;
        let sql = "SELECT code FROM invite WHERE hub = $1 AND used_by = $2 LIMIT 1";
        let found = self.query(sql, args![&user.0], |_| Ok(())).await?;
        Ok(!found.is_empty())
    }
}

/// The first or the last code of this beginning.
fn code(beginning: [u8; 16], rest: u8) -> [u8; 32] {
    let mut code = [rest; 32];
    code[..16].copy_from_slice(&beginning);
    code
}
