//! The schema: numbered once for both engines, forward only.

use sqlx::AssertSqlSafe;

use super::{Pool, args};
use crate::error::{Place, StoreError};

struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            text: include_str!(concat!("../../migrations/", $name, ".sql")),
        }
    };
}

/// In order and without gaps.
const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_begin"),
    migration!(2, "0002_vault"),
    migration!(3, "0003_answered"),
    migration!(4, "0004_panel"),
    migration!(5, "0005_heard"),
    migration!(6, "0006_view_key"),
    migration!(7, "0007_report"),
    migration!(8, "0008_device_share"),
    migration!(9, "0009_voucher"),
    migration!(10, "0010_key_mark"),
    migration!(11, "0011_pages"),
];

/// The schema that this program writes.
pub(crate) const NEWEST: i64 = MIGRATIONS.len() as i64;

const TABLE: &str = "CREATE TABLE migration (\
    version INTEGER NOT NULL PRIMARY KEY, \
    name    TEXT    NOT NULL\
) STRICT";

/// Where sqlx noted that the first migration was applied, before this module did.
const FORMER_TABLE: &str = "_sqlx_migrations";

/// The migrations are written for SQLite; PostgreSQL knows its types by other names, and it
/// has no lax tables from which strict ones would differ.
const POSTGRES_WORDS: [(&str, &str); 3] =
    [("INTEGER", "BIGINT"), ("BLOB", "BYTEA"), (" STRICT", "")];

impl Pool {
    fn dialect(&self, text: &str) -> String {
        match self {
            Self::Sqlite(_) => text.to_owned(),
            Self::Postgres(_) => POSTGRES_WORDS
                .iter()
                .fold(text.to_owned(), |text, (from, to)| text.replace(from, to)),
        }
    }

    async fn has_table(&self, name: &str) -> Result<bool, sqlx::Error> {
        let sql = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
            Self::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables \
                 WHERE schemaname = current_schema() AND tablename = $1"
            }
        };
        Ok(!self.rows(sql, args![name]).await?.is_empty())
    }
}

/// The newest migration in the database; `None` for an empty one.
pub(crate) async fn schema_version(pool: &Pool, place: &Place) -> Result<Option<i64>, StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    if !pool.has_table("migration").await.map_err(failed)? {
        let first = pool.has_table(FORMER_TABLE).await.map_err(failed)?;
        return Ok(first.then_some(1));
    }
    let rows = pool
        .rows("SELECT max(version) FROM migration", &[])
        .await
        .map_err(failed)?;
    let newest = rows.first().map(|row| row.at::<Option<i64>>(0));
    newest.transpose().map(Option::flatten).map_err(failed)
}

/// Brings the schema up to date, each step whole or not at all.
pub(crate) async fn run(pool: &Pool, place: &Place) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    let found = match schema_version(pool, place).await? {
        Some(found) if found > NEWEST => {
            return Err(StoreError::NewerSchema {
                place: place.clone(),
                found,
                known: NEWEST,
            });
        }
        found => found.unwrap_or(0),
    };
    begin(pool, found).await.map_err(failed)?;
    for migration in MIGRATIONS.iter().filter(|m| m.version > found) {
        let mut transaction = pool.begin().await.map_err(failed)?;
        let text = AssertSqlSafe(pool.dialect(migration.text));
        transaction.script(text).await.map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO migration (version, name) VALUES ($1, $2)",
                args![migration.version, migration.name],
            )
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        tracing::info!(schema = migration.version, "the database schema is updated");
    }
    Ok(())
}

/// Makes the table of the migrations, where it is missing.
async fn begin(pool: &Pool, found: i64) -> Result<(), sqlx::Error> {
    if pool.has_table("migration").await? {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    transaction
        .script(AssertSqlSafe(pool.dialect(TABLE)))
        .await?;
    if found == 1 {
        let sql = "INSERT INTO migration (version, name) VALUES ($1, $2)";
        let first = &MIGRATIONS[0];
        transaction
            .execute(sql, args![first.version, first.name])
            .await?;
        let sql = AssertSqlSafe(format!("DROP TABLE {FORMER_TABLE}"));
        transaction.script(sql).await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// The texts that databases out there have applied, so that nobody edits one. A new migration
    /// is entered here with the release that brings it.
    const RELEASED: [&str; 11] = [
        "b97d118f0a84ed835a30d6f2891e33258d2e136f99e726435dd9abfe1395b549",
        "55cc3d64f1518cf6e523f3af9279567fb042d5a891d0b2c67ae45f123d228532",
        "c89acb4456a741c85293660a9a70b7ee0defa82111fe647b308a71f75ecc7277",
        "d2722ab57e0fd6b1334be5d66bd750b9b42868445565523241b4b675c5e2acc9",
        "2913deec24955bcbf907b03c870654fa1276bc5335151804ca210b90d1765699",
        "f517f5d3237a14d96cdb7bd37b22ce9c189982628599a59aa924b7a781379bc2",
        "1d23f799dc6d39e1964eef9909a28ab7cbdfa99d4c3bca9c648caf4a4237b59c",
        "d31464aca5b820fb5cc03fcc0da16e309a166206fdc92da66f52f9078ef07f6f",
        "d7db2fd3033f0d59d06a7918571c1021fec07555a274db74650ce162e916af8f",
        "b65bd3a0a953f41aad67aa02557a746e32c64694c1f53fceecdb861501d5d5ce",
        "9fb0d32e49e400584016f02134bacee6163cde5218b150328c9d26dfa5bb2b23",
    ];

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, number);
            assert!(migration.name.starts_with(&format!("{number:04}_")));
        }
    }

    #[test]
    fn an_applied_migration_is_never_edited() {
        assert_eq!(
            RELEASED.len(),
            MIGRATIONS.len(),
            "a migration without its hash"
        );
        for (migration, hash) in MIGRATIONS.iter().zip(RELEASED) {
            let digest = Sha256::digest(migration.text.as_bytes());
            let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hash, "{}", migration.name);
        }
    }
}
