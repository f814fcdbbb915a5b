//! Bringing a second device in.
//!
//! The new device shows an [`Invitation`] as a QR code or as a short code to
//! type; both devices meet in a [`Room`] on the server, agree on keys, and the
//! person types the six digits that the new device shows into the old one. Only
//! then can the old device send what makes the new one theirs.
//!
//! The old device commits to its key before the new one names its own, and
//! opens the commitment last: whoever sits between them must choose before
//! knowing what the digits depend on, and is found out but for one chance in a
//! million. Steps are types: a payload cannot be sent before the digits agree.
//!
//! ```text
//! old                                new
//! OldDevice::join     ── Commit ──▶  NewDevice::receive_commit
//! receive_share       ◀── Share ───
//!                     ── Reveal ──▶  NewDeviceAgreed::receive_reveal
//! receive_hello       ◀── Hello ───  (shows the digits)
//! confirm(digits), send ─ Payload ▶  receive_payload
//! ```
//!
//! The messages and the derivations are in `docs/protocol/provisioning-v1.md`.

mod error;
mod invitation;
mod message;
mod new_device;
mod old_device;
mod room;
mod session;

pub use error::{ProvisionError, RoomRefused};
pub use invitation::{Invitation, InvitationKind, RoomId};
pub use message::{MAX_MESSAGE_BYTES, MAX_SEALED_BYTES};
pub use new_device::{NewDevice, NewDeviceAgreed, NewDeviceWaiting};
pub use old_device::{OldDevice, OldDeviceComparing, OldDeviceConfirmed, OldDeviceRevealed};
pub use room::{MAX_MESSAGES, ROOM_LIFETIME_MS, Room, RoomPass};
pub use session::SafetyDigits;
