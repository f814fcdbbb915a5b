//! What can happen.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What happened. The codes and words never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum AuditKind {
            $($(#[$doc])* $name,)*
        }

        impl AuditKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code that is stored and hashed.
            #[must_use]
            pub fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The word in listings.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

impl AuditKind {
    /// The kind of this code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

// From 1: calls, people and settings. From 100: logins and what concerns personal data.
// From 200: keys, records and the store itself.
kinds! {
    /// A volunteer took a call.
    CallAnswered = 1, "call-answered";
    /// A call is over.
    CallEnded = 2, "call-ended";
    /// A call ended without an answer.
    CallMissed = 3, "call-missed";
    /// A caller left a message.
    VoicemailReceived = 4, "voicemail-received";
    /// A note was written.
    NoteCreated = 5, "note-created";
    /// A note got another revision.
    NoteEdited = 6, "note-edited";
    /// A person became a volunteer.
    VolunteerAdded = 7, "volunteer-added";
    /// A volunteer left the hub.
    VolunteerRemoved = 8, "volunteer-removed";
    /// A person became an admin.
    AdminPromoted = 9, "admin-promoted";
    /// An admin is none any more.
    AdminDemoted = 10, "admin-demoted";
    /// A volunteer began a break.
    VolunteerOnBreak = 11, "volunteer-on-break";
    /// A volunteer's break ended.
    VolunteerAvailable = 12, "volunteer-available";
    /// Whether or how devices transcribe what they hear was changed, as the admin's device says:
    /// the server neither transcribes nor sees into the settings. A
    /// [`HubSettingsChanged`](Self::HubSettingsChanged) comes before it.
    TranscriptionToggled = 13, "transcription-toggled";
    /// A shift was made.
    ShiftCreated = 14, "shift-created";
    /// A shift was changed.
    ShiftEdited = 15, "shift-edited";
    /// A shift was deleted.
    ShiftDeleted = 16, "shift-deleted";
    /// A number was banned.
    NumberBanned = 17, "number-banned";
    /// A ban was lifted.
    NumberUnbanned = 18, "number-unbanned";
    /// Somebody was invited.
    InviteCreated = 19, "invite-created";
    /// An invitation was withdrawn.
    InviteRevoked = 20, "invite-revoked";
    /// A measure against abuse was turned on or off.
    SpamMitigationToggled = 21, "spam-mitigation-toggled";
    /// Settings of calls were changed.
    CallSettingsUpdated = 22, "call-settings-updated";
    /// The language that callers hear was changed.
    IvrLanguagesUpdated = 23, "ivr-languages-updated";
    /// A prompt of the hub's own, recorded or as a text, was added or changed.
    IvrAudioUploaded = 24, "ivr-audio-uploaded";
    /// A prompt of the hub's own was taken away; callers hear the built-in one.
    IvrAudioDeleted = 25, "ivr-audio-deleted";
    /// The fields of notes were changed, as the admin's device says: the server cannot see into
    /// the settings. A [`HubSettingsChanged`](Self::HubSettingsChanged) comes before it.
    CustomFieldsUpdated = 26, "custom-fields-updated";
    /// The telephony provider was changed.
    TelephonyProviderChanged = 27, "telephony-provider-changed";
    /// What people may do with passkeys was changed: they were turned off, or on again.
    WebauthnSettingsUpdated = 28, "webauthn-settings-updated";
    /// A passkey was registered.
    WebauthnRegistered = 29, "webauthn-registered";
    /// Somebody logged in with a passkey.
    WebauthnLogin = 30, "webauthn-login";
    /// A passkey was deleted.
    WebauthnDeleted = 31, "webauthn-deleted";
    /// Somebody logged out.
    Logout = 32, "logout";
    /// Somebody logged in with a device key.
    KeyLogin = 100, "key-login";
    /// A login was refused.
    LoginFailed = 101, "login-failed";
    /// An invitation was used.
    InviteRedeemed = 102, "invite-redeemed";
    /// A profile was changed.
    ProfileChanged = 103, "profile-changed";
    /// A volunteer's phone was changed.
    PhoneChanged = 104, "phone-changed";
    /// A person may log in again.
    UserActivated = 105, "user-activated";
    /// A person may no longer log in.
    UserDeactivated = 106, "user-deactivated";
    /// The fallback group was changed.
    FallbackChanged = 107, "fallback-changed";
    /// A caller's number was revealed.
    PhoneRevealed = 108, "phone-revealed";
    /// Data was exported.
    Exported = 109, "exported";
    /// A call was reported as abuse.
    SpamReported = 110, "spam-reported";
    /// A token that had been exchanged was shown again; its session ended.
    TokenReused = 111, "token-reused";
    /// Somebody came back with a backup code or a recovery key.
    AccountRecovered = 112, "account-recovered";
    /// New backup codes or a new recovery key replaced the old ones.
    RecoveryReplaced = 113, "recovery-replaced";
    /// A device was added.
    DeviceAdded = 200, "device-added";
    /// A device was revoked.
    DeviceRevoked = 201, "device-revoked";
    /// A person's key was changed.
    UserKeyRotated = 202, "user-key-rotated";
    /// A hub's key was changed.
    HubKeyRotated = 203, "hub-key-rotated";
    /// A hub was added.
    HubAdded = 204, "hub-added";
    /// A member's role was changed.
    RoleChanged = 205, "role-changed";
    /// A role was defined or changed.
    RoleDefined = 206, "role-defined";
    /// The readers of a record were changed.
    ReadersChanged = 207, "readers-changed";
    /// A message was listened to.
    VoicemailHeard = 208, "voicemail-heard";
    /// A message was deleted.
    VoicemailDeleted = 209, "voicemail-deleted";
    /// A person wrote a record of the kind message.
    MessageSent = 210, "message-sent";
    /// A hotline file was applied.
    HotlineApplied = 211, "hotline-applied";
    /// A record was erased.
    RecordErased = 212, "record-erased";
    /// A caller was erased.
    CallerErased = 213, "caller-erased";
    /// A person was erased.
    UserErased = 214, "user-erased";
    /// Old entries of this trail expired.
    AuditExpired = 215, "audit-expired";
    /// A backup was made.
    BackupMade = 216, "backup-made";
    /// A backup was taken in.
    BackupRestored = 217, "backup-restored";
    /// Too many wrong tries destroyed the share of a vault.
    VaultShareDestroyed = 218, "vault-share-destroyed";
    /// A hub's key was sealed to a member who came later, or to a member's new key.
    HubKeyShared = 220, "hub-key-shared";
    /// A hub's settings were changed, or sealed again under a new key: names, templates,
    /// questions.
    HubSettingsChanged = 221, "hub-settings-changed";
    /// A key of the server was given up for another one.
    ServerKeyReplaced = 222, "server-key-replaced";
    /// The next authority was made, by which devices are to trust the panel.
    AuthorityRenewed = 223, "authority-renewed";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_kinds_share_a_code_or_a_word() {
        let codes: BTreeSet<_> = AuditKind::ALL.iter().map(|kind| kind.code()).collect();
        let words: BTreeSet<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(codes.len(), AuditKind::ALL.len());
        assert_eq!(words.len(), AuditKind::ALL.len());
        for kind in AuditKind::ALL {
            assert_eq!(AuditKind::from_code(kind.code()), Some(*kind));
        }
    }
}
