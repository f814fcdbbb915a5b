//! Signed notes: text with signature lines (c2sp.org/signed-note).

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};

use super::checkpoint::SignedCheckpoint;
use super::error::FormatError;
use crate::primitive::{Signature, VerifyingKey};

/// The most signature lines that are looked at; the specification wants 16.
const MAX_SIGNATURES: usize = 32;
const MAX_NAME_BYTES: usize = 255;
const KEY_ID_BYTES: usize = 4;
const DASH: &str = "\u{2014} ";

/// What a key signs, as its id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum KeyType {
    /// The text as it is.
    Note = 1,
    /// Text and time: `cosignature/v1` (c2sp.org/tlog-cosignature).
    Cosignature = 4,
}

/// The name of a key: not empty, without spaces, `+` or control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteName(String);

impl NoteName {
    /// Takes a name such as `hotline.example/keys`.
    ///
    /// # Errors
    /// [`FormatError`] for a name that no note can carry.
    pub fn new(name: &str) -> Result<Self, FormatError> {
        let unfit = |character: char| {
            character.is_whitespace() || character.is_control() || character == '+'
        };
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(unfit) {
            return Err(FormatError {
                what: "the name of a key",
                why: "it is empty, too long, or has a space or a plus sign",
            });
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name and a public key of one type. Its text is the usual verifier key,
/// `<name>+<key id>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedKey {
    name: NoteName,
    pub(super) kind: KeyType,
    key: VerifyingKey,
}

impl NamedKey {
    /// The name before each signature.
    pub(super) fn name(&self) -> &NoteName {
        &self.name
    }

    /// The id before each signature.
    fn id(&self) -> [u8; KEY_ID_BYTES] {
        let front = [self.name.0.as_bytes(), b"\n", &[self.kind as u8]].concat();
        let digest = crate::primitive::hash(&[&front, &self.key.as_bytes()[..]].concat());
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        id
    }

    /// The signature line, with its newline.
    pub(super) fn line(&self, signature: &[u8]) -> String {
        let line = SignatureLine {
            name: self.name.clone(),
            id: self.id(),
            signature: signature.to_vec(),
        };
        line.to_string()
    }

    /// What this key put below a note.
    fn signatures<'a>(&self, lines: &'a [SignatureLine]) -> impl Iterator<Item = &'a [u8]> {
        let (name, id) = (self.name.clone(), self.id());
        lines
            .iter()
            .filter(move |line| line.name == name && line.id == id)
            .map(|line| &line.signature[..])
    }

    /// The id in hexadecimal.
    pub(super) fn id_text(&self) -> String {
        self.id().map(|byte| format!("{byte:02x}")).concat()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id_text();
        let key = [&[self.kind as u8], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{id}+{}", self.name, Base64::encode_string(&key))
    }

    fn read(kind: KeyType, text: &str) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "a verifier key",
            why,
        };
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("it is not name+id+key"));
        };
        let mut bytes = [0; 1 + VerifyingKey::BYTES];
        let decoded = Base64::decode(encoded, &mut bytes).map_err(|_| malformed("its base64"))?;
        let Some((found, key)) = decoded.split_first() else {
            return Err(malformed("its key is missing"));
        };
        if *found != kind as u8 {
            return Err(malformed("the key is for another use"));
        }
        let key = key
            .try_into()
            .map_err(|_| malformed("its key is cut off"))?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| malformed("its key is unsafe"))?;
        let name = NoteName::new(name)?;
        let named = Self { name, kind, key };
        if named.id_text() != id {
            return Err(malformed("its id does not fit its key"));
        }
        Ok(named)
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident, $kind:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub(super) NamedKey);

        impl $name {
            /// Takes a name and its public key.
            pub fn new(name: NoteName, key: VerifyingKey) -> Self {
                let kind = $kind;
                Self(NamedKey { name, kind, key })
            }

            /// The name that stands before its signatures.
            pub fn name(&self) -> &NoteName {
                &self.0.name
            }

            /// The public key.
            pub fn key(&self) -> &VerifyingKey {
                &self.0.key
            }
        }

        /// The text for configuration files, `<name>+<key id>+<base64>`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f)
            }
        }

        impl FromStr for $name {
            type Err = FormatError;

            fn from_str(text: &str) -> Result<Self, FormatError> {
                NamedKey::read($kind, text).map(Self)
            }
        }
    )*};
}

keys! {
    /// Whose checkpoints are believed. The name is the log's origin.
    LogKey, KeyType::Note;
    /// Whose confirmation of checkpoints counts.
    WitnessKey, KeyType::Cosignature;
}

impl LogKey {
    /// Whether the log signed this; `None` when it did not sign at all.
    pub(super) fn verify(&self, note: &Note) -> Option<bool> {
        let signatures = self.0.signatures(&note.lines);
        all(signatures.map(|signature| {
            let signature = signature.try_into().ok().map(Signature::from_bytes);
            signature.is_some_and(|signature| {
                self.0.key.verify(note.text.as_bytes(), &signature).is_ok()
            })
        }))
    }
}

impl WitnessKey {
    /// When the witness last confirmed this, in Unix seconds; `None` when it did
    /// not sign.
    ///
    /// # Errors
    /// [`ForgedSignature`] when a line bears its name and does not fit.
    pub(super) fn confirmed_at_s(&self, note: &Note) -> Result<Option<u64>, ForgedSignature> {
        let mut latest = None;
        for content in self.0.signatures(&note.lines) {
            let (time, signature) = content.split_first_chunk().ok_or(ForgedSignature)?;
            let time_s = u64::from_be_bytes(*time);
            let signature = signature.try_into().map_err(|_| ForgedSignature)?;
            let message = cosigned(&note.text, time_s);
            let signature = Signature::from_bytes(signature);
            self.0
                .key
                .verify(message.as_bytes(), &signature)
                .map_err(|_| ForgedSignature)?;
            latest = latest.max(Some(time_s));
        }
        Ok(latest)
    }
}

impl WitnessKey {
    /// What this witness has signed in its answer about a checkpoint, as
    /// signature lines; lines of others are left out. `None` when it has signed
    /// nothing, or something does not fit.
    pub fn confirmation(&self, asked: &SignedCheckpoint, answer: &str) -> Option<String> {
        let text = &asked.note.text;
        let note = Note::parse(&format!("{text}\n{answer}")).ok()?;
        let confirmed = note.text == *text && self.confirmed_at_s(&note).ok()?.is_some();
        let signatures = self.0.signatures(&note.lines);
        let lines = signatures.map(|signature| self.0.line(signature));
        confirmed.then(|| lines.collect())
    }
}

/// A signature in a known name that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForgedSignature;

/// The signed message of `cosignature/v1`.
pub(super) fn cosigned(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// A note: its text, which ends in a newline, and who signed it. Nothing of it
/// is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    lines: Vec<SignatureLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SignatureLine {
    name: NoteName,
    id: [u8; KEY_ID_BYTES],
    signature: Vec<u8>,
}

impl Note {
    pub(super) fn parse(note: &str) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "a signed note",
            why,
        };
        let control = |character: char| character.is_ascii_control() && character != '\n';
        if note.contains(control) {
            return Err(malformed("it has control characters"));
        }
        let blank = note.rfind("\n\n").ok_or(malformed("it has no signature"))?;
        let (text, rest) = note.split_at(blank + 1);
        let signatures = rest[1..]
            .strip_suffix('\n')
            .ok_or(malformed("its last line does not end"))?;
        let lines = signatures.split('\n');
        if lines.clone().count() > MAX_SIGNATURES {
            return Err(malformed("it has too many signatures"));
        }
        Ok(Self {
            text: text.to_owned(),
            lines: lines.map(SignatureLine::parse).collect::<Result<_, _>>()?,
        })
    }

    /// This note, with `newer` lines in place of those of the same keys.
    pub(super) fn updated(&self, newer: &Self) -> Self {
        let replaced = |line: &&SignatureLine| {
            let mut newer = newer.lines.iter();
            newer.any(|newer| (&newer.name, newer.id) == (&line.name, line.id))
        };
        let kept = self.lines.iter().filter(|line| !replaced(line));
        Self {
            text: self.text.clone(),
            lines: kept.chain(&newer.lines).cloned().collect(),
        }
    }

    /// To send and to store.
    pub(super) fn whole(&self) -> String {
        let lines: String = self.lines.iter().map(ToString::to_string).collect();
        format!("{}\n{lines}", self.text)
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = [&self.id[..], &self.signature].concat();
        let encoded = Base64::encode_string(&content);
        writeln!(f, "{DASH}{} {encoded}", self.name)
    }
}

impl SignatureLine {
    fn parse(line: &str) -> Result<Self, FormatError> {
        let malformed = |why| FormatError {
            what: "a signature line",
            why,
        };
        let rest = line.strip_prefix(DASH).ok_or(malformed("its dash"))?;
        let (name, encoded) = rest.split_once(' ').ok_or(malformed("its parts"))?;
        let bytes = Base64::decode_vec(encoded).map_err(|_| malformed("its base64"))?;
        let (id, signature) = bytes
            .split_first_chunk()
            .filter(|(_, signature)| !signature.is_empty())
            .ok_or(malformed("its signature is cut off"))?;
        Ok(Self {
            name: NoteName::new(name)?,
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

/// Whether all hold; `None` when there are none.
fn all(mut checks: impl Iterator<Item = bool>) -> Option<bool> {
    let first = checks.next()?;
    Some(checks.fold(first, |so_far, check| so_far && check))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of golang.org/x/mod/sumdb/note.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    const LINE: &str = "\u{2014} PeterNeumann \
        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_that_others_signed_is_verified() {
        let key: LogKey = KEY.parse().unwrap();
        let note = Note::parse(&format!("{TEXT}\n{LINE}")).unwrap();
        assert_eq!(key.verify(&note), Some(true));
        let other = TEXT.replace("your", "our");
        let note = Note::parse(&format!("{other}\n{LINE}")).unwrap();
        assert_eq!(key.verify(&note), Some(false));
        let stranger = LINE.replace("Peter", "Paul");
        let note = Note::parse(&format!("{TEXT}\n{stranger}")).unwrap();
        assert_eq!(key.verify(&note), None);
    }

    #[test]
    fn notes_that_break_the_format_are_refused() {
        for broken in [
            String::new(),
            TEXT.to_owned(),
            format!("{TEXT}{LINE}"),
            format!("{TEXT}\n"),
            format!("{TEXT}\n{}", LINE.trim_end()),
            format!("{TEXT}\n{LINE}x\n"),
            format!("\r{TEXT}\n{LINE}"),
            format!("{TEXT}\n{}", LINE.replace('\u{2014}', "-")),
            format!("{TEXT}\n{}", LINE.replace("AM=", "AN=")),
            format!("{TEXT}\n{}", LINE.replace(" x08", "  x08")),
            format!("{TEXT}\n\u{2014} short x08g\n"),
            format!("{TEXT}\n{}", LINE.repeat(MAX_SIGNATURES + 1)),
        ] {
            assert!(Note::parse(&broken).is_err(), "{broken}");
        }
        // The text may have empty lines: the last one divides.
        let note = Note::parse(&format!("one\n\n{TEXT}\n{LINE}")).unwrap();
        assert_eq!(note.text, format!("one\n\n{TEXT}"));
    }
}
