//! Why something was not done: a code for the program, a sentence for the person.

use crypto::EntropyError;
use crypto::identity::{LoginError, PukError, SigchainError};
use crypto::provisioning::ProvisionError;
use crypto::record::RecordError;
use crypto::vault::{CodeTextError, PasscodeRefused, VaultError};

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
    /// A rule of the device list does not allow it.
    NotAllowed,
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
            E::NoReaders | E::TooManyReaders { .. } | E::TooLong { .. } | E::NoMoreRevisions => {
                Code::Limit
            }
            E::NotThis(_) | E::CutOff | E::Malformed(_) | E::Io(_) | E::VoicemailIsIngest => {
                Code::Malformed
            }
            E::UnknownVersion(_) | E::UnknownSuite(_) | E::UnknownKind => Code::TooNew,
            E::Moved | E::OtherAuthor => Code::Moved,
            E::Rollback { .. } | E::NotSuccessor => Code::Rollback,
            E::ReaderNotAllowed(_) => Code::ReaderNotAllowed,
            E::NotAReader => Code::NotForYou,
            E::OtherKeyNeeded { .. } => Code::KeyNeeded,
            _ => Code::Altered,
        };
        Self::new(code, error.to_string())
    }
}
