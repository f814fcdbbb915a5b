//! What belongs to a hub, and who may read it.
//!
//! What people ask for of a hub is a query of [`Scoped`], and there is no way to a `Scoped` but
//! through the membership check of [`Reader::scope`]. All hubs at once are read through
//! [`Unscoped`](crate::Unscoped), by the box itself and by whoever operates it.

pub(crate) mod calls;
pub(crate) mod invites;
#[cfg(doctest)]
mod proof;

use crate::decode::{fixed, optional_fixed, small, time, unreadable, word};
use crate::engine::{Arg, Row, args};
use crate::error::StoreError;
use crate::id::{HubId, RecordId, RoleId, Sealed, UserId};
use crate::open::Store;
use crate::people::{hub, member, person, role};
use crate::read::Reader;
use crate::role::{Permissions, Role};
use crate::vault::{
    HubRow, HubSettingRow, MemberRow, RecordRow, RoleRow, SealedRecord, Token, Tombstone, UserRow,
    UserStatus, Visibility,
};

/// Most revisions that one query returns.
pub const MAX_RECORDS_PER_QUERY: u32 = 500;

/// Most records that one query finds by words.
pub const MAX_FOUND_PER_QUERY: u32 = 500;

/// Words that one query looks for.
pub const WORDS_PER_QUERY: usize = 8;

/// Which records to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordFilter {
    /// Only those of this kind.
    pub kind: Option<u16>,
    /// Only those about this call.
    pub call: Option<u64>,
    /// Only those after this one in the order of ids, to turn the page.
    pub after: Option<RecordId>,
    /// At most so many; at most [`MAX_RECORDS_PER_QUERY`].
    pub limit: u32,
}

/// Which rows of `record` a person may see, by the second and third argument of the query:
/// those that they began, and those of everybody that are not private.
macro_rules! visible_sql {
    () => {
        "(($2 IS NULL AND record.visibility = 0) OR EXISTS (SELECT 1 FROM record AS begun \
         WHERE begun.hub = record.hub AND begun.id = record.id AND begun.revision = 1 \
         AND begun.author = $3))"
    };
}
pub(crate) use visible_sql;

/// That the record of a row of `record_token` has one more word, by the numbers of its arguments.
macro_rules! has_word_sql {
    ($field:literal, $token:literal) => {
        concat!(
            " AND EXISTS (SELECT 1 FROM record_token AS other WHERE other.hub = $1 \
             AND other.field = ",
            $field,
            " AND other.token = ",
            $token,
            " AND other.record = record_token.record)"
        )
    };
}

/// One person's view of one hub. It holds for a request, not for a session: a role may be
/// withdrawn at any time.
///
/// A hub's data is read through this and not without it:
///
/// ```
/// use store::{CallFilter, CallRow, HubId, Reader, StoreError, UserId};
///
/// async fn history(reader: &Reader, user: UserId, hub: HubId) -> Result<Vec<CallRow>, StoreError> {
///     reader.scope(user, hub).await?.calls(&CallFilter::default()).await
/// }
/// ```
///
/// ```compile_fail,E0599
/// use store::{CallFilter, CallRow, HubId, Reader, StoreError, UserId};
///
/// async fn history(reader: &Reader, user: UserId, hub: HubId) -> Result<Vec<CallRow>, StoreError> {
///     reader.calls(&CallFilter::default()).await
/// }
/// ```
///
/// It comes from the membership check and from nowhere else:
///
/// ```
/// use store::{HubRow, Permissions, Reader, Scoped, StoreError, UserId};
///
/// async fn view(reader: &Reader, user: UserId, hub: HubRow) -> Result<Scoped<'_>, StoreError> {
///     reader.scope(user, hub.id).await
/// }
/// ```
///
/// ```compile_fail,E0451
/// use store::{HubRow, Permissions, Reader, Scoped, StoreError, UserId};
///
/// async fn view(reader: &Reader, user: UserId, hub: HubRow) -> Result<Scoped<'_>, StoreError> {
///     Ok(Scoped { reader, user, hub, permissions: Permissions::ALL })
/// }
/// ```
///
/// Nobody brings SQL of their own:
///
/// ```
/// async fn ask(scope: &store::Scoped<'_>) -> Result<(), store::StoreError> {
///     scope.members().await.map(drop)
/// }
/// ```
///
/// ```compile_fail,E0624
/// async fn ask(scope: &store::Scoped<'_>) -> Result<(), store::StoreError> {
///     scope.query("SELECT * FROM call", &[], |_| Ok(())).await.map(drop)
/// }
/// ```
#[derive(Debug)]
pub struct Scoped<'a> {
    reader: &'a Reader,
    user: UserId,
    hub: HubRow,
    permissions: Permissions,
}

impl Store {
    /// See [`Reader::scope`].
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`]; see [`StoreError`].
    pub async fn scope(&self, user: UserId, hub: HubId) -> Result<Scoped<'_>, StoreError> {
        self.reader().scope(user, hub).await
    }
}

impl Reader {
    /// What `user` may see of `hub`.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] unless `user` is active, and a member or a super-admin; an
    /// unknown hub is told apart from a closed one by nobody. See [`StoreError`].
    pub async fn scope(&self, user: UserId, hub: HubId) -> Result<Scoped<'_>, StoreError> {
        let sql = "SELECT hub.id, hub.name, hub.created_at, person.status, person.super_admin, \
                   membership.role, membership.own_role, hub_role.permissions \
                   FROM person CROSS JOIN hub \
                   LEFT JOIN membership ON membership.person = person.id \
                   AND membership.hub = hub.id \
                   LEFT JOIN hub_role ON hub_role.hub = hub.id \
                   AND hub_role.id = membership.own_role \
                   WHERE person.id = $1 AND hub.id = $2";
        let found = self.query(sql, args![&user.0, &hub.0], grant).await?.pop();
        match found.flatten() {
            Some((hub, permissions)) => Ok(Scoped {
                reader: self,
                user,
                hub,
                permissions,
            }),
            None => Err(StoreError::NotAllowed),
        }
    }
}

/// What a person's row in a hub allows; `None` for nothing at all.
fn grant(row: &Row) -> Result<Option<(HubRow, Permissions)>, sqlx::Error> {
    if word(row, "status", UserStatus::parse)? != UserStatus::Active {
        return Ok(None);
    }
    let by_role = match row.get::<Option<String>>("role")? {
        None => None,
        Some(_) => Some(match role(row)?.permissions() {
            Some(permissions) => permissions,
            None => permissions(row)?,
        }),
    };
    let by_office = (row.get::<i64>("super_admin")? == 1).then(Role::super_admin_permissions);
    let all = match (by_role, by_office) {
        (Some(role), Some(office)) => role | office,
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return Ok(None),
    };
    Ok(Some((hub(row)?, all)))
}

fn permissions(row: &Row) -> Result<Permissions, sqlx::Error> {
    Permissions::from_bits(small(row, "permissions")?).ok_or_else(|| unreadable("permissions"))
}

impl Scoped<'_> {
    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &HubRow {
        &self.hub
    }

    /// Whose view this is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What they may do here.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Refuses unless all of `needed` are granted.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`].
    pub fn require(&self, needed: Permissions) -> Result<(), StoreError> {
        if self.permissions.has(needed) {
            return Ok(());
        }
        Err(StoreError::NotAllowed)
    }

    /// Refuses unless any of `enough` is granted.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`].
    pub fn require_any(&self, enough: &[Permissions]) -> Result<(), StoreError> {
        if enough.iter().any(|enough| self.permissions.has(*enough)) {
            return Ok(());
        }
        Err(StoreError::NotAllowed)
    }

    /// The members, by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        let sql = "SELECT * FROM membership WHERE hub = $1 ORDER BY person";
        self.query(sql, &[], member).await
    }

    /// The members as persons, with their sealed profiles, by id.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn profiles(&self) -> Result<Vec<UserRow>, StoreError> {
        self.require(Permissions::MANAGE_MEMBERS)?;
        let sql = "SELECT person.* FROM person \
                   JOIN membership ON membership.person = person.id \
                   WHERE membership.hub = $1 ORDER BY person.id";
        self.query(sql, &[], person).await
    }

    /// The roles that the hub defined, by id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn roles(&self) -> Result<Vec<RoleRow>, StoreError> {
        let sql = "SELECT * FROM hub_role WHERE hub = $1 ORDER BY id";
        let decode = |row: &Row| {
            Ok(RoleRow {
                hub: HubId(fixed(row, "hub")?),
                id: RoleId(fixed(row, "id")?),
                name: Sealed(row.get("name")?),
                permissions: permissions(row)?,
            })
        };
        self.query(sql, &[], decode).await
    }

    /// The links of the roster after the one numbered `after`, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn roster(&self, after: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM roster_link WHERE hub = $1 AND seqno > $2 ORDER BY seqno";
        let after = [Arg::from(after.cast_signed())];
        self.query(sql, &after, |row| row.get("body")).await
    }

    /// The hub's keys as they are wrapped for this person: epoch, what an admin signed about the
    /// key, the wrap.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn my_hub_keys(&self) -> Result<Vec<(u32, Sealed, Sealed)>, StoreError> {
        let sql = "SELECT hub_key.epoch, hub_key.body, hub_key_wrap.wrap FROM hub_key \
                   JOIN hub_key_wrap ON hub_key_wrap.hub = hub_key.hub \
                   AND hub_key_wrap.epoch = hub_key.epoch \
                   WHERE hub_key.hub = $1 AND hub_key_wrap.person = $2 ORDER BY hub_key.epoch";
        let decode = |row: &Row| {
            Ok((
                small(row, "epoch")?,
                Sealed(row.get("body")?),
                Sealed(row.get("wrap")?),
            ))
        };
        self.query(sql, &[Arg::from(&self.user.0)], decode).await
    }

    /// The newest revisions of records, by id: all of them but other people's private ones with
    /// [`Permissions::READ_RECORDS`], otherwise those that this person began.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn records(&self, filter: &RecordFilter) -> Result<Vec<RecordRow>, StoreError> {
        let sql = concat!(
            "SELECT * FROM record WHERE hub = $1 AND ",
            visible_sql!(),
            " AND revision = (SELECT max(newest.revision) FROM record AS newest \
             WHERE newest.hub = record.hub AND newest.id = record.id) \
             AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR call = $5) \
             AND ($6 IS NULL OR id > $6) ORDER BY id LIMIT $7"
        );
        let after = filter.after.as_ref().map(|after| after.0.as_slice());
        let [own, user] = self.visibility();
        let args = [
            own,
            user,
            Arg::from(filter.kind.map(i64::from)),
            Arg::from(filter.call.map(u64::cast_signed)),
            Arg::from(after),
            Arg::from(i64::from(filter.limit.min(MAX_RECORDS_PER_QUERY))),
        ];
        self.query(sql, &args, record).await
    }

    /// All revisions of a record, the oldest first; empty when it is not there or not for this
    /// person.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record(&self, id: RecordId) -> Result<Vec<RecordRow>, StoreError> {
        let sql = concat!(
            "SELECT * FROM record WHERE hub = $1 AND id = $4 AND ",
            visible_sql!(),
            " ORDER BY revision"
        );
        let [own, user] = self.visibility();
        self.query(sql, &[own, user, Arg::from(&id.0)], record)
            .await
    }

    /// The records that have all of the words, among those that this person may read, by id:
    /// those after `after`, at most `limit` of them and at most [`MAX_FOUND_PER_QUERY`]. A search
    /// for fewer words repeats one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn search(
        &self,
        words: [Token; WORDS_PER_QUERY],
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let sql = concat!(
            "SELECT record_token.record FROM record_token \
             WHERE record_token.hub = $1 AND field = $6 AND token = $7 \
             AND ($4 IS NULL OR record_token.record > $4)",
            has_word_sql!("$8", "$9"),
            has_word_sql!("$10", "$11"),
            has_word_sql!("$12", "$13"),
            has_word_sql!("$14", "$15"),
            has_word_sql!("$16", "$17"),
            has_word_sql!("$18", "$19"),
            has_word_sql!("$20", "$21"),
            " AND EXISTS \
             (SELECT 1 FROM record WHERE record.hub = $1 AND record.id = record_token.record \
             AND record.revision = (SELECT max(newest.revision) FROM record AS newest \
             WHERE newest.hub = $1 AND newest.id = record.id) AND ",
            visible_sql!(),
            ") ORDER BY record_token.record LIMIT $5"
        );
        let [own, user] = self.visibility();
        let after = after.as_ref().map(|after| after.0.as_slice());
        let limit = i64::from(limit.min(MAX_FOUND_PER_QUERY));
        let mut args = vec![own, user, Arg::from(after), Arg::from(limit)];
        for token in &words {
            args.push(Arg::from(i64::from(token.field)));
            args.push(Arg::from(&token.word));
        }
        self.query(sql, &args, |row| fixed(row, "record").map(RecordId))
            .await
    }

    /// What is left of an erased record.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn tombstone(&self, id: RecordId) -> Result<Option<Tombstone>, StoreError> {
        let sql = "SELECT * FROM tombstone WHERE hub = $1 AND record = $2";
        let decode = |row: &Row| {
            Ok(Tombstone {
                record: RecordId(fixed(row, "record")?),
                body: Sealed(row.get("body")?),
                erased_at: time(row, "erased_at")?,
            })
        };
        let found = self.query(sql, &[Arg::from(&id.0)], decode).await?;
        Ok(found.into_iter().next())
    }

    /// The sealed settings of the hub, by topic.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn settings(&self) -> Result<Vec<HubSettingRow>, StoreError> {
        let sql = "SELECT * FROM hub_setting WHERE hub = $1 ORDER BY topic";
        self.query(sql, &[], setting).await
    }

    /// The two arguments of [`visible_sql`]: the person whose records alone may be read, NULL
    /// for everybody's; and the person themselves.
    pub(crate) fn visibility(&self) -> [Arg<'_>; 2] {
        let user = Arg::from(&self.user.0);
        if self.permissions.has(Permissions::READ_RECORDS) {
            [Arg::Bytes(None), user]
        } else {
            [user, user]
        }
    }

    pub(crate) fn reader(&self) -> &Reader {
        self.reader
    }

    /// A query whose first argument is the hub.
    pub(crate) async fn query<T>(
        &self,
        sql: &'static str,
        more: &[Arg<'_>],
        decode: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let mut args = vec![Arg::from(&self.hub.id.0)];
        args.extend_from_slice(more);
        self.reader.query(sql, &args, decode).await
    }
}

fn record(row: &Row) -> Result<RecordRow, sqlx::Error> {
    let sealed = match row.get::<Option<Vec<u8>>>("body")? {
        None => None,
        Some(body) => Some(SealedRecord {
            header: Sealed(row.get("header")?),
            body: Sealed(body),
            manifest_revision: small(row, "manifest_revision")?,
            manifest: Sealed(row.get("manifest")?),
        }),
    };
    let call: Option<i64> = row.get("call")?;
    Ok(RecordRow {
        hub: HubId(fixed(row, "hub")?),
        id: RecordId(fixed(row, "id")?),
        revision: small(row, "revision")?,
        kind: small(row, "kind")?,
        parent: fixed(row, "parent")?,
        author: optional_fixed(row, "author")?.map(UserId),
        call: call.map(i64::cast_unsigned),
        visibility: Visibility::from_code(row.get("visibility")?)
            .ok_or_else(|| unreadable("visibility"))?,
        sealed,
        created_at: time(row, "created_at")?,
    })
}

fn setting(row: &Row) -> Result<HubSettingRow, sqlx::Error> {
    Ok(HubSettingRow {
        hub: HubId(fixed(row, "hub")?),
        topic: small(row, "topic")?,
        revision: small(row, "revision")?,
        body: Sealed(row.get("body")?),
        author: UserId(fixed(row, "author")?),
        changed_at: time(row, "changed_at")?,
    })
}

#[cfg(test)]
mod tests {
    /// The files that have queries of a scope.
    const SOURCES: [&str; 6] = [
        include_str!("scope.rs"),
        include_str!("scope/calls.rs"),
        include_str!("scope/invites.rs"),
        include_str!("plan.rs"),
        include_str!("attachment.rs"),
        include_str!("audit/verify.rs"),
    ];

    #[test]
    fn every_query_of_a_scope_is_proved_to_need_it() {
        let proof = include_str!("scope/proof.rs");
        let blocks = SOURCES.iter().flat_map(|source| {
            let blocks = source.split("\nimpl Scoped<'_> {\n").skip(1);
            blocks.filter_map(|block| block.split("\n}\n").next())
        });
        let queries: Vec<&str> = blocks
            .flat_map(|block| block.split("    pub async fn ").skip(1))
            .filter_map(|query| query.split('(').next())
            .collect();
        assert!(queries.len() > 20, "{queries:?}");
        for query in queries {
            assert!(proof.contains(&format!("    \"{query}(")), "{query}");
        }
    }
}
