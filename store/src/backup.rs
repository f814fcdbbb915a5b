//! Copies of a whole database that either engine can take in.
//!
//! A backup is a stream of bytes: [`MAGIC`], format (2 bytes) and schema (4), then per table a
//! head ([`TABLE`], its name and the names of its columns) and its rows ([`ROW`], one value per
//! column), then [`END`], the number of rows (8), and the SHA-256 of all before. Numbers are
//! big-endian. The digest finds damage; against forgery the caller seals the stream.

mod read;
mod tables;
mod write;

pub(crate) use tables::TABLES;

/// The first bytes of every backup.
const MAGIC: &[u8; 16] = b"centralita rows\n";
/// The newest format that this program writes and reads.
const FORMAT: u16 = 1;
const TABLE: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 0xff;
const NULL: u8 = 0;
const INT: u8 = 1;
const TEXT: u8 = 2;
const BYTES: u8 = 3;
const DIGEST_BYTES: usize = 32;
/// No value is longer; a length beyond it is damage.
const MAX_VALUE_BYTES: u32 = 1 << 30;
/// Rows that are read at once.
const PAGE_ROWS: usize = 256;

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}
