//! Sealed voicemail, format 1 (`docs/protocol/voicemail-v1.md`).
//!
//! A byte stream that is only ever appended to: a header with the facts of the
//! recording, one wrapped content key per reader, then the sound in sealed
//! chunks of 16 KiB.
//!
//! **Truncation is reported, not refused.** A recording whose end is missing,
//! because the power failed or because somebody cut it, opens up to its last
//! whole chunk and says that it is not complete. A caller's words are worth more
//! than the neatness of the file. What does open is always authentic and in
//! place; an altered, moved or missing chunk before the end is an error.

mod format;
mod reader;
mod writer;

pub use format::{MAX_ID_BYTES, MAX_RECIPIENTS, SAMPLE_RATES_HZ, VoicemailMeta};
pub use reader::{Chunks, VoicemailReader};
pub use writer::VoicemailWriter;
