//! What a note says, before it is sealed and after it is opened. The server never has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The version that [`NoteText`] has now. A reader refuses any other.
pub const NOTE_TEXT_VERSION: u8 = 1;

/// The text of a note or a report and what was entered in the hub's own fields: one plaintext, so
/// one ciphertext (`docs/protocol/note-text-v1.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoteText {
    /// [`NOTE_TEXT_VERSION`].
    pub version: u8,
    /// What was written.
    pub text: String,
    /// By the id of the field in the hub's settings. A field that nothing was entered in is not
    /// there; one that the hub has no more stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldValue>,
}

/// What was entered in a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FieldValue {
    /// A box that was ticked, or not.
    Ticked(bool),
    /// Words, a number in decimal digits, a date as `2026-11-29`, or one choice.
    Text(String),
    /// Several choices.
    Several(Vec<String>),
}

impl From<&str> for NoteText {
    /// A note without fields.
    fn from(text: &str) -> Self {
        Self {
            version: NOTE_TEXT_VERSION,
            text: text.to_owned(),
            fields: BTreeMap::new(),
        }
    }
}
