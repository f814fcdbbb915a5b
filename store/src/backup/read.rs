//! Taking a backup in.

use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::tables::{Kind, LEFT_OUT, TABLES, Table, placeholders};
use super::{
    BYTES, DIGEST_BYTES, END, FORMAT, INT, MAGIC, MAX_VALUE_BYTES, NULL, ROW, TABLE, TEXT, Value,
};
use crate::engine::{Arg, Transaction, migrate};
use crate::error::StoreError;
use crate::open::Store;

impl Store {
    /// Takes in a backup of this or an older schema, whole or not at all, and returns the number
    /// of rows. The database must hold none yet.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`]; [`StoreError::DamagedBackup`] when `source` was cut or changed;
    /// [`StoreError::NewerBackup`]; see [`StoreError`].
    pub async fn restore(&self, source: &mut (dyn Read + Send)) -> Result<u64, StoreError> {
        let failed = |error| StoreError::from_sqlx(error, self.path());
        let mut source = Source {
            source,
            digest: Sha256::new(),
        };
        source.preamble()?;
        let mut transaction = self.writer.begin().await.map_err(failed)?;
        for table in TABLES {
            let sql = AssertSqlSafe(format!("SELECT 1 FROM {} LIMIT 1", table.name));
            if !transaction.rows(sql, &[]).await.map_err(failed)?.is_empty() {
                return Err(StoreError::NotEmpty {
                    place: self.path().clone(),
                });
            }
        }
        let rows = fill(&mut transaction, &mut source, failed).await?;
        source.finish(rows)?;
        transaction.commit().await.map_err(failed)?;
        Ok(rows)
    }
}

/// Inserts rows until the end mark.
async fn fill(
    transaction: &mut Transaction,
    source: &mut Source<'_>,
    failed: impl Fn(sqlx::Error) -> StoreError,
) -> Result<u64, StoreError> {
    let mut rows = 0;
    let mut into: Option<Target> = None;
    loop {
        match source.byte()? {
            TABLE => into = Some(source.head()?),
            ROW => {
                let target = into
                    .as_ref()
                    .ok_or_else(|| damaged("a row before its table"))?;
                let values = source.row(target)?;
                let args: Vec<Arg<'_>> = values
                    .iter()
                    .zip(&target.kinds)
                    .map(|(value, kind)| value.arg(*kind))
                    .collect();
                let sql = AssertSqlSafe(target.insert.clone());
                let inserted = transaction.execute(sql, &args).await;
                inserted.map_err(|error| match error.as_database_error() {
                    // Rows that contradict each other were never one database.
                    Some(reported) if !matches!(reported.kind(), sqlx::error::ErrorKind::Other) => {
                        damaged("its rows contradict each other")
                    }
                    _ => failed(error),
                })?;
                rows += 1;
            }
            END => return Ok(rows),
            _ => return Err(damaged("an unknown mark")),
        }
    }
}

/// Where the rows that follow belong.
struct Target {
    insert: String,
    kinds: Vec<Kind>,
}

impl Target {
    fn new(table: &Table, columns: &[&'static str], kinds: Vec<Kind>) -> Self {
        Self {
            insert: format!(
                "INSERT INTO {} ({}) VALUES ({})",
                table.name,
                columns.join(", "),
                placeholders(columns.len())
            ),
            kinds,
        }
    }
}

/// Digests what is read.
struct Source<'a> {
    source: &'a mut (dyn Read + Send),
    digest: Sha256,
}

impl Source<'_> {
    fn preamble(&mut self) -> Result<(), StoreError> {
        if self.array::<16>()? != *MAGIC {
            return Err(damaged("it does not begin like a backup of centralita"));
        }
        let format = u16::from_be_bytes(self.array()?);
        let schema = i64::from(u32::from_be_bytes(self.array()?));
        if format > FORMAT || schema > migrate::NEWEST {
            return Err(StoreError::NewerBackup);
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Target, StoreError> {
        let name = self.name()?;
        let table = TABLES
            .iter()
            .filter(|table| !LEFT_OUT.contains(&table.name))
            .find(|table| table.name == name)
            .ok_or_else(|| damaged("an unknown table"))?;
        let count = self.byte()?;
        let mut names = Vec::new();
        let mut kinds = Vec::new();
        for _ in 0..count {
            let name = self.name()?;
            let column = table.columns.iter().find(|(known, _)| *known == name);
            let (name, kind) = column.ok_or_else(|| damaged("an unknown column"))?;
            names.push(*name);
            kinds.push(*kind);
        }
        Ok(Target::new(table, &names, kinds))
    }

    fn row(&mut self, target: &Target) -> Result<Vec<Value>, StoreError> {
        let kinds = target.kinds.iter();
        kinds
            .map(|kind| match (self.byte()?, kind) {
                (NULL, _) => Ok(Value::Null),
                (INT, Kind::Int) => Ok(Value::Int(i64::from_be_bytes(self.array()?))),
                (TEXT, Kind::Text) => {
                    let text = String::from_utf8(self.long()?);
                    let text = text.map_err(|_| damaged("a text is not UTF-8"))?;
                    // PostgreSQL takes none, and nothing that is kept here has one.
                    match text.contains('\0') {
                        true => Err(damaged("a text with a zero byte")),
                        false => Ok(Value::Text(text)),
                    }
                }
                (BYTES, Kind::Bytes) => self.long().map(Value::Bytes),
                _ => Err(damaged("a value of the wrong type")),
            })
            .collect()
    }

    fn finish(mut self, rows: u64) -> Result<(), StoreError> {
        if u64::from_be_bytes(self.array()?) != rows {
            return Err(damaged("rows are missing"));
        }
        let expected = self.digest.clone().finalize();
        if self.array::<DIGEST_BYTES>()? != expected[..] {
            return Err(damaged("its digest does not match"));
        }
        let mut beyond = [0];
        match self.source.read(&mut beyond) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged("something follows its end")),
            Err(error) => Err(StoreError::Stream(error)),
        }
    }

    fn name(&mut self) -> Result<String, StoreError> {
        let length = self.byte()?;
        let name = self.bytes(u32::from(length))?;
        String::from_utf8(name).map_err(|_| damaged("a name is not UTF-8"))
    }

    fn long(&mut self) -> Result<Vec<u8>, StoreError> {
        let length = u32::from_be_bytes(self.array()?);
        if length > MAX_VALUE_BYTES {
            return Err(damaged("a value is too long"));
        }
        self.bytes(length)
    }

    fn byte(&mut self) -> Result<u8, StoreError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => {
                self.digest.update(bytes);
                Ok(bytes)
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(cut()),
            Err(error) => Err(StoreError::Stream(error)),
        }
    }

    /// Grows with what is there, not with what a damaged length promises.
    fn bytes(&mut self, length: u32) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        (&mut *self.source)
            .take(u64::from(length))
            .read_to_end(&mut bytes)
            .map_err(StoreError::Stream)?;
        if bytes.len() as u64 != u64::from(length) {
            return Err(cut());
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }
}

fn damaged(detail: &str) -> StoreError {
    StoreError::DamagedBackup {
        detail: detail.to_owned(),
    }
}

fn cut() -> StoreError {
    damaged("it ends too early")
}
