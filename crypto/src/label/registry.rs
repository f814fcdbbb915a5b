//! Generated from `labels.json` by `tests/labels.rs`; do not edit.

/// What a key, a hash or a sealed body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Label {
    /// cobblestone: voicemail or recording.
    VoicemailBody,
    /// hpke: content key sealed by the server on ingest.
    IngestKeyWrap,
    /// hmac: server-held: caller number for bans and rate limits.
    CallerIdHmac,
    /// hash: reader public key -> key id in a list of wraps.
    ReaderKeyId,
}

impl Label {
    /// The text that separates this purpose from all others.
    pub const fn value(self) -> &'static str {
        match self {
            Self::VoicemailBody => "hl/v1/record/voicemail-body",
            Self::IngestKeyWrap => "hl/v1/record/ingest-key-wrap",
            Self::CallerIdHmac => "hl/v1/hub/caller-id-hmac",
            Self::ReaderKeyId => "hl/v1/record/reader-key-id",
        }
    }
}
