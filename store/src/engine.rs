//! The two engines behind one face: statements with `$1` placeholders, arguments and rows.
//!
//! Three types of value reach a database: whole numbers, texts and bytes. Everything else is
//! made of them by the modules above.

pub(crate) mod migrate;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::path::PathBuf;

use sqlx::query::Query;
use sqlx::{Database, Decode, Encode, IntoArguments, Postgres, Row as _, SqlSafeStr, Sqlite, Type};

pub use postgres::PostgresUrl;

use crate::error::{Place, StoreError};

/// Which database keeps the rows.
#[derive(Clone, Debug)]
pub enum Engine {
    /// A file in a folder that one server owns.
    Sqlite {
        /// The data folder.
        folder: PathBuf,
    },
    /// A database of a PostgreSQL server that one Centralita owns.
    Postgres {
        /// Where.
        url: PostgresUrl,
    },
}

/// One argument of a statement. `None` is NULL of that type.
#[derive(Clone, Copy)]
pub(crate) enum Arg<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a Option<String>> for Arg<'a> {
    fn from(value: &'a Option<String>) -> Self {
        Self::Text(value.as_deref())
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<&'a Vec<u8>> for Arg<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Arg<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<Option<&'a [u8]>> for Arg<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Bytes(value)
    }
}

/// The arguments of a statement, in the order of its placeholders.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::engine::Arg::from($value)),*] };
}
pub(crate) use args;

/// One row of a result.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

/// A type that both engines hand out.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    pub(crate) fn get<T: Column>(&self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn at<T: Column>(&self, index: usize) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }
}

/// Connections to a database.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

/// What is kept together or not at all; undone when it is dropped.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Pool {
    /// Begins a transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match self {
            // A deferred one could fail at its first write, after it has read.
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that sees the database as it is now, whatever is written meanwhile.
    pub(crate) async fn begin_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => Transaction::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        })
    }

    pub(crate) async fn rows(
        &self,
        sql: impl SqlSafeStr,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => {
                let rows = bound::<Sqlite>(sql, args).fetch_all(pool).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = bound::<Postgres>(sql, args).fetch_all(pool).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    /// How many rows the statement touched.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        args: &[Arg<'_>],
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(tx) => bound::<Sqlite>(sql, args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
            Self::Postgres(tx) => bound::<Postgres>(sql, args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
        })
    }

    pub(crate) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = bound::<Sqlite>(sql, args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                let rows = bound::<Postgres>(sql, args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs several statements without arguments.
    pub(crate) async fn script(&mut self, sql: impl SqlSafeStr) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
            Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

fn bound<'q, DB>(sql: impl SqlSafeStr, args: &'q [Arg<'q>]) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    Option<i64>: Encode<'q, DB> + Type<DB>,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
{
    args.iter()
        .fold(sqlx::query::<DB>(sql), |query, arg| match arg {
            Arg::Int(value) => query.bind(*value),
            Arg::Text(value) => query.bind(*value),
            Arg::Bytes(value) => query.bind(*value),
        })
}

/// What an engine hands to the store: connections, and what must be held while they are open.
pub(crate) struct Opened {
    pub(crate) writer: Pool,
    pub(crate) readers: Pool,
    pub(crate) place: Place,
    pub(crate) folder_lock: Option<std::fs::File>,
}

/// Opens `engine` for writing, checked and with its schema up to date.
pub(crate) async fn open(engine: &Engine, max_bytes: Option<u64>) -> Result<Opened, StoreError> {
    match engine {
        Engine::Sqlite { folder } => sqlite::open(folder, max_bytes).await,
        Engine::Postgres { url } => postgres::open(url).await,
    }
}

/// Opens `engine` for reading only.
pub(crate) async fn open_readers(engine: &Engine) -> Result<(Pool, Place), StoreError> {
    let (pool, place) = match engine {
        Engine::Sqlite { folder } => sqlite::open_readers(folder)?,
        Engine::Postgres { url } => (postgres::connect_readers(url), url.place()),
    };
    match migrate::schema_version(&pool, &place).await? {
        None => Err(StoreError::Missing { place }),
        Some(found) if found > migrate::NEWEST => Err(StoreError::NewerSchema {
            place,
            found,
            known: migrate::NEWEST,
        }),
        Some(found) if found < migrate::NEWEST => Err(StoreError::OlderSchema { place, found }),
        Some(_) => Ok((pool, place)),
    }
}
