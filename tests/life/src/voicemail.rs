//! What callers left.

use protocol::{Id, MAX_READ_BYTES, VoicemailList, VoicemailView};

use crate::client::Client;
use crate::failure::Failure;

impl Client {
    /// The messages that the server lists.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn voicemails(&mut self, hub: Id) -> Result<Vec<VoicemailView>, Failure> {
        let list: VoicemailList = self.get(&format!("/hubs/{hub}/voicemails"))?;
        Ok(list.messages)
    }

    /// The sealed file of a message.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sealed_voicemail(&mut self, hub: Id, recording: u64) -> Result<Vec<u8>, Failure> {
        let mut file = Vec::new();
        loop {
            let from = file.len();
            let path = format!(
                "/hubs/{hub}/voicemails/{recording}/bytes?from={from}&length={MAX_READ_BYTES}"
            );
            let piece = self.ask("GET", &path, &[])?.bytes()?;
            if piece.is_empty() {
                return Ok(file);
            }
            file.extend(piece);
        }
    }

    /// The sound of a message: s16le, one channel; and its rate in Hz.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn hear(&mut self, hub: Id, recording: u64) -> Result<(Vec<u8>, u32), Failure> {
        let file = self.sealed_voicemail(hub, recording)?;
        let mut opened = self.line.session.open_voicemail(file, None)?;
        if opened.meta().recording != recording.to_string() {
            let lie = "it gave another recording than was asked for";
            return Err(Failure::Contradiction(lie.to_owned()));
        }
        let mut sound = Vec::new();
        for chunk in 0..opened.chunk_count() {
            sound.extend_from_slice(&opened.chunk(chunk)?);
        }
        Ok((sound, opened.meta().sample_rate_hz))
    }
}
