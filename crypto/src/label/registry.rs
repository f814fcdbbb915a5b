//! Generated from `labels.json` by `tests/labels.rs`; do not edit.

/// What a key, a hash or a sealed body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Label {
    /// hkdf: device seed -> Ed25519 seed.
    DeviceSignSeed,
    /// hkdf: device seed -> X25519 HPKE DeriveKeyPair ikm.
    DeviceHpkeIkm,
    /// hkdf: device seed + hub id + epoch -> secp256k1 transport scalar.
    DeviceNostrKey,
    /// sign: Ed25519 binds HPKE, Nostr and DM keys to the device.
    DeviceSubkeyAttest,
    /// sign: login challenge (origin, nonce, expiry).
    AuthChallenge,
    /// sign: per-request proof of possession.
    RequestPop,
    /// sign: device sigchain link.
    SigchainLink,
    /// hash: hash of the previous link.
    SigchainHash,
    /// hkdf: PUK seed -> reader X25519 key pair.
    PukHpkeIkm,
    /// hkdf: PUK seed -> symmetric key.
    PukSym,
    /// hpke: PUK seed to one device.
    PukDeviceWrap,
    /// aead: PUK generation n-1 under generation n.
    PukPrevBox,
    /// aead: items_key under PUK_SYM.
    ItemsKeyWrap,
    /// aead: content key under items_key.
    ItemsCekWrap,
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
            Self::DeviceSignSeed => "hl/v1/device/device-sign-seed",
            Self::DeviceHpkeIkm => "hl/v1/device/device-hpke-ikm",
            Self::DeviceNostrKey => "hl/v1/device/device-nostr-key",
            Self::DeviceSubkeyAttest => "hl/v1/device/device-subkey-attest",
            Self::AuthChallenge => "hl/v1/device/auth-challenge",
            Self::RequestPop => "hl/v1/device/request-pop",
            Self::SigchainLink => "hl/v1/sigchain/sigchain-link",
            Self::SigchainHash => "hl/v1/sigchain/sigchain-hash",
            Self::PukHpkeIkm => "hl/v1/puk/puk-hpke-ikm",
            Self::PukSym => "hl/v1/puk/puk-sym",
            Self::PukDeviceWrap => "hl/v1/puk/puk-device-wrap",
            Self::PukPrevBox => "hl/v1/puk/puk-prev-box",
            Self::ItemsKeyWrap => "hl/v1/puk/items-key-wrap",
            Self::ItemsCekWrap => "hl/v1/puk/items-cek-wrap",
            Self::VoicemailBody => "hl/v1/record/voicemail-body",
            Self::IngestKeyWrap => "hl/v1/record/ingest-key-wrap",
            Self::CallerIdHmac => "hl/v1/hub/caller-id-hmac",
            Self::ReaderKeyId => "hl/v1/record/reader-key-id",
        }
    }
}
