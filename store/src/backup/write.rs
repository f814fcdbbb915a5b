//! Making a backup.

use std::io::Write;

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::tables::{Kind, LEFT_OUT, TABLES, Table};
use super::{
    BYTES, END, FORMAT, INT, MAGIC, MAX_VALUE_BYTES, NULL, PAGE_ROWS, ROW, TABLE, TEXT, Value,
};
use crate::engine::{Arg, Row, Transaction, migrate};
use crate::error::StoreError;
use crate::unscoped::Unscoped;

impl Unscoped<'_> {
    /// Writes the whole database as of now to `sink`, while the server goes on writing, and
    /// returns the number of rows. The stream is not sealed: that is the caller's part. It
    /// holds no sessions, and no files: those of voicemail lie in the data folder.
    ///
    /// # Errors
    /// [`StoreError::Stream`] when `sink` refuses; see [`StoreError`].
    pub async fn backup(self, sink: &mut (dyn Write + Send)) -> Result<u64, StoreError> {
        let mut sink = Sink {
            sink,
            digest: Sha256::new(),
            rows: 0,
        };
        sink.put(MAGIC)?;
        sink.put(&FORMAT.to_be_bytes())?;
        sink.put(&u32::try_from(migrate::NEWEST).unwrap_or(0).to_be_bytes())?;
        let mut snapshot = self
            .reader
            .pool()
            .begin_snapshot()
            .await
            .map_err(|error| self.reader.failed(error))?;
        for table in TABLES.iter().filter(|t| !LEFT_OUT.contains(&t.name)) {
            sink.head(table)?;
            let mut last: Option<Vec<Value>> = None;
            loop {
                let page = page(&mut snapshot, table, last.as_deref())
                    .await
                    .map_err(|error| self.reader.failed(error))?;
                for row in &page {
                    sink.row(row)?;
                }
                if page.len() < PAGE_ROWS {
                    break;
                }
                last = page.into_iter().next_back();
            }
        }
        sink.finish()
    }
}

async fn page(
    snapshot: &mut Transaction,
    table: &Table,
    after: Option<&[Value]>,
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let sql = AssertSqlSafe(table.page_sql(after.is_some(), PAGE_ROWS));
    let key = after.unwrap_or_default().iter().zip(table.columns);
    let args: Vec<Arg<'_>> = key
        .take(table.key)
        .map(|(value, (_, kind))| value.arg(*kind))
        .collect();
    let rows = snapshot.rows(sql, &args).await?;
    rows.iter().map(|row| values(row, table)).collect()
}

fn values(row: &Row, table: &Table) -> Result<Vec<Value>, sqlx::Error> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, (_, kind))| {
            Ok(match kind {
                Kind::Int => row.at::<Option<i64>>(index)?.map(Value::Int),
                Kind::Text => row.at::<Option<String>>(index)?.map(Value::Text),
                Kind::Bytes => row.at::<Option<Vec<u8>>>(index)?.map(Value::Bytes),
            }
            .unwrap_or(Value::Null))
        })
        .collect()
}

impl Value {
    /// As an argument for a column of `kind`.
    pub(super) fn arg(&self, kind: Kind) -> Arg<'_> {
        match (self, kind) {
            (Self::Int(value), _) => Arg::Int(Some(*value)),
            (Self::Text(value), _) => Arg::Text(Some(value)),
            (Self::Bytes(value), _) => Arg::Bytes(Some(value)),
            (Self::Null, Kind::Int) => Arg::Int(None),
            (Self::Null, Kind::Text) => Arg::Text(None),
            (Self::Null, Kind::Bytes) => Arg::Bytes(None),
        }
    }
}

/// Counts and digests what goes by.
struct Sink<'a> {
    sink: &'a mut (dyn Write + Send),
    digest: Sha256,
    rows: u64,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.digest.update(bytes);
        self.sink.write_all(bytes).map_err(StoreError::Stream)
    }

    fn name(&mut self, name: &str) -> Result<(), StoreError> {
        // Our own names: none is longer than a byte can count.
        self.put(&[u8::try_from(name.len()).unwrap_or(u8::MAX)])?;
        self.put(name.as_bytes())
    }

    fn head(&mut self, table: &Table) -> Result<(), StoreError> {
        self.put(&[TABLE])?;
        self.name(table.name)?;
        self.put(&[u8::try_from(table.columns.len()).unwrap_or(u8::MAX)])?;
        table
            .columns
            .iter()
            .try_for_each(|(name, _)| self.name(name))
    }

    fn row(&mut self, row: &[Value]) -> Result<(), StoreError> {
        self.rows += 1;
        self.put(&[ROW])?;
        row.iter().try_for_each(|value| match value {
            Value::Null => self.put(&[NULL]),
            Value::Int(value) => {
                self.put(&[INT])?;
                self.put(&value.to_be_bytes())
            }
            Value::Text(value) => self.long(TEXT, value.as_bytes()),
            Value::Bytes(value) => self.long(BYTES, value),
        })
    }

    fn long(&mut self, tag: u8, bytes: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length <= MAX_VALUE_BYTES)
            .ok_or_else(|| StoreError::Row("a value is too long for a backup".to_owned()))?;
        self.put(&[tag])?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    fn finish(mut self) -> Result<u64, StoreError> {
        self.put(&[END])?;
        self.put(&self.rows.to_be_bytes())?;
        let digest = self.digest.finalize();
        self.sink
            .write_all(&digest)
            .and_then(|()| self.sink.flush())
            .map_err(StoreError::Stream)?;
        Ok(self.rows)
    }
}
