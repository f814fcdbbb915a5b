//! An unlocked device as one object, for apps that are not written in Rust.
//!
//! Nothing here is cryptography: the crate `crypto` does it all. What is added
//! is the shape that a binding needs. Keys stay behind a [`Session`] and never
//! come out; ids are text; every failure is a [`Refusal`] with a code that a
//! program can act on and a sentence for the person.
//!
//! Three things that a person or a server must have do come out, and are named
//! for it: recovery key and backup codes ([`RecoverySheet`], [`BackupSheet`]), the text of a pairing code
//! ([`NewPairing::invitation`]), and what the server keeps of a vault
//! ([`ServerPart`]). No seed and no content key does.

mod files;
mod hotline;
mod invitation;
mod locked_view;
mod names;
mod notes;
mod own_data;
mod pairing;
mod people;
mod pinned;
mod recovery;
mod refusal;
mod session;
mod transparency;
mod unlock;
mod voicemail;
mod wiping;

pub use files::{OpeningFile, SealedFile, SealingFile};
pub use hotline::NewHubKey;
pub use locked_view::LockedView;
pub use names::{
    device_named, field_named, hub_named, invitation_named, kind_named, place_named, record_named,
    tokens_shown, user_named, users_named, visibility_named,
};
pub use notes::{Author, Expectation, OpenedNote, Rewrap, SealedNote};
pub use pairing::{NewPairing, OldPairing};
pub use people::People;
pub use pinned::Pinned;
pub use recovery::{BackupSheet, RecoverySheet};
pub use refusal::{Code, Refusal};
pub use session::Session;
pub use transparency::LogFollower;
pub use unlock::{NewVault, PasscodeChange, ServerPart, Unlocking, VaultFacts, VaultShares};
pub use voicemail::{ServerKey, SignedRecording, Voicemail};
pub use wiping::Wiping;

use crypto::Entropy;

/// Where a session takes its randomness from.
pub type SharedEntropy = Box<dyn Entropy + Send + Sync>;
