//! What outlives the process.
//!
//! One [`Store`] owns a database: SQLite in a data folder, or PostgreSQL. Writes go through one
//! atomic [`Store::commit`] and are on the disk when it returns; reads go through a [`Reader`],
//! of which any number may exist, also in other processes. A caller's number never gets here,
//! only its keyed hash; what people write gets here sealed.
//!
//! The SQL keeps to what SQLite and PostgreSQL share; the reasons are in
//! `docs/adr/0007-one-store-two-engines.md`.

mod audit;
mod backup;
mod commit;
mod decode;
mod engine;
mod error;
mod id;
mod open;
mod people;
mod read;
mod role;
mod row;
mod scope;
mod vault;

pub use audit::{
    AuditChain, AuditEntry, AuditFault, AuditHash, AuditHead, AuditKind, AuditRow, AuditSubject,
    AuditSummary,
};
pub use commit::{Change, Changes, HotlineBody};
pub use engine::{Engine, PostgresUrl};
pub use error::{Place, StoreError};
pub use id::{DeviceId, HubId, RecordId, RoleId, Sealed, SecretHash, UserId, VaultId};
pub use open::{Store, StoreOptions};
pub use read::{CallFilter, MAX_CALLS_PER_QUERY, Reader};
pub use role::{Permissions, Role};
pub use row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallRow, CallStart, Caller, CallerHash, HotlineRow,
    OutcomeClass, RungRow, Transport, VoicemailRow, VoicemailStart,
};
pub use scope::{MAX_RECORDS_PER_QUERY, RecordFilter, Scoped};
pub use vault::{
    DeviceRow, Erasure, HubKeyRow, HubRow, InviteRow, MemberRow, RecordRow, RoleRow, SealedRecord,
    SessionRow, Token, Tombstone, UserRow, UserStatus, VaultChange,
};
