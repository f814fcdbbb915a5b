//! What can be wrong with a hub's list and keys, in words for its members.

use crate::encoding::ReadError;
use crate::entropy::EntropyError;
use crate::id::UserId;
use crate::identity::SigchainError;

/// Why a roster is refused, or cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// The first bytes are not those of a roster or of one of its links.
    #[error("this is not part of a member list")]
    NotRoster,
    /// A version that this build does not read.
    #[error("member list version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// The bytes break a rule of the format.
    #[error("the member list is malformed: {0}")]
    Malformed(&'static str),
    /// A roster without links.
    #[error("the member list is empty")]
    Empty,
    /// More links than [`crate::hub::MAX_ROSTER_LINKS`].
    #[error(
        "the member list has more than {} entries",
        crate::hub::MAX_ROSTER_LINKS
    )]
    TooLong,
    /// More members than [`crate::hub::MAX_MEMBERS`] or more roles than
    /// [`crate::hub::MAX_ROLES`].
    #[error(
        "a hub can have {} members and {} roles",
        crate::hub::MAX_MEMBERS,
        crate::hub::MAX_ROLES
    )]
    TooMany,
    /// A link that belongs to another hub.
    #[error("entry {seqno} of the member list belongs to another hub")]
    OtherHub {
        /// Number that the link should have.
        seqno: u32,
    },
    /// A link is missing or comes twice.
    #[error("entry {found} of the member list stands where entry {expected} belongs")]
    Gap {
        /// Number that belongs here.
        expected: u32,
        /// Number that the link has.
        found: u32,
    },
    /// The link does not follow the link before it.
    #[error("entry {seqno} of the member list does not follow the entry before it")]
    WrongPrev {
        /// Number of the link.
        seqno: u32,
    },
    /// Signed by somebody who may not: no member, or no admin.
    #[error("entry {seqno} of the member list is signed by somebody who is no admin of the hub")]
    NotAdmin {
        /// Number of the link.
        seqno: u32,
    },
    /// The signature does not fit.
    #[error("entry {seqno} of the member list was not signed by the device that it names")]
    BadSignature {
        /// Number of the link.
        seqno: u32,
    },
    /// A head of somebody's sigchain behind, or beside, one that the roster has
    /// spoken of already.
    #[error("entry {seqno} of the member list relies on an outdated device list")]
    StaleHead {
        /// Number of the link.
        seqno: u32,
    },
    /// The sigchain of a signer or of a member was not given.
    #[error("the device list of person {0} is missing")]
    SigchainMissing(UserId),
    /// A sigchain does not contain what the roster says of it, or does not have
    /// the signing device.
    #[error("the device list of person {user} does not fit the member list: {reason}")]
    Sigchain {
        /// Whose sigchain it is.
        user: UserId,
        /// What is wrong.
        reason: SigchainError,
    },
    /// The first link does not make its signer an admin.
    #[error("the member list does not begin with the hub's first admin")]
    NoBootstrap,
    /// The change would leave a hub that nobody can manage.
    #[error("the hub would be left without an admin")]
    NoAdminLeft,
    /// A change of somebody who is no member.
    #[error("person {0} is not a member of the hub")]
    NotMember(UserId),
    /// An addition of somebody who is a member.
    #[error("person {0} is a member of the hub already")]
    AlreadyMember(UserId),
    /// A role that was not defined.
    #[error("the hub has no role {0}")]
    NoSuchRole(u16),
    /// A hub key epoch that is not the next one.
    #[error("the list names hub key epoch {found}, but epoch {expected} belongs here")]
    Epoch {
        /// Epoch that belongs here.
        expected: u32,
        /// Epoch that was found.
        found: u32,
    },
    /// A revision of the settings that is not the next one.
    #[error(
        "the list names revision {found} of the settings, but revision {expected} belongs here"
    )]
    Settings {
        /// Revision that belongs here.
        expected: u32,
        /// Revision that was found.
        found: u32,
    },
    /// A member without a per-user key cannot be sealed to.
    #[error("person {0} has no key yet that could be sealed to")]
    NoReader(UserId),
    /// Fewer links than were seen before.
    #[error(
        "the server shows an older member list than it showed before: it may be hiding \
         that somebody was removed"
    )]
    Rollback,
    /// Another history than was seen before.
    #[error(
        "the server shows a different member list than it showed before: somebody may be \
         pretending to be this hub's admin"
    )]
    Fork,
}

impl From<ReadError> for RosterError {
    fn from(error: ReadError) -> Self {
        Self::Malformed(match error {
            ReadError::Ended => "it ends too early",
            ReadError::Length => "a length is wrong",
        })
    }
}

/// Why a hub key, an event or a search term is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Not the bytes of a sealed hub key or event.
    #[error("this is not a sealed hub key or event")]
    Malformed,
    /// A version that this build does not read.
    #[error("hub format version {0} is not known to this program; a newer one may read it")]
    UnknownVersion(u8),
    /// Sealed to somebody else or to another generation.
    #[error("this hub key is sealed to another person or to another of their keys")]
    NotForThisKey,
    /// The sealed key does not open.
    #[error("the hub key does not open: it was altered or belongs to another epoch")]
    WrapRefused,
    /// The opened key is not the one that an admin announced.
    #[error("the hub key is not the one that an admin of the hub announced")]
    KeySwapped,
    /// The event or the settings are of another epoch than the key.
    #[error("this was sealed under the hub key of epoch {0}")]
    OtherEpoch(u32),
    /// Not whom the link of the invitation was given to.
    #[error(
        "nobody who holds the link of this invitation vouches for these keys: they may be the \
         server's own"
    )]
    NotVouched,
    /// The event does not open.
    #[error("the event does not open: it was altered or belongs elsewhere")]
    EventRefused,
    /// The event is longer than [`crate::hub::MAX_EVENT_BYTES`].
    #[error("an event has at most {} bytes", crate::hub::MAX_EVENT_BYTES)]
    EventTooLong,
    /// Older settings than an admin announced.
    #[error(
        "the server shows revision {found} of the settings, but an admin has announced \
         revision {announced}"
    )]
    SettingsOutdated {
        /// Revision that was shown.
        found: u32,
        /// Revision by the roster.
        announced: u32,
    },
    /// Not the settings that an admin announced.
    #[error("the settings are not the ones that an admin of the hub announced")]
    SettingsSwapped,
    /// The settings do not open.
    #[error("the settings do not open: they belong to another revision or hub key")]
    SettingsRefused,
    /// The settings are longer than [`crate::hub::MAX_SETTINGS_BYTES`].
    #[error(
        "the settings of a hub have at most {} bytes",
        crate::hub::MAX_SETTINGS_BYTES
    )]
    SettingsTooLong,
    /// Too few values are possible for a field: its tokens could be counted.
    #[error(
        "a searchable field needs terms of at least {} characters",
        crate::hub::MIN_TERM_CHARS
    )]
    FieldTooShort,
    /// The term is too short for its field, or too long.
    #[error("this word is too short or too long to be searched for in this field")]
    TermLength,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<ReadError> for HubError {
    fn from(_: ReadError) -> Self {
        Self::Malformed
    }
}
