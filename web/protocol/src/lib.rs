//! What clients and the server say to each other, defined once.
//!
//! Plain values with their JSON form; no behaviour, and no knowledge of the rest of the house.
//! `generated/openapi.json` and `generated/api.ts` are made from these types and the route table
//! of `web-api`; a test keeps them equal.
//!
//! Ids are 32 hexadecimal digits. Bytes are base64url without padding (RFC 4648 section 5).
//! Times are Unix milliseconds, in UTC. What is called "sealed" is ciphertext in one of the
//! formats of `docs/protocol/`; the server passes it on and does not look inside.

mod audit;
mod call;
mod device;
mod feed;
mod hub;
mod invite;
mod login;
mod note;
mod pairing;
mod passkey;
mod problem;
mod record;
mod role;
mod session;
mod text;
mod transparency;
mod vault;

pub use audit::{
    AuditEntry, AuditHead, AuditKept, AuditPage, AuditQuery, AuditSubject, AuditVerification,
    MAX_AUDIT_PER_PAGE,
};
pub use call::{
    BanList, BanQuery, BanView, CallEndView, CallOutcome, CallPage, CallQuery, CallReportView,
    CallView, CallerErasure, CallerView, MAX_BANS_PER_PAGE, MAX_CALLS_PER_PAGE,
    MAX_VOICEMAILS_PER_PAGE, NewBan, RungView, VoicemailList, VoicemailQuery, VoicemailView,
};
pub use device::{DeviceFacts, Devices, SigchainUpdate};
pub use feed::{
    FEED_AT_ONCE_BYTES, FEED_BYTES_PER_S, FEED_CLOSE_NOT_LOGGED_IN, FEED_CLOSE_SESSION_ENDED,
    FEED_CLOSE_TOO_MANY, FEED_CLOSE_TOO_MANY_FEEDS, FEED_LOGIN_S, FEED_MESSAGE_MAX_BYTES,
    FEED_MESSAGES_PER_S, FEED_PATH, FEEDS_PER_PERSON, FeedLogin, Notice, Topic,
};
pub use hub::{
    Account, AccountLink, AccountList, ActiveChange, EpochSearchRoot, Group, GroupKind, GroupList,
    HubKey, HubKeyWraps, HubKeys, HubList, HubSettings, HubSummary, MAX_LINKS_PER_REQUEST, Member,
    MemberList, PersonSigchain, Profile, ProfileChange, ProfileList, ROSTER_ROLE_HUB_ADMIN,
    ROSTER_ROLE_REPORTER, ROSTER_ROLE_REVIEWER, ROSTER_ROLE_VOLUNTEER, RosterExtension, RosterHead,
    RosterPage, RosterQuery, SettingsPart, Shift, ShiftList, SigchainsPage, SigchainsQuery,
    SuperAdminChange,
};
pub use invite::{
    INVITE_LIFETIME_MAX_MS, InviteCode, InviteFacts, InviteMade, InviteOffer, InviteQuery,
    InviteRedemption, InviteRequest, InviteUse, Invites, MAX_INVITES_PER_PAGE,
};
pub use login::{
    BootstrapRequest, ChallengeAnswer, ChallengeRequest, LoginRequest, Tokens, Welcome,
};
pub use note::{FieldValue, NOTE_TEXT_VERSION, NoteText};
pub use pairing::{RoomEntry, RoomHeard, RoomMessage, RoomReading};
pub use passkey::{
    PasskeyAttempt, PasskeyFacts, PasskeyLogin, PasskeyName, PasskeyRegistration, Passkeys,
};
pub use problem::{Code, Problem};
pub use record::{
    BytesQuery, ExportQuery, FILE_PIECE_BYTES, FileAnnouncement, FileCompletion, FileList,
    FileState, IndexToken, MAX_FOUND, MAX_READ_BYTES, MAX_RECORDS_PER_PAGE, MAX_TOKENS_PER_RECORD,
    MAX_TOKENS_PER_SEARCH, NewReaders, NewRecord, RecordErasure, RecordHistory, RecordKind,
    RecordPage, RecordQuery, RecordRevision, SearchAnswer, SearchRequest, Visibility,
};
pub use role::{Permission, Role};
pub use session::{Me, MyHub, SessionFacts, Sessions, ViewKey};
pub use text::{Blob, Cursor, EntryCode, Id, NotText};
pub use transparency::{
    CheckpointAnswer, ConsistencyQuery, InclusionQuery, IngestKeyView, LeavesPage, LeavesQuery,
    MAX_LEAVES_PER_PAGE, ProofAnswer, ServerFacts,
};

pub use vault::{
    BACKUP_CODES, BackupCode, BackupCodeUse, BackupCodes, EscrowAnswer, EscrowRequest,
    ItemsKeyAdded, ItemsKeys, RecoveryFacts, ShareAnswer, ShareProposal, ShareRequest,
};

/// Where every path of the API begins.
pub const API_ROOT: &str = "/api/v1";
/// The header that carries the device's signature over the request
/// (`docs/protocol/sigchain-v1.md`, "Requests"); base64url.
pub const PROOF_HEADER: &str = "centralita-proof";
