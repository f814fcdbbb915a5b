//! Hubs: their rosters, keys, settings, and the people in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id, Permission, Role};

/// Most links of a roster that one request adds.
pub const MAX_LINKS_PER_REQUEST: usize = 16;
/// Number of the role in rosters that is [`Role::HubAdmin`].
pub const ROSTER_ROLE_HUB_ADMIN: u16 = 1;
/// Number of the role in rosters that is [`Role::Volunteer`].
pub const ROSTER_ROLE_VOLUNTEER: u16 = 2;
/// Number of the role in rosters that is [`Role::Reviewer`].
pub const ROSTER_ROLE_REVIEWER: u16 = 3;
/// Number of the role in rosters that is [`Role::Reporter`].
pub const ROSTER_ROLE_REPORTER: u16 = 4;

/// The hubs that somebody belongs to, or runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubList {
    /// By name.
    pub hubs: Vec<HubSummary>,
}

/// A hub, as one person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubSummary {
    /// Which.
    pub id: Id,
    /// Its name in the hotline file.
    pub name: String,
    /// As what the person belongs to it; nothing for who only runs the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What they may do there.
    pub permissions: Vec<Permission>,
}

/// Which links of a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterQuery {
    /// Those after the one of this number; from the first without.
    pub after: Option<u32>,
}

/// Links of a roster (`docs/protocol/hub-v1.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RosterPage {
    /// In order.
    pub links: Vec<Blob>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// Which sigchains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigchainsQuery {
    /// Of the people after this one, in the order of ids.
    pub after: Option<Id>,
}

/// The sigchains that a roster is verified with: of all members, and of all who signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigchainsPage {
    /// By id.
    pub people: Vec<PersonSigchain>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// A person's sigchain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonSigchain {
    /// Whose.
    pub user: Id,
    /// All of it, as a file (`docs/protocol/sigchain-v1.md`).
    pub sigchain: Blob,
}

/// The next links of a roster, with all that they announce.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterExtension {
    /// At least one, at most [`MAX_LINKS_PER_REQUEST`], signed by an admin's device.
    pub links: Vec<Blob>,
    /// `HubKeyWrap`s: of an epoch that the links announce, one for each member who has a key;
    /// of older ones, for members whom the links take in.
    #[serde(default)]
    pub wraps: Vec<Blob>,
    /// The hub's search root, sealed under each key that the links announce.
    #[serde(default)]
    pub search_roots: Vec<EpochSearchRoot>,
    /// `SealedSettings`, when the links announce some: the newest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Blob>,
    /// What of the settings is changed, where the trail has a word of its own for it. The server
    /// cannot see into them, so this is told as whoever sends it says; that there are new
    /// settings is told in any case. None when they are only sealed again under a new key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings_parts: Vec<SettingsPart>,
}

/// A part of a hub's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SettingsPart {
    /// The fields that notes have in this hub.
    CustomFields,
    /// Whether and how devices transcribe what they hear; always on the device, never at the
    /// server.
    Transcription,
}

/// The search root under one key of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochSearchRoot {
    /// Number of the key.
    pub epoch: u32,
    /// `HLSR` (`docs/protocol/hub-v1.md`).
    pub sealed: Blob,
}

/// How far a roster goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RosterHead {
    /// Number of its newest link.
    pub seqno: u32,
    /// Hash of that link.
    pub hash: Blob,
}

/// A person's keys of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubKeys {
    /// The oldest first.
    pub keys: Vec<HubKey>,
}

/// One key of a hub, for one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubKey {
    /// Its number, from 1.
    pub epoch: u32,
    /// `HubKeyWrap` for this person.
    pub wrap: Blob,
    /// The search root under it.
    pub search_root: Blob,
}

/// Keys of a hub, sealed for somebody who came later or has a new key of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HubKeyWraps {
    /// `HubKeyWrap`s.
    pub wraps: Vec<Blob>,
}

/// The members of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberList {
    /// By id.
    pub members: Vec<Member>,
}

/// A member of a hub. The signed roster says the same; this is what the server acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who.
    pub user: Id,
    /// As what.
    pub role: Role,
    /// Since when.
    pub since_ms: u64,
}

/// The members' sealed profiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileList {
    /// By id.
    pub profiles: Vec<Profile>,
}

/// A person's sealed profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Whose.
    pub user: Id,
    /// Name, number, languages; sealed. Nothing once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Blob>,
    /// Whether they may log in.
    pub active: bool,
}

/// A person's own profile, sealed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// Name, number, languages; sealed.
    pub profile: Blob,
}

/// Whether a person may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActiveChange {
    /// Whether they may; if not, all their sessions end.
    pub active: bool,
}

/// Whether a person runs the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuperAdminChange {
    /// Whether they do.
    pub super_admin: bool,
}

/// A hub's settings, which are announced in its roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubSettings {
    /// `SealedSettings` (`docs/protocol/hub-v1.md`); nothing before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Blob>,
}

/// The shifts of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShiftList {
    /// In the order of the hotline file.
    pub shifts: Vec<Shift>,
}

/// A recurring shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shift {
    /// What it is called.
    pub name: String,
    /// The days on which it begins: bit 0 for Monday to bit 6 for Sunday.
    pub days: u8,
    /// When it begins, in minutes after midnight in the hub's zone.
    pub from_minute: u16,
    /// When it ends; at or before the beginning means on the next day.
    pub to_minute: u16,
    /// Who is on it, by their names in the hotline file; oneself alone for who manages nothing.
    pub volunteers: Vec<String>,
    /// Which groups are on it.
    pub groups: Vec<String>,
}

/// The groups of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupList {
    /// By kind and name.
    pub groups: Vec<Group>,
}

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// A named set of volunteers.
    Ring,
    /// Rung when nobody is on duty.
    Fallback,
}

/// A group of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub kind: GroupKind,
    /// Who is in it, by their names in the hotline file; oneself alone for who manages nothing.
    pub volunteers: Vec<String>,
}

/// The volunteers of the hotline file who are on a shift or in a group of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    /// By name.
    pub accounts: Vec<Account>,
}

/// A volunteer of the hotline file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Their name in the file.
    pub volunteer: String,
    /// The person that they are, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Id>,
    /// Whether the file in force has them.
    pub in_file: bool,
}

/// Which person a volunteer of the hotline file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountLink {
    /// A member of the hub; nobody without.
    pub user: Option<Id>,
}
