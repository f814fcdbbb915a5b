//! What outlives the process.
//!
//! One [`Store`] owns a database: SQLite in a data folder, or PostgreSQL. Writes go through one
//! atomic [`Store::commit`] and are on the disk when it returns; reads go through a [`Reader`],
//! of which any number may exist, also in other processes. A caller's number never gets here,
//! only its keyed hash; what people write gets here sealed.
//!
//! The SQL keeps to what SQLite and PostgreSQL share; the reasons are in
//! `docs/adr/0007-one-store-two-engines.md`.

mod backup;
mod commit;
mod decode;
mod engine;
mod error;
mod open;
mod read;
mod row;

pub use commit::{Change, Changes, HotlineBody};
pub use engine::{Engine, PostgresUrl};
pub use error::{Place, StoreError};
pub use open::{Store, StoreOptions};
pub use read::{CallFilter, MAX_CALLS_PER_QUERY, Reader};
pub use row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallRow, CallStart, Caller, CallerHash, HotlineRow,
    OutcomeClass, RungRow, Transport, VoicemailRow, VoicemailStart,
};
