//! From columns to values.

use std::time::Duration;

use jiff::Timestamp;

use crate::engine::Row;
use crate::row::CallerHash;

pub(crate) fn id(row: &Row, column: &str) -> Result<u64, sqlx::Error> {
    row.get::<i64>(column).map(i64::cast_unsigned)
}

pub(crate) fn hash(bytes: &[u8]) -> Result<CallerHash, sqlx::Error> {
    bytes
        .try_into()
        .map(CallerHash)
        .map_err(|_| unreadable("caller"))
}

pub(crate) fn time(row: &Row, column: &str) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|_| unreadable(column))
}

pub(crate) fn optional_time(row: &Row, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    match row.get::<Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => time(row, column).map(Some),
    }
}

pub(crate) fn word<T>(
    row: &Row,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    parse(&row.get::<String>(column)?).ok_or_else(|| unreadable(column))
}

pub(crate) fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: "value out of range".into(),
    }
}

/// Lengths are never negative in a database that this program wrote.
pub(crate) fn millis(length: i64) -> Duration {
    Duration::from_millis(u64::try_from(length).unwrap_or(0))
}

/// The `N` bytes of a column.
pub(crate) fn fixed<const N: usize>(row: &Row, column: &str) -> Result<[u8; N], sqlx::Error> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map_err(|_| unreadable(column))
}

/// The `N` bytes of a column that may be empty.
pub(crate) fn optional_fixed<const N: usize>(
    row: &Row,
    column: &str,
) -> Result<Option<[u8; N]>, sqlx::Error> {
    match row.get::<Option<Vec<u8>>>(column)? {
        None => Ok(None),
        Some(bytes) => bytes.try_into().map(Some).map_err(|_| unreadable(column)),
    }
}

/// A small number.
pub(crate) fn small<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<T, sqlx::Error> {
    T::try_from(row.get(column)?).map_err(|_| unreadable(column))
}
