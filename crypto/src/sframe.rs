//! Calls whose sound the exchange passes on and cannot hear: SFrame (RFC 9605).
//!
//! One device makes a [`CallKey`] and seals it to the devices in the call with a
//! signed [`CallKeyOffer`]. Each device then seals its sound with a
//! [`FrameSealer`], one frame at a time, and opens the others' with a
//! [`FrameOpener`], which says who spoke. Whoever comes or goes, there is a new
//! offer with a new key: who has left hears nothing that follows, who joins
//! nothing that came before.
//!
//! Both ends must be ours. A caller from the telephone network is heard by the
//! exchange, whatever happens here.
//!
//! The formats are in `docs/protocol/sframe-v1.md`.

mod call_key;
mod error;
mod frame;
mod offer;
mod window;

pub use call_key::{CallKey, MAX_MEMBERS, Member, mls_exporter_label};
pub use error::{CallKeyError, FrameError};
pub use frame::{FrameOpener, FrameSealer, MAX_FRAME_BYTES, MAX_FRAMES, MAX_STREAMS};
pub use offer::CallKeyOffer;
