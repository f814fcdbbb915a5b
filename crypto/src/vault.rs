//! A device's seed at rest, the server's half of its protection, and the ways back in.
//!
//! A [`Vault`] keeps the seed of a device under a PIN or passphrase **and** a
//! second share: six digits alone are a matter of hours for whoever has the
//! file, so no vault can be made without a share of the device's key store or of
//! the server. The server's share ([`ServerShare`]) is given out against proof
//! of the right code only, and ten wrong tries destroy it. Who has lost the code
//! or the device comes back with the [`RecoveryKey`] or a [`BackupCode`], each
//! of which opens an [`Escrow`].
//!
//! The byte formats are in `docs/protocol/vault-v1.md`.

mod auth;
mod backup;
mod code_text;
mod error;
mod escrow;
mod passcode;
mod recovery;
mod sealed;
mod server_share;
mod share;
mod stored;
mod stretch;

pub use auth::{AuthSecret, Verifier};
pub use backup::{BACKUP_CODES, BackupCode, BackupEntry, BackupSet};
pub use error::{CodeTextError, PasscodeRefused, ShareRefused, VaultError};
pub use escrow::{Escrow, EscrowKey, MAX_ESCROW_BYTES};
pub use passcode::{ChosenPasscode, MAX_PASSCODE_BYTES, Passcode};
pub use recovery::RecoveryKey;
pub use sealed::{Attempt, Sealed, Unlocked, Vault};
pub use server_share::{MAX_WRONG_TRIES, ServerShare};
pub use share::{Share, Shares, VaultId};
pub use stretch::Kdf;

pub(crate) use code_text::{
    decode as decode_code, decode_bytes, encode as encode_code, encode_bytes,
};
