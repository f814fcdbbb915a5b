//! Attachments in pieces, recordings, and drafts.

use crypto::VoicemailMeta;
use crypto_session as core;

use crate::expectation::{Expectation, People, Place, SealedNote, ServerKey};
use crate::held::Held;
use crate::refusal::Refusal;
use crate::session::Session;

const FINISHED: (core::Code, &str) = (core::Code::OutOfTurn, "this file is finished");

/// A file that is being sealed.
#[derive(Debug, uniffi::Object)]
pub struct SealingFile(Held<core::SealingFile>);

#[uniffi::export]
impl SealingFile {
    /// Takes the next piece; gives sealed bytes, to send as they come.
    ///
    /// # Errors
    /// `limit`, `out-of-turn`.
    pub fn push(&self, piece: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.0.with(|file| file.push(piece))
    }
}

/// A file that was sealed.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SealedFile {
    /// The signed front, to send to the server, and how far it is.
    pub front: SealedNote,
    /// The last sealed bytes.
    pub end: Vec<u8>,
}

/// A file that is being opened.
#[derive(Debug, uniffi::Object)]
pub struct OpeningFile(Held<core::OpeningFile>);

#[uniffi::export]
impl OpeningFile {
    /// Takes the next sealed bytes; gives what opened. Only `finish` says that
    /// it was all, and what the author signed.
    ///
    /// # Errors
    /// `altered`, `malformed`, `out-of-turn`.
    pub fn push(&self, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let opened = self.0.with(|file| file.push(sealed))?;
        Ok(opened.to_vec())
    }

    /// Gives the rest. When it throws, what came before is to be thrown away.
    ///
    /// # Errors
    /// `altered`, `malformed`, `out-of-turn`.
    pub fn finish(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.0.take()?.finish()?.to_vec())
    }
}

/// A recording that was opened: s16le samples of one channel.
#[derive(Debug, uniffi::Object)]
pub struct Voicemail {
    sound: Held<core::Voicemail>,
    meta: VoicemailMeta,
    is_complete: bool,
    chunk_count: u64,
}

impl From<core::Voicemail> for Voicemail {
    fn from(voicemail: core::Voicemail) -> Self {
        let sentence = "the recording was lost; open it again";
        Self {
            meta: voicemail.meta().clone(),
            is_complete: voicemail.is_complete(),
            chunk_count: voicemail.chunk_count(),
            sound: Held::new(voicemail, (core::Code::OutOfTurn, sentence)),
        }
    }
}

#[uniffi::export]
impl Voicemail {
    /// The hotline that was called, by the file.
    pub fn hub(&self) -> String {
        self.meta.hub.clone()
    }

    /// Which recording it is, by the file.
    pub fn recording(&self) -> String {
        self.meta.recording.clone()
    }

    /// When it began, in Unix milliseconds.
    pub fn created_at_ms(&self) -> u64 {
        self.meta.created_at_ms
    }

    /// Samples in a second.
    pub fn sample_rate_hz(&self) -> u32 {
        self.meta.sample_rate_hz
    }

    /// Whether it has its authentic end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Chunks of sound, of 16 KiB.
    pub fn chunk_count(&self) -> u64 {
        self.chunk_count
    }

    /// The sound of one chunk.
    ///
    /// # Errors
    /// `altered`, `malformed`.
    pub fn chunk(&self, index: u64) -> Result<Vec<u8>, Refusal> {
        let sound = self.sound.with(|sound| sound.chunk(index))?;
        Ok(sound.to_vec())
    }
}

#[uniffi::export]
impl Session {
    /// Begins to seal a file of `length` bytes for this person and `readers`.
    ///
    /// # Errors
    /// As of `seal_note`.
    pub fn seal_file(
        &self,
        place: &Place,
        length: u64,
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealingFile, Refusal> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let file = self.with_people(people, |session, people| {
            session.seal_file(place.0, length, &readers, people)
        })?;
        Ok(SealingFile(Held::new(file, FINISHED)))
    }

    /// Ends a file and signs it.
    ///
    /// # Errors
    /// `locked`, `limit`, `moved`, `out-of-turn`.
    pub fn finish_file(&self, file: &SealingFile) -> Result<SealedFile, Refusal> {
        let file = file.0.take()?;
        let sealed = self.held.with(|session| session.finish_file(file))?;
        Ok(SealedFile {
            front: sealed.front.into(),
            end: sealed.end,
        })
    }

    /// Compares a file's front with what is expected and begins to open it.
    ///
    /// # Errors
    /// As of `open_note`.
    pub fn open_file(
        &self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpeningFile, Refusal> {
        let expectation = expectation.now();
        let file = self.with_people(people, |session, people| {
            session.open_file(front, &expectation, people)
        })?;
        Ok(OpeningFile(Held::new(file, FINISHED)))
    }

    /// As `rewrap_note`, for the front of a file.
    ///
    /// # Errors
    /// As of `open_note`.
    pub fn rewrap_file(
        &self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Refusal> {
        let expectation = expectation.now();
        let moved = self.with_people(people, |session, people| {
            session.rewrap_file(front, &expectation, people)
        })?;
        Ok(moved.map(SealedNote::from))
    }

    /// Opens a recording that was sealed to this person.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`, `too-new`.
    pub fn open_voicemail(&self, file: Vec<u8>) -> Result<Voicemail, Refusal> {
        let opened = self
            .held
            .with(|session| session.open_voicemail(file, None))?;
        Ok(opened.into())
    }

    /// As `open_voicemail`, when the server has signed that this is the
    /// recording of `record`.
    ///
    /// # Errors
    /// As of `open_voicemail`; `moved`.
    pub fn open_signed_voicemail(
        &self,
        file: Vec<u8>,
        header: &[u8],
        hub: &str,
        record: &str,
        server: &ServerKey,
    ) -> Result<Voicemail, Refusal> {
        let signed = core::SignedRecording {
            header,
            hub: core::hub_named(hub)?,
            record: core::record_named(record)?,
            server: server.0,
        };
        let open = |session: &mut core::Session| session.open_voicemail(file, Some(signed));
        Ok(self.held.with(open)?.into())
    }

    /// Seals what the person is still writing, for this device alone.
    ///
    /// # Errors
    /// `locked`, `limit`, `no-randomness`.
    pub fn seal_draft(&self, name: &str, text: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.held.with(|session| session.seal_draft(name, text))
    }

    /// Opens a draft of this device.
    ///
    /// # Errors
    /// `locked`, `altered`, `malformed`, `too-new`.
    pub fn open_draft(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let text = self.held.with(|session| session.open_draft(name, sealed))?;
        Ok(text.to_vec())
    }
}
