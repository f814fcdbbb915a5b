//! The plan of the hotline file, as rows: who is on duty when, who is rung, and which person a
//! volunteer of the file is.

use std::collections::BTreeMap;

use crate::decode::{optional_fixed, small, word};
use crate::engine::{Arg, Row, args};
use crate::error::StoreError;
use crate::id::UserId;
use crate::read::Reader;
use crate::role::Permissions;
use crate::scope::Scoped;
use crate::unscoped::Unscoped;

/// A recurring shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftRow {
    /// What it is called; need not be the only one of this name.
    pub name: String,
    /// The days on which it begins: bit 0 for Monday to bit 6 for Sunday.
    pub days: u8,
    /// When it begins, in minutes after midnight in the hub's zone.
    pub from_minute: u16,
    /// When it ends; at or before the beginning means on the next day.
    pub to_minute: u16,
    /// Who is on it, by their names in the file, in order.
    pub volunteers: Vec<String>,
    /// Which groups are on it, in order.
    pub groups: Vec<String>,
}

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKind {
    /// A named set of volunteers.
    Ring,
    /// Rung when nobody is on duty.
    Fallback,
}

impl GroupKind {
    fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Fallback => "fallback",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Ring, Self::Fallback]
            .into_iter()
            .find(|kind| kind.word() == word)
    }

    /// As a value of a column.
    pub(crate) fn arg(self) -> Arg<'static> {
        Arg::from(self.word())
    }
}

/// A group of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// What it is called; once per kind and hub.
    pub name: String,
    /// What it is for.
    pub kind: GroupKind,
    /// Who is in it, by their names in the file, in order.
    pub volunteers: Vec<String>,
}

/// The part of a hotline file that is one hub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubPlan {
    /// The hub's name in the file.
    pub hub: String,
    /// Its shifts, in the order of the file.
    pub shifts: Vec<ShiftRow>,
    /// Its groups.
    pub groups: Vec<GroupRow>,
}

/// All of a hotline file that people look at. Replaces what was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HotlinePlan {
    /// The hubs.
    pub hubs: Vec<HubPlan>,
    /// All volunteers, by their names in the file.
    pub volunteers: Vec<String>,
}

/// A volunteer of the hotline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneAccountRow {
    /// Their name in the file.
    pub volunteer: String,
    /// The person that they are, where that is known.
    pub user: Option<UserId>,
    /// Whether the file in force has them.
    pub in_file: bool,
}

impl Unscoped<'_> {
    /// All volunteers that a hotline file ever had, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn phone_accounts(self) -> Result<Vec<PhoneAccountRow>, StoreError> {
        let sql = "SELECT * FROM phone_account ORDER BY volunteer";
        self.reader.query(sql, &[], account).await
    }
}

impl Reader {
    /// The volunteers of the file in force that a person is, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn phone_accounts_of(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT volunteer FROM phone_account WHERE person = $1 AND in_file = 1 \
                   ORDER BY volunteer";
        self.query(sql, args![&user.0], |row| row.get("volunteer"))
            .await
    }
}

impl Scoped<'_> {
    /// The hub's shifts, in the order of the file.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::TAKE_CALLS`] or
    /// [`Permissions::MANAGE_HUB`]; see [`StoreError`].
    pub async fn shifts(&self) -> Result<Vec<ShiftRow>, StoreError> {
        self.require_plan()?;
        let sql = "SELECT shift, kind, name FROM shift_member WHERE hub = $1 ORDER BY name";
        let member = |row: &Row| {
            let kind: String = row.get("kind")?;
            let place: (i64, bool) = (row.get("shift")?, kind == "group");
            Ok((place, row.get::<String>("name")?))
        };
        let mut members = gathered(self.named(sql, member).await?);
        let sql = "SELECT * FROM shift WHERE hub = $1 ORDER BY position";
        let shift = |row: &Row| Ok((row.get::<i64>("position")?, shift(row)?));
        let shifts = self.named(sql, shift).await?;
        let mut take = |position, group| members.remove(&(position, group)).unwrap_or_default();
        let shifts = shifts.into_iter().map(|(position, shift)| ShiftRow {
            volunteers: take(position, false),
            groups: take(position, true),
            ..shift
        });
        Ok(shifts.collect())
    }

    /// The hub's groups, by kind and name.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::TAKE_CALLS`] or
    /// [`Permissions::MANAGE_HUB`]; see [`StoreError`].
    pub async fn groups(&self) -> Result<Vec<GroupRow>, StoreError> {
        self.require_plan()?;
        let sql = "SELECT kind, name, volunteer FROM ring_group_member WHERE hub = $1 \
                   ORDER BY volunteer";
        let place = |row: &Row| {
            let kind = word(row, "kind", GroupKind::parse)?;
            Ok((kind, row.get::<String>("name")?))
        };
        let member = |row: &Row| Ok((place(row)?, row.get::<String>("volunteer")?));
        let mut members = gathered(self.named(sql, member).await?);
        let sql = "SELECT kind, name FROM ring_group WHERE hub = $1 ORDER BY kind DESC, name";
        let groups = self.named(sql, place).await?;
        let groups = groups.into_iter().map(|place| GroupRow {
            volunteers: members.remove(&place).unwrap_or_default(),
            kind: place.0,
            name: place.1,
        });
        Ok(groups.collect())
    }

    /// The volunteers who are on a shift or in a group of this hub, by name, and who they are.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] without [`Permissions::MANAGE_HUB`] or
    /// [`Permissions::MANAGE_MEMBERS`]; see [`StoreError`].
    pub async fn phone_accounts(&self) -> Result<Vec<PhoneAccountRow>, StoreError> {
        self.require_any(&[Permissions::MANAGE_HUB, Permissions::MANAGE_MEMBERS])?;
        let sql = "SELECT * FROM phone_account WHERE volunteer IN (\
                   SELECT name FROM shift_member WHERE hub = $1 AND kind = 'volunteer' UNION \
                   SELECT volunteer FROM ring_group_member WHERE hub = $1) ORDER BY volunteer";
        self.named(sql, account).await
    }

    fn require_plan(&self) -> Result<(), StoreError> {
        self.require_any(&[Permissions::TAKE_CALLS, Permissions::MANAGE_HUB])
    }

    /// A query whose only argument is the hub's name in the file.
    async fn named<T>(
        &self,
        sql: &'static str,
        decode: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        self.reader()
            .query(sql, args![&self.hub().name], decode)
            .await
    }
}

/// The values of each key, in their order.
fn gathered<K: Ord, V>(pairs: Vec<(K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut gathered: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in pairs {
        gathered.entry(key).or_default().push(value);
    }
    gathered
}

/// Without its members.
fn shift(row: &Row) -> Result<ShiftRow, sqlx::Error> {
    Ok(ShiftRow {
        name: row.get("name")?,
        days: small(row, "days")?,
        from_minute: small(row, "from_minute")?,
        to_minute: small(row, "to_minute")?,
        volunteers: Vec::new(),
        groups: Vec::new(),
    })
}

fn account(row: &Row) -> Result<PhoneAccountRow, sqlx::Error> {
    Ok(PhoneAccountRow {
        volunteer: row.get("volunteer")?,
        user: optional_fixed(row, "person")?.map(UserId),
        in_file: row.get::<i64>("in_file")? == 1,
    })
}
