//! Who signs checkpoints, and the text of their keys.

use std::str::FromStr;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::error::FormatError;
use super::note::{KeyType, LogKey, NamedKey, NoteName, WitnessKey, cosigned};
use crate::primitive::SigningKey;

const SECRET_FRONT: &str = "PRIVATE+KEY+";
const SEED_BYTES: usize = 32;

macro_rules! signers {
    ($($(#[$doc:meta])* $signer:ident, $key:ident, $kind:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $signer {
            signing: SigningKey,
            key: $key,
        }

        impl $signer {
            /// The signer of this name.
            pub fn new(name: NoteName, signing: SigningKey) -> Self {
                let key = $key::new(name, signing.verifying_key());
                Self { signing, key }
            }

            /// What others pin.
            pub fn key(&self) -> &$key {
                &self.key
            }

            /// The text for a key file,
            /// `PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`, as Go's
            /// package `note` has it. Whoever has it signs in this name.
            pub fn reveal(&self) -> Zeroizing<String> {
                reveal(&self.key.0, &self.signing)
            }
        }

        impl FromStr for $signer {
            type Err = FormatError;

            fn from_str(text: &str) -> Result<Self, FormatError> {
                let (name, id, signing) = read($kind, text)?;
                let signer = Self::new(name, signing);
                if signer.key.0.id_text() != id {
                    return Err(malformed("its id does not fit its key"));
                }
                Ok(signer)
            }
        }
    )*};
}

signers! {
    /// Signs the checkpoints of a log, whose origin is the name. Its key signs
    /// nothing else.
    LogSigner, LogKey, KeyType::Note;
    /// Confirms checkpoints. Its key signs nothing else, and belongs to one
    /// witness only: the signed message does not name the witness.
    WitnessSigner, WitnessKey, KeyType::Cosignature;
}

impl LogSigner {
    /// The signature line below this text.
    pub(super) fn sign(&self, text: &str) -> String {
        let signature = self.signing.sign(text.as_bytes());
        self.key.0.line(signature.as_bytes())
    }
}

impl WitnessSigner {
    /// The signature line below this text, at this Unix time.
    pub(super) fn sign(&self, text: &str, time_s: u64) -> String {
        let signature = self.signing.sign(cosigned(text, time_s).as_bytes());
        let content = [&time_s.to_be_bytes()[..], signature.as_bytes()].concat();
        self.key.0.line(&content)
    }
}

fn reveal(key: &NamedKey, signing: &SigningKey) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 1 + SEED_BYTES]);
    bytes[0] = key.kind as u8;
    bytes[1..].copy_from_slice(&*signing.seed());
    let encoded = Zeroizing::new(Base64::encode_string(&*bytes));
    let (name, id) = (key.name(), key.id_text());
    Zeroizing::new(format!("{SECRET_FRONT}{name}+{id}+{}", *encoded))
}

/// Name, id and key.
fn read(kind: KeyType, text: &str) -> Result<(NoteName, &str, SigningKey), FormatError> {
    let rest = text.trim().strip_prefix(SECRET_FRONT);
    let rest = rest.ok_or(malformed("it does not begin with PRIVATE+KEY+"))?;
    let mut parts = rest.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("it is not name+id+key"));
    };
    let mut bytes = Zeroizing::new([0; 1 + SEED_BYTES]);
    let decoded = Base64::decode(encoded, &mut *bytes);
    let decoded = decoded.map_err(|_| malformed("its base64"))?;
    let Some((found, seed)) = decoded.split_first() else {
        return Err(malformed("its key is missing"));
    };
    if *found != kind as u8 {
        return Err(malformed("the key is for another use"));
    }
    let seed = seed
        .try_into()
        .map_err(|_| malformed("its key is cut off"))?;
    Ok((NoteName::new(name)?, id, SigningKey::from_seed(seed)))
}

fn malformed(why: &'static str) -> FormatError {
    FormatError {
        what: "a signer's key",
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of golang.org/x/mod/sumdb/note.
    const SECRET: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_key_that_others_made_is_read_and_written_as_it_was() {
        let signer: LogSigner = SECRET.parse().unwrap();
        assert_eq!(signer.key().to_string(), PUBLIC);
        assert_eq!(*signer.reveal(), SECRET);
    }

    #[test]
    fn a_damaged_key_is_refused() {
        for broken in [
            "",
            "PRIVATE+KEY+",
            PUBLIC,
            &SECRET[..SECRET.len() - 4],
            &SECRET.replace("c74f20a3", "c74f20a4"),
            &SECRET.replace("Peter", "Paul"),
            &SECRET.replace("AYEK", "BYEK"),
        ] {
            assert!(broken.parse::<LogSigner>().is_err(), "{broken}");
        }
        // A log's key is no witness's.
        assert!(SECRET.parse::<WitnessSigner>().is_err());
        let shown = format!("{:?}", SECRET.parse::<LogSigner>().unwrap());
        assert!(!shown.contains("AYEK"), "{shown}");
    }
}
