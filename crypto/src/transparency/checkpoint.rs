//! The signed state of a log (c2sp.org/tlog-checkpoint).

use base64ct::{Base64, Encoding};

use super::error::FormatError;
use super::note::{LogKey, Note, NoteName};
use super::proof::{Hash, MAX_TREE_SIZE};
use super::signer::LogSigner;

/// The longest checkpoint with its signatures, in bytes.
pub const MAX_CHECKPOINT_BYTES: usize = 16 * 1024;

const WHAT: &str = "a checkpoint";

/// How long a log is, and the hash over all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: NoteName,
    /// Entries.
    pub size: u64,
    /// Root of the Merkle tree over them.
    pub root: [u8; 32],
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let root = Base64::encode_string(&self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    pub(super) fn tree(&self) -> (u64, &Hash) {
        (self.size, &self.root)
    }

    fn parse(text: &str) -> Result<Self, FormatError> {
        let malformed = |why| FormatError { what: WHAT, why };
        let mut lines = text.split_terminator('\n');
        let mut line = || lines.next().ok_or(malformed("a line is missing"));
        let origin = NoteName::new(line()?)?;
        let size = parse_size(line()?).ok_or(malformed("its size"))?;
        let root = parse_hash(line()?).ok_or(malformed("its root"))?;
        // Extension lines are allowed, and signed by log and witness alike.
        if lines.any(str::is_empty) {
            return Err(malformed("a line is empty"));
        }
        Ok(Self { origin, size, root })
    }
}

/// A checkpoint as it is sent: with signatures, of which none is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    whole: String,
    pub(super) note: Note,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    pub(super) fn sign(checkpoint: &Checkpoint, signer: &LogSigner) -> Self {
        let text = checkpoint.text();
        let whole = format!("{text}\n{}", signer.sign(&text));
        Self::parse(&whole).expect("what was just written is well-formed")
    }

    /// Reads what was sent.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn parse(whole: &str) -> Result<Self, FormatError> {
        if whole.len() > MAX_CHECKPOINT_BYTES {
            let why = "it is too long";
            return Err(FormatError { what: WHAT, why });
        }
        let note = Note::parse(whole)?;
        Ok(Self {
            checkpoint: Checkpoint::parse(&note.text)?,
            note,
            whole: whole.to_owned(),
        })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether this log has signed it. What witnesses have signed is not looked at.
    pub fn is_signed_by(&self, log: &LogKey) -> bool {
        log.verify(&self.note) == Some(true)
    }

    /// To send and to store.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// Adds the signature lines of a witness's answer, in place of what the same
    /// keys have signed before: a witness confirms again and again. Nothing of
    /// it is checked; [`super::WitnessKey::confirmation`] gives what is.
    ///
    /// # Errors
    /// [`FormatError`] when these are no signature lines, or too many.
    pub fn with_cosignatures(&self, lines: &str) -> Result<Self, FormatError> {
        let added = Note::parse(&format!("{}\n{lines}", self.note.text))?;
        // Lines cannot smuggle in another text.
        if added.text != self.note.text {
            let why = "it changes the text";
            return Err(FormatError {
                what: "a cosignature",
                why,
            });
        }
        Self::parse(&self.note.updated(&added).whole())
    }
}

/// A decimal without leading zeros, within bounds.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    let size = text.parse().ok().filter(|size| *size <= MAX_TREE_SIZE)?;
    canonical.then_some(size)
}

pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let decoded = Base64::decode(text, &mut hash).ok()?;
    (decoded.len() == 32).then_some(hash)
}
