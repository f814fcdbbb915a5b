//! Key transparency: nobody is shown other keys than everybody else.
//!
//! The server that hands out a colleague's keys could hand out its own instead,
//! and read what is sealed to them. So it must enter the head of every key chain
//! and roster in one public, append-only [`Log`] (RFC 6962), sign its state
//! ([`SignedCheckpoint`], c2sp.org/tlog-checkpoint) and have [`Witness`]es, run
//! by others, confirm that nothing was taken back (c2sp.org/tlog-cosignature).
//! A [`Client`] believes only a checkpoint that enough of its witnesses have
//! signed lately, that continues the one before, and whose [`FullLog`] holds
//! under the person's own name nothing but what they did themselves.
//!
//! What this cannot do: prevent. It makes a forged key visible to the person
//! whose name it bears, and a second version of the log impossible without the
//! help of the witnesses. Two people who have never met compare a
//! [`SafetyNumber`].
//!
//! The formats are in `docs/protocol/transparency-v1.md`.

mod checkpoint;
mod client;
mod error;
mod full_log;
mod leaf;
mod log;
mod note;
mod proof;
mod safety_number;
mod signer;
mod witness;

pub use checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES, SignedCheckpoint};
pub use client::{Client, FUTURE_TOLERANCE_S, MAX_WITNESSES};
pub use error::{CheckpointRefused, FormatError, LogAltered, OwnChainAltered};
pub use full_log::FullLog;
pub use leaf::{Leaf, Subject};
pub use log::Log;
pub use note::{LogKey, NoteName, WitnessKey};
pub use proof::{MAX_PROOF_HASHES, MAX_TREE_SIZE, Proof};
pub use safety_number::SafetyNumber;
pub use signer::{LogSigner, WitnessSigner};
pub use witness::{
    ADD_CHECKPOINT_PATH, AddCheckpoint, Checked, MAX_REQUEST_BYTES, Witness, WitnessRefusal,
};
