//! What outlives the process: call records, the journal of live calls, voicemail rows,
//! registrations, the applied hotline file, bans and breaks.
//!
//! One [`Store`] owns a data folder. Writes go through one atomic [`Store::commit`] and are on
//! the disk when it returns; reads go through a [`Reader`], of which any number may exist, also
//! in other processes. A caller's number never gets here, only its keyed hash.
//!
//! The SQL keeps to what SQLite and PostgreSQL share, as far as the dialects allow.

mod commit;
mod error;
mod open;
mod read;
mod row;

pub use commit::{Change, Changes, HotlineBody};
pub use error::StoreError;
pub use open::{Store, StoreOptions};
pub use read::{CallFilter, MAX_CALLS_PER_QUERY, Reader};
pub use row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallRow, CallStart, Caller, CallerHash, HotlineRow,
    OutcomeClass, RungRow, Transport, VoicemailRow, VoicemailStart,
};
