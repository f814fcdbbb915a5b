//! Callers' numbers, sealed to the admins who may call back.
//!
//! The number is sealed where it first appears, in the voice loop, before the call is routed; what
//! goes on to the database are its keyed hash and the sealed record
//! (`docs/protocol/record-v1.md`, "What the server seals").

use crypto::record::{RecordKind, RecordPlace, RecordWriter};
use crypto::{OsEntropy, RecordId};
use routing::{CallId, PhoneNumber};
use store::Sealed;

use super::ingest::HubReaders;
use crate::keys::IngestKey;

/// Seals callers' numbers.
pub struct CallerSealer {
    key: IngestKey,
}

impl CallerSealer {
    /// Signs with the server's key.
    #[must_use]
    pub fn new(key: IngestKey) -> Self {
        Self { key }
    }

    /// The number of a call's caller, for the hub's admins; `None` when there is nobody to seal
    /// it to.
    #[must_use]
    pub fn seal(&self, call: CallId, number: &PhoneNumber, hub: &HubReaders) -> Option<Sealed> {
        if hub.call_back.is_empty() {
            return None;
        }
        let place = RecordPlace {
            kind: RecordKind::Contact,
            hub: hub.hub,
            record: record_of(call),
        };
        let writer = RecordWriter::ingest(self.key.id(), self.key.signing_key());
        let number = number.reveal().as_bytes();
        match writer.seal(place, number, &hub.call_back, &mut OsEntropy) {
            Ok(record) => Some(Sealed(record.encode())),
            Err(error) => {
                tracing::error!(%call, %error, "the caller's number could not be sealed, and is not kept");
                None
            }
        }
    }
}

/// The record is the call's: one caller cannot be shown in place of another.
fn record_of(call: CallId) -> RecordId {
    RecordId::from_bytes(u128::from(call.0).to_be_bytes())
}
