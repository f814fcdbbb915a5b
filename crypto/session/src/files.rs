//! Attachments, sealed and opened in pieces, and drafts.

use std::fmt;

use crypto::UserId;
use crypto::record::{BodyOpener, BodyWriter, RecordFront, RecordPlace};
use zeroize::Zeroizing;

use crate::notes::{Believed, Expectation, SealedNote};
use crate::people::People;
use crate::refusal::Refusal;
use crate::session::Session;

/// A file that is being sealed. Has the file's own key and no other; it can be
/// ended only by the session that began it.
pub struct SealingFile {
    writer: BodyWriter,
    prefix: Option<Vec<u8>>,
}

impl SealingFile {
    /// Takes the next piece of the file; gives sealed bytes, to send as they
    /// come.
    ///
    /// # Errors
    /// [`crate::Code::Limit`] for more bytes than were announced.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, Refusal> {
        let more = self.writer.push(piece)?;
        let mut sealed = self.prefix.take().unwrap_or_default();
        sealed.extend(more);
        Ok(sealed)
    }
}

impl fmt::Debug for SealingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingFile(…)")
    }
}

/// A file that was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// The signed front, and where the record is now.
    pub front: SealedNote,
    /// The last sealed bytes of the body.
    pub end: Vec<u8>,
}

/// A file that is being opened. Has the file's own key and no other.
#[derive(Debug)]
pub struct OpeningFile(BodyOpener);

impl OpeningFile {
    /// Takes the next bytes of the body; gives what opened. It is authentic,
    /// but whether it is all, and what the author signed, only
    /// [`OpeningFile::finish`] says.
    ///
    /// # Errors
    /// [`crate::Code::Altered`], [`crate::Code::Malformed`].
    pub fn push(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self.0.push(sealed)?)
    }

    /// Says that the body is over; gives the rest. When it is refused, what
    /// came before is to be thrown away.
    ///
    /// # Errors
    /// [`crate::Code::Altered`], [`crate::Code::Malformed`].
    pub fn finish(self) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self.0.finish()?)
    }
}

impl Session {
    /// Begins to seal a file of `length` bytes for this person and `readers`.
    ///
    /// # Errors
    /// As of [`Session::seal_note`].
    pub fn seal_file(
        &mut self,
        place: RecordPlace,
        length: u64,
        readers: &[UserId],
        people: &People,
    ) -> Result<SealingFile, Refusal> {
        let (open, entropy) = self.parts()?;
        let readers = open.sealed_to(readers, people)?;
        let (writer, prefix) = open.writer().start(place, length, &readers, entropy)?;
        let prefix = Some(prefix.to_vec());
        Ok(SealingFile { writer, prefix })
    }

    /// Ends a file and signs it.
    ///
    /// # Errors
    /// [`crate::Code::Locked`], [`crate::Code::Limit`] for fewer bytes than
    /// were announced, [`crate::Code::Moved`] when another device began it.
    pub fn finish_file(&self, file: SealingFile) -> Result<SealedFile, Refusal> {
        let open = self.opened()?;
        let (front, rest) = file.writer.finish(&open.writer())?;
        let mut end = file.prefix.unwrap_or_default();
        end.extend(rest);
        let front = SealedNote {
            position: front.position(),
            record: front.encode(),
            front: front.encode(),
        };
        Ok(SealedFile { front, end })
    }

    /// Compares a file's front with what is expected and begins to open it.
    ///
    /// # Errors
    /// As of [`Session::open_note`].
    pub fn open_file(
        &self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpeningFile, Refusal> {
        let open = self.opened()?;
        let front = RecordFront::decode(front)?;
        let believed = Believed::new(open, &front, expectation, people)?;
        let expected = believed.expected(expectation);
        let opener = front.verify(&expected)?;
        Ok(OpeningFile(opener.open_pieces(&believed.opening_key()?)?))
    }

    /// As [`Session::rewrap_note`], for the front of a file.
    ///
    /// # Errors
    /// As of [`Session::rewrap_note`].
    pub fn rewrap_file(
        &mut self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Refusal> {
        let (open, entropy) = self.parts()?;
        let front = RecordFront::decode(front)?;
        let next = open.rewrapped(&front, expectation, people, entropy)?;
        Ok(next.map(|front| SealedNote {
            position: front.position(),
            record: front.encode(),
            front: front.encode(),
        }))
    }

    /// Seals what the person is still writing, for this device alone. `name`
    /// says which draft it is, in at most 128 bytes.
    ///
    /// # Errors
    /// [`crate::Code::Locked`], [`crate::Code::Limit`],
    /// [`crate::Code::NoRandomness`].
    pub fn seal_draft(&mut self, name: &str, text: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (open, entropy) = self.parts()?;
        Ok(open.keys.seal_draft(name, text, entropy)?)
    }

    /// Opens a draft of this device.
    ///
    /// # Errors
    /// [`crate::Code::Locked`], [`crate::Code::Altered`],
    /// [`crate::Code::Malformed`].
    pub fn open_draft(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self.opened()?.keys.open_draft(name, sealed)?)
    }
}
