//! What outlives the process.
//!
//! One [`Store`] owns a database: SQLite in a data folder, or PostgreSQL. Writes go through one
//! atomic [`Store::commit`] and are on the disk when it returns; reads go through a [`Reader`],
//! of which any number may exist, also in other processes: what people ask for of a hub through
//! its [`Scoped`] view, what the box itself needs of all hubs through [`Unscoped`]. A caller's
//! number never gets here, only its keyed hash; what people write gets here sealed.
//!
//! The SQL keeps to what SQLite and PostgreSQL share; the reasons are in
//! `docs/adr/0007-one-store-two-engines.md`.

mod attachment;
mod audit;
mod backup;
mod commit;
mod decode;
mod engine;
mod error;
mod id;
mod ingest;
mod login;
mod open;
mod people;
mod plan;
mod read;
mod role;
mod row;
mod scope;
mod unscoped;
mod vault;

pub use attachment::{
    ATTACHMENT_CHUNK_BYTES, AttachmentRow, AttachmentState, MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENT_READ_BYTES, MAX_OPEN_UPLOADS,
};
pub use audit::{
    AuditChain, AuditEntry, AuditFault, AuditHash, AuditHead, AuditKind, AuditLine, AuditRow,
    AuditSubject, AuditSummary, Installation,
};
pub use commit::{Change, Changes, HotlineBody, Refreshed, SessionRefresh};
pub use engine::{Engine, PostgresUrl};
pub use error::{Place, StoreError};
pub use id::{DeviceId, HubId, RecordId, RoleId, Sealed, SecretHash, SessionId, UserId, VaultId};
pub use login::{
    BootstrapRow, LoginChange, MAX_PASSKEYS_PER_PERSON, MAX_SESSIONS_PER_DEVICE, PasskeyRow,
    SessionRow,
};
pub use open::{Store, StoreOptions};
pub use plan::{GroupKind, GroupRow, HotlinePlan, HubPlan, PhoneAccountRow, ShiftRow};
pub use read::Reader;
pub use role::{Permissions, Role};
pub use row::{
    BanRow, BindingRow, BreakRow, CallEnd, CallReport, CallRow, CallStart, Caller, CallerHash,
    HotlineRow, OutcomeClass, RungRow, Transport, VoicemailRow, VoicemailStart,
};
pub use scope::calls::{BanFilter, MAX_BANS_PER_QUERY};
pub use scope::invites::{InviteFilter, MAX_INVITES_PER_QUERY};
pub use scope::{
    MAX_FOUND_PER_QUERY, MAX_RECORDS_PER_QUERY, RecordFilter, Scoped, WORDS_PER_QUERY,
};
pub use unscoped::{
    CallFilter, MAX_CALLS_PER_QUERY, MAX_VOICEMAILS_PER_QUERY, Unscoped, VoicemailFilter,
};
pub use vault::{
    DeviceRow, Erasure, HubKeyRow, HubRow, HubSettingRow, InviteRow, MemberRow, RecordRow, RoleRow,
    SealedRecord, Token, Tombstone, UserRow, UserStatus, VaultChange, Visibility,
};
