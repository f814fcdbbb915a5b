//! Opening a database for reading only.

use std::path::Path;

use crate::engine::{Arg, Engine, Pool, Row, Transaction, open_readers, postgres, sqlite};
use crate::error::{Place, StoreError};
use crate::unscoped::Unscoped;

/// Reads a database; knows no way to change it.
///
/// By itself it reads what belongs to one person, who is named in the query: their account, their
/// devices, their ways in. A hub's data is read through [`Scoped`](crate::Scoped), the
/// installation's trail through [`Installation`](crate::Installation), and all hubs at once
/// through [`Unscoped`].
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Pool,
    place: Place,
}

impl Reader {
    pub(crate) fn new(pool: Pool, place: Place) -> Self {
        Self { pool, place }
    }

    /// Opens the database in `folder` for reading only, beside a running server or without one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] before the first start of a server; see [`StoreError`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_on(&Engine::Sqlite {
            folder: folder.to_path_buf(),
        })
        .await
    }

    /// [`open`](Self::open) on either engine.
    ///
    /// # Errors
    /// [`StoreError::Missing`] before the first start of a server; see [`StoreError`].
    pub async fn open_on(engine: &Engine) -> Result<Self, StoreError> {
        let (pool, place) = open_readers(engine).await?;
        Ok(Self::new(pool, place))
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Place {
        &self.place
    }

    /// The program that keeps the rows, with its version: `PostgreSQL 15.14`, `SQLite 3.50.4`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn engine_version(&self) -> Result<String, StoreError> {
        let (name, sql) = match &self.pool {
            Pool::Sqlite(_) => ("SQLite", "SELECT sqlite_version()"),
            Pool::Postgres(_) => ("PostgreSQL", "SELECT current_setting('server_version')"),
        };
        let found = self.query(sql, &[], |row| row.at::<String>(0)).await?;
        let version = found.first().map_or("of no version", String::as_str);
        Ok(format!("{name} {version}"))
    }

    /// The database as it is now, for several queries.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let begun = self.pool.begin_snapshot().await;
        Ok(Snapshot {
            reader: self,
            transaction: begun.map_err(|error| self.failed(error))?,
        })
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Reads the whole database; SQLite also compares its pages and indexes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first thing found.
    pub async fn check_integrity(&self) -> Result<(), StoreError> {
        match &self.pool {
            Pool::Sqlite(pool) => sqlite::quick_check(pool, &self.place).await,
            Pool::Postgres(pool) => postgres::read_all(pool, &self.place).await,
        }
    }

    /// The view of all hubs at once. Whoever asks for it answers to nobody's role: it is for the
    /// box itself and for whoever operates it.
    #[must_use]
    pub fn unscoped(&self) -> Unscoped<'_> {
        Unscoped::new(self)
    }

    /// The rows of a query, decoded.
    pub(crate) async fn query<T>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
        decode: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(sql, args).await?;
        rows.iter()
            .map(|row| decode(row).map_err(|error| self.failed(error)))
            .collect()
    }

    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.pool
            .rows(sql, args)
            .await
            .map_err(|error| self.failed(error))
    }

    pub(crate) fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::from_sqlx(error, &self.place)
    }
}

/// A database that stands still, whatever is written meanwhile.
pub(crate) struct Snapshot<'a> {
    reader: &'a Reader,
    transaction: Transaction,
}

impl Snapshot<'_> {
    /// The rows of a query, decoded.
    pub(crate) async fn query<T>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
        decode: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = |error| self.reader.failed(error);
        let rows = self.transaction.rows(sql, args).await.map_err(failed)?;
        rows.iter().map(|row| decode(row).map_err(failed)).collect()
    }
}
