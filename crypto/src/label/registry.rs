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
    /// sign: hub membership/role chain link.
    HubRosterLink,
    /// hash: key-transparency leaf: user, seqno, chain head.
    KtLeaf,
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
    /// cobblestone: note and its custom fields.
    NoteBody,
    /// cobblestone: conversation message.
    MessageBody,
    /// cobblestone: transcript.
    TranscriptBody,
    /// cobblestone: report, case or event record.
    ReportBody,
    /// cobblestone: contact or relationship.
    ContactBody,
    /// aead: local draft.
    DraftBody,
    /// cobblestone: attachment.
    AttachmentBody,
    /// cobblestone: voicemail or recording.
    VoicemailBody,
    /// hpke: content key to one reader.
    RecordKeyWrap,
    /// hpke: content key sealed by the server on ingest.
    IngestKeyWrap,
    /// sign: author signature over context and body.
    RecordHeader,
    /// sign: server signature over an ingested record.
    IngestHeader,
    /// sign: signed reader manifest.
    RecordManifest,
    /// sign: erasure tombstone.
    RecordErasure,
    /// hpke: hub key epoch to one member.
    HubKeyWrap,
    /// hkdf: hub key -> event key for one sender device.
    HubEventKey,
    /// aead: realtime event content.
    HubEventBody,
    /// hkdf: hub key -> rotating relay topic tag.
    HubTopic,
    /// aead: encrypted hub settings, names, templates.
    HubSettingsBody,
    /// hkdf: search root -> per-field HMAC key.
    BlindIndexKey,
    /// hmac: normalised term -> index token.
    BlindIndexTerm,
    /// hmac: server-held: caller number for bans and rate limits.
    CallerIdHmac,
    /// hkdf: PIN hash + device share + optional PRF -> vault KEK.
    VaultKek,
    /// aead: device seed at rest.
    VaultBlob,
    /// hash: WebAuthn PRF eval input.
    VaultPrfSalt,
    /// hkdf: recovery key -> KEK.
    RecoveryKek,
    /// hkdf: backup code -> server-side verifier half.
    BackupCodeAuth,
    /// hkdf: backup code -> escrow KEK half.
    BackupCodeKek,
    /// hkdf: provisioning ECDH -> session keys.
    ProvisionSession,
    /// hkdf: provisioning transcript -> short code.
    ProvisionSas,
    /// cobblestone: GDPR export file.
    ExportBody,
    /// hkdf: call secret -> SFrame base key per sender.
    SframeBaseKey,
    /// hpke: call secret to one participant.
    CallKeyWrap,
    /// hash: audit chain entry.
    AuditEntry,
    /// hash: reader public key -> key id in a list of wraps.
    ReaderKeyId,
    /// hkdf: stretched code -> proof to the server for its share.
    VaultShareAuth,
    /// hash: what the server keeps of a proof.
    AuthVerifier,
    /// aead: secret under a recovery key or backup code.
    EscrowBlob,
    /// hash: old device commits to its key.
    ProvisionCommit,
    /// hash: all that two devices said in the clear.
    ProvisionTranscript,
    /// aead: sealed message between two devices.
    ProvisionMessage,
    /// hash: user and chain head -> half of a safety number.
    SafetyNumber,
    /// sign: redemption of an invite (origin, code, chain).
    InviteProof,
    /// hkdf: device seed -> key of local drafts.
    DraftKey,
    /// hkdf: hub key -> what its members recognise it by.
    HubKeyCommitment,
    /// aead: search root under the hub key.
    HubSearchRoot,
    /// sign: who gives a call its secret.
    CallKeyOffer,
    /// mls exporter: MLS group -> call secret.
    MlsCallSecret,
    /// hpke: content key of a backup to a recovery key.
    BackupKeyWrap,
    /// cobblestone: the rows and files of a backup.
    BackupBody,
    /// hash: header of a vault -> under what a key store keeps its share.
    VaultShareName,
    /// hkdf: hub key + invitation -> what its link carries past the server.
    InviteSecret,
    /// hkdf: secret of an invitation -> voucher for the keys of who used it.
    InviteVoucher,
    /// hmac: key of a running server + login challenge -> half of its nonce.
    LoginNonce,
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
            Self::HubRosterLink => "hl/v1/sigchain/hub-roster-link",
            Self::KtLeaf => "hl/v1/sigchain/kt-leaf",
            Self::PukHpkeIkm => "hl/v1/puk/puk-hpke-ikm",
            Self::PukSym => "hl/v1/puk/puk-sym",
            Self::PukDeviceWrap => "hl/v1/puk/puk-device-wrap",
            Self::PukPrevBox => "hl/v1/puk/puk-prev-box",
            Self::ItemsKeyWrap => "hl/v1/puk/items-key-wrap",
            Self::ItemsCekWrap => "hl/v1/puk/items-cek-wrap",
            Self::NoteBody => "hl/v1/record/note-body",
            Self::MessageBody => "hl/v1/record/message-body",
            Self::TranscriptBody => "hl/v1/record/transcript-body",
            Self::ReportBody => "hl/v1/record/report-body",
            Self::ContactBody => "hl/v1/record/contact-body",
            Self::DraftBody => "hl/v1/record/draft-body",
            Self::AttachmentBody => "hl/v1/record/attachment-body",
            Self::VoicemailBody => "hl/v1/record/voicemail-body",
            Self::RecordKeyWrap => "hl/v1/record/record-key-wrap",
            Self::IngestKeyWrap => "hl/v1/record/ingest-key-wrap",
            Self::RecordHeader => "hl/v1/record/record-header",
            Self::IngestHeader => "hl/v1/record/ingest-header",
            Self::RecordManifest => "hl/v1/record/record-manifest",
            Self::RecordErasure => "hl/v1/record/record-erasure",
            Self::HubKeyWrap => "hl/v1/hub/hub-key-wrap",
            Self::HubEventKey => "hl/v1/hub/hub-event-key",
            Self::HubEventBody => "hl/v1/hub/hub-event-body",
            Self::HubTopic => "hl/v1/hub/hub-topic",
            Self::HubSettingsBody => "hl/v1/hub/hub-settings-body",
            Self::BlindIndexKey => "hl/v1/hub/blind-index-key",
            Self::BlindIndexTerm => "hl/v1/hub/blind-index-term",
            Self::CallerIdHmac => "hl/v1/hub/caller-id-hmac",
            Self::VaultKek => "hl/v1/vault/vault-kek",
            Self::VaultBlob => "hl/v1/vault/vault-blob",
            Self::VaultPrfSalt => "hl/v1/vault/vault-prf-salt",
            Self::RecoveryKek => "hl/v1/vault/recovery-kek",
            Self::BackupCodeAuth => "hl/v1/vault/backup-code-auth",
            Self::BackupCodeKek => "hl/v1/vault/backup-code-kek",
            Self::ProvisionSession => "hl/v1/vault/provision-session",
            Self::ProvisionSas => "hl/v1/vault/provision-sas",
            Self::ExportBody => "hl/v1/vault/export-body",
            Self::SframeBaseKey => "hl/v1/realtime/sframe-base-key",
            Self::CallKeyWrap => "hl/v1/realtime/call-key-wrap",
            Self::AuditEntry => "hl/v1/audit/audit-entry",
            Self::ReaderKeyId => "hl/v1/record/reader-key-id",
            Self::VaultShareAuth => "hl/v1/vault/share-auth",
            Self::AuthVerifier => "hl/v1/vault/auth-verifier",
            Self::EscrowBlob => "hl/v1/vault/escrow-blob",
            Self::ProvisionCommit => "hl/v1/vault/provision-commit",
            Self::ProvisionTranscript => "hl/v1/vault/provision-transcript",
            Self::ProvisionMessage => "hl/v1/vault/provision-message",
            Self::SafetyNumber => "hl/v1/sigchain/safety-number",
            Self::InviteProof => "hl/v1/device/invite-proof",
            Self::DraftKey => "hl/v1/device/draft-key",
            Self::HubKeyCommitment => "hl/v1/hub/hub-key-commitment",
            Self::HubSearchRoot => "hl/v1/hub/hub-search-root",
            Self::CallKeyOffer => "hl/v1/realtime/call-key-offer",
            Self::MlsCallSecret => "hl/v1/realtime/mls-call-secret",
            Self::BackupKeyWrap => "hl/v1/backup/backup-key-wrap",
            Self::BackupBody => "hl/v1/backup/backup-body",
            Self::VaultShareName => "hl/v1/vault/share-name",
            Self::InviteSecret => "hl/v1/hub/invite-secret",
            Self::InviteVoucher => "hl/v1/hub/invite-voucher",
            Self::LoginNonce => "hl/v1/device/login-nonce",
        }
    }
}
