//! What is said over the WebSocket at [`FEED_PATH`]: that something changed, never what.
//!
//! A client opens it and sends a [`FeedLogin`] within five seconds. From then on the server sends
//! [`Notice`]s, and the client loads what it shows. Each is one text message of JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// Where the feed is.
pub const FEED_PATH: &str = "/api/v1/feed";
/// A client sends at most so many messages in a second (X4-23).
pub const FEED_MESSAGES_PER_S: u32 = 30;
/// A client sends at most so many bytes at once, whatever they are: messages, and the frames that
/// these are made of.
pub const FEED_AT_ONCE_BYTES: u32 = 80 * 1024;
/// And so many more in each second.
pub const FEED_BYTES_PER_S: u32 = 4 * 1024;
/// The longest message of a client, in bytes (X4-24).
pub const FEED_MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// A person has at most so many feeds open, from all devices.
pub const FEEDS_PER_PERSON: usize = 32;
/// A client logs in within this time, in seconds.
pub const FEED_LOGIN_S: u32 = 5;

/// The close code when the session has ended: refresh it or log in again.
pub const FEED_CLOSE_SESSION_ENDED: u16 = 4001;
/// The close code when the first message did not log in.
pub const FEED_CLOSE_NOT_LOGGED_IN: u16 = 4003;
/// The close code for more messages than [`FEED_MESSAGES_PER_S`], or more bytes than
/// [`FEED_BYTES_PER_S`].
pub const FEED_CLOSE_TOO_MANY: u16 = 4029;
/// The close code when the person has [`FEEDS_PER_PERSON`] others open.
pub const FEED_CLOSE_TOO_MANY_FEEDS: u16 = 4030;

/// The first message of a client: browsers cannot set headers on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedLogin {
    /// The access token.
    pub access: Blob,
    /// `RequestProof` over `GET`, [`FEED_PATH`], no body and the token.
    pub proof: Blob,
}

/// Something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// The login was taken; notices follow.
    Ready,
    /// In a hub.
    Changed {
        /// Which.
        hub: Id,
        /// What.
        topic: Topic,
    },
    /// Of the caller themself: their devices, or where they are logged in.
    Devices,
    /// Notices were lost: load everything that is shown.
    Missed,
}

/// What changed in a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Who belongs to it: the roster, roles, invitations that were used.
    Members,
    /// Its keys.
    Keys,
    /// Records: notes, reports, files.
    Records,
    /// Calls: begun, answered, over, reported as abuse.
    Calls,
    /// Messages of callers.
    Voicemail,
    /// Banned numbers.
    Bans,
    /// Settings, shifts and groups.
    Settings,
}
