//! What clients and the server say to each other, defined once.
//!
//! Plain values with their JSON form; no behaviour, and no knowledge of the rest of the house.
//! `generated/openapi.json` and `generated/api.ts` are made from these types and the route table
//! of `web-api`; a test keeps them equal.
//!
//! Ids are 32 hexadecimal digits. Bytes are base64url without padding (RFC 4648 section 5).
//! Times are Unix milliseconds, in UTC. What is called "sealed" is ciphertext in one of the
//! formats of `docs/protocol/`; the server passes it on and does not look inside.

mod login;
mod problem;
mod text;

pub use login::{
    BootstrapRequest, ChallengeAnswer, ChallengeRequest, LoginRequest, RefreshRequest, Tokens,
};
pub use problem::{Code, Problem};
pub use text::{Blob, Id, NotText};

/// Where every path of the API begins.
pub const API_ROOT: &str = "/api/v1";
/// The header that carries the device's signature over the request
/// (`docs/protocol/sigchain-v1.md`, "Requests"); base64url.
pub const PROOF_HEADER: &str = "centralita-proof";
