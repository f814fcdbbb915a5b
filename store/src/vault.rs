//! The rows of the vault, as plain values. What has a meaning is sealed.

use jiff::Timestamp;

use crate::attachment::AttachmentRow;
use crate::id::{DeviceId, HubId, RecordId, RoleId, Sealed, SecretHash, UserId, VaultId};
use crate::role::{Permissions, Role};

/// A hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubRow {
    /// Its id.
    pub id: HubId,
    /// Its name in the hotline file.
    pub name: String,
    /// Since when it is known here.
    pub created_at: Timestamp,
}

/// Whether a person may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// Yes.
    Active,
    /// Not now.
    Deactivated,
    /// Never again: the profile is gone.
    Erased,
}

impl UserStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Erased => "erased",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Deactivated, Self::Erased]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Who.
    pub id: UserId,
    /// Name, number, languages; sealed. `None` once erased.
    pub profile: Option<Sealed>,
    /// Whether they may log in.
    pub status: UserStatus,
    /// Whether they run the installation.
    pub super_admin: bool,
    /// Since when they are known here.
    pub created_at: Timestamp,
}

/// A device of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Which.
    pub id: DeviceId,
    /// Whose.
    pub user: UserId,
    /// Its public key for signatures (Ed25519).
    pub sign_key: [u8; 32],
    /// Since when.
    pub added_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A role that a hub defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    /// Whose.
    pub hub: HubId,
    /// Which.
    pub id: RoleId,
    /// What it is called; sealed.
    pub name: Sealed,
    /// What it allows.
    pub permissions: Permissions,
}

/// A person's place in a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Where.
    pub hub: HubId,
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// A key of a hub, wrapped for each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubKeyRow {
    /// Whose.
    pub hub: HubId,
    /// Counts the keys, from 1.
    pub epoch: u32,
    /// What an admin's device signed about it.
    pub body: Sealed,
    /// The key for each member.
    pub wraps: Vec<(UserId, Sealed)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whom the server shows a record to. Who can open it is decided by its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Its author, and whoever may read all records.
    #[default]
    Shared,
    /// Its author alone.
    Private,
}

impl Visibility {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Shared => 0,
            Self::Private => 1,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        [Self::Shared, Self::Private]
            .into_iter()
            .find(|visibility| visibility.code() == code)
    }
}

/// One revision of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Where.
    pub hub: HubId,
    /// Which.
    pub id: RecordId,
    /// Counts the revisions, from 1.
    pub revision: u32,
    /// The code of its kind.
    pub kind: u16,
    /// The hash of what it follows; zeros for none.
    pub parent: [u8; 32],
    /// Who wrote it; `None` for what the server took in.
    pub author: Option<UserId>,
    /// The call that it is about.
    pub call: Option<u64>,
    /// Whom the server shows it to.
    pub visibility: Visibility,
    /// What the readers get; `None` once erased.
    pub sealed: Option<SealedRecord>,
    /// When it came here.
    pub created_at: Timestamp,
}

/// What the readers of a record get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// The signed header.
    pub header: Sealed,
    /// The encrypted body.
    pub body: Sealed,
    /// Counts the manifests of this revision, from 1.
    pub manifest_revision: u32,
    /// The signed list of readers, with the wrapped key for each.
    pub manifest: Sealed,
}

/// A word of the blind index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// The code of the field that it is from.
    pub field: u16,
    /// The keyed hash of the word.
    pub word: [u8; 16],
}

/// What is left of an erased record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Which record.
    pub record: RecordId,
    /// Who ordered it, signed.
    pub body: Sealed,
    /// When.
    pub erased_at: Timestamp,
}

/// An invitation into a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteRow {
    /// The hash of its code.
    pub code: SecretHash,
    /// Into which hub.
    pub hub: HubId,
    /// As what.
    pub role: Role,
    /// Who invites.
    pub invited_by: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Who used it, and when.
    pub used: Option<(UserId, Timestamp)>,
    /// What they showed for the hub's admins.
    pub voucher: Option<Vec<u8>>,
}

/// Settings of a hub that its members see and its server need not: the fields of notes, for
/// example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSettingRow {
    /// Whose.
    pub hub: HubId,
    /// The code of what they are about.
    pub topic: u16,
    /// Counts the changes, from 1.
    pub revision: u32,
    /// Sealed with the hub's key.
    pub body: Sealed,
    /// Who changed them last.
    pub author: UserId,
    /// When.
    pub changed_at: Timestamp,
}

/// One thing of the vault to be kept. What is added once and then never changes may be told
/// again: the same changes nothing, something else is refused as a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultChange {
    /// A hub of the hotline file got its id.
    HubAdded(HubRow),
    /// A person came.
    UserAdded(UserRow),
    /// A person's profile was sealed anew.
    ProfileChanged {
        /// Whose.
        user: UserId,
        /// The new one.
        profile: Sealed,
    },
    /// A person may log in, or may not; their sessions end then. An erased one stays erased.
    ActiveChanged {
        /// Who.
        user: UserId,
        /// Whether they may.
        active: bool,
    },
    /// A person runs the installation, or does no longer.
    SuperAdminChanged {
        /// Who.
        user: UserId,
        /// Whether they do.
        super_admin: bool,
    },
    /// A device was added.
    DeviceAdded(DeviceRow),
    /// A device was revoked; its sessions end, and the server's share of its vault goes.
    DeviceRevoked {
        /// Which.
        device: DeviceId,
        /// When.
        at: Timestamp,
    },
    /// The next link of a person's sigchain.
    SigchainExtended {
        /// Whose.
        user: UserId,
        /// Its number, from 1, without gaps.
        seqno: u64,
        /// The signed link.
        link: Vec<u8>,
    },
    /// The next link of a hub's roster.
    RosterExtended {
        /// Whose.
        hub: HubId,
        /// Its number, from 1, without gaps.
        seqno: u64,
        /// The signed link.
        link: Vec<u8>,
    },
    /// A role was defined, or its definition changed.
    RoleDefined(RoleRow),
    /// A person became a member, or their role changed; refused for one who was erased.
    MemberSet(MemberRow),
    /// A person left a hub; the hub's keys are no longer handed to them.
    MemberRemoved {
        /// Where.
        hub: HubId,
        /// Who.
        user: UserId,
    },
    /// A hub's next key. A roster names an erased person until an admin signs otherwise; a wrap
    /// for them is not kept.
    HubKeyAdded(Box<HubKeyRow>),
    /// A hub's key was wrapped for a member who came later, or anew; not kept for one who was
    /// erased.
    HubKeyWrapped {
        /// Whose key.
        hub: HubId,
        /// Which key.
        epoch: u32,
        /// For whom.
        user: UserId,
        /// The wrapped key.
        wrap: Sealed,
    },
    /// A device left the server's share of its vault's key, its first or the next; refused for a
    /// device that was revoked, and for a vault of somebody else.
    VaultShareSet {
        /// Which vault.
        vault: VaultId,
        /// Whose.
        user: UserId,
        /// Which device the vault opens.
        device: DeviceId,
        /// The share with its count.
        body: Sealed,
    },
    /// Somebody tried to open a vault: the count of its share changed.
    VaultShareTried {
        /// Which vault.
        vault: VaultId,
        /// The share with its count.
        body: Sealed,
    },
    /// The next revision of a record, with the words that it is found by from now on.
    RecordAdded {
        /// The revision.
        record: Box<RecordRow>,
        /// All its words.
        tokens: Vec<Token>,
    },
    /// The readers of a revision changed.
    ManifestReplaced {
        /// Where.
        hub: HubId,
        /// Which record.
        record: RecordId,
        /// Which revision.
        revision: u32,
        /// One more than the manifest before it.
        manifest_revision: u32,
        /// The new list.
        manifest: Sealed,
        /// Whom the server shows the revision to from now on.
        visibility: Visibility,
    },
    /// A person may hear a message; not kept for one who was erased.
    VoicemailReaderSet {
        /// Which.
        recording: u64,
        /// Who.
        user: UserId,
        /// The message's key for them, where it is not in the file.
        wrap: Option<Sealed>,
    },
    /// The caller of a call, sealed to those who may call back.
    CallerSealed {
        /// Which call.
        call: u64,
        /// The number.
        sealed: Sealed,
    },
    /// Somebody was invited.
    InviteAdded(InviteRow),
    /// An invitation was used; refused when it was used, has expired or is gone.
    InviteUsed {
        /// The hash of its code.
        code: SecretHash,
        /// By whom.
        by: UserId,
        /// When.
        at: Timestamp,
        /// What they show for the hub's admins.
        voucher: Vec<u8>,
    },
    /// An invitation was withdrawn.
    InviteRevoked {
        /// The hash of its code.
        code: SecretHash,
    },
    /// A hub's settings on one topic changed; refused unless the revision is one more than what
    /// is there.
    HubSettingChanged(HubSettingRow),
    /// The upload of a file began; refused when it is too long, or the person has too many begun.
    AttachmentBegun(AttachmentRow),
    /// The next piece of a file; refused when it is not the next, or not as long as it must be.
    AttachmentChunkAdded {
        /// Where.
        hub: HubId,
        /// Which file.
        record: RecordId,
        /// Counts the pieces, from 0.
        position: u32,
        /// [`ATTACHMENT_CHUNK_BYTES`](crate::ATTACHMENT_CHUNK_BYTES); the last one what is left.
        body: Sealed,
    },
    /// A file is whole. Its record must have been added by the same person, in this commit at
    /// the latest.
    AttachmentCompleted {
        /// Where.
        hub: HubId,
        /// Which file.
        record: RecordId,
    },
    /// An upload was given up. A file that is whole stays.
    AttachmentCancelled {
        /// Where.
        hub: HubId,
        /// Which file.
        record: RecordId,
    },
    /// Uploads that began before this and are not whole are given up.
    UploadsExpired {
        /// When they began at the latest.
        before: Timestamp,
    },
    /// The next leaf of the key-transparency log.
    LogExtended {
        /// Its number, from 0, without gaps.
        position: u64,
        /// The leaf.
        leaf: Vec<u8>,
    },
    /// A head of the log was signed, or got more signatures.
    CheckpointSigned {
        /// How many leaves it covers.
        size: u64,
        /// The signed note.
        note: String,
    },
}

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// A caller: the hash and the sealed number leave all call records, of one hub or of all, and
    /// the messages that they left there are deleted with who may open them. Whoever orders it
    /// deletes the files of the messages first.
    Caller {
        /// Who.
        caller: crate::row::CallerHash,
        /// The hub's name; `None` for all hubs.
        hub: Option<String>,
        /// Whether a ban stays, which needs the hash.
        keep_bans: bool,
    },
    /// A record: bodies, headers, wrapped keys and words of all revisions, and the bytes of its
    /// files.
    Record {
        /// Where.
        hub: HubId,
        /// Which.
        record: RecordId,
        /// Who ordered it, signed.
        tombstone: Sealed,
        /// When.
        at: Timestamp,
    },
    /// A person: profile, sessions, devices, passkeys, ways back in, wrapped keys and shares,
    /// which volunteers of the hotline file they were, whose names leave all call records, and
    /// their private records with words and files, which nobody else could open. The sigchain
    /// stays, with the keys of the devices that were, because what they signed for others rests
    /// on it; so does what they wrote for others. Refused while they are a member of a hub.
    User {
        /// Who.
        user: UserId,
    },
}
