//! The room in which two devices of a person meet (`docs/protocol/provisioning-v1.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Blob, Id};

/// A device comes into a room: the new one opens it, the old one joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomEntry {
    /// 16 random bytes, by which the room knows this device.
    pub pass: Blob,
}

/// A message for the other device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomMessage {
    /// The pass of the device that says it.
    pub pass: Blob,
    /// The message.
    pub message: Blob,
}

/// A device waits for a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomReading {
    /// The pass of the device that waits.
    pub pass: Blob,
    /// The number of the message, from 0.
    pub place: u8,
}

/// A message, or none yet: ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomHeard {
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Blob>,
    /// Whose device has joined the room, by the word of the server: a new device makes its card
    /// for them. Where that is a lie, the other device does not let it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Id>,
}
