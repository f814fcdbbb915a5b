//! Who may do what in a hub.

use std::ops::BitOr;

use crate::id::RoleId;

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permissions(u32);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);
    /// Write records, and read those that one wrote.
    pub const WRITE_RECORDS: Self = Self(1);
    /// Read all records.
    pub const READ_RECORDS: Self = Self(1 << 1);
    /// Take calls and see that they happen.
    pub const TAKE_CALLS: Self = Self(1 << 2);
    /// Read the history of calls.
    pub const READ_CALLS: Self = Self(1 << 3);
    /// Read the sealed numbers of callers.
    pub const READ_CALLERS: Self = Self(1 << 4);
    /// Hear messages.
    pub const HEAR_VOICEMAIL: Self = Self(1 << 5);
    /// Ban numbers and lift bans.
    pub const MANAGE_BANS: Self = Self(1 << 6);
    /// Invite people, change their roles, remove them.
    pub const MANAGE_MEMBERS: Self = Self(1 << 7);
    /// Define roles.
    pub const MANAGE_ROLES: Self = Self(1 << 8);
    /// Change the hub's settings and shifts.
    pub const MANAGE_HUB: Self = Self(1 << 9);
    /// Read the audit trail.
    pub const READ_AUDIT: Self = Self(1 << 10);
    /// Erase records, callers and people.
    pub const ERASE: Self = Self(1 << 11);

    /// All of them.
    pub const ALL: Self = Self((1 << 12) - 1);

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The set as a number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set that is written as `bits`; `None` when it names a permission that this program
    /// does not know.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a member is in a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes calls, writes notes, reads own notes.
    Volunteer,
    /// May do everything in the hub.
    HubAdmin,
    /// Reads all records and the history of calls; changes nothing.
    Reviewer,
    /// Hands in reports and reads own ones.
    Reporter,
    /// A role that the hub defined.
    Own(RoleId),
}

impl Role {
    /// The permissions of a built-in role; `None` for one of the hub's own, which are in its
    /// definition.
    #[must_use]
    pub fn permissions(self) -> Option<Permissions> {
        match self {
            Self::Volunteer => Some(Permissions::WRITE_RECORDS | Permissions::TAKE_CALLS),
            Self::HubAdmin => Some(Permissions::ALL),
            Self::Reviewer => Some(
                Permissions::READ_RECORDS | Permissions::READ_CALLS | Permissions::HEAR_VOICEMAIL,
            ),
            Self::Reporter => Some(Permissions::WRITE_RECORDS),
            Self::Own(_) => None,
        }
    }

    /// What a super-admin, who runs the installation, may do in a hub without being a member:
    /// manage it, and read nothing of its people or callers.
    #[must_use]
    pub fn super_admin_permissions() -> Permissions {
        Permissions::MANAGE_MEMBERS
            | Permissions::MANAGE_ROLES
            | Permissions::MANAGE_HUB
            | Permissions::READ_AUDIT
            | Permissions::ERASE
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Volunteer => "volunteer",
            Self::HubAdmin => "hub-admin",
            Self::Reviewer => "reviewer",
            Self::Reporter => "reporter",
            Self::Own(_) => "own",
        }
    }

    pub(crate) fn own(&self) -> Option<&[u8]> {
        match self {
            Self::Own(id) => Some(&id.0),
            _ => None,
        }
    }

    pub(crate) fn parse(word: &str, own: Option<[u8; 16]>) -> Option<Self> {
        match (word, own) {
            ("volunteer", None) => Some(Self::Volunteer),
            ("hub-admin", None) => Some(Self::HubAdmin),
            ("reviewer", None) => Some(Self::Reviewer),
            ("reporter", None) => Some(Self::Reporter),
            ("own", Some(id)) => Some(Self::Own(RoleId(id))),
            _ => None,
        }
    }
}
