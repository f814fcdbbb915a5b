//! Sealed records, format 1 (`docs/protocol/record-v1.md`): notes, messages,
//! transcripts, reports, contacts, attachments.
//!
//! One revision of a record is one content key and one sealed body. The author's
//! device signs what it is, where it belongs and the hash of the body; a signed
//! manifest holds the content key, wrapped once for each reader. So every
//! reader reads the same text, and readers come and go without the body being
//! touched.
//!
//! A record is made with a [`RecordWriter`]. Before anything in it is believed,
//! [`RecordFront::verify`] compares it with what the reader [`Expected`]; only
//! the [`VerifiedFront`] opens it or changes who can read it.
//!
//! What this cannot do: notice that a *public key* was swapped before it was
//! sealed to, or that a record is withheld. The first belongs to the sigchain
//! and key transparency, the second to the revision chain and the audit log.
//! Nor is it forward secrecy: each revision has its own key, but a stolen reader
//! key opens every revision that was sealed to it.

mod body;
mod context;
mod erasure;
mod error;
mod export;
mod header;
mod manifest;
mod pieces;
mod sealed;
mod verified;
mod wrap;
mod writer;

pub use body::{BodyReader, MAX_ATTACHMENT_BYTES, MAX_RECORD_BYTES};
pub use context::{RecordContext, RecordKind, RecordPlace};
pub use erasure::Erasure;
pub use error::RecordError;
pub use export::{Export, ExportFacts};
pub use header::{KnownDevice, RecordAuthor, RecordHeader, VoicemailHash};
pub use manifest::{MAX_READERS, Manifest};
pub use pieces::BodyOpener;
pub use sealed::{Position, RecordFront, SealedRecord};
pub use verified::{Expected, NOBODY, Opened, VerifiedFront};
pub use wrap::{ManifestEntry, OpeningKey, WrapKind};
pub use writer::{BodyWriter, RecordWriter};
