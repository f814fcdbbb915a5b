//! Sealing a recording while it is being spoken.

use std::fmt;

use super::format::wrap_info;
use super::format::{MAX_RECIPIENTS, VoicemailMeta, Wrap, body_context, header, push_wraps};
use crate::cobblestone::{ContentKey, Encryptor};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::reader_key::ReaderPublicKey;

/// Turns sound into bytes to append to a file. Does no input or output.
///
/// At 16 kHz a chunk is 0.512 s of sound, so a power cut costs at most that
/// much plus what the operating system had not yet written. The content key is
/// forgotten as soon as it is wrapped; what is held of the sound is less than a
/// chunk and is wiped once sealed.
///
/// A writer that is dropped without [`VoicemailWriter::finish`] leaves a
/// recording that opens as truncated.
pub struct VoicemailWriter {
    body: Encryptor,
}

impl VoicemailWriter {
    /// Starts a recording for the given readers; the returned bytes begin the
    /// file. A reader given twice counts once.
    ///
    /// # Errors
    /// [`Error::NoRecipients`], [`Error::TooManyRecipients`], [`Error::Meta`],
    /// or [`Error::Entropy`].
    pub fn new(
        meta: &VoicemailMeta,
        recipients: &[ReaderPublicKey],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut out = header(meta)?;
        let key = ContentKey::generate(entropy)?;
        let wraps = wrap_for_each(&out, &distinct(recipients)?, &key, entropy)?;
        let (body, body_prefix) = Encryptor::new(&key, &body_context(&out), entropy)?;
        push_wraps(&mut out, &wraps);
        out.extend_from_slice(&body_prefix);
        Ok((Self { body }, out))
    }

    /// Takes more sound, as s16le mono samples; returns sealed bytes to append,
    /// often none. A call may end within a sample.
    pub fn push(&mut self, pcm: &[u8]) -> Vec<u8> {
        self.body.push(pcm).expect(WITHIN_LIMIT)
    }

    /// Ends the recording; returns the last bytes to append, which mark it as
    /// complete.
    pub fn finish(self) -> Vec<u8> {
        self.body.finish().expect(WITHIN_LIMIT)
    }
}

/// Why the body's limit is out of reach: 4 PiB are 1,400 years at 48 kHz.
const WITHIN_LIMIT: &str = "no recording lasts a thousand years";

impl fmt::Debug for VoicemailWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VoicemailWriter({:?})", self.body)
    }
}

fn distinct(recipients: &[ReaderPublicKey]) -> Result<Vec<&ReaderPublicKey>, Error> {
    let mut readers: Vec<&ReaderPublicKey> = Vec::with_capacity(recipients.len());
    for reader in recipients {
        if !readers.contains(&reader) {
            readers.push(reader);
        }
    }
    match readers.len() {
        0 => Err(Error::NoRecipients),
        1..=MAX_RECIPIENTS => Ok(readers),
        given => Err(Error::TooManyRecipients { given }),
    }
}

fn wrap_for_each(
    header: &[u8],
    readers: &[&ReaderPublicKey],
    key: &ContentKey,
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<Vec<Wrap>, Error> {
    readers
        .iter()
        .map(|reader| {
            let info = wrap_info(header, reader.id());
            Ok(Wrap {
                reader: reader.id(),
                sealed: reader.seal_key(&info, key, entropy)?,
            })
        })
        .collect()
}
