//! What went wrong, for programs and for people (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every refusal, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// For programs.
    pub code: Code,
    /// For people: what is wrong and what to do about it.
    pub detail: String,
    /// After how many seconds another try may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// Kinds of refusal. They never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request is not what this path takes.
    Malformed,
    /// The body is longer than this path takes.
    TooLarge,
    /// Nobody is logged in, or the login has ended: log in again.
    LoginNeeded,
    /// The access token has expired: refresh it.
    TokenExpired,
    /// The device's signature is missing or wrong.
    BadProof,
    /// The session was idle for too long: unlock the device and log in again.
    Idle,
    /// A locked device only looks: unlock it.
    Locked,
    /// Logged in, but without the right to do this.
    NotAllowed,
    /// There is no such thing, or not for this person.
    NotFound,
    /// It contradicts what is there: load that first.
    Conflict,
    /// What was sent does not verify.
    NotVerified,
    /// It was used, has expired, or never existed.
    Spent,
    /// Too many requests: wait.
    TooMany,
    /// The method does not exist on this path.
    NoSuchMethod,
    /// The database cannot be written now; calls go on.
    Unavailable,
    /// A fault of the server.
    Internal,
}
