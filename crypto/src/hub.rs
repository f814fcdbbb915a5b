//! What the members of a hotline share: who they are and in which roles, the
//! keys of its live events, its settings, and the search over its sealed records.
//!
//! A hub is a [`Roster`]: a signed list, begun by the first admin, that only
//! admins' devices can continue. The server stores it and cannot write it, so
//! it cannot name a reader of its own. The byte formats are in
//! `docs/protocol/hub-v1.md`.

mod blind_index;
mod error;
mod event;
mod hub_key;
mod roster;
mod settings;
mod voucher;

pub use blind_index::{IndexField, IndexToken, MAX_TERM_BYTES, MIN_TERM_CHARS, SearchRoot};
pub use error::{HubError, RosterError};
pub use event::{EVENT_BUCKETS_BYTES, EVENT_TIME_BUCKET_S, EventEnvelope, MAX_EVENT_BYTES};
pub use hub_key::{HubEpoch, HubKey, HubKeyWrap};
pub use roster::{
    Change, ExistingReaders, MAX_CHANGES, MAX_MEMBERS, MAX_ROLES, MAX_ROSTER_LINKS, Member, Role,
    RoleFlags, RoleId, Roster, RosterState, Sigchains, Visibility,
};
pub use settings::{MAX_SETTINGS_BYTES, SealedSettings, SettingsHead};
pub use voucher::{Invitation, InviteSecret, Voucher};
