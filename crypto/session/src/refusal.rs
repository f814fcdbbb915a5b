//! Why something was not done: a code for the program, a sentence for the person.

use crypto::hub::{HubError, RosterError};
use crypto::identity::{DraftError, InviteError, LoginError, PukError, SigchainError};
use crypto::provisioning::ProvisionError;
use crypto::record::RecordError;
use crypto::transparency::{CheckpointRefused, FormatError, LogAltered, OwnChainAltered};
use crypto::vault::{CodeTextError, PasscodeRefused, VaultError};
use crypto::{EntropyError, Error};

/// What a program can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// The session is locked: ask for the PIN.
    Locked,
    /// PIN, recovery key or backup code is wrong.
    WrongCode,
    /// A new PIN or passphrase is too easy to guess.
    WeakCode,
    /// A typed code has a typing mistake.
    Mistyped,
    /// A share is missing, or was given and is not used.
    Share,
    /// There is not enough memory.
    OutOfMemory,
    /// The operating system gave no random bytes.
    NoRandomness,
    /// The bytes are not what they should be, or the text is not a name.
    Malformed,
    /// Made by a newer version of the program.
    TooNew,
    /// Older than what was seen before: the server may be hiding something.
    Rollback,
    /// Another history than was seen before, or it belongs elsewhere.
    Moved,
    /// A signature does not hold, or the bytes were altered.
    Altered,
    /// Not sealed to this person or device.
    NotForYou,
    /// Somebody is among the readers who may not be.
    ReaderNotAllowed,
    /// Another key of this person is needed: load the device list and items keys.
    KeyNeeded,
    /// A person whose device list was not loaded.
    UnknownPerson,
    /// A login for another server or device, too old, or already used.
    Login,
    /// The digits differ, or somebody is between two devices.
    Interference,
    /// A step that is not next.
    OutOfTurn,
    /// A limit of the format.
    Limit,
    /// A rule of the device list or of the hotline does not allow it.
    NotAllowed,
    /// Whoever used an invitation is not who was invited: perhaps the server itself.
    NotVouched,
    /// Too few witnesses have confirmed the key log lately.
    Unconfirmed,
    /// The key log does not have somebody's device list, or a member list, or not its newest
    /// change.
    Unlogged,
    /// The key log has keys under this person's name that they did not make.
    ForeignKeys,
    /// The key log and this device disagree about the person's newest change.
    Withheld,
    /// The device has no key store, or it is not running (apps only, as the next three).
    NoKeyStore,
    /// The device's key store is locked: ask the person to unlock it.
    KeyStoreLocked,
    /// The device's key store did not let the app.
    KeyStoreRefused,
    /// The device's key store has no share for this vault: recovery key or another device.
    ShareMissing,
}

impl Code {
    /// The name by which programs in other languages know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::WrongCode => "wrong-code",
            Self::WeakCode => "weak-code",
            Self::Mistyped => "mistyped",
            Self::Share => "share",
            Self::OutOfMemory => "out-of-memory",
            Self::NoRandomness => "no-randomness",
            Self::Malformed => "malformed",
            Self::TooNew => "too-new",
            Self::Rollback => "rollback",
            Self::Moved => "moved",
            Self::Altered => "altered",
            Self::NotForYou => "not-for-you",
            Self::ReaderNotAllowed => "reader-not-allowed",
            Self::KeyNeeded => "key-needed",
            Self::UnknownPerson => "unknown-person",
            Self::Login => "login",
            Self::Interference => "interference",
            Self::OutOfTurn => "out-of-turn",
            Self::Limit => "limit",
            Self::NotAllowed => "not-allowed",
            Self::NotVouched => "not-vouched",
            Self::Unconfirmed => "unconfirmed",
            Self::Unlogged => "unlogged",
            Self::ForeignKeys => "foreign-keys",
            Self::Withheld => "withheld",
            Self::NoKeyStore => "no-key-store",
            Self::KeyStoreLocked => "key-store-locked",
            Self::KeyStoreRefused => "key-store-refused",
            Self::ShareMissing => "share-missing",
        }
    }
}

/// Why something was not done. Holds no plaintext and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    code: Code,
    sentence: String,
}

impl Refusal {
    /// What a program can act on.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What a person can be shown.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    pub(crate) fn new(code: Code, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { code, sentence }
    }

    pub(crate) fn locked() -> Self {
        Self::new(Code::Locked, "this device is locked; enter the PIN")
    }
}

impl From<EntropyError> for Refusal {
    fn from(error: EntropyError) -> Self {
        Self::new(Code::NoRandomness, error.to_string())
    }
}

impl From<CodeTextError> for Refusal {
    fn from(error: CodeTextError) -> Self {
        Self::new(Code::Mistyped, error.to_string())
    }
}

impl From<PasscodeRefused> for Refusal {
    fn from(error: PasscodeRefused) -> Self {
        Self::new(Code::WeakCode, error.to_string())
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        let code = match error {
            VaultError::Entropy(_) => Code::NoRandomness,
            VaultError::UnknownVersion { .. } | VaultError::UnknownKdf(_) => Code::TooNew,
            VaultError::ShareMissing(_) | VaultError::ShareUnused(_) => Code::Share,
            VaultError::Refused | VaultError::EscrowRefused | VaultError::BackupCodeUnknown => {
                Code::WrongCode
            }
            VaultError::OutOfMemory => Code::OutOfMemory,
            VaultError::EscrowLength { .. } => Code::Limit,
            _ => Code::Malformed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SigchainError> for Refusal {
    fn from(error: SigchainError) -> Self {
        use SigchainError as E;
        let code = match error {
            E::Entropy(_) => Code::NoRandomness,
            E::UnknownVersion(_) => Code::TooNew,
            E::NotSigchain | E::Malformed(_) | E::Empty => Code::Malformed,
            E::TooLong | E::TooManyDevices => Code::Limit,
            E::Rollback => Code::Rollback,
            E::Fork | E::OtherUser { .. } => Code::Moved,
            E::DeviceKnown | E::NoSuchDevice | E::LastDevice => Code::NotAllowed,
            E::PukNeeded => Code::KeyNeeded,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PukError> for Refusal {
    fn from(error: PukError) -> Self {
        let code = match error {
            PukError::Entropy(_) => Code::NoRandomness,
            PukError::None | PukError::NoGeneration(_) => Code::KeyNeeded,
            PukError::NotForThisDevice => Code::NotForYou,
            PukError::NotItemsKey => Code::Malformed,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        let code = match error {
            LoginError::Entropy(_) => Code::NoRandomness,
            LoginError::UnknownVersion(_) => Code::TooNew,
            LoginError::Malformed => Code::Malformed,
            _ => Code::Login,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ProvisionError> for Refusal {
    fn from(error: ProvisionError) -> Self {
        let code = match error {
            ProvisionError::Entropy(_) => Code::NoRandomness,
            ProvisionError::Code(_) => Code::Mistyped,
            ProvisionError::UnknownVersion(_) => Code::TooNew,
            ProvisionError::NotAnInvitation => Code::Malformed,
            ProvisionError::Unexpected => Code::OutOfTurn,
            ProvisionError::TooLong { .. } => Code::Limit,
            _ => Code::Interference,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        use RecordError as E;
        let code = match error {
            E::Entropy(_) => Code::NoRandomness,
            E::LengthChanged { .. }
            | E::NoReaders
            | E::TooManyReaders { .. }
            | E::TooLong { .. }
            | E::NoMoreRevisions => Code::Limit,
            E::NotThis(_) | E::CutOff | E::Malformed(_) | E::Io(_) | E::VoicemailIsIngest => {
                Code::Malformed
            }
            E::UnknownVersion(_) | E::UnknownSuite(_) | E::UnknownKind => Code::TooNew,
            E::Moved | E::OtherAuthor => Code::Moved,
            E::Rollback { .. } | E::NotSuccessor => Code::Rollback,
            E::ReaderNotAllowed(_) => Code::ReaderNotAllowed,
            E::WrapReplaced(_) => Code::Altered,
            E::NotAReader => Code::NotForYou,
            E::OtherKeyNeeded { .. } => Code::KeyNeeded,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RosterError> for Refusal {
    fn from(error: RosterError) -> Self {
        use RosterError as E;
        let code = match error {
            E::UnknownVersion(_) => Code::TooNew,
            E::NotRoster | E::Malformed(_) | E::Empty => Code::Malformed,
            E::TooLong | E::TooMany => Code::Limit,
            E::Rollback => Code::Rollback,
            E::Fork | E::OtherHub { .. } => Code::Moved,
            E::SigchainMissing(_) | E::NoReader(_) => Code::UnknownPerson,
            E::Sigchain { reason, .. } => Self::from(reason).code,
            E::NotAdmin { .. }
            | E::NoBootstrap
            | E::NoAdminLeft
            | E::NotMember(_)
            | E::AlreadyMember(_)
            | E::NoSuchRole(_) => Code::NotAllowed,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        use HubError as E;
        let code = match error {
            E::Entropy(_) => Code::NoRandomness,
            E::UnknownVersion(_) => Code::TooNew,
            E::Malformed => Code::Malformed,
            E::NotForThisKey => Code::NotForYou,
            E::SettingsOutdated { .. } => Code::Rollback,
            E::OtherEpoch(_) => Code::KeyNeeded,
            E::NotVouched => Code::NotVouched,
            E::EventTooLong | E::SettingsTooLong | E::TermLength | E::FieldTooShort => Code::Limit,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<InviteError> for Refusal {
    fn from(error: InviteError) -> Self {
        let code = match error {
            InviteError::UnknownVersion(_) => Code::TooNew,
            InviteError::Malformed => Code::Malformed,
            InviteError::NotOfChain => Code::NotAllowed,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<DraftError> for Refusal {
    fn from(error: DraftError) -> Self {
        let code = match error {
            DraftError::Entropy(_) => Code::NoRandomness,
            DraftError::UnknownVersion(_) => Code::TooNew,
            DraftError::Malformed => Code::Malformed,
            DraftError::TooLong => Code::Limit,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

/// Of voicemail; records have errors of their own.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Entropy(_) => Code::NoRandomness,
            Error::UnknownVersion(_) | Error::UnknownSuite(_) => Code::TooNew,
            Error::Io(_)
            | Error::NotVoicemail
            | Error::HeaderTruncated
            | Error::HeaderMalformed(_)
            | Error::NoSuchChunk { .. } => Code::Malformed,
            Error::NotARecipient => Code::NotForYou,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FormatError> for Refusal {
    fn from(error: FormatError) -> Self {
        Self::new(Code::Malformed, error.to_string())
    }
}

impl From<CheckpointRefused> for Refusal {
    fn from(error: CheckpointRefused) -> Self {
        use CheckpointRefused as E;
        let code = match error {
            E::Format(_) => Code::Malformed,
            E::TooFewWitnesses { .. } | E::Stale { .. } => Code::Unconfirmed,
            E::Rollback => Code::Rollback,
            E::Fork | E::OtherLog => Code::Moved,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<LogAltered> for Refusal {
    fn from(error: LogAltered) -> Self {
        let code = match error {
            LogAltered::NoCheckpoint => Code::KeyNeeded,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}

impl From<OwnChainAltered> for Refusal {
    fn from(error: OwnChainAltered) -> Self {
        let code = match error {
            OwnChainAltered::Foreign { .. } => Code::ForeignKeys,
            _ => Code::Withheld,
        };
        Self::new(code, error.to_string())
    }
}
