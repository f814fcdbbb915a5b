//! Login with a device key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, EntryCode, Id};

/// A device wants to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// Which.
    pub device: Id,
}

/// What the device is to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChallengeAnswer {
    /// `LoginChallenge` (`docs/protocol/sigchain-v1.md`).
    pub challenge: Blob,
}

/// The signed challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// `LoginProof` (`docs/protocol/sigchain-v1.md`).
    pub proof: Blob,
}

/// What lets a device in. Each is worth nothing without the device's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Whose session it is.
    pub user: Id,
    /// The session, to end it from another device.
    pub session: Id,
    /// Goes with every request, as `Authorization: Bearer`.
    pub access: Blob,
    /// When the access token ends.
    pub access_expires_at_ms: u64,
    /// Good for one exchange against new tokens: that request carries it in place of the access
    /// token, and is signed over it.
    pub refresh: Blob,
    /// When the refresh token ends.
    pub refresh_expires_at_ms: u64,
    /// After how many seconds without a request the session ends.
    pub idle_after_s: u32,
    /// For how many seconds at most a device stays unlocked without its PIN being typed again,
    /// however much it is used.
    pub unlocked_at_most_s: u32,
}

/// The first admin's keys, against the code that the server printed at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    /// The printed code: upper case, groups of four with dashes.
    #[schema(value_type = String)]
    pub code: EntryCode,
    /// The new person's whole sigchain, with the device of a recovery key on it.
    pub sigchain: Blob,
    /// The escrow of that recovery key: nobody comes in without a way back in.
    pub recovery_escrow: Blob,
    /// Name and languages, sealed.
    pub profile: Blob,
    /// `InviteProof` over the code (`docs/protocol/sigchain-v1.md`, "Redeeming an invite").
    pub proof: Blob,
}

/// Who somebody is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Welcome {
    /// The person of the sigchain. A login with its device works now.
    pub user: Id,
}
