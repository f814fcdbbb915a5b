//! Attachments in pieces, recordings, and drafts.

use crypto_session as core;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::expectation::{Expectation, People, Place, SealedNote, ServerKey};
use crate::refused::Thrown;
use crate::session::Session;

/// A file that is being sealed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct SealingFile(core::SealingFile);

#[wasm_bindgen]
impl SealingFile {
    /// Takes the next piece; gives sealed bytes, to send as they come.
    ///
    /// # Errors
    /// `limit`.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.push(piece)?)
    }
}

/// A file that was sealed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct SealedFile(core::SealedFile);

#[wasm_bindgen]
impl SealedFile {
    /// The signed front, to send to the server, and how far it is.
    #[wasm_bindgen(getter)]
    pub fn front(&self) -> SealedNote {
        self.0.front.clone().into()
    }

    /// The last sealed bytes.
    #[wasm_bindgen(getter)]
    pub fn end(&self) -> Vec<u8> {
        self.0.end.clone()
    }
}

/// A file that is being opened.
#[wasm_bindgen]
#[derive(Debug)]
pub struct OpeningFile(core::OpeningFile);

#[wasm_bindgen]
impl OpeningFile {
    /// Takes the next sealed bytes; gives what opened. Only `finish` says that
    /// it was all, and what the author signed.
    ///
    /// # Errors
    /// `altered`, `malformed`.
    pub fn push(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.push(sealed)?.to_vec())
    }

    /// Gives the rest. When it throws, what came before is to be thrown away.
    ///
    /// # Errors
    /// `altered`, `malformed`.
    pub fn finish(self) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.finish()?.to_vec())
    }
}

/// A recording that was opened: s16le samples of one channel.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Voicemail(core::Voicemail);

#[wasm_bindgen]
impl Voicemail {
    /// The hotline that was called, by the file.
    #[wasm_bindgen(getter)]
    pub fn hub(&self) -> String {
        self.0.meta().hub.clone()
    }

    /// Which recording it is, by the file.
    #[wasm_bindgen(getter)]
    pub fn recording(&self) -> String {
        self.0.meta().recording.clone()
    }

    /// When it began, as `Date.now()` counts.
    #[wasm_bindgen(getter, js_name = createdAt)]
    pub fn created_at(&self) -> f64 {
        self.0.meta().created_at_ms as f64
    }

    /// Samples in a second.
    #[wasm_bindgen(getter, js_name = sampleRate)]
    pub fn sample_rate(&self) -> u32 {
        self.0.meta().sample_rate_hz
    }

    /// Whether it has its authentic end.
    #[wasm_bindgen(getter, js_name = isComplete)]
    pub fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    /// Chunks of sound, of 16 KiB.
    #[wasm_bindgen(getter, js_name = chunkCount)]
    pub fn chunk_count(&self) -> f64 {
        self.0.chunk_count() as f64
    }

    /// The sound of one chunk.
    ///
    /// # Errors
    /// `altered`, `malformed`.
    pub fn chunk(&mut self, index: u32) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.chunk(u64::from(index))?.to_vec())
    }
}

#[wasm_bindgen]
impl Session {
    /// Begins to seal a file of `length` bytes for this person and `readers`.
    ///
    /// # Errors
    /// As of `sealNote`.
    #[wasm_bindgen(js_name = sealFile)]
    pub fn seal_file(
        &mut self,
        place: &Place,
        length: f64,
        readers: Vec<String>,
        people: &People,
    ) -> Result<SealingFile, Thrown> {
        let readers: Vec<_> = core::users_named(&readers)?;
        let length = length as u64;
        let file = self.0.seal_file(place.0, length, &readers, &people.0)?;
        Ok(SealingFile(file))
    }

    /// Ends a file and signs it.
    ///
    /// # Errors
    /// `locked`, `limit`, `moved`.
    #[wasm_bindgen(js_name = finishFile)]
    pub fn finish_file(&self, file: SealingFile) -> Result<SealedFile, Thrown> {
        Ok(SealedFile(self.0.finish_file(file.0)?))
    }

    /// Compares a file's front with what is expected and begins to open it.
    ///
    /// # Errors
    /// As of `openNote`.
    #[wasm_bindgen(js_name = openFile)]
    pub fn open_file(
        &self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<OpeningFile, Thrown> {
        let file = self.0.open_file(front, &expectation.0, &people.0)?;
        Ok(OpeningFile(file))
    }

    /// As `rewrapNote`, for the front of a file.
    ///
    /// # Errors
    /// As of `openNote`.
    #[wasm_bindgen(js_name = rewrapFile)]
    pub fn rewrap_file(
        &mut self,
        front: &[u8],
        expectation: &Expectation,
        people: &People,
    ) -> Result<Option<SealedNote>, Thrown> {
        let moved = self.0.rewrap_file(front, &expectation.0, &people.0)?;
        Ok(moved.map(SealedNote::from))
    }

    /// Opens a recording that was sealed to this person.
    ///
    /// # Errors
    /// `locked`, `key-needed`, `not-for-you`, `altered`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = openVoicemail)]
    pub fn open_voicemail(&self, file: Vec<u8>) -> Result<Voicemail, Thrown> {
        Ok(Voicemail(self.0.open_voicemail(file, None)?))
    }

    /// As `openVoicemail`, when the server has signed that this is the
    /// recording of `record`.
    ///
    /// # Errors
    /// As of `openVoicemail`; `moved`.
    #[wasm_bindgen(js_name = openSignedVoicemail)]
    pub fn open_signed_voicemail(
        &self,
        file: Vec<u8>,
        header: &[u8],
        hub: &str,
        record: &str,
        server: &ServerKey,
    ) -> Result<Voicemail, Thrown> {
        let signed = core::SignedRecording {
            header,
            hub: core::hub_named(hub)?,
            record: core::record_named(record)?,
            server: server.0,
        };
        Ok(Voicemail(self.0.open_voicemail(file, Some(signed))?))
    }

    /// Seals what the person is still writing, for this device alone.
    ///
    /// # Errors
    /// `locked`, `limit`, `no-randomness`.
    #[wasm_bindgen(js_name = sealDraft)]
    pub fn seal_draft(&mut self, name: &str, text: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.seal_draft(name, text)?)
    }

    /// Opens a draft of this device.
    ///
    /// # Errors
    /// `locked`, `altered`, `malformed`, `too-new`.
    #[wasm_bindgen(js_name = openDraft)]
    pub fn open_draft(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, Thrown> {
        Ok(self.0.open_draft(name, sealed)?.to_vec())
    }
}
